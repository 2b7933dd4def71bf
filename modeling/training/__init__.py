"""Training, from the first batch to the final model."""
