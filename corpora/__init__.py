"""From sources to a corpus: fetching, filters, duplicates, split, and the files on disk."""
