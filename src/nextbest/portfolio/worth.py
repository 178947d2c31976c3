"""What a client of a book is worth day by day, as of a day: account and prices read together, then valued."""

from datetime import date, timedelta

from nextbest.data.holdings.book import Book
from nextbest.data.holdings.market import Market
from nextbest.portfolio.valuation import FlowTiming, Valuation, value

_BEFORE = timedelta(days=10)
"""Prices read before the first trade, which may fall on a day off."""


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
        account = account.until(until)
    days: list[date] = [*account.trades["day"].head(1), *account.flows["day"].head(1)]
    if not days:
        return None, None
    assets = account.trades["asset_id"].unique(maintain_order=True).to_list()
    market = book.market(
        assets or None, start=min(days) - _BEFORE, end=until, currency=currency or account.currency
    )
    worth = value(account, market, currency=currency, flow_timing=flow_timing)
    return (worth, market) if len(worth.days_T) else (None, None)
