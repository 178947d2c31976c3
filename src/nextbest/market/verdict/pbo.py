"""Probability of back-test overfitting: how often the best of the past is below the middle afterwards.

Matrices of returns in, one number out; knows no strategy.
"""

# ruff: noqa: N815  (names suffixed by their axes are the house style for arrays)

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextbest.errors import DataError, InputError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Overfitting:
    """What became of the best of each half."""

    pbo: float
    """Share of the splits in which the best strategy of one half is at or below the median of the other, 0-1."""
    logit_C: FloatArray
    """log(w / (1 - w)) of its relative rank w = rank / (S + 1) in the other half; one a split."""
    loss_share: float
    """Share of the splits in which it lost money in the other half."""
    n_blocks: int
    """Blocks of time."""
    n_dropped: int
    """Observations left out at the start so that the blocks are of one length."""


def cscv(net_ST: ArrayLike, *, n_blocks: int = 10) -> Overfitting:
    """Probability of back-test overfitting by combinatorially symmetric cross-validation, ranked by Sharpe ratio.

    Parameters
    ----------
    net_ST
        Returns of all strategies that were tried, on the same dates. Shape (S, T).
    n_blocks
        Blocks of consecutive observations, even, 2 to 16; every half of them is once the past of the other half.

    Returns
    -------
    Overfitting
        With S strategies without skill the share is about one half: 0.2 is a strict bound. Ties in rank count
        half, so strategies that are all alike give one half as well.

    Raises
    ------
    InputError
        `n_blocks` is odd or out of range.
    DataError
        Fewer than two strategies, a NaN, or fewer than two observations a block.

    Notes
    -----
    Bailey, Borwein, Lopez de Prado & Zhu 2017, with the logit at or below zero as overfit. A strategy that doesn't
    vary in a half has a Sharpe ratio of 0 there. Sharpe ratios come from sums over blocks, so that all splits cost
    two products of matrices.
    """
    net = np.asarray(net_ST, np.float64)
    if n_blocks % 2 or not 2 <= n_blocks <= 16:
        raise InputError("n_blocks", "must be even, 2 to 16", value=n_blocks)
    if net.ndim != 2 or len(net) < 2:
        raise DataError("returns", "must be of two strategies or more", n_bad=len(net))
    if (bad := ~np.isfinite(net)).any():
        raise DataError("returns", "must be finite", n_bad=int(bad.sum()), examples=np.flatnonzero(bad.any(axis=1))[:5].tolist())  # fmt: skip
    length, dropped = divmod(net.shape[1], n_blocks)
    if length < 2:
        raise DataError("returns", f"must hold 2 observations or more for each of {n_blocks} blocks", n_bad=net.shape[1])  # fmt: skip
    net = net[:, dropped:]
    blocks = net.reshape(len(net), n_blocks, length)
    centre = net.mean(axis=1)[:, None, None]  # keeps the sums of squares from cancelling
    first_SB, second_SB = (blocks - centre).sum(axis=2), ((blocks - centre) ** 2).sum(axis=2)
    chosen_CB = np.zeros((comb(n_blocks, n_blocks // 2), n_blocks))
    for c, chosen in enumerate(combinations(range(n_blocks), n_blocks // 2)):
        chosen_CB[c, list(chosen)] = 1.0
    n = length * n_blocks // 2
    inside, outside = (
        _sharpe(first_SB @ part.T / n + centre[:, :, 0], first_SB @ part.T, second_SB @ part.T, n)
        for part in (chosen_CB, 1 - chosen_CB)
    )
    best_C = inside.argmax(axis=0)
    its_C = outside[best_C, np.arange(len(best_C))]
    rank_C = (outside < its_C).sum(axis=0) + ((outside == its_C).sum(axis=0) + 1) / 2
    share_C = rank_C / (len(net) + 1)
    logit_C = np.log(share_C / (1 - share_C))
    return Overfitting(
        pbo=float((logit_C <= 0).mean()),
        logit_C=logit_C,
        loss_share=float((its_C < 0).mean()),
        n_blocks=n_blocks,
        n_dropped=dropped,
    )


def _sharpe(mean_SC: FloatArray, first_SC: FloatArray, second_SC: FloatArray, n: int) -> FloatArray:
    """Mean over standard deviation (n - 1 below) from sums of centred values and of their squares."""
    variance = (second_SC - first_SC**2 / n) / (n - 1)
    varies = variance > 1e-24
    return np.where(varies, mean_SC / np.sqrt(np.where(varies, variance, 1.0)), 0.0)
