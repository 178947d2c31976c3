"""Tools over a book of portfolios: how it went, what similar clients hold, a plan, plan against actual.

The documents are the rooms' own (`portfolio.documents`); here figures are read off them.
"""

from collections.abc import Callable, Hashable, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from nextbest.assistant.base import Note, ToolResult
from nextbest.assistant.tools.book_reader import BookReader
from nextbest.assistant.tools.portfolio_facts import (
    allocation_items,
    asset_items,
    document_figures,
    peer_figures,
    period_of,
    plan_figures,
    plan_items,
    tracking_figures,
    tracking_items,
    worth_figures,
)
from nextbest.assistant.tools.tool import MAX_DAYS, About, AboutClient, Days, Nothing, Tool, disclaimer
from nextbest.assistant.tools.words import note
from nextbest.data.holdings.book import Book
from nextbest.data.ids import OutsideId
from nextbest.errors import DataError, InputError
from nextbest.portfolio import documents
from nextbest.portfolio.metrics_document import metrics_document
from nextbest.portfolio.peer_desk import DeskKeeper
from nextbest.portfolio.period_document import period_document
from nextbest.portfolio.plan.planner import NEW_GOAL, WhatIf
from nextbest.portfolio.wording import Document

if TYPE_CHECKING:
    from nextbest.portfolio.plan.advice import AdviceConfig

Goal = Literal["house", "education", "pension", "cushion", "travel", "car", "growth"]
GOAL_TYPES: Mapping[Goal, str] = {
    "house": "home",
    "education": "education",
    "pension": "retirement",
    "cushion": "reserve",
    "travel": "travel",
    "car": "car",
    "growth": "wealth",
}
"""A goal as a text names it -> `goal_type` of the book."""
DAYS_A_YEAR = 365.25
_Money = Annotated[float, Field(strict=True, gt=0, le=1e15, allow_inf_nan=False)]
_Iso = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", max_length=10, description="YYYY-MM-DD")]


class PortfolioMetrics(AboutClient, frozen=True, extra="forbid"):
    """Arguments of `portfolio_metrics`: the whole life of the portfolio, its last days, or some days of it."""

    period_days: Days | None = None
    start: _Iso | None = None
    end: _Iso | None = None


class PortfolioPeers(AboutClient, frozen=True, extra="forbid"):
    """Arguments of `portfolio_peers`."""


class PortfolioPlan(AboutClient, frozen=True, extra="forbid"):
    """Arguments of `portfolio_plan`; what isn't said is as in the book. Money is of one currency."""

    goal: Goal | None = None
    amount: Annotated[_Money, Field(description="what is wanted in the end, today's prices")] | None = None
    monthly: Annotated[_Money, Field(description="what is put aside each month")] | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", max_length=3, description="ISO 4217")] | None = None
    horizon_days: Days | None = None


class PortfolioTracking(AboutClient, frozen=True, extra="forbid"):
    """Arguments of `portfolio_tracking`."""


class Portfolio:
    """A book behind its tools.

    Parameters
    ----------
    folder
        Of the book.
    now
        Tells the time, UTC.
    advice
        The house's list, with which a caller in mode "advice" may be recommended instruments; None: nobody may.
    """

    def __init__(
        self, folder: Path, *, now: Callable[[], datetime], advice: "AdviceConfig | None" = None
    ) -> None:
        self.folder, self._now, self._advice = folder, now, advice
        self._reader, self._desks = BookReader(folder), DeskKeeper(folder)

    def close(self) -> None:
        """Let go of the peers' log."""
        self._reader.close()
        self._desks.close()

    # --- tools ------------------------------------------------------------------------------------
    def metrics(self, asked: PortfolioMetrics, about: About) -> ToolResult:
        """How the portfolio did."""
        today = self._now().date()
        period = _period(asked, today)

        def answer(book: Book, client: str) -> Document:
            if period is None:
                return metrics_document(book, client, until=today)
            if asked.period_days is not None and asked.start is None:  # of what is known, not of the calendar
                return period_document(book, client, end=period[1], n_days=asked.period_days)
            return period_document(book, client, start=period[0], end=period[1])

        document = self._read(about, answer, ("metrics", period, asked.period_days))
        if not document["figures"]:
            raise Nothing("nothing_held", document=document)
        return _result(
            "portfolio_metrics",
            document,
            items=(*allocation_items(document), *asset_items(document)),
            figures=(*worth_figures(document), *document_figures(document)),
        )

    def peers(self, asked: PortfolioPeers, about: About) -> ToolResult:
        """What similar clients hold and how they did, through the privacy gate."""
        del asked
        now = self._now()
        document = self._read(
            about,
            lambda book, client: documents.peers_document(
                book, client, self._desks.desk(book, as_of=now.date()), now=now
            ),
            ("peers",),
        )
        _refuse(document)
        return _result(
            "portfolio_peers", document, items=allocation_items(document), figures=peer_figures(document)
        )

    def plan(self, asked: PortfolioPlan, about: About) -> ToolResult:
        """A plan in the caller's mode: only a caller in mode "advice" may be recommended anything."""
        now, mode = self._now(), about.caller.mode
        what_if = WhatIf(
            goal_type=None if asked.goal is None else GOAL_TYPES[asked.goal],
            target_amount=asked.amount,
            years=None if asked.horizon_days is None else asked.horizon_days / DAYS_A_YEAR,
            monthly_contribution=asked.monthly,
        )

        def answer(book: Book, client: str) -> Document:
            desk = self._desks.desk(book, as_of=now.date())
            choices: dict[str, Any] = {"what_if": what_if}
            if mode == "advice":
                choices |= documents.advice_choices(self.folder, self._advice)
            document = documents.plan_document(documents.make_plan(book, client, desk, now=now, **choices))
            names_money = asked.amount is not None or asked.monthly is not None
            if names_money and asked.currency not in (None, document["currency"]):
                raise Nothing("other_currency")
            return document

        # A recommendation is written into the journal each time it is given: none is kept.
        document = self._read(about, answer, None if mode == "advice" else ("plan", what_if, asked.currency))
        _refuse(document)
        notes = (note("new_goal"),) if document["tables"]["goal"][0]["goal_id"] == NEW_GOAL else ()
        return _result(
            "portfolio_plan",
            document,
            items=plan_items(document),
            figures=plan_figures(document),
            notes=notes,
        )

    def tracking(self, asked: PortfolioTracking, about: About) -> ToolResult:
        """Where the portfolio stands against its plan."""
        del asked
        today = self._now().date()
        document = self._read(
            about, lambda book, client: documents.tracking_document(book, client, until=today), ("tracking",)
        )
        if document["as_of"] is None:
            raise Nothing("not_tracked", document=document)
        texts = document["texts"]
        alerts = [
            Note("alert", {"en": en, "ru": ru}) for en, ru in zip(texts["en"], texts["ru"], strict=True)
        ]
        return _result(
            "portfolio_tracking",
            document,
            items=tracking_items(document),
            figures=tracking_figures(document),
            notes=tuple(alerts),
        )

    def explain(self, item_id: OutsideId, about: About) -> ToolResult | None:
        """What of the client's portfolio is in an asset or class; None where he holds no such thing."""
        if about.client is None:
            return None
        document = self._read(
            about,
            lambda book, client: metrics_document(book, client, until=self._now().date()),
            ("metrics", None, None),
        )
        items = tuple(
            item
            for item in (*allocation_items(document), *asset_items(document, most=None))
            if item.item_id == item_id
        )
        if not items:
            return None
        figures = tuple(each for each in worth_figures(document, most=None) if each.of == item_id)
        return _result("explain_item", document, items=items, figures=figures)

    # --- the book ---------------------------------------------------------------------------------
    def _read(
        self, about: About, question: Callable[[Book, str], Document], key: tuple[Hashable, ...] | None
    ) -> Document:
        """Ask of a client who is there; what `key` names is answered once a day and state of the book.

        Raises
        ------
        Nothing
            There is no such client, or the book can't answer.
        """
        if about.client is None:
            raise Nothing(about.unknown)
        client = str(about.client)

        def answer(book: Book) -> Document:
            try:
                book.currency_of(client)
            except InputError as error:
                raise Nothing(about.unknown) from error
            try:
                document = question(book, client)
            except (InputError, DataError) as error:
                raise Nothing(_why(error)) from error
            return document | {"asset_titles": _titles(book, document)}

        today = self._now().date()
        return self._reader.ask(answer, key=None if key is None else (client, today, *key))


def _titles(book: Book, document: Document) -> dict[str, str]:
    """Titles of the assets that a document names."""
    tables = document["tables"]
    named = {row["asset_id"] for name in ("assets", "instruments") for row in tables.get(name, ())}
    titles = book.assets().select("asset_id", "title").iter_rows() if named else ()
    return {asset: title for asset, title in titles if asset in named}


def _period(asked: PortfolioMetrics, today: date) -> tuple[date, date] | None:
    """First and last day asked for, both in; None: the whole life."""
    if asked.period_days is None and asked.start is None and asked.end is None:
        return None
    try:
        end = min(today, today if asked.end is None else date.fromisoformat(asked.end))
        if asked.start is not None:
            start = date.fromisoformat(asked.start)
        elif asked.period_days is not None:
            start = end - timedelta(asked.period_days - 1)
        else:
            start = end - timedelta(min(MAX_DAYS, end.toordinal() - 1))
    except ValueError as error:
        raise Nothing("bad_arguments") from error
    if start > end:
        raise Nothing("bad_period")
    return start, end


def _why(error: InputError | DataError) -> str:
    """The code of what a room refused; by its name and rule, which `portfolio.russian` knows too."""
    rule = error.rule
    if error.name == "goal_id":
        return "goal_over" if "time" in rule else "no_goal"
    if error.name == "client" and rule.startswith("has no "):
        return "no_profile"
    if "never tracked" in rule:
        return "not_tracked"
    if error.name == "period" or rule.startswith("hold "):
        return "too_short"
    return "not_computable"


def _refuse(document: Document) -> None:
    """Nothing, where a document holds an answer; a refusal is told in its own words."""
    refused = document.get("refusal")
    if refused is not None:
        raise Nothing(str(refused["refused"]), document=document, told=dict(refused["texts"]))


def _result(tool: str, document: Document, *, notes: tuple[Note, ...] = (), **rest: Any) -> ToolResult:
    period = period_of(document)
    as_of = document["as_of"]
    return ToolResult(
        tool,
        "ok",
        "portfolio",
        notes=(*notes, disclaimer(document["disclaimer"])),
        source="book",
        as_of=date.fromisoformat(as_of) if as_of else (period[1] if period else None),
        document=document,
        **rest,
    )


TOOLS = (
    Tool(
        "portfolio_metrics",
        "portfolio",
        {
            "en": "how the client's portfolio did: worth, return, risk, what is in it; whole, or over a period",
            "ru": "как дела у портфеля клиента: стоимость, доходность, риск, состав; за всё время или за период",
        },
        PortfolioMetrics,
        Portfolio.metrics,
    ),
    Tool(
        "portfolio_peers",
        "portfolio",
        {
            "en": "what similar clients hold and how they did, without any one of them",
            "ru": "что держат похожие клиенты и какие у них результаты, без отдельных людей",
        },
        PortfolioPeers,
        Portfolio.peers,
    ),
    Tool(
        "portfolio_plan",
        "portfolio",
        {
            "en": "probability of the client's goal, suitable allocations, what would make it likelier",
            "ru": "вероятность цели клиента, подходящие распределения, что её повысит",
        },
        PortfolioPlan,
        Portfolio.plan,
    ),
    Tool(
        "portfolio_tracking",
        "portfolio",
        {
            "en": "where the portfolio stands against its plan, with alerts",
            "ru": "где портфель относительно плана, с предупреждениями",
        },
        PortfolioTracking,
        Portfolio.tracking,
    ),
)
