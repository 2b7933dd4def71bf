"""Retention: which finished runs can go, and removing them without losing what is needed."""
