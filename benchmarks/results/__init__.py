"""The gallery: every dataset that ships, from its source to its report, on one page."""
