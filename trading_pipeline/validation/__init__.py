"""Validation: walk-forward folds, purging, leakage detection, scores of forecasts."""
