"""Votes of every source and the aggregated signals: research, never executed."""
