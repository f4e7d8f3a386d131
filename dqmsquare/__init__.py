"""DQM² Mirror: CMS's online data-quality jobs, seen from outside Point 5."""

__version__ = "2.0.0"
