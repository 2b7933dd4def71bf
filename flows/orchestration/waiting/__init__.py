"""Runs that wait their turn: as rows of the server's database, not as processes."""
