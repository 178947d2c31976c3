"""Who holds what: shares of classes by risk tolerance, assets within a class by popularity and home bias."""

import numpy as np
from numpy.typing import NDArray

from nextbest.data.holdings.market import FloatArray
from nextbest.simulate.portfolios.config import CLASSES, TARGETS, PortfolioLaws
from nextbest.simulate.portfolios.life import Ints, Stage

_FEWEST = 0.02
"""A class share below this is left out: nobody buys one per cent of gold."""
_SOON = 250
"""Trading days that an asset must still have ahead to be bought at the start."""


def popularity_weights(
    asset_class: tuple[str, ...],
    country: tuple[str | None, ...],
    volume: FloatArray,
    *,
    laws: PortfolioLaws,
) -> FloatArray:
    """Weight of each asset within its class: Zipf by rank of `volume`, less for other countries. Shape (A,), > 0."""
    weights = np.ones(len(asset_class))
    for name in set(asset_class):
        members = np.flatnonzero([c == name for c in asset_class])
        order = members[np.argsort(-np.nan_to_num(volume[members]), kind="stable")]
        weights[order] = (1.0 + np.arange(len(order))) ** -laws.popularity
    abroad = np.array([c is not None and c != laws.home_country for c in country])
    weights[abroad] *= 1 - laws.home_bias
    return weights


def choose(
    stage: Stage,
    laws: PortfolioLaws,
    *,
    weights: FloatArray,
    tolerance: int,
    capacity: int,
    first: int,
    last: int,
    rng: np.random.Generator,
) -> tuple[Ints, FloatArray]:
    """Assets of one client (places in A) and the wanted share of each, which sum to 1.

    Class shares are Dirichlet around `TARGETS`; of shares 1 + Poisson are drawn by weight without putting back, of
    another class one or two. Only what has a close on day `first` and is listed for a year more can be chosen.
    """
    can = np.isfinite(stage.price_TA[first]) & (stage.last_A >= min(first + _SOON, last))
    names = np.array(stage.market.asset_class)
    there = np.array([bool((can & (names == c)).any()) for c in CLASSES])
    mean = np.array(TARGETS[tolerance]) * there
    if not mean.any():
        return np.empty(0, np.int64), np.empty(0)
    shares = rng.dirichlet(np.where(there, laws.noise * mean / mean.sum(), 1e-9)) * there
    shares[shares < max(_FEWEST, 0)] = 0.0
    if not shares.any():
        shares = mean
    shares /= shares.sum()
    chosen, wanted = [], []
    for c, share in zip(CLASSES, shares, strict=True):
        members = np.flatnonzero(can & (names == c))
        if not share:
            continue
        n = 1 + (
            int(rng.poisson(laws.shares_mean * capacity / 3)) if c == "equity" else int(rng.uniform() < 0.25)
        )
        picked = _draw(members, weights[members], n, rng)
        parts = rng.dirichlet(np.full(len(picked), 2.0))
        chosen.append(picked)
        wanted.append(share * parts)
    return np.concatenate(chosen), np.concatenate(wanted)


def _draw(members: Ints, weights: FloatArray, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`n` different members by weight: the largest of log weight plus Gumbel noise."""
    keys = np.log(weights) + rng.gumbel(size=len(members))
    return members[np.argsort(-keys, kind="stable")[:n]]
