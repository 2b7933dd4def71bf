"""Text in: sources, filters, duplicates, split, and the corpus on disk."""
