"""Sequence models: what comes next, from the order of events. Torch loads only below this package."""
