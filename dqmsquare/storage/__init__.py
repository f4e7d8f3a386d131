"""PostgreSQL: the only place that knows SQL. The grabber writes through it, the server reads through it."""
