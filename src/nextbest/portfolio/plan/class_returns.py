"""Monthly returns of asset classes from the prices of their assets: what the goal engine draws from."""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextbest.data.holdings.market import Market
from nextbest.errors import DataError, InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ClassReturns:
    """Months in which every class has a return, in order of time."""

    classes: tuple[str, ...]
    returns_MC: Floats
    """Simple total returns of the month, fractions, in one currency. Shape (M, C)."""
    months_M: NDArray[np.datetime64]
    """datetime64[M]."""
    currency: str
    notes: tuple[str, ...] = ()
    """How they were made, and what was left out."""

    def __post_init__(self) -> None:
        if self.returns_MC.shape != (len(self.months_M), len(self.classes)):
            raise InputError(
                "returns",
                f"must have shape {(len(self.months_M), len(self.classes))}",
                value=self.returns_MC.shape,
            )
        if not np.isfinite(self.returns_MC).all():
            raise DataError("returns", "of classes must be finite; leave incomplete months out")

    def safest(self) -> int:
        """Column of the class with the least variance."""
        return int(self.returns_MC.var(axis=0).argmin())


def class_returns(
    market: Market,
    *,
    cash_return_ann: float | None = None,
    min_assets: int = 1,
    inactive: Sequence[str] = (),
) -> ClassReturns:
    """Returns of each class: the mean over its assets, month by month.

    Parameters
    ----------
    market
        Closes, splits, dividends and rates.
    cash_return_ann
        Steady return a year of a class `cash` to be added, a fraction; None adds none. It is ignored where the market
        has a class `cash` of its own.
    min_assets
        Assets with a return that a class needs in a month; 1 or more.
    inactive
        Classes to leave out.

    Returns
    -------
    ClassReturns
        An asset's return is from its last trade of the month before to its last trade of the month, dividends (added, not
        reinvested within the month) and splits counted, in the market's currency; an asset without a trade in either
        month has none. Months in which some class has no return are left out and counted in the notes.

    Raises
    ------
    DataError
        No month is complete.
    InputError
        `min_assets` or `cash_return_ann` is out of range.

    Notes
    -----
    Equal weights: prices alone don't tell how much of an asset there is.
    """
    if min_assets < 1:
        raise InputError("min_assets", "must be 1 or more", value=min_assets)
    if cash_return_ann is not None and not -0.5 < cash_return_ann < 1:
        raise InputError("cash_return_ann", "must be a fraction between -0.5 and 1", value=cash_return_ann)
    months, return_MA = asset_returns(market)
    classes = tuple(sorted(set(market.asset_class) - set(inactive)))
    columns = []
    of_class = np.array(market.asset_class)
    for name in classes:
        mine_MA = return_MA[:, of_class == name]
        counts = np.isfinite(mine_MA).sum(axis=1)
        total = np.where(np.isfinite(mine_MA), mine_MA, 0.0).sum(axis=1)
        columns.append(np.where(counts >= min_assets, total / np.maximum(counts, 1), np.nan))
    notes = ["Return of a class: mean of its assets' monthly total returns, equal weights"]
    if cash_return_ann is not None and "cash" not in classes:
        classes = (*classes, "cash")
        columns.append(np.full(len(return_MA), (1 + cash_return_ann) ** (1 / 12) - 1))
        notes.append(f"Cash: a steady {cash_return_ann:.2%} a year, an assumption")
    if not columns:
        raise DataError("market", "has no asset class to measure")
    table = np.column_stack(columns)
    complete = np.isfinite(table).all(axis=1)
    if not complete.any():
        raise DataError("market", "has no month in which every class has a return", examples=list(classes))
    kept_months = months[complete]
    if n_out := int((~complete).sum()):
        notes.append(f"{n_out} month(s) left out: some class has no return there")
    return ClassReturns(classes, table[complete], kept_months, market.currency, tuple(notes))


def asset_returns(market: Market) -> tuple[NDArray[np.datetime64], Floats]:
    """Months after the first (datetime64[M]) and the total return of each asset in them. Shapes (M,) and (M, A).

    NaN where the asset didn't trade in the month or the one before; `class_returns` says how dividends and splits count.
    """
    month_T = market.days_T.astype("datetime64[M]")
    months, first = np.unique(month_T, return_index=True)
    ends = np.append(first[1:], len(month_T))
    close_TA = market.close_TA * market.fx_TA
    paid_TA = market.dividend_TA * market.fx_TA
    n_months, n_assets = len(first), market.n_assets
    end_MA = np.full((n_months, n_assets), np.nan)
    for m in range(n_months):
        rows = close_TA[first[m] : ends[m]]
        traded = np.isfinite(rows)
        last = len(rows) - 1 - traded[::-1].argmax(axis=0)
        end_MA[m] = np.where(traded.any(axis=0), rows[last, np.arange(n_assets)], np.nan)
    found = np.full((n_months - 1, n_assets), np.nan)
    for m in range(1, n_months):
        span = slice(first[m], ends[m])
        split_A = np.prod(market.split_TA[span], axis=0)
        # pieces that one piece of the month's start has become on each day: dividends are per piece of their own day
        pieces_TA = np.cumprod(market.split_TA[span], axis=0)
        paid_A = np.nansum(paid_TA[span] * pieces_TA, axis=0)
        adjacent = int((months[m] - months[m - 1]).astype(int)) == 1
        if adjacent:  # a month without any day of trading isn't bridged
            found[m - 1] = (end_MA[m] * split_A + paid_A) / end_MA[m - 1] - 1
    return months[1:], found
