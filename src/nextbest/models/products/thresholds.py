"""From P(add) to yes or no for one client: the threshold that makes the expected F1 of a month highest.

Knows no labels: calibrated probabilities say how many hits to expect. Axes: N rows, P products.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextbest.errors import InputError

NEVER = float("inf")
"""Threshold where nothing is ever likely enough to be said."""


def expected_f1_threshold(p_NP: NDArray[Any], *, weight_N: NDArray[Any] | None = None) -> tuple[float, float]:
    """The threshold on all products at which the expected micro-F1 is highest, and that F1.

    Parameters
    ----------
    p_NP
        Calibrated P(add), 0 where held. Shape (N, P).
    weight_N
        Clients that each row stands for; None: each for itself.

    Returns
    -------
    (threshold, expected F1)
        Say yes where p >= threshold. `NEVER` and 0 where nothing can be added.

    Raises
    ------
    InputError
        A probability isn't in 0 to 1, or there isn't one weight for each row.

    Notes
    -----
    With hits and positives replaced by their expectations, F1(t) = 2 sum(p over p >= t) / (number of p >= t +
    sum of all p). For calibrated probabilities its best threshold is the same for every product and equals
    half of the F1 it reaches (Lipton, Elkan & Narayanaswamy 2014).

    >>> expected_f1_threshold(np.array([[0.9, 0.4], [0.1, 0.0]]))[0]
    0.4
    """
    p_NP = np.asarray(p_NP, np.float64)
    if p_NP.size and not (p_NP.min() >= 0 and p_NP.max() <= 1):
        raise InputError("p_NP", "must be probabilities: 0 to 1, not NaN")
    weights = np.ones(len(p_NP)) if weight_N is None else np.asarray(weight_N, np.float64)
    if weights.shape != (len(p_NP),):
        raise InputError("weight_N", f"must have shape ({len(p_NP)},)", value=weights.shape)
    possible_NP = p_NP > 0
    p = p_NP[possible_NP]
    if not len(p):
        return NEVER, 0.0
    w = np.broadcast_to(weights[:, None], p_NP.shape)[possible_NP]
    order = np.argsort(-p, kind="stable")
    p, w = p[order], w[order]
    hits, said = np.cumsum(p * w), np.cumsum(w)
    f1 = 2 * hits / (said + hits[-1])
    is_last = np.append(p[1:] < p[:-1], True)  # equal probabilities are said together
    best = int(np.flatnonzero(is_last)[np.argmax(f1[is_last])])
    return float(p[best]), float(f1[best])
