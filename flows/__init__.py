"""Orchestration: the stages, their plan, their Prefect flows and the command line."""
