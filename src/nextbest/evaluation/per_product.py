"""Each product alone: how well its scores find the clients who add it, among those who don't hold it.

`lift@1%` is the figure a campaign is planned by, average precision and ROC-AUC say it for other cuts.
Ties are shared out evenly (as if drawn), so no figure depends on the order of rows.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.errors import DataError, InputError
from nextbest.evaluation.masks import Masks, check_not_held, checked_masks, has_product

PRODUCT = "product"
LOG_LOSS_CLIP = 1e-7
"""Probabilities nearer to 0 or 1 than this count as this far: float32 rounds 1 - 1e-8 to 1."""


def product_metrics(
    probability_NP: NDArray[np.floating],
    added_N: Masks,
    *,
    held_N: Masks | None = None,
    products: Sequence[str],
    share: float = 0.01,
) -> pl.DataFrame:
    """A row per product: base rate, lift in the top share, average precision, ROC-AUC, log-loss.

    Parameters
    ----------
    probability_NP
        Shape (n_clients, n_products), 0-1. Only clients who don't hold the product count for it.
    added_N, held_N
        Masks of additions and of what was held before. Shape (n_clients,).
    products
        Names, in bit order.
    share
        Top share for the lift, 0-1; 0.01 gives the column `lift@1%`.

    Returns
    -------
    DataFrame
        `product, n` (clients who don't hold it), `n_additions, base_rate, lift@1%, average_precision,
        roc_auc, log_loss`. Lift, average precision and ROC-AUC are null without additions (and ROC-AUC
        where all add): no answer, not zero. Log-loss is null only without clients.

    Raises
    ------
    InputError
        Shapes or types don't fit, or `share` is outside 0-1.
    DataError
        A probability is NaN or outside 0-1, or a held product is added.

    Notes
    -----
    Lift: additions among the ceil(share * n) clients scored highest, over what as many drawn clients hold.
    Its ceiling is min(1 / share, 1 / base_rate). Average precision and ROC-AUC as scikit-learn's
    (thresholds at each different score, no interpolation). Log-loss: natural logarithm, probabilities
    clipped to `LOG_LOSS_CLIP` from 0 and 1.
    """
    if not 0 < share <= 1:
        raise InputError("share", "must lie in 0-1, 0 excluded", value=share)
    check_probabilities(probability_NP, n_products=len(products))
    checked_masks("added_N", added_N, n_products=len(products), n_clients=len(probability_NP))
    if held_N is not None:
        checked_masks("held_N", held_N, n_products=len(products), n_clients=len(probability_NP))
        check_not_held(added_N, held_N)
    rows = []
    for p, name in enumerate(products):
        score, is_added = of_product(probability_NP, added_N, held_N, p)
        n, n_additions = len(score), int(is_added.sum())
        rate = n_additions / n if n else None
        found = (_lift(score, is_added, share), *_areas(score, is_added)) if n_additions else (None,) * 3
        rows.append((name, n, n_additions, rate, *found, log_loss(score, is_added) if n else None))
    lift = f"lift@{share * 100:g}%"
    schema: dict[str, pl.DataType] = {PRODUCT: pl.String(), "n": pl.Int64(), "n_additions": pl.Int64()}
    schema |= dict.fromkeys(("base_rate", lift, "average_precision", "roc_auc", "log_loss"), pl.Float64())
    return pl.DataFrame(rows, schema=schema, orient="row")


def of_product(
    probability_NP: NDArray[np.floating], added_N: Masks, held_N: Masks | None, product: int
) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """Probabilities and additions of one product, of the clients who don't hold it."""
    score, is_added = probability_NP[:, product], has_product(added_N, product)
    if held_N is None:
        return np.ascontiguousarray(score), is_added
    free = ~has_product(held_N, product)
    return score[free], is_added[free]


def log_loss(probability: NDArray[np.floating], is_added: NDArray[np.bool_]) -> float:
    """Mean negative log-likelihood of 0/1 outcomes, natural logarithm; NaN without rows."""
    if not len(probability):
        return float("nan")
    p = np.clip(probability.astype(np.float64), LOG_LOSS_CLIP, 1 - LOG_LOSS_CLIP)
    yes = np.log(p[is_added]).sum()
    no = np.log1p(-p[~is_added]).sum()
    return float(-(yes + no) / len(p))


def check_probabilities(probability_NP: NDArray[np.floating], *, n_products: int) -> None:
    """Refuse what isn't a matrix of probabilities.

    Raises
    ------
    InputError
        Not floats, or not (n_clients, n_products).
    DataError
        A value is NaN or outside 0-1.
    """
    shape = probability_NP.shape
    is_float = np.issubdtype(probability_NP.dtype, np.floating)
    if not is_float or len(shape) != 2 or shape[1] != n_products:
        raise InputError(
            "probability_NP",
            f"must be floats (n_clients, {n_products})",
            value=(str(probability_NP.dtype), shape),
        )
    if not probability_NP.size:
        return
    low, high = probability_NP.min(), probability_NP.max()  # NaN if any is
    if not (low >= 0 and high <= 1):
        rows = np.flatnonzero(~((probability_NP >= 0) & (probability_NP <= 1)).all(axis=1))
        raise DataError(
            "probability_NP", "must lie in 0-1, not NaN", n_bad=len(rows), examples=rows[:5].tolist()
        )


def _lift(score: NDArray[np.floating], is_added: NDArray[np.bool_], share: float) -> float:
    """Additions in the top share over those expected by chance; ties at the border count in part."""
    n = len(score)
    n_top = min(n, int(np.ceil(share * n - 1e-9)))
    border = np.partition(score, n - n_top)[n - n_top]
    above, tied = score > border, score == border
    places_left = n_top - int(above.sum())
    n_found = is_added[above].sum() + is_added[tied].sum() * places_left / tied.sum()
    return float(n_found / n_top / (is_added.sum() / n))


def _areas(score: NDArray[np.floating], is_added: NDArray[np.bool_]) -> tuple[float, float | None]:
    """Average precision and ROC-AUC from two sorts of plain numbers, not a sort of pairs."""
    every, positive = np.sort(score), np.sort(score[is_added])
    n, n_positive = len(every), len(positive)
    from_here = n - np.searchsorted(every, positive, side="left")
    positive_from_here = n_positive - np.searchsorted(positive, positive, side="left")
    precision = float((positive_from_here / from_here).mean())
    if n_positive == n:
        return precision, None
    beyond = n - np.searchsorted(every, positive, side="right")
    positive_beyond = n_positive - np.searchsorted(positive, positive, side="right")
    negative_beyond = beyond - positive_beyond
    negative_tied = (from_here - positive_from_here) - negative_beyond
    beaten = (negative_beyond + negative_tied / 2).mean() / (n - n_positive)
    return precision, float(1 - beaten)
