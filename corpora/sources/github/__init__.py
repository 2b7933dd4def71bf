"""All repositories of a GitHub account."""
