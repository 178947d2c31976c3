"""Forecasts of prices and what they are worth: models, their test, a verdict on money. Design: docs/decisions/0006-market.md."""
