"""Pages about finished and running work, served next to Prefect's UI or written as files."""
