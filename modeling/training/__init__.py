"""A training from its first batch to its last checkpoint."""
