"""Vectors of a window of events -> one state a place: all that differs between sequence models."""
