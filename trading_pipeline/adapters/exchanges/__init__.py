"""Where candles come from and, later, where orders go."""
