"""The house's own documents: read, cut into passages, found by words and by meaning, cited. Import the modules by name."""
