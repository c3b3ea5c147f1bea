"""Signals through one account: fills, stops, costs, equity and trades."""
