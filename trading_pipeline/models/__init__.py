"""Forecasting models: ports, gradient-boosted trees, training, cards, champions."""
