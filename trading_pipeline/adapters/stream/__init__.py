"""Streams and live updates: in Redis, or embedded in SQLite files."""
