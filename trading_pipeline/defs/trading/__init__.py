"""From a closed candle to a paper order."""
