"""Cleaning: named steps over chunks and histories; tables in, tables and reasons out, no files."""

from nextbest.data.cleaning.config import STEPS, CleaningConfig, Rate, Step

__all__ = ["STEPS", "CleaningConfig", "Rate", "Step"]
