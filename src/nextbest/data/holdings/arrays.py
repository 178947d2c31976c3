"""Long tables of prices, splits, dividends and rates as the arrays of a `Market`."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from nextbest.data.holdings.calendar import find_gaps
from nextbest.data.holdings.market import DayArray, FloatArray, Gap, Market
from nextbest.errors import DataError, InputError


def build_market(
    assets: pl.DataFrame,
    prices: pl.DataFrame,
    splits: pl.DataFrame,
    dividends: pl.DataFrame,
    fx: pl.DataFrame,
    *,
    base_currency: str,
    currency: str | None = None,
    max_rate_age_days: int = 10,
    gaps: tuple[Gap, ...] | None = None,
) -> Market:
    """A `Market` of those assets, on the days on which at least one of them has a price.

    What happens between such days (a split on a holiday, a dividend on a Sunday) counts on the next of them.

    Parameters
    ----------
    assets, prices, splits, dividends, fx
        Tables of `nextbest.tables`, checked; `fx` in `base_currency` for one.
    currency
        Into which the market converts; None = `base_currency`.
    max_rate_age_days
        Calendar days that a rate holds when no newer one is known.
    gaps
        Of all assets' prices (`gaps_of`), which tell when the exchange was open; None: of `prices`.

    Raises
    ------
    InputError
        `currency` has no rate.
    DataError
        There is no price at all, or a dividend's currency has no rate on its day.
    """
    target = currency or base_currency
    if target != base_currency and target not in fx["currency"]:
        known = sorted({base_currency, *fx["currency"].unique()})
        raise InputError("currency", f"must have rates in the book: one of {known}", value=target)
    if not prices.height:
        raise DataError(
            "asset_prices",
            "hold no price of these assets in this time",
            examples=assets["asset_id"].to_list(),
        )
    asset_ids = assets["asset_id"].to_list()
    column = {a: i for i, a in enumerate(asset_ids)}
    price_days = prices["day"].to_numpy().astype("datetime64[D]")
    days = np.unique(price_days)
    close = _closes(prices, days, column)

    rates = {
        c: _rates(fx, c, days, base_currency, max_rate_age_days)
        for c in {base_currency, *fx["currency"].unique()}
    }
    if target != base_currency:
        in_base = rates[target]
        rates = {c: r / in_base for c, r in rates.items()}
    none = np.full(len(days), np.nan)
    currencies = assets["currency"].to_list()
    return Market(
        days_T=days,
        asset_ids=tuple(asset_ids),
        asset_class=tuple(assets["asset_class"].to_list()),
        currency_A=tuple(currencies),
        close_TA=close,
        fx_TA=np.stack([rates.get(c, none) for c in currencies], axis=1),
        split_TA=_splits(splits, days, column),
        dividend_TA=_dividends(dividends, days, column, currencies, rates),
        gaps=find_gaps(days, close) if gaps is None else gaps,
        currency=target,
        rates=rates,
    )


def _closes(prices: pl.DataFrame, days: DayArray, column: dict[str, int]) -> FloatArray:
    close = np.full((len(days), len(column)), np.nan)
    at = np.searchsorted(days, prices["day"].to_numpy().astype("datetime64[D]"))
    close[at, _columns(prices, column)] = prices["close"].to_numpy()
    return close


def gaps_of(prices: pl.DataFrame) -> tuple[Gap, ...]:
    """Times without prices where the exchange was closed or data is missing, by all assets' prices."""
    days = np.unique(prices["day"].to_numpy().astype("datetime64[D]"))
    column = {a: i for i, a in enumerate(prices["asset_id"].unique())}
    return find_gaps(days, _closes(prices, days, column))


def _columns(table: pl.DataFrame, column: dict[str, int]) -> npt.NDArray[np.int64]:
    return table["asset_id"].replace_strict(column, return_dtype=pl.Int64).to_numpy()


def _places(table: pl.DataFrame, days: DayArray) -> tuple[pl.DataFrame, npt.NDArray[np.int64]]:
    """Rows within the market's time and the first day with prices on or after each."""
    at = table["day"].to_numpy().astype("datetime64[D]")
    inside = (at >= days[0]) & (at <= days[-1])
    return table.filter(pl.Series(inside, dtype=pl.Boolean)), np.searchsorted(days, at[inside])


def _splits(splits: pl.DataFrame, days: DayArray, column: dict[str, int]) -> FloatArray:
    split_TA = np.ones((len(days), len(column)))
    inside, at = _places(splits, days)
    np.multiply.at(split_TA, (at, _columns(inside, column)), inside["ratio"].to_numpy())
    return split_TA


def _dividends(
    dividends: pl.DataFrame,
    days: DayArray,
    column: dict[str, int],
    currencies: Sequence[str],
    rates: dict[str, FloatArray],
) -> FloatArray:
    """Amounts a piece in the asset's currency; those of one day add up."""
    dividend_TA = np.zeros((len(days), len(column)))
    inside, at = _places(dividends, days)
    columns = _columns(inside, column)
    amounts = inside["amount"].to_numpy().copy()
    none = np.full(len(days), np.nan)
    for i, paid in enumerate(inside["currency"].to_list()):
        own = currencies[columns[i]]
        if paid != own:
            amounts[i] *= rates.get(paid, none)[at[i]] / rates.get(own, none)[at[i]]
    if np.isnan(amounts).any():
        bad = inside.filter(pl.Series(np.isnan(amounts)))
        raise DataError(
            "dividends",
            "are in a currency without a rate on their day",
            n_bad=bad.height,
            examples=bad.select("asset_id", "day", "currency").rows(),
            remedy="add rates of that currency",
        )
    np.add.at(dividend_TA, (at, columns), amounts)
    return dividend_TA


def _rates(fx: pl.DataFrame, currency: str, days: DayArray, base: str, max_age_days: int) -> FloatArray:
    """Base units for one of `currency` on each day: the last known rate, where it is young enough."""
    if currency == base:
        return np.ones(len(days))
    known = fx.filter(pl.col("currency") == currency).sort("day")
    rate_days = known["day"].to_numpy().astype("datetime64[D]")
    last = np.searchsorted(rate_days, days, side="right") - 1
    rates: FloatArray = known["rate"].to_numpy()[np.maximum(last, 0)].astype(np.float64)
    age = (days - rate_days[np.maximum(last, 0)]).astype(np.int64)
    return np.where((last >= 0) & (age <= max_age_days), rates, np.nan)
