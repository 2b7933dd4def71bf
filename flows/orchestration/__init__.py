"""Everything that uses Prefect: flows, tasks, deployments, concurrency, events."""
