"""A small blend: members' log-odds averaged with few weights, chosen on a later month by MAP@7.

Axes: E members, N rows, P products.
"""

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveInt

from nextbest.errors import InputError
from nextbest.models.products.base import FloatArray, Frozen, logit, sigmoid
from nextbest.models.products.rerank import average_precision_at_k, rank_products

Floats = NDArray[np.float64]


class BlendConfig(Frozen):
    """How fine the weights are."""

    steps: PositiveInt = 4
    """Weights are multiples of 1 / steps: a coarse grid doesn't fit the month's noise."""
    k: PositiveInt = 7
    """Length of the lists that decide."""


def blended(p_ENP: Sequence[NDArray[Any]], weight_E: NDArray[Any]) -> FloatArray:
    """Weighted mean of log-odds as a probability, shape (N, P), float32; 0 where a member says 0.

    Raises
    ------
    InputError
        Not one weight for each member, or the weights don't sum to 1.
    """
    weights = np.asarray(weight_E, np.float64)
    if len(weights) != len(p_ENP) or not np.isclose(weights.sum(), 1):
        raise InputError("weight_E", f"must be {len(p_ENP)} weights that sum to 1", value=weights.tolist())
    if len(p_ENP) == 1:
        return np.array(p_ENP[0], np.float32)
    z_NP = np.zeros(p_ENP[0].shape)
    possible_NP = np.ones(z_NP.shape, np.bool_)
    for weight, p_NP in zip(weights, p_ENP, strict=True):
        if weight:
            z_NP += weight * logit(p_NP)
            possible_NP &= p_NP > 0
    out_NP = sigmoid(z_NP).astype(np.float32)
    out_NP[~possible_NP] = 0
    return out_NP


def fit_weights(
    p_ENP: Sequence[NDArray[Any]], added_N: NDArray[np.uint32], *, config: BlendConfig | None = None
) -> Floats:
    """Weights of the grid with the highest MAP@k over adders; among equals the one nearest to equal weights.

    Parameters
    ----------
    p_ENP
        Each member's P(add) of the same clients, 0 where held.
    added_N
        Packed additions that came; clients without one don't count.

    Raises
    ------
    InputError
        No member.
    """
    config = config or BlendConfig()
    n_members = len(p_ENP)
    if not n_members:
        raise InputError("p_ENP", "must have at least one member")
    adders = added_N != 0
    if n_members == 1 or not adders.any():
        return np.full(n_members, 1 / n_members)
    n_products = p_ENP[0].shape[1]
    parts = [p_NP[adders] for p_NP in p_ENP]
    grid = [
        np.array(steps) / config.steps
        for steps in product(range(config.steps + 1), repeat=n_members)
        if sum(steps) == config.steps
    ]
    grid.sort(key=lambda w: float(((w - 1 / n_members) ** 2).sum()))

    def score(weight_E: Floats) -> float:
        order = rank_products(blended(parts, weight_E), k=config.k)
        return float(np.mean(average_precision_at_k(order, added_N[adders], n_products=n_products)))

    scores = [score(weight_E) for weight_E in grid]
    return grid[int(np.argmax(scores))]
