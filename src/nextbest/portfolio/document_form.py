"""The form that all documents of portfolios share, and the valuation they are made from."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from nextbest.data.holdings.book import Book
from nextbest.data.holdings.market import DayArray, Market
from nextbest.portfolio.layouts import layout
from nextbest.portfolio.valuation import FlowTiming, Valuation, value
from nextbest.portfolio.wording import Document, signed
from nextbest.version import __version__

_BEFORE = timedelta(days=10)
"""Prices read before the first trade, which may fall on a day off."""


def new_document(
    kind: str,
    client: str,
    currency: str,
    *,
    days_T: DayArray | None = None,
    figures: dict[str, Any] | None = None,
    tables: dict[str, Any] | None = None,
    texts: dict[str, list[str]] | None = None,
    charts: dict[str, Any] | None = None,
    notes: Sequence[str] = (),
) -> Document:
    """The form that all documents share, signed and laid out."""
    has_days = days_T is not None and len(days_T) > 0
    document: dict[str, Any] = {
        "kind": kind,
        "client_id": client,
        "as_of": str(days_T[-1]) if has_days and days_T is not None else None,
        "currency": currency,
        "period": {"start": str(days_T[0]), "end": str(days_T[-1])} if has_days and days_T is not None else None,
        "figures": figures or {},
        "tables": tables or {},
        "texts": texts or {"en": [], "ru": []},
        "charts": charts or {},
        "notes": list(notes),
        "version": __version__,
    }  # fmt: skip
    return laid_out(signed(document))


def laid_out(document: Document) -> Document:
    """The document with the way a page shows it."""
    return document | {"layout": layout(document["kind"])}


def worth_of(
    book: Book,
    client: str,
    *,
    currency: str | None = None,
    flow_timing: FlowTiming = "start",
    until: date | None = None,
) -> tuple[Valuation | None, Market | None]:
    """A client's portfolio on all its days; None where nothing was ever held or priced."""
    account = book.account(client)
    if until is not None:
        account = replace(
            account,
            trades=account.trades.filter(account.trades["day"] <= until),
            flows=account.flows.filter(account.flows["day"] <= until),
        )
    days: list[date] = [*account.trades["day"].head(1), *account.flows["day"].head(1)]
    if not days:
        return None, None
    assets = account.trades["asset_id"].unique(maintain_order=True).to_list()
    market = book.market(
        assets or None, start=min(days) - _BEFORE, end=until, currency=currency or account.currency
    )
    worth = value(account, market, currency=currency, flow_timing=flow_timing)
    return (worth, market) if len(worth.days_T) else (None, None)
