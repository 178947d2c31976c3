"""From probabilities to yes or no: thresholds tuned on validation months, applied to others.

Tuned and judged on the same rows a threshold flatters itself, most where positives are few; so tune
on months before the ones reported. A bank's offers are not made this way (they are ranked), but F1
can't be said without it.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nextbest.errors import DataError, InputError
from nextbest.evaluation.masks import Floats, Masks, check_not_held, checked_masks, has_product

Probabilities = NDArray[np.floating]
Objective = Literal["f1", "micro_f1"]
NEVER = float("inf")
"""Threshold of a product that is never predicted."""


def tune_thresholds(
    true_N: Masks,
    probability_NP: Probabilities,
    *,
    held_N: Masks | None = None,
    objective: Objective = "f1",
    min_positives: int = 1,
) -> Floats:
    """The threshold of each product that is best on these rows; predict where probability >= threshold.

    Parameters
    ----------
    true_N
        Masks of additions (with `held_N`) or of ownership (without). Shape (n_rows,).
    probability_NP
        Shape (n_rows, n_products); finite.
    held_N
        Products that can't be predicted for the client, and don't count. Shape (n_rows,).
    objective
        `f1`: each product's own F1, which is the best for macro and for support-weighted F1 at once (weights
        don't depend on predictions). `micro_f1`: F1 of the summed counts, found exactly by Dinkelbach's
        iteration; rare products then get higher thresholds.
    min_positives
        Products with fewer positives are never predicted: a threshold on three clients is chance.

    Returns
    -------
    ndarray of shape (n_products,)
        Half way between the lowest score predicted and the next one below it; `NEVER` (inf) without
        enough positives. Of equally good thresholds the highest.

    Raises
    ------
    InputError
        Shapes or types don't fit, or an option is unknown.
    DataError
        A probability isn't finite, or a held product is true.

    Examples
    --------
    >>> probability = np.array([[0.9], [0.6], [0.2], [0.1]], np.float32)
    >>> tune_thresholds(np.array([1, 1, 0, 0], np.uint32), probability).round(3).tolist()
    [0.4]
    """
    if objective not in ("f1", "micro_f1"):
        raise InputError("objective", "must be 'f1' or 'micro_f1'", value=objective)
    if min_positives < 1:
        raise InputError("min_positives", "must be 1 or more", value=min_positives)
    n_products = _checked(true_N, probability_NP, held_N)
    steps = [_steps(true_N, probability_NP[:, p], held_N, p) for p in range(n_products)]
    enough = np.array([len(s[0]) > 0 and s[1][-1] >= min_positives for s in steps])
    thresholds = np.full(n_products, NEVER)
    if objective == "f1":
        for p in np.flatnonzero(enough):
            at, n_hit, n_predicted = steps[p]
            thresholds[p] = at[int(np.argmax(2 * n_hit / (n_predicted + n_hit[-1])))]
        return thresholds
    # Products that are never predicted still have positives to miss
    n_true = float(sum(s[1][-1] for s in steps if len(s[0])))
    best = 0.0
    while True:  # F1 >= best needs a positive sum of 2 hits - best * predicted, less best * true
        hits = predictions = 0.0
        for p in np.flatnonzero(enough):
            at, n_hit, n_predicted = steps[p]
            gain = 2 * n_hit - best * n_predicted
            i = int(np.argmax(gain))
            thresholds[p] = at[i] if gain[i] > 0 else NEVER
            if gain[i] > 0:
                hits, predictions = hits + n_hit[i], predictions + n_predicted[i]
        reached = 2 * hits / (predictions + n_true) if n_true else 0.0
        if reached <= best + 1e-12:
            return thresholds
        best = reached


def predicted_masks(
    probability_NP: Probabilities, threshold_P: Floats, *, held_N: Masks | None = None
) -> Masks:
    """Masks of the products at or above their threshold, those held left out. Shape (n_rows,).

    Raises
    ------
    InputError
        Shapes or types don't fit, or a threshold is NaN.
    DataError
        A probability isn't finite.
    """
    n_products = _checked(None, probability_NP, held_N)
    if threshold_P.shape != (n_products,) or np.isnan(threshold_P).any():
        raise InputError("threshold_P", f"must be {n_products} numbers", value=threshold_P.tolist())
    mask_N = np.zeros(len(probability_NP), np.uint32)
    for p in range(n_products):  # compared as float64: a threshold between two float32 values stays there
        at = np.float64(threshold_P[p])
        mask_N |= (probability_NP[:, p] >= at).astype(np.uint32) << np.uint32(p)
    return mask_N if held_N is None else mask_N & ~held_N


def _steps(
    true_N: Masks, score_N: NDArray[np.floating], held_N: Masks | None, product: int
) -> tuple[Floats, Floats, Floats]:
    """Thresholds worth trying, high to low, and the hits and predictions at each.

    F1 only rises where a positive joins, so only the scores of positives are tried: the others cost
    a sort of plain numbers and nothing more.
    """
    is_true = has_product(true_N, product)
    if held_N is not None:
        free = ~has_product(held_N, product)
        score_N, is_true = score_N[free], is_true[free]
    every = np.sort(score_N)
    positive = np.sort(score_N[is_true])
    tried = np.unique(positive)[::-1]
    first = np.searchsorted(every, tried, side="left")
    at = tried.astype(np.float64)
    below = np.where(first > 0, every[np.maximum(first - 1, 0)], -np.inf)
    at = np.where(np.isfinite(below), (at + below) / 2, at)
    n_hit = len(positive) - np.searchsorted(positive, tried, side="left")
    return at, n_hit.astype(np.float64), (len(every) - first).astype(np.float64)


def _checked(true_N: Masks | None, probability_NP: Probabilities, held_N: Masks | None) -> int:
    if probability_NP.ndim != 2 or not np.issubdtype(probability_NP.dtype, np.floating):
        raise InputError(
            "probability_NP",
            "must be floats with two axes",
            value=(str(probability_NP.dtype), probability_NP.shape),
        )
    n_rows, n_products = len(probability_NP), int(probability_NP.shape[1])
    if not np.isfinite(probability_NP).all():
        rows = np.flatnonzero(~np.isfinite(probability_NP).all(axis=1))
        raise DataError("probability_NP", "must be finite", n_bad=len(rows), examples=rows[:5].tolist())
    for name, masks in (("true_N", true_N), ("held_N", held_N)):
        if masks is not None:
            checked_masks(name, masks, n_products=n_products, n_clients=n_rows)
    if true_N is not None and held_N is not None:
        check_not_held(true_N, held_N, name="true_N")
    return n_products
