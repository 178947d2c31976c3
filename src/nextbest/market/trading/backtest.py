"""Positions and prices -> returns after costs, many strategies at once. Knows no forecast and no verdict.

S axis: strategies, T axis: bars, A axis: assets. A position is a signed fraction of the equity, decided at the
close of bar t; it is filled at the open of bar t + 1 and no earlier. Within a bar: the old holdings go from the last
close to the open, the trades are made there and paid for, the new holdings go to the close. Holdings drift with
prices between trades; every decided bar trades back to its target, and that counts as turnover too.
"""

# ruff: noqa: N802, N815  (names suffixed by their axes are the house style for arrays)

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.prices.panel import PricePanel
from nextbest.data.prices.steps import in_us
from nextbest.errors import DataError, InputError

FloatArray = NDArray[np.float64]
Fill = Literal["open", "close"]


@dataclass(frozen=True)
class Costs:
    """What trading costs: fractions of the traded value a side, and funding of what is held."""

    fee: float = 0.0
    """Of the exchange, a side."""
    half_spread: float = 0.0
    """From the middle to the price one gets, a side."""
    slippage: float = 0.0
    """Beyond the spread, a side."""
    funding: float | FloatArray | None = None
    """What a long position pays and a short one gets: one stated rate a day (0.0 for assets that are owned), or a
    table as `funding_of` makes it, shape (T, A), a fraction of the position in each bar. None = nobody has said:
    nothing is charged, and the verdict holds it against the test."""
    borrow: float = 0.0
    """What a short position pays on top, a fraction a day."""
    capital: float | None = None
    """Money at the start, in the quote currency; None = trades of any size are filled."""
    volume_share: float = 0.01
    """The largest part of a bar's traded value that is ours, above 0, at most 1."""

    def __post_init__(self) -> None:
        for name in ("fee", "half_spread", "slippage", "borrow"):
            value = getattr(self, name)
            if not (np.isfinite(value) and 0 <= value < 1):
                raise InputError(name, "must be a fraction, 0 to 1", value=value, remedy="5 bp are 0.0005")
        if not 0 < self.volume_share <= 1:
            raise InputError("volume_share", "must be above 0, at most 1", value=self.volume_share)
        if self.capital is not None and not (np.isfinite(self.capital) and self.capital > 0):
            raise InputError("capital", "must be above zero", value=self.capital)
        if isinstance(self.funding, int | float) and not abs(self.funding) < 1:
            raise InputError("funding", "must be a fraction a day", value=self.funding)

    @property
    def per_side(self) -> float:
        """Fraction of the traded value that a trade costs."""
        return self.fee + self.half_spread + self.slippage


@dataclass(frozen=True, eq=False)
class Result:
    """What the strategies earned, bar by bar, marked at the closes."""

    names: tuple[str, ...]
    time_T: NDArray[np.datetime64]
    """Bar opens."""
    step: timedelta
    net_ST: FloatArray
    """Return of the equity in each bar, simple, after costs and funding; 0 before the first decision."""
    gross_ST: FloatArray
    """Before costs and funding, with the same holdings."""
    turnover_ST: FloatArray
    """Traded value over equity: both sides count, so a full turn from long to short is 2."""
    funding_ST: FloatArray
    """Paid for what was held (below zero: received), a fraction of the equity."""
    exposure_ST: FloatArray
    """Holdings after the bar's trades, signed, summed over the assets: 1 = all in, 0 = as much short as long."""
    first: int
    """The first bar in which a decision of any strategy could be filled; `n_bars` where there was none."""
    latency: int
    """Bars between a decision's close and its fill, 1 or more."""
    costs: Costs
    n_missing_S: NDArray[np.int64]
    """Trades wanted in a bar that wasn't there: nothing was traded, the position stayed."""
    n_clipped_S: NDArray[np.int64]
    """Trades that the volume share cut."""
    ruined_S: NDArray[np.bool_]
    """The equity fell to zero; from then on it holds nothing."""
    capacity_S: FloatArray
    """Capital up to which all trades of a bar fit into the volume share in 95 % of the bars with trades; NaN where
    no volume is known."""
    missing_by_asset: Mapping[str, int] = field(default_factory=dict)
    """Bars that each asset lacked, from the first decision on; assets without a gap are left out."""

    @property
    def break_even_bps_S(self) -> FloatArray:
        """Cost a side at which the mean net return would be zero, basis points; NaN without a trade.

        Mean of gross return less funding, over mean turnover. Below zero: it loses without any cost.
        """
        gained = (self.gross_ST - self.funding_ST)[:, self.first :].sum(axis=1)
        traded = self.turnover_ST[:, self.first :].sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            cost_S: FloatArray = np.where(traded > 0, gained / traded * 1e4, np.nan)
        return cost_S

    @property
    def period(self) -> slice:
        """The bars that count: from the first possible fill to the end."""
        return slice(self.first, None)


def backtest(
    position_STA: FloatArray,
    panel: PricePanel,
    costs: Costs,
    *,
    names: tuple[str, ...] | None = None,
    fill: Fill = "open",
    latency: int = 1,
) -> Result:
    """Returns of strategies whose decisions are filled at the next bar's open.

    Parameters
    ----------
    position_STA
        Signed fractions of the equity, row t decided at the close of bar t. Shape (S, T, A), or (T, A) for one;
        NaN = no decision, what is held stays.
    panel
        Prices on the same bars and assets.
    costs
        Charged on traded value, a side.
    names
        One a strategy; without it their numbers.
    fill
        `open` of the next bar, or its `close` where a source has closes only: still one bar later.
    latency
        Bars from a decision's close to its fill. 0, the same bar, is refused: nobody trades at a close that he
        has just learned.

    Returns
    -------
    Result
        A bar that an asset lacks can't be traded: its position stays, its price stands still until it is back.

    Raises
    ------
    InputError
        Shapes, names or a parameter don't fit, a position is infinite.
    DataError
        The panel has closes without opens, and `fill` is `open`.
    """
    position = np.asarray(position_STA, np.float64)
    position = position[None] if position.ndim == 2 else position
    n_strategies = len(position) if position.ndim == 3 else 0
    names = tuple(str(s) for s in range(n_strategies)) if names is None else tuple(names)
    _check(position, panel, costs, names, fill, latency)
    close_TA = panel.close_AT.T
    open_TA = close_TA if fill == "close" else panel.open_AT.T
    there_TA = ~np.isnan(close_TA) & ~np.isnan(open_TA)
    n_bars, n_assets = close_TA.shape
    days = panel.step / timedelta(days=1)
    funding = costs.funding
    rate_TA = (
        funding if isinstance(funding, np.ndarray) else np.full((n_bars, n_assets), (funding or 0.0) * days)
    )
    borrow = costs.borrow * days
    # What a fraction of the equity is of a bar's traded value, an equity of 1 given; 0 where no volume is known
    with np.errstate(divide="ignore"):
        per_value_TA = np.nan_to_num(
            1 / np.where(there_TA, panel.volume_AT.T * open_TA, np.nan), posinf=1e300
        )
    last_TA = _last_known(np.where(there_TA, close_TA, np.nan))
    gap_TA, inside_TA = np.zeros((2, n_bars, n_assets))
    gap_TA[1:] = np.nan_to_num(np.where(there_TA[1:], open_TA[1:] / last_TA[:-1] - 1, 0.0))
    inside_TA[there_TA] = close_TA[there_TA] / open_TA[there_TA] - 1
    rate_TA = np.nan_to_num(rate_TA)

    net, gross, turnover, paid, exposure, largest_ST = np.zeros((6, n_strategies, n_bars))
    held = np.zeros((n_strategies, n_assets))
    equity = np.ones(n_strategies)
    missing, clipped = np.zeros((2, n_strategies), np.int64)
    decided_T = ~np.isnan(position).all(axis=(0, 2))
    first = min(int(np.argmax(decided_T)) + latency, n_bars) if decided_T.any() else n_bars
    has_decision = ~np.isnan(position)
    complete_T: NDArray[np.bool_] = np.all(there_TA, axis=1, keepdims=True)[:, 0]
    every_T: NDArray[np.bool_] = np.all(has_decision, axis=(0, 2), keepdims=True)[0, :, 0]
    for t in range(first, n_bars):
        gap, inside = gap_TA[t], inside_TA[t]
        before = held @ gap
        alive = (before > -1) & (equity > 0)
        grown = np.where(alive, 1 + before, 1.0)
        held = held * (1 + gap) * (alive / grown)[:, None]
        trade = (position[:, t - latency] - held) * alive[:, None]
        if not every_T[t - latency]:
            trade[~has_decision[:, t - latency]] = 0.0
        if not complete_T[t]:
            missing += (np.abs(trade) > 1e-12)[:, ~there_TA[t]].sum(axis=1)
            trade[:, ~there_TA[t]] = 0.0
        part = np.abs(trade) * per_value_TA[t]
        largest_ST[:, t] = part.max(axis=1, initial=0.0)
        if costs.capital is not None:
            over = part * (costs.capital * equity * grown / costs.volume_share)[:, None]
            clipped += (over > 1).sum(axis=1)
            trade /= np.maximum(over, 1.0)
        held = held + trade
        traded = np.abs(trade).sum(axis=1)
        earned = held @ inside
        owed = held @ rate_TA[t]
        if borrow:
            owed = owed + borrow * np.maximum(-held, 0).sum(axis=1)
        after = earned - traded * costs.per_side - owed
        total = np.where(alive, grown * (1 + after) - 1, np.where(equity > 0, -1.0, 0.0))
        net[:, t] = np.maximum(total, -1.0)
        gross[:, t] = np.where(alive, np.maximum(grown * (1 + earned) - 1, -1.0), net[:, t])
        turnover[:, t], paid[:, t], exposure[:, t] = traded, owed * grown, held.sum(axis=1)
        survives = total > -1
        equity = equity * (1 + net[:, t])
        held = held * (1 + inside) * (survives / np.where(survives, 1 + after, 1.0))[:, None]
    lacking = (~there_TA[first:]).sum(axis=0)
    return Result(
        names=names,
        time_T=panel.time_T,
        step=panel.step,
        net_ST=net,
        gross_ST=gross,
        turnover_ST=turnover,
        funding_ST=paid,
        exposure_ST=exposure,
        first=first,
        latency=latency,
        costs=costs,
        n_missing_S=missing,
        n_clipped_S=clipped,
        ruined_S=equity <= 0,
        capacity_S=_capacity(largest_ST, costs.volume_share),
        missing_by_asset={a: int(n) for a, n in zip(panel.asset_ids, lacking, strict=True) if n},
    )


def funding_of(table: pl.DataFrame, panel: PricePanel) -> FloatArray:
    """Funding payments as `Costs.funding` takes them: summed over each bar of the panel.

    Parameters
    ----------
    table
        `asset_id`, `time` (UTC) and `rate`: what a long position pays at that moment, a fraction of its value.
    panel
        Whose bars and assets.

    Returns
    -------
    ndarray of shape (T, A)
        A payment counts in the bar [open, open + step) in which it falls, for what is held after that bar's
        trades; 0 where there is none. Assets and times outside of the panel are left out.

    Raises
    ------
    DataError
        A column is missing, or a rate is null or not finite.
    """
    if lacking := {"asset_id", "time", "rate"} - set(table.columns):
        raise DataError("funding", "columns are missing", examples=sorted(lacking))
    rate_R = table["rate"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    if (bad := ~np.isfinite(rate_R)).any():
        raise DataError("funding", "rate must be a finite number", n_bad=int(bad.sum()), examples=np.flatnonzero(bad)[:5].tolist())  # fmt: skip
    time_R = table["time"].dt.cast_time_unit("us").to_physical().to_numpy()
    open_T = panel.time_T.astype(np.int64)
    column = {asset: a for a, asset in enumerate(panel.asset_ids)}
    asset_R = np.array([column.get(a, -1) for a in table["asset_id"]], np.int64)
    bar_R = np.searchsorted(open_T, time_R, side="right") - 1
    inside = (asset_R >= 0) & (bar_R >= 0)
    inside[inside] = time_R[inside] < open_T[bar_R[inside]] + in_us(panel.step)
    rate_TA = np.zeros((panel.n_bars, panel.n_assets))
    np.add.at(rate_TA, (bar_R[inside], asset_R[inside]), rate_R[inside])
    return rate_TA


def _check(
    position: FloatArray,
    panel: PricePanel,
    costs: Costs,
    names: tuple[str, ...],
    fill: str,
    latency: int,
) -> None:
    shape = (panel.n_bars, panel.n_assets)
    if position.ndim != 3 or position.shape[1:] != shape:
        raise InputError("position_STA", f"must have shape (strategies, {shape[0]} bars, {shape[1]} assets)", value=position.shape)  # fmt: skip
    if np.isinf(position).any():
        raise InputError("position_STA", "must be finite or NaN", value=int(np.isinf(position).sum()))
    if len(names) != len(position) or len(set(names)) < len(names):
        raise InputError("names", f"must be {len(position)} different names", value=len(set(names)))
    if fill not in ("open", "close"):
        raise InputError("fill", "must be 'open' or 'close'", value=fill)
    if latency < 1:
        raise InputError("latency", "must be 1 or more: nobody trades at the close he has just learned", value=latency)  # fmt: skip
    if isinstance(costs.funding, np.ndarray) and costs.funding.shape != shape:
        raise InputError("costs.funding", f"must have shape {shape}", value=costs.funding.shape)
    if fill == "open":
        no_open = np.isnan(panel.open_AT) & ~np.isnan(panel.close_AT)
        if no_open.any():
            examples = [panel.asset_ids[a] for a in np.flatnonzero(no_open.any(axis=1))[:5]]
            raise DataError("prices", "a bar has a close but no open to fill at", n_bad=int(no_open.sum()), examples=examples, remedy="fill='close' trades at the next close")  # fmt: skip


def _capacity(largest_ST: FloatArray, volume_share: float) -> FloatArray:
    """The 5 % quantile, over the bars with a trade of known volume, of the capital that fills the volume share."""
    found = np.full(len(largest_ST), np.nan)
    for s, largest in enumerate(largest_ST):
        if len(known := largest[largest > 0]):
            found[s] = volume_share / np.quantile(known, 0.95)
    return found


def _last_known(value_TA: FloatArray) -> FloatArray:
    """Each value, or where it is NaN the last one before it."""
    place = np.where(np.isnan(value_TA), 0, np.arange(len(value_TA))[:, None])
    filled: FloatArray = np.take_along_axis(value_TA, np.maximum.accumulate(place, axis=0), axis=0)
    return filled
