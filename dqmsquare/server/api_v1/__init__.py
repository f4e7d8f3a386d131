"""/api/v1: the mirror for programs, described by the document at /api/v1/openapi.json."""
