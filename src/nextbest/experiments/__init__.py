"""The only room that knows models and metrics: run, compare, report."""
