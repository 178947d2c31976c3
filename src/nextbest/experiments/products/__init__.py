"""Bank products end to end: months that models have not seen, a model folder, the tables of both."""
