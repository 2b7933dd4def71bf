"""Near-duplicates: MinHash signatures, clusters, and a split that keeps copies together."""
