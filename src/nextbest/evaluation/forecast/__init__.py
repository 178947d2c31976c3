"""Forecasts and outcomes in, numbers out; knows no model and no money."""
