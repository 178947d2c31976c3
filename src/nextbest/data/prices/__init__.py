"""Candles: read, checked, kept, on one clock. Nothing is filled."""
