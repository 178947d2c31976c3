"""What every pretrained model needs around it: contexts from histories, its quantiles as quantiles of log-returns.

A model sees the closes of one asset relative to the last known one, as logs or as ratios, so that its answer is a
return already and float32 loses nothing on a price of 100,000. Knows no model and no torch.
Axes: O origins, A assets, B series of a batch, L bars of context, H horizons, K the model's own levels,
Q asked levels, S sample paths.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nextbest.data.prices.panel import PricePanel
from nextbest.errors import InputError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

Scale = Literal["log", "price"]
"""What a model sees: log(close / last close), or close / last close. Both are 0 or 1 at the cutoff."""
Gaps = Literal["keep", "carry"]
"""A bar without close inside the context: NaN, for models that mask it, or the last close before it, for models
whose own code would draw a line through it. Both look back only; bars before an asset's first are left out."""

_SAME_LEVEL = 1e-6
"""Levels nearer than that are one: models keep theirs in float32."""


@dataclass
class Tally:
    """What became of the series asked about since the model was made: nothing is dropped without a count."""

    n_series: int = 0
    """Origins x assets."""
    n_no_context: int = 0
    """No close at the cutoff, or fewer bars than the model needs: no answer."""
    n_refused: int = 0
    """The model's own answer was NaN, infinite, or a price of zero or less: no answer at that horizon."""
    n_crossed: int = 0
    """Quantiles of one horizon that crossed as the model gave them; they were sorted."""

    def as_dict(self) -> dict[str, int]:
        """By name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, eq=False)
class Contexts:
    """Series that a model answers in one call."""

    value_BL: NDArray[np.float32]
    """Oldest bar first, NaN before an asset's first bar (and at gaps that were kept); the last is never NaN."""
    origin_B: IntArray
    """Index into the histories."""
    asset_B: IntArray
    """Row of the panel."""

    def series(self) -> list[NDArray[np.float32]]:
        """Each row without the NaN before its first bar, in memory of its own."""
        return [row[int((~np.isnan(row)).argmax()) :].copy() for row in self.value_BL]


def contexts(
    histories: Sequence[PricePanel],
    *,
    length: int,
    min_bars: int,
    batch_size: int,
    scale: Scale = "log",
    gaps: Gaps = "keep",
    by_origin: bool = False,
) -> Iterator[Contexts]:
    """Every series that can be answered, in batches: memory is one batch, however many origins there are.

    Parameters
    ----------
    histories
        What was known at each origin; the last bar is the cutoff's.
    length
        Bars of context at most, 1 or more.
    min_bars
        Known closes within them that a series needs at least.
    batch_size
        Series a batch.
    by_origin
        Let no batch hold two origins, and each hold all of its one, whatever `batch_size` says: for models that
        let series of a batch see each other, since a later origin's context is an earlier one's future.

    Yields
    ------
    Contexts
        In the order of origins, then assets. Series without a close at the cutoff are left out.
    """
    pending: list[tuple[int, int, NDArray[np.float32]]] = []
    for origin, history in enumerate(histories):
        for asset in range(history.n_assets):
            value_L = _context(history.close_AT[asset], length, min_bars, scale, gaps)
            if value_L is not None:
                pending.append((origin, asset, value_L))
            if len(pending) == batch_size and not by_origin:
                yield _padded(pending)
                pending = []
        if by_origin and pending:
            yield _padded(pending)
            pending = []
    if pending:
        yield _padded(pending)


def _context(
    close_T: FloatArray, length: int, min_bars: int, scale: Scale, gaps: Gaps
) -> NDArray[np.float32] | None:
    close_L = close_T[-length:]
    known_L = ~np.isnan(close_L)
    if not len(close_L) or not known_L[-1] or known_L.sum() < min_bars:
        return None
    close_L = close_L[int(known_L.argmax()) :]
    if gaps == "carry":
        close_L = carried(close_L)
    ratio_L = close_L / close_L[-1]
    value_L: NDArray[np.float64] = np.log(ratio_L) if scale == "log" else ratio_L
    return value_L.astype(np.float32)


def carried(value_T: FloatArray) -> FloatArray:
    """Each NaN replaced by the last value before it; NaN before the first stay."""
    there_T = np.where(np.isnan(value_T), 0, np.arange(len(value_T)))
    last_T: FloatArray = value_T[np.maximum.accumulate(there_T)]
    return last_T


def _padded(rows: list[tuple[int, int, NDArray[np.float32]]]) -> Contexts:
    value_BL = np.full((len(rows), max(len(value_L) for *_, value_L in rows)), np.nan, np.float32)
    for row, (_, _, value_L) in enumerate(rows):
        value_BL[row, -len(value_L) :] = value_L
    origin_B, asset_B = (np.array([row[part] for row in rows], np.int64) for part in (0, 1))
    return Contexts(value_BL, origin_B, asset_B)


def check_levels(levels: Sequence[float], own_levels: Sequence[float]) -> None:
    """Refuse a level beyond the model's own outermost: its tail would have to be invented (`InputError`)."""
    low, high = min(own_levels), max(own_levels)
    if beyond := [level for level in levels if not low - _SAME_LEVEL <= level <= high + _SAME_LEVEL]:
        raise InputError(
            "levels",
            f"the model's own quantiles end at {low:.3g} and {high:.3g}",
            value=beyond[:5],
            remedy="ask for levels between them: nothing is extrapolated",
        )


def return_quantiles(
    value_BHK: NDArray[np.floating],
    own_levels: Sequence[float],
    levels: Sequence[float],
    *,
    scale: Scale,
    tally: Tally,
) -> FloatArray:
    """A model's quantiles as asked quantiles of the log-return from the cutoff's close.

    Parameters
    ----------
    value_BHK
        The model's answer in the scale of its context, in the order of `own_levels`.
    own_levels
        The levels it was trained on, in any order.
    levels
        Asked ones; checked by `check_levels`. Between two own levels: a straight line in the level, the usual rule
        and a mild one, since nobody's own levels are further apart than .1.
    tally
        Counts answers refused and quantiles that crossed.

    Returns
    -------
    ndarray of shape (B, H, Q), float64
        Never decreasing along Q. NaN in all of Q where one own quantile isn't finite, or isn't a price above zero.
    """
    order_K = np.argsort(own_levels, kind="stable")
    own_K = np.asarray(own_levels, np.float64)[order_K]
    value_BHK = np.asarray(value_BHK, np.float64)[..., order_K]
    if scale == "price":
        value_BHK = np.log(np.where(value_BHK > 0, value_BHK, np.nan))
    bad_BH = np.asarray(~np.isfinite(value_BHK).all(axis=-1))
    crossed_BH = (np.diff(value_BHK, axis=-1) < 0).any(-1) & ~bad_BH
    tally.n_refused += int(bad_BH.sum())
    tally.n_crossed += int(crossed_BH.sum())
    value_BHK = np.sort(np.where(bad_BH[..., None], 0.0, value_BHK), axis=-1)
    left_Q = np.clip(
        np.searchsorted(own_K, np.asarray(levels) + _SAME_LEVEL, side="right") - 1, 0, len(own_K) - 1
    )
    right_Q = np.minimum(left_Q + 1, len(own_K) - 1)
    gap_Q = np.where(right_Q > left_Q, own_K[right_Q] - own_K[left_Q], 1.0)
    weight_Q = np.clip((np.asarray(levels) - own_K[left_Q]) / gap_Q, 0.0, 1.0)
    weight_Q = np.where(weight_Q < _SAME_LEVEL / gap_Q, 0.0, weight_Q)
    out_BHQ = value_BHK[..., left_Q] * (1 - weight_Q) + value_BHK[..., right_Q] * weight_Q
    out_BHQ[bad_BH] = np.nan
    # a straight line between float64 neighbours may miss its end by one bit
    return np.maximum.accumulate(out_BHQ, axis=-1)


def n_samples_for(levels: Sequence[float]) -> int:
    """The fewest samples that have a quantile at each of these levels; see `sample_quantiles`."""
    outermost = min(*levels, 1 - max(levels))
    return int(np.ceil(1 / outermost - _SAME_LEVEL)) - 1


def sample_quantiles(sample_SH: NDArray[np.floating], levels: Sequence[float]) -> FloatArray:
    """Quantiles of sampled log-returns at each horizon, never their mean.

    The k-th of S sorted samples stands at level k / (S + 1) (Hyndman & Fan 1996, type 6): on average that share of
    new draws lies below it, so a few paths don't pretend to a narrower cone than they know. Straight lines between.

    Parameters
    ----------
    sample_SH
        Log-returns from the cutoff's close; a path with a NaN anywhere is left out.
    levels
        In (0, 1), increasing.

    Returns
    -------
    ndarray of shape (H, Q)
        NaN throughout when fewer than `n_samples_for(levels)` whole paths are left.
    """
    whole_SH = np.asarray(sample_SH, np.float64)
    whole_SH = whole_SH[np.isfinite(whole_SH).all(-1)]
    if len(whole_SH) < n_samples_for(levels):
        return np.full((sample_SH.shape[1], len(levels)), np.nan)
    quantile_QH = np.quantile(whole_SH, levels, axis=0, method="weibull")
    return np.maximum.accumulate(quantile_QH.T, axis=-1)
