"""Parts of a table's row, from counted months: ranking, labels, calibration, lift.

Each function takes months and which of their clients count, and returns named cells; a cell is None
where the months lack its input. `ProductScores.row` puts the parts together.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.evaluation.additions import zero_without_additions
from nextbest.evaluation.calibration import Binning, brier_score, calibration_error, calibration_line
from nextbest.evaluation.clustered import bootstrap_clustered_mean
from nextbest.evaluation.expected_counts import CalibrationCounts, share_within
from nextbest.evaluation.masks import Masks
from nextbest.evaluation.month_counts import MonthCounts
from nextbest.evaluation.multilabel import Average, Score, label_interval
from nextbest.evaluation.per_product import PRODUCT
from nextbest.evaluation.significance import Interval

Row = dict[str, Any]
Chosen = Sequence[NDArray[np.bool_]]
"""Clients that count, a mask of rows for each month."""
TOP_PRODUCTS = 10
"""Lift is summed up over this many most-added products: a rare one's lift is a matter of three clients."""
_SCORES: tuple[tuple[Score, Average], ...] = (
    ("f1", "weighted"),
    ("f1", "micro"),
    ("f1", "macro"),
    ("precision", "weighted"),
    ("recall", "weighted"),
)
_CALIBRATION = (
    "ece",
    "ece_pooled",
    "ece_relative",
    "brier",
    "log_loss",
    "calibration_slope",
    "calibration_shift",
    "within_10%",
    "within_10%_weighted",
    "within_10%_chance",
)


def ranking_cells(
    months: Sequence[MonthCounts], rows: Chosen, *, k: int, n_resamples: int, rng: np.random.Generator
) -> Row:
    """`map@k_adders` and `map@k` with intervals; on adders None when nothing was added."""
    names = (f"map@{k}_adders", f"map@{k}")
    kept = [m.precision[r] for m, r in zip(months, rows, strict=True) if m.precision is not None]
    if len(kept) < len(months):
        return dict.fromkeys(names)
    precision, customer = np.concatenate(kept), _customers(months, rows)
    found: Row = {}
    for name, values in zip(names, (precision, zero_without_additions(precision)), strict=True):
        found[name] = None
        if not np.isnan(values).all():
            interval = bootstrap_clustered_mean(values, clusters=customer, n_resamples=n_resamples, rng=rng)
            found[name] = _cell(interval)
    return found


def label_cells(
    months: Sequence[MonthCounts], rows: Chosen, *, n_products: int, rng: np.random.Generator
) -> Row:
    """F1, precision and recall of additions and (prefix `ownership_`) of ownership, and `exact_match`."""
    customer = _customers(months, rows)
    owned = _joined([m.owned for m in months], rows)
    owned_predicted = _joined([m.owned_predicted for m in months], rows)
    added = _joined([m.added for m in months], rows)
    predicted = _joined([m.predicted for m in months], rows)
    found: Row = {}
    for prefix, true, said in (("", added, predicted), ("ownership_", owned, owned_predicted)):
        for score, average in _SCORES:
            key = f"{prefix}{score}_{average}"
            found[key] = None
            if true is not None and said is not None and true.any():
                interval = label_interval(
                    true, said, n_products=n_products, customer_N=customer, score=score, average=average
                )
                found[key] = _cell(interval)
    found["exact_match"] = None
    if owned is not None and owned_predicted is not None:
        right = (owned == owned_predicted).astype(np.float64)
        found["exact_match"] = _cell(bootstrap_clustered_mean(right, clusters=customer, rng=rng))
    return found


def calibration_numbers(months: Sequence[MonthCounts], kind: int | None, *, binning: Binning) -> Row:
    """Calibration over the months' histograms, of one kind of clients or all."""
    parts = [
        summed([counts for code, counts in m.calibration.items() if kind in (None, code)])
        for m in months
        if any(kind in (None, code) for code in m.calibration)
    ]
    if not parts or any(m.products is None for m in months):
        return dict.fromkeys(_CALIBRATION)
    counts = summed(parts)
    p, rate, n = counts.points()
    if not len(n):  # everyone holds everything
        return dict.fromkeys(_CALIBRATION)
    pooled = calibration_error(p, rate, weight=n, binning=binning)
    line = calibration_line(p, rate, weight=n)
    within = share_within(
        np.concatenate([c.expected.sum(axis=1) for c in parts]),
        np.concatenate([c.observed.sum(axis=1) for c in parts]),
    )
    values = (
        _ece_by_product(counts, binning),
        pooled.ece,
        pooled.relative,
        brier_score(p, rate, weight=n),
        counts.log_loss(),
        line.slope,
        line.shift,
        within.share,
        within.weighted_share,
        within.chance,
    )
    return {
        name: None if np.isnan(value) else float(value)
        for name, value in zip(_CALIBRATION, values, strict=True)
    }


def lift_numbers(months: Sequence[MonthCounts]) -> Row:
    """Mean and smallest `lift@1%` over the most-added products; a product's months weigh by their additions."""
    nothing: Row = {"lift@1%": None, "lift@1%_min": None}
    tables = [m.products for m in months if m.products is not None]
    if not tables or len(tables) < len(months):
        return nothing
    lifts = (
        pl.concat(tables)
        .filter(pl.col("n_additions") > 0)
        .group_by(PRODUCT)
        .agg(
            (pl.col("lift@1%") * pl.col("n_additions")).sum() / pl.col("n_additions").sum(),
            pl.col("n_additions").sum(),
        )
        .sort("n_additions", PRODUCT, descending=[True, False])
        .head(TOP_PRODUCTS)["lift@1%"]
        .to_numpy()
    )
    return {"lift@1%": float(lifts.mean()), "lift@1%_min": float(lifts.min())} if len(lifts) else nothing


def summed(counts: Sequence[CalibrationCounts]) -> CalibrationCounts:
    """One or more histograms together."""
    total = counts[0]
    for one in counts[1:]:
        total = total + one
    return total


def _ece_by_product(counts: CalibrationCounts, binning: Binning) -> float:
    """Each product's own error, weighted by its rows."""
    gap = rows = 0.0
    for product in range(len(counts.n)):
        p, rate, n = counts.points(product)
        if len(n):
            gap += calibration_error(p, rate, weight=n, binning=binning).ece * n.sum()
            rows += n.sum()
    return gap / rows


def _customers(months: Sequence[MonthCounts], rows: Chosen) -> NDArray[np.int64]:
    return np.concatenate([m.customer[r] for m, r in zip(months, rows, strict=True)])


def _joined(masks: Sequence[Masks | None], rows: Chosen) -> Masks | None:
    """The masks of all months, or None when a month lacks them."""
    given = [(mask, r) for mask, r in zip(masks, rows, strict=True) if mask is not None]
    return np.concatenate([mask[r] for mask, r in given]) if len(given) == len(masks) else None


def _cell(interval: Interval) -> dict[str, float]:
    return {"value": interval.value, "ci_low": interval.ci_low, "ci_high": interval.ci_high}
