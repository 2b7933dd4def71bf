"""Numbers about groups of texts, and their intervals."""
