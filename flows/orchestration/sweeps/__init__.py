"""Flows over all datasets: they start the pipelines as runs, and show one line for each."""
