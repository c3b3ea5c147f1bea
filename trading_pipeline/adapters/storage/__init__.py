"""What is kept: the Parquet lake, the DuckDB warehouse, the SQL ledger, model artefacts."""
