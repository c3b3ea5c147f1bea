"""The ``trading`` command: parse, call the same functions and assets as the UI, print."""
