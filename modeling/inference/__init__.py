"""Using a trained model: sampling, likelihood, dynamic evaluation."""
