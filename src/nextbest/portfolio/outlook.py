"""What a client's assets may be worth, by somebody's forecasts: the table `tables.FORECASTS` laid over what is held today.

Knows no model: the table is handed in, and what it leaves out, or is too old for, is told with a reason. Values at the
times ahead: pieces held today x forecast price x today's rate. Sums of quantiles are told as the one case they are
(comonotone), never as the portfolio's quantile.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from nextbest.charts_page.drawing import Words
from nextbest.data.holdings.account import Account
from nextbest.data.holdings.book import Book
from nextbest.data.holdings.market import FloatArray, Market
from nextbest.errors import InputError
from nextbest.portfolio.document_form import new_document
from nextbest.portfolio.forecasts import LEVELS, check_forecasts
from nextbest.portfolio.ledger import lay_out, rate_T
from nextbest.portfolio.metrics_document import nothing_held
from nextbest.portfolio.outlook_chart import range_chart
from nextbest.portfolio.outlook_words import outlook_texts, standing_words, when, why
from nextbest.portfolio.valuation import Valuation
from nextbest.portfolio.wording import Document
from nextbest.portfolio.worth import worth_of

MAX_AGE_DAYS = 7
"""Calendar days that the last bar of a forecast, and the last price in the book, may be old."""
OTHER_PRICE = 2.0
"""Factor between the forecast's last price and the book's past which they aren't prices of one thing."""


@dataclass(frozen=True)
class _Held:
    """An asset of the account on the day it is valued."""

    asset_id: str
    pieces: float
    price: float
    """Of a piece, in `currency`."""
    currency: str
    priced: datetime
    """Start of the day of that price, UTC."""
    split: datetime | None
    """Start of the day of the last split, UTC."""
    value: float
    """In the document's currency."""
    weight: float | None
    """Of the portfolio's worth, a fraction; None where that is zero or less."""


@dataclass
class _Told:
    """What was found, asset by asset."""

    ranges: list[dict[str, Any]] = field(default_factory=list)
    rest: list[dict[str, Any]] = field(default_factory=list)
    rates: dict[str, float] = field(default_factory=dict)
    """Currency -> today's rate to the document's, of those used that are another."""


def outlook_document(
    book: Book,
    client: str,
    forecasts: pl.DataFrame,
    *,
    now: datetime,
    currency: str | None = None,
    model: str | None = None,
    standing: Words | None = None,
    max_age_days: int = MAX_AGE_DAYS,
) -> Document:
    """What each asset held may cost, and the position be worth, at the times that the forecasts name; never advice.

    Parameters
    ----------
    forecasts
        As `tables.FORECASTS`: quantiles of the close at `time`, in the asset's currency in the book, or in that of a
        column `currency`. Of several cutoffs of an asset the newest up to `now` counts.
    now
        Moment of the question; rows whose bar has begun by then are left out, later cutoffs don't exist yet.
    currency
        In which to count; None = the client's. Rates are those of the last day valued, an assumption that is told.
    model, standing
        Who made the forecasts, and how he stood in tests, in both languages; told as they are.
    max_age_days
        Calendar days, 1 or more, that a forecast's cutoff and the book's last price may lie before `now`.

    Returns
    -------
    dict
        As every document (docs/decisions/0005), `kind` "outlook". `tables.ranges`: a row for each asset and time with
        the quantiles of its price (`price_q10` ...) and of the position (`q10` ...), both in `currency`; `assets`: worth
        and share today of each that is covered; `not_covered`: each that isn't, with `code` and `why`; `together`: sums
        at times that all covered assets have, the rest as it is today. `figures.covered` is a share of the portfolio.

    Raises
    ------
    InputError
        The client or the currency isn't known, `now` has no time zone, `max_age_days` < 1.
    DataError
        The forecasts can't be meant (see `forecasts.check_forecasts`), or the account can't be valued.
    """
    if now.tzinfo is None:
        raise InputError("now", "must have a time zone", value=now.isoformat())
    if max_age_days < 1:
        raise InputError("max_age_days", "must be 1 or more", value=max_age_days)
    table = check_forecasts(forecasts)
    account = book.account(client).until(now.date())
    worth, market = worth_of(book, client, currency=currency, until=now.date())
    if worth is None or market is None:
        return new_document("outlook", client, currency or account.currency, texts=nothing_held())
    held = _held(account, market, worth)
    told = _Told()
    at = int(np.searchsorted(market.days_T, worth.days_T[-1]))
    for asset in held:
        _tell(
            asset, table, market, at, told, target=worth.currency, now=now, age=timedelta(days=max_age_days)
        )
    covered_ids = list(dict.fromkeys(row["asset_id"] for row in told.ranges))
    covered = [asset for asset in held if asset.asset_id in set(covered_ids)]
    nav = float(worth.nav_T[-1])
    share = sum(asset.value for asset in covered) / nav if nav > 0 else None
    together = _together(told.ranges, len(covered), rest=nav - sum(asset.value for asset in covered))
    document = new_document(
        "outlook",
        client,
        worth.currency,
        figures=_figures(nav, share, worth, n_told=len(covered), n_held=len(held)),
        tables={
            "assets": [{"asset_id": a.asset_id, "value": a.value, "weight": a.weight} for a in covered],
            "ranges": told.ranges,
            "together": together,
            "not_covered": told.rest,
        },
        texts=outlook_texts(
            who=standing_words(model, standing),
            currency=worth.currency,
            day=_day(worth.days_T[-1]),
            n_told=len(covered),
            n_held=len(held),
            covered=share,
            rest=told.rest,
            rates=told.rates,
            has_cash=bool(worth.cash_T[-1]),
            together=bool(together),
        ),
        charts=_charts(told.ranges, {asset.asset_id: asset.value for asset in covered}),
        notes=list(worth.notes),
    )
    return document | {"as_of": str(worth.days_T[-1]), "model": model, "standing": standing}


def _held(account: Account, market: Market, worth: Valuation) -> list[_Held]:
    """What is there on the last day valued, the most valuable first, in pieces of that day."""
    ledger = lay_out(account, market, account.currency if account.has_flows else worth.currency)
    end = int(np.searchsorted(ledger.days_T, worth.days_T[-1])) + 1
    begin = market.n_days - len(ledger.days_T)
    nav = float(worth.nav_T[-1])
    found = []
    for column, (asset, value) in enumerate(zip(worth.asset_ids, worth.value_TA[-1], strict=True)):
        if not value:
            continue
        split_T: FloatArray = market.split_TA[begin : begin + end, ledger.assets[column]]
        last = int(np.flatnonzero(np.isfinite(ledger.price_TA[:end, column]))[-1])
        splits = np.flatnonzero(split_T != 1)
        grown = float(np.prod(split_T))
        found.append(
            _Held(
                asset_id=asset,
                pieces=float(ledger.pieces_TA[end - 1, column]) * grown,
                price=float(ledger.price_TA[last, column]) / grown,
                currency=worth.asset_currency[column],
                priced=_day(ledger.days_T[last]),
                split=_day(ledger.days_T[splits[-1]]) if len(splits) else None,
                value=float(value),
                weight=float(value) / nav if nav > 0 else None,
            )
        )
    return sorted(found, key=lambda each: -each.value)


def _tell(
    asset: _Held,
    table: pl.DataFrame,
    market: Market,
    at: int,
    told: _Told,
    *,
    target: str,
    now: datetime,
    age: timedelta,
) -> None:
    """One asset's ranges, or why it has none."""

    def refuse(code: str, **parts: Any) -> None:
        row = {"asset_id": asset.asset_id, "value": asset.value, "weight": asset.weight}
        told.rest.append({**row, "code": code, "why": why(code, **parts)})

    mine = table.filter(pl.col("asset_id") == asset.asset_id)
    if not mine.height:
        return refuse("not_forecast")
    known = mine.filter(pl.col("cutoff") <= now)
    if not known.height:
        return refuse("from_the_future")
    known = known.filter(pl.col("cutoff") == pl.col("cutoff").max())
    cutoff: datetime = known["cutoff"][0]
    if now - cutoff > age:
        return refuse("stale", cutoff=cutoff, n=age.days)
    if now - asset.priced > age + timedelta(days=1):  # a day's price is of its end
        return refuse("old_price", day=asset.priced, n=age.days)
    ahead = known.filter(pl.col("time") > now)
    if not ahead.height:
        return refuse("past")
    if asset.split is not None and asset.split > cutoff:
        return refuse("split")
    source = asset.currency
    if "currency" in ahead.columns and ahead["currency"][0] is not None:
        source = ahead["currency"][0]
    try:
        rate, own = (float(rate_T(market, each, target)[at]) for each in (source, asset.currency))
    except InputError:
        rate = own = float("nan")
    if not np.isfinite(rate) or not np.isfinite(own):
        return refuse("no_rate", source=source, target=target)
    ours, theirs = asset.price * own / rate, float(ahead["close" if "close" in ahead.columns else "q50"][0])
    if not 1 / OTHER_PRICE <= theirs / ours <= OTHER_PRICE:
        return refuse("other_price", theirs=theirs, ours=ours, source=source)
    if source != target:
        told.rates[source] = rate
    for row in ahead.iter_rows(named=True):
        prices = [row[level] * rate for level in LEVELS]
        worths = sorted(asset.pieces * price for price in prices)  # what is owed gains where prices fall
        told.ranges.append(
            {
                "asset_id": asset.asset_id,
                "time": row["time"].isoformat(),
                "when": when(row["time"]),
                **{f"price_{level}": price for level, price in zip(LEVELS, prices, strict=True)},
                **dict(zip(LEVELS, worths, strict=True)),
                "now": asset.value,
            }
        )
    return None


def _together(ranges: list[dict[str, Any]], n_assets: int, *, rest: float) -> list[dict[str, Any]]:
    """Sums at the times that all covered assets have, with the rest as it is today; empty for one asset, or without such a time."""
    by_time: dict[str, list[dict[str, Any]]] = {}
    for row in ranges:
        by_time.setdefault(row["time"], []).append(row)
    return [
        {"time": time, "when": rows[0]["when"], **{level: rest + sum(row[level] for row in rows) for level in LEVELS}}
        for time, rows in sorted(by_time.items())
        if len(rows) == n_assets > 1
    ]  # fmt: skip


def _figures(
    nav: float, share: float | None, worth: Valuation, *, n_told: int, n_held: int
) -> dict[str, Any]:
    own: dict[str, Any] = {"alpha": None, "horizon": None}
    covered: dict[str, Any] = {"value": share, "unit": "fraction", "n": n_told}
    if share is None:
        covered |= {
            "reason": "no_worth",
            "reason_text": {
                "en": "the portfolio is worth nothing",
                "ru": "портфель ничего не стоит",
            },
        }
    return {
        "value": {
            "value": nav,
            "unit": worth.currency,
            "n": n_held,
            "method": "last prices and rates in the book, cash in",
            "method_text": {
                "en": "last prices and rates in the book, cash in",
                "ru": "последние цены и курсы, вместе с деньгами",
            },
            "title": {"en": "Worth, last known", "ru": "Стоимость, последняя известная"},
            **own,
        },
        "covered": {
            **covered,
            "method": "worth of the assets with a range, of the whole portfolio",
            "method_text": {
                "en": "worth of the assets with a range, of the whole portfolio",
                "ru": "стоимость инструментов с разбросом, от всего портфеля",
            },
            "title": {"en": "Covered by the forecasts", "ru": "Охвачено прогнозами"},
            **own,
        },
    }


def _charts(ranges: list[dict[str, Any]], worth_now: dict[str, float]) -> dict[str, Any]:
    """Each asset's range at the last time that is forecast for it."""
    last = {row["asset_id"]: row for row in ranges if row["now"] > 0}  # of what is owed percents say nothing
    if not last:
        return {}
    changes = np.array(
        [[row[level] / worth_now[asset] - 1 for level in LEVELS] for asset, row in last.items()]
    )
    names: list[Words] = [
        {lang: f"{asset}, {row['when'][lang]}" for lang in ("en", "ru")} for asset, row in last.items()
    ]
    return {"ranges": range_chart(names, changes)}


def _day(day: np.datetime64) -> datetime:
    return datetime.fromisoformat(str(day)).replace(tzinfo=UTC)
