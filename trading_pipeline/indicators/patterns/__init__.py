"""Candlestick patterns: those that traders name, with the definitions of TA-Lib."""
