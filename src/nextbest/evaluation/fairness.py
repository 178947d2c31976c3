"""Offers and outcomes by group of clients: sex, age band, province, foreigner; what is, not why.

The report describes differences. It says nothing about causes: age is a legal criterion of
eligibility, provinces differ in what is sold there. Groups of fewer than `K_SMALL` clients are never
shown (they are put together), and a rate only over as many cases.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from nextbest.data.panel.masks import count_products
from nextbest.errors import DataError, InputError
from nextbest.evaluation.calibration import wilson_interval
from nextbest.evaluation.masks import Floats, Masks

K_SMALL = 20
"""Smallest group that is shown: fewer clients could be told apart."""
FOUR_FIFTHS = 0.8
"""Share of the highest group's offer share below which a group is flagged (29 CFR 1607.4 D)."""
WHOLE, SMALL, UNKNOWN = "all", "small groups together", "unknown"
_SCHEMA: Mapping[str, pl.DataType] = {
    "attribute": pl.String(),
    "group": pl.String(),
    "n_clients": pl.Int64(),
    "offered_share": pl.Float64(),
    "offered_ci_low": pl.Float64(),
    "offered_ci_high": pl.Float64(),
    "ratio_to_whole": pl.Float64(),
    "ratio_to_highest": pl.Float64(),
    "below_four_fifths": pl.Boolean(),
    "precision": pl.Float64(),
    "precision_ci_low": pl.Float64(),
    "precision_ci_high": pl.Float64(),
    "recall": pl.Float64(),
    "recall_ci_low": pl.Float64(),
    "recall_ci_high": pl.Float64(),
    "expected": pl.Float64(),
    "observed": pl.Int64(),
    "observed_to_expected": pl.Float64(),
    "observed_to_expected_ci_low": pl.Float64(),
    "observed_to_expected_ci_high": pl.Float64(),
    "n_groups": pl.Int64(),
}


@dataclass(frozen=True, eq=False)
class _Cases:
    """What is counted of each client."""

    is_offered: NDArray[np.bool_]
    n_offered: Floats
    n_added: Floats
    n_both: Floats
    expected: Floats | None

    @classmethod
    def of(
        cls, groups: pl.DataFrame, offered_N: Masks, added_N: Masks, expected_N: ArrayLike | None, k: int
    ) -> Self:
        """Counts of all clients, after every check of the call."""
        n_clients = len(groups)
        if not groups.columns:
            raise InputError("groups", "must have a column for each attribute")
        if k < 1:
            raise InputError("k", "must be 1 or more", value=k)
        for name, masks in (("offered_N", offered_N), ("added_N", added_N)):
            if masks.dtype != np.uint32 or masks.shape != (n_clients,):
                raise InputError(name, f"must be {n_clients} uint32", value=(str(masks.dtype), masks.shape))
        if n_clients < k:
            raise DataError(
                "groups", f"must have {k} clients or more, else nothing may be shown", n_bad=n_clients
            )
        expected = None if expected_N is None else np.asarray(expected_N, np.float64)
        if expected is not None and expected.shape != (n_clients,):
            raise InputError("expected_N", f"must be {n_clients} numbers", value=expected.shape)
        if expected is not None and (bad := ~(np.isfinite(expected) & (expected >= 0))).any():
            rows = np.flatnonzero(bad)
            raise DataError(
                "expected_N", "must be finite and >= 0", n_bad=len(rows), examples=rows[:5].tolist()
            )
        n_offered, n_added, n_both = (
            count_products(masks).astype(np.float64) for masks in (offered_N, added_N, offered_N & added_N)
        )
        return cls(offered_N != 0, n_offered, n_added, n_both, expected)

    def at(self, rows: NDArray[np.bool_]) -> Self:
        """The same of some clients."""
        expected = None if self.expected is None else self.expected[rows]
        return type(self)(
            self.is_offered[rows], self.n_offered[rows], self.n_added[rows], self.n_both[rows], expected
        )


def fairness_report(
    groups: pl.DataFrame,
    *,
    offered_N: Masks,
    added_N: Masks,
    expected_N: ArrayLike | None = None,
    k: int = K_SMALL,
    confidence: float = 0.95,
) -> pl.DataFrame:
    """A row for each group of each attribute, and one for the whole.

    Parameters
    ----------
    groups
        A row per client in one month, a column per attribute (`sex`, `age_band`, `province`, ...); null is
        the group `unknown`. Bands of numbers: `age_bands`.
    offered_N
        Masks of the products offered. Shape (n_clients,).
    added_N
        Masks of the products added in the month after. Shape (n_clients,).
    expected_N
        Sum of the client's calibrated probabilities over what isn't held; None: no calibration. Shape (n_clients,).
    k
        Smallest group shown, and fewest cases of a rate, 1 or more. Smaller groups go together under one name;
        where even that is fewer than `k`, the smallest shown group joins them, because a single hidden group
        could be had by subtraction from the whole.
    confidence
        Of all intervals, 0-1 exclusive.

    Returns
    -------
    DataFrame
        `attribute, group, n_clients`; `offered_share` (clients with at least one offer), its Wilson interval,
        `ratio_to_whole`, `ratio_to_highest` and `below_four_fifths` (against the highest share among the
        attribute's shown groups); `precision` (offers that were added) and `recall` (additions that were
        offered), by Wilson with the effective number of cases, as one client's offers aren't independent;
        `expected, observed` additions and `observed_to_expected` with the exact Poisson interval; `n_groups`
        put together in the row. Null: fewer than `k` cases, or no `expected_N`.

    Raises
    ------
    InputError
        Lengths differ, no attribute, or an option is out of range.
    DataError
        Fewer than `k` clients, or an expected count that is negative or not finite.
    """
    cases = _Cases.of(groups, offered_N, added_N, expected_N, k)
    whole = _row(WHOLE, WHOLE, cases, k, confidence)
    rows = [whole]
    for attribute in groups.columns:
        labels = groups[attribute].cast(pl.String).fill_null(UNKNOWN)
        parts = [
            _row(attribute, name, cases.at(rows_of), k, confidence) | {"n_groups": n}
            for name, rows_of, n in _shown(labels, k)
        ]
        highest = max(part["offered_share"] for part in parts)
        for part in parts:
            share = part["offered_share"]
            part["ratio_to_whole"] = share / whole["offered_share"] if whole["offered_share"] else None
            part["ratio_to_highest"] = share / highest if highest else None
            part["below_four_fifths"] = share < FOUR_FIFTHS * highest if highest else None
        rows += parts
    return pl.DataFrame([{c: row.get(c) for c in _SCHEMA} for row in rows], schema=dict(_SCHEMA))


def age_bands(age: pl.Series, *, edges: Sequence[int] = (18, 26, 36, 51, 66)) -> pl.Series:
    """Bands of ages: below the first edge, then from each edge to the next. Null stays null.

    Parameters
    ----------
    age
        Years, >= 0.
    edges
        First ages of the bands, rising strictly, from 1.

    Raises
    ------
    InputError
        The edges don't rise.
    DataError
        A negative age.

    Examples
    --------
    >>> age_bands(pl.Series("age", [5, 18, 70, None]), edges=(18, 66)).to_list()
    ['0-17', '18-65', '66+', None]
    """
    if not edges or list(edges) != sorted(set(edges)) or edges[0] < 1:
        raise InputError("edges", "must rise strictly from 1 or more", value=list(edges))
    if n_bad := int((age < 0).sum()):
        raise DataError(
            "age", "must be 0 or more", n_bad=n_bad, examples=age.filter(age < 0).head(5).to_list()
        )
    starts = [0, *edges]
    names = [f"{a}-{b - 1}" for a, b in itertools.pairwise(starts)] + [f"{edges[-1]}+"]
    number = pl.Series(np.searchsorted(np.asarray(edges), age.fill_null(0).to_numpy(), side="right"))
    named = pl.Series("age_band", names).gather(number)
    return pl.select(pl.when(age.is_not_null()).then(named)).to_series().alias("age_band")


def _shown(labels: pl.Series, k: int) -> list[tuple[str, NDArray[np.bool_], int]]:
    """Name, rows and number of groups of each row of the report, largest group first."""
    sizes = labels.value_counts().sort("count", labels.name, descending=[True, False])
    names, counts = sizes[labels.name].to_list(), sizes["count"].to_list()
    n_shown = sum(count >= k for count in counts)
    while n_shown < len(counts) and sum(counts[n_shown:]) < k:
        n_shown -= 1
    shown = [(name, (labels == name).to_numpy(), 1) for name in names[:n_shown]]
    if n_shown < len(names):
        rest = labels.is_in(names[n_shown:]).to_numpy()
        shown.append((SMALL, rest, len(names) - n_shown))
    return shown


def _row(attribute: str, group: str, cases: _Cases, k: int, confidence: float) -> dict[str, Any]:
    n_clients = len(cases.is_offered)
    low, high = wilson_interval(cases.is_offered.sum(), n_clients, confidence=confidence)
    found: dict[str, Any] = {
        "attribute": attribute,
        "group": group,
        "n_clients": n_clients,
        "offered_share": float(cases.is_offered.mean()),
        "offered_ci_low": float(low),
        "offered_ci_high": float(high),
        "n_groups": 1,
    }
    for name, bottom in (("precision", cases.n_offered), ("recall", cases.n_added)):
        found |= _ratio(name, cases.n_both, bottom, k, confidence)
    if cases.expected is not None and (total := float(cases.expected.sum())) > 0:
        observed = int(cases.n_added.sum())
        low_count, high_count = _poisson_interval(observed, confidence)
        found |= {
            "expected": total,
            "observed": observed,
            "observed_to_expected": observed / total,
            "observed_to_expected_ci_low": low_count / total,
            "observed_to_expected_ci_high": high_count / total,
        }
    return found


def _ratio(name: str, top: Floats, bottom: Floats, k: int, confidence: float) -> dict[str, float]:
    """A share of cases with Wilson's interval at the effective number of cases; nothing below `k` cases.

    One client may have several offers. The design effect is the variance between clients over that of
    independent cases (Kish 1965), at least 1.
    """
    n = float(bottom.sum())
    if n < k:
        return {}
    share = float(top.sum() / n)
    independent = share * (1 - share) / n
    residual = top - share * bottom
    effect = max(1.0, float(residual @ residual) / n**2 / independent) if independent > 0 else 1.0
    low, high = wilson_interval(share * n / effect, n / effect, confidence=confidence)
    return {name: share, f"{name}_ci_low": float(low), f"{name}_ci_high": float(high)}


def _poisson_interval(count: int, confidence: float) -> tuple[float, float]:
    """Garwood's exact interval of a Poisson mean."""
    from scipy.special import gammaincinv

    tail = (1 - confidence) / 2
    low = float(gammaincinv(count, tail)) if count else 0.0
    return low, float(gammaincinv(count + 1, 1 - tail))
