"""A trained model at work: sampling, likelihood, dynamic evaluation."""
