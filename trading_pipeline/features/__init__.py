"""Features and labels: stationary inputs of a model, and what it learns to foresee."""
