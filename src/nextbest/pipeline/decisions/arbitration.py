"""What an offer is worth: propensity x value x lever x context weight.

Knows no filter and no place in a list. Axes: N clients, P products.
"""

import numpy as np
from numpy.typing import NDArray

from nextbest.data.panel.masks import UInt32Array, pack_masks
from nextbest.pipeline.decisions.eligibility import Attributes, Blocked, filter_number
from nextbest.pipeline.decisions.rules import Rules


def context_factors(
    attributes: Attributes, rules: Rules, *, channel: str
) -> list[tuple[NDArray[np.bool_], NDArray[np.float64]]]:
    """Weights that depend on the client: (clients meant of shape (N,), factor of shape (P,)) each."""
    return [
        (attributes.is_one_of(context.column, context.values, unknown=False), context.factor_P)
        for context in rules.contexts[channel]
    ]


def scores(
    p_NP: NDArray[np.float32],
    factor_P: NDArray[np.float64],
    contexts: list[tuple[NDArray[np.bool_], NDArray[np.float64]]],
) -> NDArray[np.float64]:
    """Expected worth of each offer, in the policy's currency. Shape (N, P).

    Parameters
    ----------
    p_NP
        Calibrated probability of an addition. Shape (N, P).
    factor_P
        Value x lever x weights that hold for everybody, as `Rules.factors` has them for the channel.
    contexts
        What `context_factors` gave for these clients.
    """
    score_NP = p_NP * factor_P
    for is_meant_N, own_P in contexts:
        if is_meant_N.all():
            score_NP *= own_P
        elif is_meant_N.any():
            score_NP[is_meant_N] *= own_P
    return score_NP


def too_low(
    p_NP: NDArray[np.float32], score_NP: NDArray[np.float64], rules: Rules
) -> tuple[Blocked, Blocked]:
    """Products with a probability of 0 or below their floor, and products worth nothing."""
    unlikely: UInt32Array = pack_masks((p_NP < rules.floor_P) | (p_NP <= 0))
    worthless: UInt32Array = pack_masks(score_NP <= 0)
    return (filter_number("low_propensity"), unlikely), (filter_number("no_value"), worthless)
