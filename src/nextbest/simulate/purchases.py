"""Purchases of a block of clients, drawn from the laws, all clients side by side.

Arrays in, arrays out; knows no table. A block is drawn from its own stream of random numbers, so
any block can be drawn alone and comes out the same.
"""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from nextbest.simulate.config import ShopConfig
from nextbest.simulate.laws import FOLLOWER_SHARES, Floats, Ints, Laws

_HOURS = np.array([1, 0.5, 0.3, 0.2, 0.2, 0.4, 1, 2, 4, 6, 5, 6, 7, 6, 6, 5, 5, 7, 8, 8, 7, 6, 4, 2])
_WEEKDAYS = np.array([1.0, 0.95, 0.95, 1.0, 1.15, 1.35, 1.2])
_PAY_DAYS = (5, 10, 20, 25)
_GAP_S = 20
"""Least seconds between two purchases of a client: nobody pays twice in one breath."""


@dataclass(frozen=True, eq=False)
class Purchases:
    """Purchases of B clients, sorted by client and time."""

    user: Ints
    """Row of the client inside the block. Shape (n,)."""
    item: Ints
    second: Ints
    """Seconds since the first day. Strictly rising inside a client."""


def draw_purchases(
    laws: Laws, taste: Floats, *, n_days: int, events_per_user: float, rng: np.random.Generator
) -> Purchases:
    """Purchases of clients with these tastes, shape (B, d); each makes at least one."""
    counts = _counts(len(taste), events_per_user, laws.config, rng)
    order = np.argsort(-counts, kind="stable")  # busy clients first: those still active are a prefix
    counts = counts[order]
    second = _seconds(counts, n_days, laws.config, rng)
    item = _items(laws, taste[order], counts, second / 86_400, rng)
    place, step = np.nonzero(np.arange(counts[0]) < counts[:, None])
    user = order[place]
    back = np.argsort(user, kind="stable")
    return Purchases(user[back], item[place, step][back], second[place, step][back])


def _counts(n: int, mean: float, config: ShopConfig, rng: np.random.Generator) -> Ints:
    """Purchases of each client, log-normal around `mean`, 1..10 times the mean."""
    sd = config.activity_sd
    raw = mean * np.exp(rng.normal(scale=sd, size=n) - sd * sd / 2)
    return np.clip(np.round(raw), 1, max(1.0, 10 * mean)).astype(np.int64)


def _seconds(counts: Ints, n_days: int, config: ShopConfig, rng: np.random.Generator) -> Ints:
    """Moments of each client's purchases, shape (B, most); only the first counts[b] of a row mean something."""
    shape = (len(counts), int(counts[0]))
    real = np.arange(shape[1]) < counts[:, None]
    dates = [config.start + timedelta(days=day) for day in range(n_days)]
    weight = [_WEEKDAYS[date.weekday()] * (1.3 if date.day in _PAY_DAYS else 1.0) for date in dates]
    edges = np.concatenate([[0.0], np.cumsum(weight)])
    joined = np.where(
        rng.random(shape[0]) < config.newcomers, rng.integers(0, max(1, n_days * 9 // 10), shape[0]), 0
    )
    low = edges[joined][:, None]
    fresh = rng.random(shape) >= config.session
    fresh[:, 0] = True
    draw = low + rng.random(shape) * (edges[-1] - low)
    day = np.clip(np.searchsorted(edges, draw, side="right") - 1, 0, n_days - 1)
    hour = rng.choice(24, size=shape, p=_HOURS / _HOURS.sum())
    moment = (day * 24 + hour) * 3600 + rng.integers(0, 3600, size=shape)
    began = np.maximum.accumulate(np.where(fresh, np.arange(shape[1]), 0), axis=1)
    rows = np.arange(shape[0])[:, None]
    apart = np.cumsum(np.where(fresh, 0, 30 + rng.exponential(150, size=shape).astype(np.int64)), axis=1)
    drawn = moment[rows, began] + apart - apart[rows, began]
    late = n_days * 86_400 * 2
    ordered = np.sort(np.where(real, drawn, late), axis=1)
    steps = _GAP_S * np.arange(shape[1])
    spaced: Ints = np.maximum.accumulate(ordered - steps, axis=1) + steps
    return spaced


def _items(laws: Laws, taste: Floats, counts: Ints, day: Floats, rng: np.random.Generator) -> Ints:
    """Item of each purchase, one step of all active clients after the other. Shape (B, most)."""
    item = np.zeros(day.shape, np.int64)
    latest = np.zeros(day.shape, np.bool_)
    runs_out = np.isfinite(laws.period)
    for step in range(day.shape[1]):
        n = int(np.searchsorted(-counts, -step, side="left"))
        rows, now = np.arange(n), day[:n, step]
        last = item[:n, step - 1] if step else np.full(n, -1)
        due = np.cumsum(laws.due(item[:n, :step], day[:n, :step], latest[:n, :step], now), axis=1)
        n_due = due[:, -1] if step else np.zeros(n)
        pull = laws.pulled(last, day[:n, step - 1], now) if step else np.zeros(n)
        draw = rng.random(n) * (1 + pull + n_due)
        chosen = np.empty(n, np.int64)
        by_taste = draw < 1
        chosen[by_taste] = _by_taste(laws, taste[:n][by_taste], now[by_taste], rng)
        by_pull = ~by_taste & (draw < 1 + pull)
        which = rng.choice(len(FOLLOWER_SHARES), size=int(by_pull.sum()), p=FOLLOWER_SHARES)
        chosen[by_pull] = laws.followers[last[by_pull], which]
        again = ~by_taste & ~by_pull
        reached = due[again] > (draw - 1 - pull)[again][:, None]
        chosen[again] = item[rows[again], reached.argmax(axis=1)] if step else 0
        latest[:n, :step] &= item[:n, :step] != chosen[:, None]
        latest[:n, step] = runs_out[chosen]
        item[:n, step] = chosen
    return item


def _by_taste(laws: Laws, taste: Floats, day: Floats, rng: np.random.Generator) -> Ints:
    """One item a client by taste alone. Shape (B,)."""
    shelf = _drawn(laws.shelf_weights(taste, day), rng)
    item, weights = laws.weights_on_shelf(taste, shelf, day)
    chosen: Ints = item[np.arange(len(taste)), _drawn(weights, rng)]
    return chosen


def _drawn(weights: Floats, rng: np.random.Generator) -> Ints:
    """A column of each row with probability proportional to its weight. Shape (B,)."""
    edges = np.cumsum(weights, axis=1)
    draw = rng.random(len(weights)) * edges[:, -1]
    column: Ints = (edges <= draw[:, None]).sum(axis=1)
    return column
