"""Turn a fetched snapshot into a corpus: examine every file, deduplicate, split, write."""
