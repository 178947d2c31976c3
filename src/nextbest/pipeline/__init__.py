"""Retrieve, filter, rank, fall back, explain."""
