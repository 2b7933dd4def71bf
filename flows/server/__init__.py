"""Prefect's server as charmill starts it: process, settings and request checks."""
