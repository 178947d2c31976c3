"""Figures of a portfolio, each with its convention: a fast core for many, a catalogue for one."""
