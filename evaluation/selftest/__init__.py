"""Synthetic corpora with known answers, which the metrics must recover."""
