"""Faults on purpose: `python -m tests.faults` shows that none of them loses anything finished."""
