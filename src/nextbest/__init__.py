"""nextbest: what each client needs next, from the logs you already keep, with the proof beside it."""

__version__ = "0.1.0"
