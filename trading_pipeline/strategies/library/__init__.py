"""One strategy per file; none imports another."""
