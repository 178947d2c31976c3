"""Nearest clients and what may be told of them: everything that leaves goes through `privacy`."""
