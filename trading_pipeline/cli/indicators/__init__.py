"""``trading indicators``: the catalogue, and its values on stored candles."""
