"""Portfolios: what they did, how like clients invest, the odds of a goal, and whether a plan is kept."""
