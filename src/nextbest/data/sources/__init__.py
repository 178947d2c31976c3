"""One adapter per known format."""
