"""Prices whose truth is known: random walks, and series that can be predicted."""
