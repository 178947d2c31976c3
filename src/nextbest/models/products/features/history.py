"""Features of what a client held and when: nothing here looks at attributes.

NaN: absent in that month or no history; 0: there, and not held.
"""

import numpy as np

from nextbest.data.panel.masks import count_products
from nextbest.data.panel.schema import PanelSchema
from nextbest.models.products.features.config import FeatureConfig
from nextbest.models.products.features.parts import Chunk, Column, Floats
from nextbest.models.products.features.words import (
    HistoryWords,
    as_fraction,
    count_events,
    months_since,
    months_since_second,
    months_unchanged,
)

PATTERN_FAMILY = "payroll"
"""Products that come and go together; their joint state is one number."""
PATTERN_LAGS = (1, 2)


class Holding:
    """What was held the month before: products singly, by family, and the joint state of the payroll products."""

    def __init__(self, schema: PanelSchema) -> None:
        families = [product.family for product in schema.products]
        self._families = {
            family: _mask([bit for bit, own in enumerate(families) if own == family])
            for family in dict.fromkeys(families)
            if families.count(family) > 1
        }
        self._pattern = [bit for bit, family in enumerate(families) if family == PATTERN_FAMILY]
        has_pattern = 2 <= len(self._pattern) <= 5
        self._pattern_lags = PATTERN_LAGS if has_pattern else ()
        self.columns = (
            *(Column(f"{p.column}.lag1", f"holding:{p.family}") for p in schema.products),
            *(Column(f"n_held.{family}", f"holding:{family}") for family in self._families),
            *(
                Column(f"{PATTERN_FAMILY}.state{lag}", f"holding:{PATTERN_FAMILY}")
                for lag in self._pattern_lags
            ),
        )

    def fill(self, chunk: Chunk, out_FN: Floats) -> None:
        """See `Part`."""
        n_products = chunk.n_products
        out_FN[:n_products] = chunk.words.lag_PN(1)
        held_N, is_here_N = chunk.months_back(1)
        place = n_products
        for mask in self._families.values():
            out_FN[place] = _or_nan(count_products(held_N & mask), is_here_N)
            place += 1
        for lag in self._pattern_lags:
            held_N, is_here_N = chunk.months_back(lag)
            state_N = np.zeros(len(chunk), np.uint32)
            for i, bit in enumerate(self._pattern):
                state_N |= ((held_N >> np.uint32(bit)) & np.uint32(1)) << np.uint32(i)
            out_FN[place] = _or_nan(state_N, is_here_N)
            place += 1


class History:
    """Lags and statistics of the detailed products."""

    def __init__(self, schema: PanelSchema, config: FeatureConfig, *, detailed: tuple[int, ...]) -> None:
        self._products = np.array(detailed, dtype=np.intp)
        self._lags, self._statistics = config.lags, config.statistics
        named = [schema.products[bit].column for bit in detailed]
        kinds = [*(f"lag{lag}" for lag in self._lags), *self._statistics]
        self.columns = tuple(Column(f"{name}.{kind}", f"history:{name}") for kind in kinds for name in named)

    def fill(self, chunk: Chunk, out_FN: Floats) -> None:
        """See `Part`."""
        words, products = chunk.words, self._products
        blocks = out_FN.reshape(-1, len(products), len(chunk))
        for lag, block in zip(self._lags, blocks, strict=False):
            block[:] = words.lag_PN(lag, products)
        for statistic, block in zip(self._statistics, blocks[len(self._lags) :], strict=True):
            block[:] = _STATISTICS[statistic](words, products)


class Breadth:
    """How many products, and how much they changed lately; how long the client has been in the bank."""

    def __init__(self, config: FeatureConfig) -> None:
        self._counted, self._turned = config.breadth_lags, config.turnover_lags
        self.columns = (
            *(Column(f"n_held.lag{lag}", "breadth") for lag in self._counted),
            *(Column(f"n_added.lag{lag}", "turnover") for lag in self._turned),
            *(Column(f"n_dropped.lag{lag}", "turnover") for lag in self._turned),
            Column("since_add.any", "turnover"),
            Column("since_drop.any", "turnover"),
            Column("n_adds.all", "turnover"),
            Column("n_drops.all", "turnover"),
            Column("months_known", "presence"),
            Column("months_absent", "presence"),
        )

    def fill(self, chunk: Chunk, out_FN: Floats) -> None:
        """See `Part`."""
        words = chunk.words
        rows = iter(out_FN)
        for lag in self._counted:
            held_N, is_here_N = chunk.months_back(lag)
            next(rows)[:] = _or_nan(count_products(held_N), is_here_N)
        flanks = [_flanks(chunk, lag) for lag in self._turned]
        for up_or_down in (0, 1):
            for flank in flanks:
                next(rows)[:] = flank[up_or_down]
        for events_PN in (words.added_PN, words.dropped_PN):
            next(rows)[:] = months_since(np.bitwise_or.reduce(events_PN, axis=0))
        for events_PN in (words.added_PN, words.dropped_PN):
            next(rows)[:] = _or_nan(count_events(events_PN).sum(axis=0), words.present_N != 0)
        known_N = count_events(words.present_N)
        next(rows)[:] = known_N
        next(rows)[:] = _first_seen(words) - known_N


def _since_add(words: HistoryWords, products: np.ndarray) -> Floats:
    return months_since(words.added_PN[products])


def _since_add2(words: HistoryWords, products: np.ndarray) -> Floats:
    return months_since_second(words.added_PN[products])


def _since_drop(words: HistoryWords, products: np.ndarray) -> Floats:
    return months_since(words.dropped_PN[products])


def _since_drop2(words: HistoryWords, products: np.ndarray) -> Floats:
    return months_since_second(words.dropped_PN[products])


def _n_adds(words: HistoryWords, products: np.ndarray) -> Floats:
    return _or_nan(count_events(words.added_PN[products]), words.present_N != 0)


def _n_drops(words: HistoryWords, products: np.ndarray) -> Floats:
    return _or_nan(count_events(words.dropped_PN[products]), words.present_N != 0)


def _share(words: HistoryWords, products: np.ndarray) -> Floats:
    known_N = count_events(words.present_N)
    known_N[known_N == 0] = np.nan
    share_PN: Floats = count_events(words.held_PN[products]) / known_N
    return share_PN


def _run(words: HistoryWords, products: np.ndarray) -> Floats:
    return months_unchanged(words.held_PN[products], words.present_N)


def _pattern(words: HistoryWords, products: np.ndarray) -> Floats:
    return _or_nan(as_fraction(words.held_PN[products]), words.present_N & np.uint16(1) != 0)


_STATISTICS = {
    "since_add": _since_add,
    "since_add2": _since_add2,
    "since_drop": _since_drop,
    "since_drop2": _since_drop2,
    "n_adds": _n_adds,
    "n_drops": _n_drops,
    "share": _share,
    "run": _run,
    "pattern": _pattern,
}


def _mask(bits: list[int]) -> np.uint32:
    return np.uint32(sum(1 << bit for bit in bits))


def _or_nan(values: np.ndarray, is_known_N: np.ndarray) -> Floats:
    """Values as float32, NaN where not known; the last axis is the rows'."""
    return np.where(is_known_N, values, np.nan).astype(np.float32)


def _flanks(chunk: Chunk, lag: int) -> tuple[Floats, Floats]:
    """Number of products added and dropped `lag` months before the target."""
    held_N, is_here_N = chunk.months_back(lag)
    before_N, was_here_N = chunk.months_back(lag + 1)
    both_N = is_here_N & was_here_N
    return (
        _or_nan(count_products(held_N & ~before_N), both_N),
        _or_nan(count_products(before_N & ~held_N), both_N),
    )


def _first_seen(words: HistoryWords) -> Floats:
    """Months back of the oldest month with the client; 0 without history."""
    first_N: Floats = np.ceil(np.log2(words.present_N.astype(np.float64) + 1)).astype(np.float32)
    return first_N
