"""Rules and forecasts as signal sources."""
