"""Metrics of groups of texts, with their intervals."""
