"""Indicators, the feature matrix and labels."""
