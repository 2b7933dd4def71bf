"""A corpus on disk: Parquet shards, ledger, summary and dataset card."""
