"""A small language model taught to call this assistant's tools and to word their answers. Knows no client."""
