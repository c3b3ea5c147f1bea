"""What candles must satisfy, whoever delivered them; nothing here fetches."""
