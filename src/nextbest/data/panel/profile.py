"""A panel's months in numbers: rows, who came and left, holders, additions, drops, missing attributes."""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from nextbest.data.panel.masks import UInt32Array, count_holders
from nextbest.data.panel.panel import Panel

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class MonthProfile:
    """Counts month by month; a month whose calendar predecessor isn't in the panel has no moves (zeros)."""

    months: tuple[date, ...]
    follows_M: NDArray[np.bool_]
    """Whether the calendar month before is in the panel."""
    rows_M: IntArray
    """Clients present."""
    first_seen_M: IntArray
    """Clients present in no earlier month."""
    arrived_M: IntArray
    """Clients absent the month before (first seen or back again)."""
    arrived_empty_M: IntArray
    """Of these, clients who hold no product."""
    left_M: IntArray
    """Clients present the month before and not now."""
    empty_M: IntArray
    """Clients who hold no product."""
    holders_MP: IntArray
    arrived_holders_MP: IntArray
    """Holders among those who arrived."""
    left_holders_MP: IntArray
    """Holders, the month before, among those who left."""
    added_MP: IntArray
    """Additions: held now and not the month before, present in both."""
    dropped_MP: IntArray
    """Held the month before and not now, present in both."""
    adders_M: IntArray
    """Clients who added at least one product."""
    missing_MA: IntArray
    """Rows without a value, by attribute in the schema's order."""

    @property
    def prevalence_MP(self) -> NDArray[np.float64]:  # noqa: N802 - an array, named by its axes
        """Share of the month's clients who hold each product."""
        shares: NDArray[np.float64] = self.holders_MP / np.maximum(self.rows_M, 1)[:, None]
        return shares

    @property
    def stayed_M(self) -> IntArray:  # noqa: N802 - same
        """Clients present now and the month before."""
        stayed: IntArray = np.where(self.follows_M, self.rows_M - self.arrived_M, 0)
        return stayed


def profile(panel: Panel) -> MonthProfile:
    """Count a panel's months, one pass over the masks."""
    n_months, n_products = len(panel.months), panel.n_products
    counts = {name: np.zeros(n_months, dtype=np.int64) for name in _BY_MONTH}
    tables = {name: np.zeros((n_months, n_products), dtype=np.int64) for name in _BY_PRODUCT}
    follows_M = np.zeros(n_months, dtype=bool)
    seen_C = np.zeros(panel.n_customers, dtype=bool)

    def holders(name: str, m: int, held: UInt32Array) -> None:
        tables[name][m] = count_holders(held, n_products=n_products)

    for m, month in enumerate(panel.months):
        here_C, held_C = np.asarray(panel.present_MC[m]), np.asarray(panel.held_MC[m])
        counts["rows_M"][m] = np.count_nonzero(here_C)
        counts["empty_M"][m] = np.count_nonzero(here_C & (held_C == 0))
        counts["first_seen_M"][m] = np.count_nonzero(here_C & ~seen_C)
        seen_C |= here_C
        holders("holders_MP", m, held_C)
        if m == 0 or panel.months[m - 1] != panel.schema.month_before(month):
            continue
        follows_M[m] = True
        before_C, held_before_C = np.asarray(panel.present_MC[m - 1]), np.asarray(panel.held_MC[m - 1])
        arrived_C, left_C = here_C & ~before_C, before_C & ~here_C
        counts["arrived_M"][m] = np.count_nonzero(arrived_C)
        counts["arrived_empty_M"][m] = np.count_nonzero(arrived_C & (held_C == 0))
        counts["left_M"][m] = np.count_nonzero(left_C)
        holders("arrived_holders_MP", m, held_C[arrived_C])
        holders("left_holders_MP", m, held_before_C[left_C])
        both_C = here_C & before_C
        added_N = (held_C & ~held_before_C)[both_C]
        counts["adders_M"][m] = np.count_nonzero(added_N)
        holders("added_MP", m, added_N[added_N > 0])
        dropped_N = (held_before_C & ~held_C)[both_C]
        holders("dropped_MP", m, dropped_N[dropped_N > 0])
    missing_MA = np.array(
        [[part.missing.get(a, 0) for a in panel.schema.attribute_names] for part in panel.manifest.months],
        dtype=np.int64,
    ).reshape(n_months, len(panel.schema.attributes))
    return MonthProfile(months=panel.months, follows_M=follows_M, missing_MA=missing_MA, **counts, **tables)


_BY_MONTH = ("rows_M", "first_seen_M", "arrived_M", "arrived_empty_M", "left_M", "empty_M", "adders_M")
_BY_PRODUCT = ("holders_MP", "arrived_holders_MP", "left_holders_MP", "added_MP", "dropped_MP")
