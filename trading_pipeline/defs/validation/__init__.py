"""Walk-forward folds, their predictions, and how good they were."""
