"""The HTTP face of a model folder."""
