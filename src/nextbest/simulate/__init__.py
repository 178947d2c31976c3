"""Synthetic logs with known truth."""
