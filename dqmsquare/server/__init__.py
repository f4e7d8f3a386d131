"""What answers browsers and programs: pages, the kept first API, and the push. Reads the database, hardly writes."""
