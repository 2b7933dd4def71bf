"""Git repositories, fetched bare at a resolved commit."""
