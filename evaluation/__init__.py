"""Judgement: scorers, baselines, statistics and the report."""
