"""The figures of the catalogue, one module a family: each defines names, words and how it is computed."""
