"""Figures of one client's portfolio as a document: growth, falls, months, moving volatility, distribution, allocation."""

from datetime import date
from typing import Any

import numpy as np

from nextbest.charts_page.drawing import Words
from nextbest.data.holdings.book import Book
from nextbest.data.holdings.market import DayArray, FloatArray, Market
from nextbest.portfolio.charts import (
    distribution_chart,
    growth_chart,
    monthly_chart,
    rolling_chart,
    underwater_chart,
)
from nextbest.portfolio.document_form import new_document
from nextbest.portfolio.layouts import class_words
from nextbest.portfolio.metrics.catalogue import measure
from nextbest.portfolio.plan_charts import allocation_chart
from nextbest.portfolio.russian import russian_day
from nextbest.portfolio.valuation import FlowTiming, Valuation
from nextbest.portfolio.wording import Document
from nextbest.portfolio.worth import worth_of

_ROLLING_DAYS = 250
"""Observations in a moving window: about a year of an exchange."""


def metrics_document(
    book: Book,
    client: str,
    *,
    benchmark: str | None = None,
    currency: str | None = None,
    flow_timing: FlowTiming = "start",
    rf_ann: float = 0.0,
    alpha: float = 0.05,
    until: date | None = None,
) -> Document:
    """All figures of the catalogue for one client, with growth, falls, months, moving volatility, distribution, allocation.

    Parameters
    ----------
    book
        Open, for reading.
    client
        Id in the book.
    benchmark
        Id of an index of the book, converted from the book's base currency. None: figures against one are null.
    currency
        In which to count; None = the client's.
    flow_timing, rf_ann, alpha
        As in `valuation.value` and `metrics.catalogue.measure`.
    until
        Last day looked at; None = all.

    Raises
    ------
    InputError
        Client, benchmark or currency aren't known, or `alpha` is out of range.
    DataError
        The account can't be valued.
    """
    account = book.account(client)
    index = None if benchmark is None else book.benchmark(benchmark)
    worth, market = worth_of(book, client, currency=currency, flow_timing=flow_timing, until=until)
    if worth is None or market is None:
        return new_document("metrics", client, currency or account.currency, texts=nothing_held())
    index = None if index is None else _in_currency(index, market, book.base_currency)
    found = measure(worth, benchmark=index, rf_ann=rf_ann, alpha=alpha)
    figures = {name: measured.json() for name, measured in found.items()}
    caption = _caption(worth)
    classes = _by_class(worth)
    document = new_document(
        "metrics",
        client,
        worth.currency,
        days_T=worth.days_T,
        figures=figures,
        tables={"classes": classes, "assets": _by_asset(worth), "gaps": _gaps(worth, market)},
        texts=_texts(worth),
        charts=_charts(worth, market, index, figures, alpha=alpha, caption=caption),
        notes=list(worth.notes),
    )
    if allocation := [row for row in classes if row["weight"] > 0]:
        names = [class_words(str(row["asset_class"])) for row in allocation]
        weights = np.array([row["weight"] for row in allocation])
        document["charts"]["allocation"] = allocation_chart(names, weights, caption=caption)
    return document


def _in_currency(
    index: tuple[DayArray, FloatArray], market: Market, base: str
) -> tuple[DayArray, FloatArray]:
    """An index told in `base` in the market's currency, on the days that have a rate; as it is where they are one."""
    if market.currency == base:
        return index
    days, closes = index
    place = np.clip(np.searchsorted(market.days_T, days), 0, market.n_days - 1)
    rates = np.where(market.days_T[place] == days, market.rates[base][place], np.nan)
    known = np.isfinite(rates)
    return days[known], closes[known] * rates[known]


def nothing_held() -> dict[str, list[str]]:
    """What is said of a client without anything to measure."""
    return {
        "en": ["Nothing was ever held, or nothing of it has a price: there are no figures."],
        "ru": ["В портфеле ничего не было, или ни у чего нет цены: показателей нет."],
    }


def _caption(worth: Valuation) -> Words:
    first, last = worth.days_T[0], worth.days_T[-1]
    timing = {"start": ("start", "начале"), "end": ("end", "конце")}[worth.flow_timing]
    return {
        "en": f"{first} - {last}, {worth.currency}, time-weighted, valued daily, flows at the {timing[0]} of the day",
        "ru": f"{russian_day(f'{first} - {last}')}, {worth.currency}, взвешено по времени, оценка ежедневная, потоки в {timing[1]} дня",
    }


def _index(worth: Valuation) -> FloatArray:
    """Linked returns, 1 on the first day. A day without a return carries the level on: nothing was invested."""
    return np.asarray(np.cumprod(1 + np.nan_to_num(worth.return_T)), np.float64)


def _charts(
    worth: Valuation,
    market: Market,
    benchmark: tuple[DayArray, FloatArray] | None,
    figures: dict[str, Any],
    *,
    alpha: float,
    caption: Words,
) -> dict[str, Any]:
    days, index = worth.days_T, _index(worth)
    beside = None if benchmark is None else _closes_on(benchmark, days)
    charts = {
        "growth": growth_chart(days, index, beside, gaps=market.gaps, caption=caption),
        "underwater": underwater_chart(days, index, gaps=market.gaps, caption=caption),
        "monthly": monthly_chart(_months(days, index), caption=caption),
    }
    regular = np.isfinite(worth.return_T) & worth.regular_T
    if regular.sum() > _ROLLING_DAYS:
        title = {
            "en": f"Volatility a year, over {_ROLLING_DAYS} observations",
            "ru": f"Волатильность в год, за {_ROLLING_DAYS} наблюдений",
        }
        moving = _moving_volatility(worth, regular)
        charts["rolling"] = rolling_chart(title, days, [(title, moving)], gaps=market.gaps, caption=caption)
    if regular.sum() > 1:
        charts["distribution"] = distribution_chart(
            worth.return_T[regular],
            var=figures["var_historical"]["value"],
            cvar=figures["cvar_historical"]["value"],
            alpha=alpha,
            caption=caption,
        )
    return charts


def _closes_on(benchmark: tuple[DayArray, FloatArray], days_T: DayArray) -> FloatArray:
    """The benchmark's close of each of our days; NaN where it has none that day."""
    days, closes = benchmark
    place = np.clip(np.searchsorted(days, days_T), 0, len(days) - 1)
    made: FloatArray = np.where(days[place] == days_T, closes[place], np.nan)
    return made


def _months(days_T: DayArray, index_T: FloatArray) -> dict[tuple[int, int], float]:
    """Return of each calendar month, from the last level before it (the first month: from its first day)."""
    month = days_T.astype("datetime64[M]").astype(int)
    ends = np.append(np.flatnonzero(np.diff(month)), len(month) - 1)
    levels = np.append(index_T[0], index_T[ends])
    return {
        (1970 + int(month[end]) // 12, int(month[end]) % 12 + 1): float(levels[i + 1] / levels[i] - 1)
        for i, end in enumerate(ends)
        if levels[i] > 0
    }


def _moving_volatility(worth: Valuation, regular_T: np.ndarray[Any, np.dtype[np.bool_]]) -> FloatArray:
    """Of the last observations up to each day, a year's worth; NaN before there are enough. Gaps are left out."""
    returns = worth.return_T[regular_T]
    span_days = float(worth.span_T[regular_T].sum())
    windows = np.lib.stride_tricks.sliding_window_view(returns, _ROLLING_DAYS)
    found = windows.std(axis=1, ddof=1) * np.sqrt(len(returns) * 365.25 / span_days)
    made: FloatArray = np.full(len(worth.days_T), np.nan)
    made[np.flatnonzero(regular_T)[_ROLLING_DAYS - 1 :]] = found
    return made


def _by_class(worth: Valuation) -> list[dict[str, Any]]:
    """Worth, share and gain of each class on the last day, largest first."""
    total = float(worth.nav_T[-1])
    rows: dict[str, list[float]] = {}
    for name, amount, gain in zip(worth.asset_class, worth.value_TA[-1], worth.contribution_A, strict=True):
        row = rows.setdefault(name, [0.0, 0.0])
        row[0] += float(amount)
        row[1] += float(gain)
    cash = rows.setdefault("cash", [0.0, 0.0])
    cash[0] += float(worth.cash_T[-1])
    cash[1] += worth.contribution_cash
    found = [
        {"asset_class": name, "value": amount, "weight": amount / total if total > 0 else 0.0, "gain": gain}
        for name, (amount, gain) in rows.items()
        if amount or gain
    ]
    return sorted(found, key=lambda row: -float(row["value"]))


def _by_asset(worth: Valuation) -> list[dict[str, Any]]:
    """What the client holds, largest first: the client's own, so instruments may be named."""
    total = float(worth.nav_T[-1])
    rows = [
        {
            "asset_id": asset,
            "asset_class": kind,
            "value": float(amount),
            "weight": float(amount) / total if total > 0 else 0.0,
            "gain": float(gain),
        }
        for asset, kind, amount, gain in zip(
            worth.asset_ids, worth.asset_class, worth.value_TA[-1], worth.contribution_A, strict=True
        )
        if amount
    ]
    return sorted(rows, key=lambda row: -float(str(row["value"])))


def _gaps(worth: Valuation, market: Market) -> list[dict[str, Any]]:
    """Closed days within the portfolio's life."""
    first, last = worth.days_T[0], worth.days_T[-1]
    return [
        {"start": gap.start.isoformat(), "end": gap.end.isoformat(), "calendar_days": gap.calendar_days}
        for gap in market.gaps
        if first <= np.datetime64(gap.start) and np.datetime64(gap.end) <= last
    ]


def _texts(worth: Valuation) -> dict[str, list[str]]:
    """One sentence on what is shown; the numbers stand in the figures."""
    n = len(worth.days_T)
    return {
        "en": [f"{n} observed days from {worth.days_T[0]} to {worth.days_T[-1]}; every figure says how it is computed."],
        "ru": [f"Наблюдаемых дней: {n}, с {russian_day(str(worth.days_T[0]))} по {russian_day(str(worth.days_T[-1]))}; у каждого показателя указано, как он посчитан."],
    }  # fmt: skip
