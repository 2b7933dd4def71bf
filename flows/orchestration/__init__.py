"""Prefect: flows, tasks, deployments, concurrency, events."""
