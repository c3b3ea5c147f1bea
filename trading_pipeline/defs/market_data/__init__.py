"""Raw and validated candles."""
