"""``trading data``: candles in, what is known of them, and what the lake holds."""
