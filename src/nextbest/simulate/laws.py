"""The laws that decide what a simulated client takes next: taste, season, trend, repeat, follow-up.

One set of functions is used to draw purchases and to tell their true probabilities, so the truth
can't drift from the data. The probability of item i for a client at a moment is::

    (T_i + sum_e due_e [item_e = i] + pull F_i) / (1 + sum_e due_e + pull)

T: taste, split over shelves and items, with season and trend, sums to 1. due_e: how much what was
bought in event e is due again; only the latest purchase of an item counts. F: what follows the
client's last item, sums to 1; pull is 0 where nothing follows or too much time has passed.

Times are days since the first day, as floats. Knows no table.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextbest.simulate.config import ShopConfig
from nextbest.simulate.words import CATEGORIES

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
N_FOLLOWERS = 3
FOLLOWER_SHARES = np.array([0.6, 0.3, 0.1])
SHELF_SIZE = 48
DUE_WIDTH = 0.25
"""Standard deviation of the moment an item is needed again, in its own periods."""
LAUNCH_DAYS, RISE_DAYS, FADE_DAYS = 14.0, 8.0, 15.0
_SHELF_NORM, _ITEM_NORM = 1.6, 0.9


@dataclass(frozen=True, eq=False)
class Laws:
    """Arrays behind the laws. Items are ordered by shelf, shelves by category."""

    config: ShopConfig
    category: Ints
    """Category of each item. Shape (n_items,)."""
    shelf: Ints
    """Shelf of each item. Shape (n_items,)."""
    shelf_start: Ints
    """Items of shelf s: shelf_start[s]..shelf_start[s + 1]. Shape (n_shelves + 1,)."""
    shelf_category: Ints
    shelf_vector: Floats
    """Shape (n_shelves, d)."""
    shelf_log_weight: Floats
    item_vector: Floats
    """Shape (n_items, d)."""
    item_log_weight: Floats
    price: Floats
    """Shape (n_items,); RUB."""
    period: Floats
    """Days until the item is needed again. Shape (n_items,); inf where it doesn't run out."""
    followers: Ints
    """Items drawn in by each. Shape (n_items, 3)."""
    pull: Floats
    """Strength of that draw. Shape (n_items,)."""
    born: Floats
    """Day the item appears. Shape (n_items,); -inf = was there before."""
    rises: Floats
    """Day of the middle of its rise; -inf = none."""
    fades: Floats
    """Day from which it fades; inf = never."""

    @property
    def n_items(self) -> int:
        """Items of the catalogue."""
        return len(self.category)

    def trend(self, item: Ints, day: Floats) -> Floats:
        """Factor on the weight of `item` on `day`, same shapes; 0 before it is born."""
        age = day - self.born[item]
        launch = np.where(np.isfinite(age), 2.0 * np.exp(-np.maximum(age, 0) / LAUNCH_DAYS), 0.0)
        rise = 1 / (1 + np.exp(-np.clip((day - self.rises[item]) / RISE_DAYS, -30, 30)))
        fade = np.exp(-np.maximum(day - self.fades[item], 0) / FADE_DAYS)
        return np.where(age >= 0, (1 + launch) * rise * fade, 0.0)

    def season(self, day: Floats) -> Floats:
        """Factor on each category. Shape (B, n_categories)."""
        swing = np.array([c.season for c in CATEGORIES])
        peak = np.array([(c.peak_month - 0.5) / 12 for c in CATEGORIES])
        weekend = np.array([c.weekend for c in CATEGORIES])
        first = self.config.start.timetuple()
        year = (first.tm_yday - 1 + day[:, None]) / 365.25
        strength = self.config.season
        yearly = np.maximum(1 + strength * swing * np.cos(2 * np.pi * (year - peak)), 0.02)
        is_weekend = (np.floor(day) + first.tm_wday).astype(np.int64) % 7 >= 5
        factors: Floats = np.where(is_weekend[:, None], weekend**strength, 1.0) * yearly
        return factors

    def shelf_weights(self, taste: Floats, day: Floats) -> Floats:
        """How much each client is drawn to each shelf, up to a factor. Shape (B, n_shelves)."""
        log_weight = taste @ self.shelf_vector.T + self.shelf_log_weight
        log_weight -= log_weight.max(axis=1, keepdims=True)
        return np.exp(log_weight) * self.season(day)[:, self.shelf_category]

    def weights_on_shelf(self, taste: Floats, shelf: Ints, day: Floats) -> tuple[Ints, Floats]:
        """Items of one shelf a client and their weights up to a factor; 0 fills short shelves. Shape (B, widest)."""
        places = np.arange(int(np.diff(self.shelf_start).max()))
        item = self.shelf_start[shelf][:, None] + places
        there = item < self.shelf_start[shelf + 1][:, None]
        item = np.where(there, item, self.shelf_start[shelf][:, None])
        log_weight = np.einsum("bd,bwd->bw", taste, self.item_vector[item]) + self.item_log_weight[item]
        return item, np.where(there, np.exp(log_weight) * self.trend(item, day[:, None]), 0.0)

    def taste_probabilities(self, taste: Floats, day: Floats) -> Floats:
        """T of every item. Shape (B, n_items); rows sum to 1."""
        shelves = self.shelf_weights(taste, day)
        shelves /= shelves.sum(axis=1, keepdims=True)
        everything = np.broadcast_to(np.arange(self.n_items), (len(taste), self.n_items))
        weights = np.exp(taste @ self.item_vector.T + self.item_log_weight) * self.trend(
            everything, day[:, None]
        )
        sums = np.add.reduceat(weights, self.shelf_start[:-1], axis=1)
        probabilities: Floats = weights / sums[:, self.shelf] * shelves[:, self.shelf]
        return probabilities

    def due(self, item: Ints, bought: Floats, latest: NDArray[np.bool_], day: Floats) -> Floats:
        """How much each earlier purchase is due again. Shapes (B, n) for the first three, (B,) for `day`."""
        periods = (day[:, None] - bought) / self.period[item]
        late = (periods - 1) / DUE_WIDTH
        return np.where(latest & (periods > 0), self.config.repeat * np.exp(-0.5 * late * late), 0.0)

    def pulled(self, last: Ints, bought: Floats, day: Floats) -> Floats:
        """Pull of what follows the last item (-1 = no purchase yet). Shape (B,)."""
        fresh = (last >= 0) & (day - bought <= self.config.follow_days)
        return np.where(fresh, self.config.follow * self.pull[last], 0.0)


def make_laws(*, n_items: int, n_days: int, config: ShopConfig, rng: np.random.Generator) -> Laws:
    """Laws of a shop with `n_items`, drawn by `rng`."""
    n_categories = min(len(CATEGORIES), n_items)
    category_of = _apportioned(n_items, n_categories, rng)
    sizes = np.bincount(category_of, minlength=n_categories)
    shelf_sizes = [len(part) for n in sizes for part in np.array_split(np.arange(n), -(-n // SHELF_SIZE))]
    shelf_start = np.concatenate([[0], np.cumsum(shelf_sizes)]).astype(np.int64)
    shelf = np.repeat(np.arange(len(shelf_sizes)), shelf_sizes)
    shelf_category = category_of[shelf_start[:-1]]
    names = {c.name: number for number, c in enumerate(CATEGORIES)}
    median, spread, usual_period, pull = (
        np.array([getattr(c, field) for c in CATEGORIES])[category_of]
        for field in ("price", "price_sd", "period_days", "pull")
    )
    base = _directions(n_categories, config.dimensions, rng)
    shelf_vector = base[shelf_category] + 0.8 * _directions(len(shelf_sizes), config.dimensions, rng)
    shelf_vector *= _SHELF_NORM / np.linalg.norm(shelf_vector, axis=1, keepdims=True)
    place = np.concatenate([rng.permutation(n) for n in shelf_sizes])
    trends = _trends(n_items, n_days, shelf_start, config, rng)
    follow_category = np.minimum([names[CATEGORIES[c].follow] for c in category_of], n_categories - 1)
    price = median * np.exp(rng.normal(scale=spread))
    return Laws(
        config=config,
        category=category_of,
        shelf=shelf,
        shelf_start=shelf_start,
        shelf_category=shelf_category,
        shelf_vector=shelf_vector,
        shelf_log_weight=rng.normal(scale=0.4, size=len(shelf_sizes))
        - 0.35 * np.log(np.array([CATEGORIES[c].price for c in shelf_category])),
        item_vector=_ITEM_NORM * _directions(n_items, config.dimensions, rng),
        item_log_weight=-config.popularity * np.log(place + 2.0),
        price=np.where(price < 200, np.ceil(price) - 0.1, np.round(price, -1)),
        period=np.where(usual_period > 0, usual_period * np.exp(rng.normal(scale=0.3, size=n_items)), np.inf),
        followers=_followers(category_of, follow_category, shelf_start[shelf], trends[0], rng),
        pull=pull,
        born=trends[0],
        rises=trends[1],
        fades=trends[2],
    )


def _apportioned(n_items: int, n_categories: int, rng: np.random.Generator) -> Ints:
    """Category of each item, sorted; every category has one."""
    shares = rng.dirichlet(np.full(n_categories, 5.0))
    extra = rng.multinomial(n_items - n_categories, shares)
    return np.repeat(np.arange(n_categories), 1 + extra)


def _directions(n: int, d: int, rng: np.random.Generator) -> Floats:
    vectors = rng.normal(size=(n, d))
    unit: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _trends(
    n_items: int, n_days: int, shelf_start: Ints, config: ShopConfig, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats]:
    """Days of birth, rise and fading; the first item of a shelf is always there."""
    kind = rng.choice(4, size=n_items, p=[1 - config.trend, *np.array([0.5, 0.25, 0.25]) * config.trend])
    kind[shelf_start[:-1]] = 0
    day = rng.uniform(0, n_days, size=n_items)
    born = np.where(kind == 1, day, -np.inf)
    rises = np.where(kind == 2, day, -np.inf)
    fades = np.where(kind == 3, day, np.inf)
    return born, rises, fades


def _followers(
    category: Ints, follow_category: Ints, shelf_first: Ints, born: Floats, rng: np.random.Generator
) -> Ints:
    """Three items of the category that follows, for each item; an item may follow itself.

    An item that isn't born yet can't be drawn in, so the first of its shelf stands in for it.
    """
    start = np.searchsorted(category, follow_category, side="left")
    end = np.searchsorted(category, follow_category, side="right")
    drawn = rng.integers(start[:, None], end[:, None], size=(len(category), N_FOLLOWERS))
    return np.where(np.isfinite(born[drawn]), shelf_first[drawn], drawn)
