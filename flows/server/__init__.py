"""Prefect's server as charmill starts it: its process, settings, and request checks."""
