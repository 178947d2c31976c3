"""A product model, its panel and the bank's rules as one answer: the same for one request and for all clients.

Import the modules by name; importing this package loads nothing.
"""
