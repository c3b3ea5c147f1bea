"""PDF reports: of a backtest, and of a day."""
