"""Answers in words from tool results: natural, in both languages, without a model, and never a figure of their own."""
