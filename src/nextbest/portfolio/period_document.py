"""Figures of one client's portfolio over some days of its life, as a document; the whole life is `metrics_document`'s."""

from datetime import date
from typing import Any

import numpy as np

from nextbest.data.holdings.book import Book
from nextbest.errors import InputError
from nextbest.portfolio.charts import growth_chart, underwater_chart
from nextbest.portfolio.document_form import new_document
from nextbest.portfolio.layouts import HEADLINES
from nextbest.portfolio.metrics.catalogue import CATALOGUE, VALUATION_ONLY, measure_returns
from nextbest.portfolio.metrics.sample import DAYS_A_YEAR
from nextbest.portfolio.wording import Document
from nextbest.portfolio.worth import worth_of

FIGURES = tuple(name for name in HEADLINES["metrics"] if name in CATALOGUE and name not in VALUATION_ONLY)
"""What is told of a period: figures of the series of returns; those of money need the whole life."""


def period_document(
    book: Book,
    client: str,
    *,
    end: date,
    start: date | None = None,
    n_days: int | None = None,
    currency: str | None = None,
) -> Document:
    """Figures over the days from `start` to `end`, both in: the first return counts from the observation before `start`.

    Parameters
    ----------
    end, start
        Days; where the portfolio began later or is valued less far, its own first and last day count.
    n_days
        In place of `start`: so many calendar days up to the last day valued by `end`.
    currency
        In which to count; None = the client's.

    Returns
    -------
    dict
        As every document (docs/decisions/0005), `kind` "metrics"; `tables.worth`: `start` and `end` with `day`, `value`.

    Raises
    ------
    InputError
        The client or the currency isn't known, fewer than two observations lie in the period, or both or neither of
        `start` and `n_days` are given.
    DataError
        The account can't be valued.
    """
    if (start is None) == (n_days is None):
        raise InputError("start", "or n_days must be given, not both")
    worth, market = worth_of(book, client, currency=currency, until=end)
    days = np.empty(0, "datetime64[D]") if worth is None else worth.days_T.astype("datetime64[D]")
    if n_days is not None and len(days):
        begin = days[-1] - np.timedelta64(n_days - 1, "D")
    else:
        begin = np.datetime64(start or end, "D")
    first = max(int(np.searchsorted(days, begin)) - 1, 0)
    if worth is None or market is None or len(days) - first < 2:
        raise InputError("period", "holds fewer than two days with a price", value=f"{begin} - {end}")
    returns_T, regular_T, span_T = (
        each[first + 1 :] for each in (worth.return_T, worth.regular_T, worth.span_T)
    )
    usual = regular_T & np.isfinite(returns_T)
    years = float(span_T[usual].sum()) / DAYS_A_YEAR
    found = measure_returns(
        returns_T,
        periods_per_year=float(usual.sum()) / years if years > 0 else 1.0,
        start=days[first],
        days_T=days[first + 1 :],
        regular_T=np.asarray(regular_T, bool),
        names=FIGURES,
    )
    shown, index = days[first:], np.cumprod(np.append(1.0, 1 + np.nan_to_num(returns_T)))
    gaps = [gap for gap in market.gaps if shown[0] <= np.datetime64(gap.start) <= shown[-1]]
    edges: dict[str, dict[str, Any]] = {
        name: {"day": str(days[place]), "value": float(worth.nav_T[place])}
        for name, place in (("start", first), ("end", -1))
    }
    return new_document(
        "metrics",
        client,
        worth.currency,
        days_T=shown,
        figures={name: measured.json() for name, measured in found.items()},
        tables={"worth": edges},
        charts={
            "growth": growth_chart(shown, index, gaps=gaps),
            "underwater": underwater_chart(shown, index, gaps=gaps),
        },
        notes=list(worth.notes),
    )
