"""Splits, metrics, significance: tables in, numbers out; knows no model."""
