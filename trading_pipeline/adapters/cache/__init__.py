"""Values that may be used for a while: in Redis, or embedded in a SQLite file."""
