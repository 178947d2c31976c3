"""What every client holds at the end of each month, and what each asset earned in it: the past as strategies may know it."""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.holdings import database
from nextbest.data.holdings.book import Book
from nextbest.data.holdings.market import Market
from nextbest.errors import DataError
from nextbest.portfolio.plan.class_returns import asset_returns

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MonthEnd:
    """All clients at the end of one month. `N` clients, `A` assets."""

    month: np.datetime64
    """datetime64[M]."""
    value_NA: Floats
    """Worth of each holding by its last price, in the market's currency; cash apart. The array is used again."""
    return_N: Floats
    """Of the holdings at the end of the month before, held through the month; NaN where nothing was held."""
    bought_A: NDArray[np.int64]
    """Clients who bought each asset within the month."""


def month_ends(book: Book, market: Market) -> Iterator[MonthEnd]:
    """Month by month, from the second month of the market on; clients are in the order of `book.investors()`.

    Purchases count from their month's end on, so a month's return is of what was held before it.

    Raises
    ------
    DataError
        The book has no trades.
    """
    trades = database.frame(
        book.connection(),
        "SELECT i.client_id, a.asset_id, t.day, t.quantity FROM trades t "
        "JOIN assets a USING (asset_idx) JOIN investors i USING (client_idx)",
    )
    if not trades.height:
        raise DataError("trades", "the book has none")
    clients = book.investors()["client_id"]
    rows = _codes(trades["client_id"], clients.to_list())
    columns = _codes(trades["asset_id"], list(market.asset_ids))
    days = trades["day"].to_numpy().astype("datetime64[D]")
    at = np.minimum(np.searchsorted(market.days_T, days), market.n_days - 1)
    factor_TA = np.cumprod(market.split_TA, axis=0)  # pieces that one of the first day's has become
    first_pieces = trades["quantity"].to_numpy() / factor_TA[at, columns]
    month_of = days.astype("datetime64[M]")
    order = np.argsort(month_of, kind="stable")
    months, return_MA = asset_returns(market)
    price_TA = _last_known(market.close_TA * market.fx_TA)
    pieces_NA = np.zeros((len(clients), market.n_assets))
    value_NA = np.zeros_like(pieces_NA)
    done = 0
    for m, month in enumerate(months):
        end = int(np.searchsorted(market.days_T.astype("datetime64[M]"), month, side="right")) - 1
        known = np.isfinite(return_MA[m])
        held_N = value_NA[:, known].sum(axis=1)
        earned_N = value_NA[:, known] @ return_MA[m, known]
        with np.errstate(invalid="ignore", divide="ignore"):
            return_N = np.where(held_N > 0, earned_N / held_N, np.nan)
        until = int(np.searchsorted(month_of[order], month, side="right"))
        new = order[done:until]
        np.add.at(pieces_NA, (rows[new], columns[new]), first_pieces[new])
        done = until
        buys = new[(first_pieces[new] > 0) & (month_of[new] == month)]
        pairs = np.unique(np.stack([rows[buys], columns[buys]]), axis=1)
        bought_A = np.bincount(pairs[1], minlength=market.n_assets)
        price_A = np.nan_to_num(price_TA[end] * factor_TA[end])
        np.multiply(pieces_NA, price_A, out=value_NA)
        np.maximum(value_NA, 0.0, out=value_NA)  # rounding of pieces that were sold
        yield MonthEnd(month, value_NA, return_N, bought_A)


def _last_known(price_TA: Floats) -> Floats:
    """Prices carried forward, for worth only, never for a return; NaN before the first."""
    row_TA = np.where(np.isfinite(price_TA), np.arange(len(price_TA))[:, None], 0)
    np.maximum.accumulate(row_TA, axis=0, out=row_TA)
    found: Floats = np.take_along_axis(price_TA, row_TA, axis=0)
    return found


def _codes(ids: pl.Series, known: list[str]) -> NDArray[np.int64]:
    """Row numbers of ids in `known`."""
    return ids.replace_strict(known, list(range(len(known))), return_dtype=pl.Int64).to_numpy()


def growth_between(market: Market, start: np.datetime64, end: np.datetime64) -> Floats:
    """What one unit in each asset at the end of month `start` has become at the end of month `end`. Shape (A,).

    Last known prices at both ends, splits and dividends (added, not reinvested) counted; months without trades in between
    are bridged, because whoever held could not sell. NaN where the asset didn't trade in the month `start`.
    """
    month_T = market.days_T.astype("datetime64[M]")
    first, last = (int(np.searchsorted(month_T, m, side="right")) - 1 for m in (start, end))
    traded = np.isfinite(market.close_TA[month_T == start]).any(axis=0)
    price_TA = _last_known(market.close_TA * market.fx_TA)
    span = slice(first + 1, last + 1)
    pieces_TA = np.cumprod(market.split_TA[span], axis=0)
    paid_A = np.nansum(market.dividend_TA[span] * market.fx_TA[span] * pieces_TA, axis=0)
    with np.errstate(invalid="ignore"):
        found: Floats = (price_TA[last] * np.prod(market.split_TA[span], axis=0) + paid_A) / price_TA[first]
    return np.where(traded, found, np.nan)
