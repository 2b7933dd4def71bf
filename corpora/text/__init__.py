"""From bytes to text: decoding, normalisation, Project Gutenberg's licence, parts of books."""
