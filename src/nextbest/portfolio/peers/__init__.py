"""Nearest clients and what may be told of them."""
