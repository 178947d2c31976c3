"""Small logs whose right answer is known."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

START = datetime(2024, 1, 1, tzinfo=UTC)


def chains(*, n_users: int = 60, n_steps: int = 12, n_items: int = 12) -> pl.DataFrame:
    """Everybody walks the ring of items 0, 1, 2, ... from their own start, one step a day.

    What follows is certain from the last item, and popularity knows nothing: all items are as popular.
    """
    user = np.repeat(np.arange(n_users), n_steps)
    step = np.tile(np.arange(n_steps), n_users)
    return pl.DataFrame(
        {
            "user_id": [f"u{u:03d}" for u in user],
            "item_id": ((user + step) % n_items).astype(np.int64),
            "time": [START + timedelta(days=int(s), seconds=int(u)) for u, s in zip(user, step, strict=True)],
        },
        schema_overrides={"time": pl.Datetime("us", "UTC")},
    )


def noise(*, n_users: int = 80, n_items: int = 30, n_events: int = 12, rng: int = 0) -> pl.DataFrame:
    """Everybody takes items at random: nothing can be learned."""
    gen = np.random.default_rng(rng)
    user = np.repeat(np.arange(n_users), n_events)
    return pl.DataFrame(
        {
            "user_id": user.astype(np.int64),
            "item_id": gen.integers(0, n_items, len(user)),
            "time": [START + timedelta(seconds=float(s)) for s in gen.uniform(0, 1e7, len(user))],
        },
        schema_overrides={"time": pl.Datetime("us", "UTC")},
    ).sort("time")
