"""Smart-money concepts, causal and incremental: swings, structure, blocks, gaps, liquidity."""
