"""Everything that knows Dagster: assets and their checks by area, and what joins them."""
