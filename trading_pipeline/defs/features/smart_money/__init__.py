"""Smart-money features, with a picture of each month."""
