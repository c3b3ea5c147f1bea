"""Backtests of every signal source, and the summary over symbols."""
