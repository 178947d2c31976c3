"""A shop where order is all: whoever took a letter takes the next one, `z` of eight being followed by `s` again.

All letters are taken equally often, and each together with each other one, so that nothing but order tells what is next.
"""

from datetime import UTC, datetime, timedelta

import polars as pl

from nextbest.data.interactions import Interactions
from nextbest.models import make_model
from nextbest.pipeline.pipeline import Pipeline
from nextbest.tables import TIME_DTYPE

START = datetime(2026, 1, 1, tzinfo=UTC)
LETTERS = "stuvwxyz"
CONFIG = {
    "embedding_dim": 16,
    "max_len": 8,
    "dropout": 0.0,
    "loss": {"kind": "softmax"},
    "training": {
        "learning_rate": 0.01,
        "batch_events": 1024,
        "validation": None,
        "n_epochs": 25,
        "n_threads": 1,
    },
}


def day(n: float) -> datetime:
    """`n` days after the start."""
    return START + timedelta(days=n)


def after(letter: str) -> str:
    """What is taken next."""
    return LETTERS[(LETTERS.index(letter) + 1) % 8]


def log() -> Interactions:
    """User `u3` begins with the fourth letter and takes seven, a day each."""
    rows = [(f"u{u}", LETTERS[(u + t) % 8], day(t)) for u in range(60) for t in range(7)]
    schema = {"user_id": pl.String, "item_id": pl.String, "time": TIME_DTYPE}
    return Interactions.from_journal(pl.DataFrame(rows, schema=schema, orient="row"))


def cycle_shop(kind: str = "gru4rec") -> Pipeline:
    """The shop answered by a sequence model."""
    return Pipeline.fit(make_model(kind, CONFIG), [make_model("popularity")], log(), rng=0)
