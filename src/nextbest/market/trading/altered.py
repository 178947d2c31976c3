"""Panels made of a panel: with another future, in random order, with signs by chance. What an audit reruns a rule on."""

import numpy as np
from numpy.typing import NDArray

from nextbest.data.prices.panel import FIELDS, PricePanel

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Rng = int | np.random.Generator


def with_other_future(panel: PricePanel, stop: int, *, rng: Rng) -> PricePanel:
    """The panel with other bars from `stop` on: moves turned over, stretched and blurred, all volumes new, same holes.

    Turned over, so that an answer that knows no more than the sign of the next move changes too, whatever was drawn.
    """
    gen = np.random.default_rng(rng)
    n_assets, n = panel.n_assets, panel.n_bars - stop
    close = panel.close_AT
    first_later = _last_known(close[:, ::-1])[:, -1:]
    anchor = _last_known(close[:, :stop])[:, -1:] if stop else first_later
    anchor = np.where(np.isnan(anchor), first_later, anchor)  # an asset that is listed later
    stretch = gen.uniform(1.3, 2.5, size=(n_assets, 1))
    blur = 0.3 * np.nan_to_num(np.abs(panel.log_return_AT)).mean(axis=1, keepdims=True)
    factor = np.exp((blur * gen.normal(size=(n_assets, n))).cumsum(axis=1))
    arrays = {f"{name}_AT": getattr(panel, f"{name}_AT").copy() for name in FIELDS}
    for name, source in (("open", "open"), ("high", "low"), ("low", "high"), ("close", "close")):
        later = getattr(panel, f"{source}_AT")[:, stop:]
        arrays[f"{name}_AT"][:, stop:] = anchor * (later / anchor) ** -stretch * factor
    volume = arrays["volume_AT"][:, stop:]
    arrays["volume_AT"][:, stop:] = np.where(np.isnan(volume), np.nan, gen.exponential(size=(n_assets, n)) + 0.1)  # fmt: skip
    return _like(panel, arrays)


def shuffled_in_time(panel: PricePanel, *, rng: Rng) -> PricePanel:
    """The panel with its bars in random order and no drift: all assets of a bar together, so they still move as one.

    Bars are drawn with replacement: in a mere permutation the last bars follow from the others, and a rule that
    bets against all of the past would earn from that. A bar keeps its shape: gap, high, low, close over the open.
    """
    gen = np.random.default_rng(rng)
    order = gen.integers(0, panel.n_bars, size=panel.n_bars)
    gap, shape = _bar_returns(panel)
    step = (1 + gap) * (1 + shape["close"])
    mean = np.nanmean(step, axis=1, keepdims=True)
    return _rebuilt(panel, gap[:, order] / mean + (1 / mean - 1), {k: v[:, order] for k, v in shape.items()}, order)  # fmt: skip


def signs_by_chance(panel: PricePanel, *, rng: Rng) -> PricePanel:
    """The panel with every bar's moves kept or turned over by a coin, one coin a bar for all assets.

    Sizes of moves and what moves together stay; which way the next one goes is a coin's, so no rule can know it.
    """
    gen = np.random.default_rng(rng)
    sign_T = gen.choice([-1.0, 1.0], size=panel.n_bars)
    gap, shape = _bar_returns(panel)
    turned = {k: np.clip(v * sign_T, -0.95, None) for k, v in shape.items()}
    high = np.where(sign_T > 0, turned["high"], turned["low"])
    low = np.where(sign_T > 0, turned["low"], turned["high"])
    return _rebuilt(panel, np.clip(gap * sign_T, -0.95, None), turned | {"high": high, "low": low}, np.arange(panel.n_bars))  # fmt: skip


def _bar_returns(panel: PricePanel) -> tuple[FloatArray, dict[str, FloatArray]]:
    """Gap from the last close to the open, and high, low, close over the open, as simple returns (A, T).

    A source without opens has its gaps in one piece: they are taken to be at the close before.
    """
    close = panel.close_AT
    last = _last_known(close)
    before = np.concatenate([close[:, :1], last[:, :-1]], axis=1)
    before = np.where(np.isnan(before), close, before)
    has_open = ~np.isnan(panel.open_AT)
    opened = np.where(has_open, panel.open_AT, before)
    gap = np.where(np.isnan(close), np.nan, opened / before - 1)
    gap[:, 0] = np.where(np.isnan(gap[:, 0]), np.nan, 0.0)
    names = ("high", "low", "close")
    return gap, {name: getattr(panel, f"{name}_AT") / opened - 1 for name in names}


def _rebuilt(panel: PricePanel, gap: FloatArray, shape: dict[str, FloatArray], order: IntArray) -> PricePanel:
    """A panel whose bars have these returns, one after the other, from the first price on."""
    step = np.nan_to_num((1 + gap) * (1 + shape["close"]), nan=1.0)
    first = _last_known(panel.close_AT[:, ::-1])[:, -1:]
    close = first * np.cumprod(step, axis=1)
    before = np.concatenate([first, close[:, :-1]], axis=1)
    opened = before * (1 + gap)
    arrays = {f"{name}_AT": opened * (1 + value) for name, value in shape.items()}
    arrays["open_AT"] = np.where(np.isnan(panel.open_AT[:, order]), np.nan, opened)
    arrays["volume_AT"] = panel.volume_AT[:, order]
    return _like(panel, arrays)


def _last_known(value_AT: FloatArray) -> FloatArray:
    """Each value, or where it is NaN the last one before it."""
    place = np.where(np.isnan(value_AT), 0, np.arange(value_AT.shape[1]))
    filled: FloatArray = np.take_along_axis(value_AT, np.maximum.accumulate(place, axis=1), axis=1)
    return filled


def _like(panel: PricePanel, arrays: dict[str, FloatArray]) -> PricePanel:
    return PricePanel(asset_ids=panel.asset_ids, time_T=panel.time_T, step=panel.step, **arrays)
