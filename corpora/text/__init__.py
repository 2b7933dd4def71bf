"""From bytes to text: decoding, normalisation, Project Gutenberg's frame, parts of books."""
