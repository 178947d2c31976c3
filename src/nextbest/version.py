"""The package's version: what manifests and `--version` state."""

__version__ = "0.1.0"
