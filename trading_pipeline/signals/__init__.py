"""What a source believes about a closed candle, and how beliefs become one decision."""
