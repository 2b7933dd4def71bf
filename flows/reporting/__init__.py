"""What readers see of finished runs: Prefect artifacts and the index of reports."""
