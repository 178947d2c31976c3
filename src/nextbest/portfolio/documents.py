"""Each analysis of a portfolio as one JSON document: figures, tables, texts in both languages, pictures.

Every document: `kind, client_id, as_of, currency, period, figures, tables, texts, charts, notes, mode, disclaimer, version`
(docs/decisions/0005) and `layout`, which says how a page shows it. A report holds the others under `documents`. Peers,
plans and tracking are computed in their own rooms; here their results are put into this form.
"""

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from nextbest.data.holdings.book import Book
from nextbest.errors import DataError, InputError
from nextbest.portfolio.document_form import laid_out, new_document
from nextbest.portfolio.layouts import class_words
from nextbest.portfolio.metrics_document import metrics_document
from nextbest.portfolio.peer_desk import PeerDesk
from nextbest.portfolio.peers.answers import PeerSummary, Refusal
from nextbest.portfolio.peers.from_book import allocation_of, current_goal, profile_of
from nextbest.portfolio.plan.advice import AdviceConfig
from nextbest.portfolio.plan.explain import why_near
from nextbest.portfolio.plan.journal import FOLDER as JOURNAL_FOLDER
from nextbest.portfolio.plan.journal import Journal
from nextbest.portfolio.plan.planner import plan
from nextbest.portfolio.plan.proposal import Plan, PlanConfig
from nextbest.portfolio.plan_charts import PEERS, allocation_chart
from nextbest.portfolio.russian import both_languages, note_words, russian_day
from nextbest.portfolio.tracking.document import tracking_document as tracked
from nextbest.portfolio.wording import Document
from nextbest.portfolio.worth import worth_of


def peers_document(
    book: Book,
    client: str,
    desk: PeerDesk,
    *,
    asker: str | None = None,
    now: datetime,
    asked_at: datetime | None = None,
) -> Document:
    """What similar clients hold and how they did, through the privacy gate; a refusal is a document too.

    Parameters
    ----------
    asker
        Who asks, as authenticated; None = the client.
    now
        Moment that the client's own profile is of.
    asked_at
        What the clock says, by which the gate counts questions and remembers answers; None = `now`. Whoever lets a
        caller choose `now` must give it, or the caller chooses his budget too.

    Raises
    ------
    InputError
        The client isn't known, or `now` has no time zone.
    DataError
        The account can't be valued.
    ExternalError
        The gate's log can't be written; nothing is told then.
    """
    account = book.account(client)
    investor = book.investors(client).row(0, named=True)
    goal = current_goal(investor, book.goals(client).to_dicts(), as_of=now.date())
    worth, _ = worth_of(book, client, until=now.date())
    wealth = None if worth is None else float(worth.nav_T[-1])
    own = {} if worth is None else allocation_of(worth)
    profile = profile_of(investor, goal, wealth=wealth, as_of=now.date())
    told = desk.gate.ask(desk.peers, profile, asker=asker or client, now=asked_at or now, own_ids=(client,))
    if isinstance(told, Refusal):
        document = new_document(
            "peers", client, account.currency, texts={"en": [told.text_en], "ru": [told.text_ru]}
        )
        return document | {"refusal": told.json()}
    return _told_document(client, account.currency, told, own, today=now.date())


def _told_document(
    client: str, currency: str, told: PeerSummary, own: dict[str, float], *, today: date
) -> Document:
    rows: list[dict[str, Any]] = [
        {"asset_class": name, "yours": own.get(name, 0.0), "q25": q.q25, "median": q.median, "q75": q.q75}
        for name, q in told.classes.items()
    ]
    near = why_near(told.nearness)
    document = new_document(
        "peers",
        client,
        currency,
        tables={
            "classes": rows,
            "results": [
                {"result": name, "q25": q.q25, "median": q.median, "q75": q.q75} for name, q in told.results.items()
            ],
        },
        texts={
            "en": [f"At least {told.n} similar clients, as of {told.as_of}; medians and quartiles, rounded.", *(t["en"] for t in near)],
            "ru": [f"Похожих клиентов не меньше {told.n}, на {russian_day(told.as_of)}; медианы и квартили, округлены.", *(t["ru"] for t in near)],
        },
    )  # fmt: skip
    document["as_of"] = told.as_of
    document["n_peers"] = told.n
    if told.as_of > today.isoformat():
        document["notes"].append(
            note_words(
                f"repeated: the answer given for {told.as_of} stands, another one would tell the peers apart"
            )
        )
    known = [row for row in rows if row["median"] is not None]
    if own and known:
        caption = {
            "en": "share of each class: yours now, and the peers' median",
            "ru": "доля каждого класса: ваша сейчас и медиана похожих клиентов",
        }
        document["charts"]["allocation"] = allocation_chart(
            [class_words(row["asset_class"]) for row in known],
            np.array([row["yours"] for row in known]),
            np.array([row["median"] for row in known]),
            target=PEERS,
            caption=caption,
        )
    return document


def make_plan(
    book: Book, client: str, desk: PeerDesk | None = None, *, now: datetime, **choices: Any
) -> Plan:
    """A plan with the desk's peers; `planner.plan` says what `choices` may hold.

    Raises
    ------
    InputError, DataError, ExternalError
        As `planner.plan`.
    """
    peers, gate = (None, None) if desk is None else (desk.peers, desk.gate)
    return plan(client, book, peers, gate=gate, now=now, **choices)


def advice_choices(folder: str | Path, house: AdviceConfig | None) -> dict[str, Any]:
    """The choices of `make_plan` that ask for advice: mode, the house's list, the journal beside the book.

    Parameters
    ----------
    folder
        Of the book.
    house
        None: not configured; the plan is a refusal then, and there is nothing to journal.

    Raises
    ------
    ExternalError
        The journal's folder can't be made.
    """
    if house is None:
        return {"mode": "advice"}
    journal = Journal(Path(folder) / JOURNAL_FOLDER)
    return {"mode": "advice", "config": PlanConfig(advice=house), "journal": journal}


def plan_document(made: Plan) -> Document:
    """The plan's own document with its layout."""
    return laid_out(made.document())


def tracking_document(book: Book, client: str, *, until: date | None = None) -> Document:
    """What tracking wrote of one client up to a day (None = all), with its layout.

    Raises
    ------
    InputError
        The client isn't known, or the book was never tracked.
    """
    return laid_out(tracked(book, client, until=until))


def report_document(
    book: Book,
    client: str,
    desk: PeerDesk | None = None,
    *,
    now: datetime,
    asked_at: datetime | None = None,
    benchmark: str | None = None,
    currency: str | None = None,
    outlook: Document | None = None,
) -> Document:
    """Metrics, peers, plan and tracking in one; what can't be said is a section that says why.

    `asked_at`: see `peers_document`. `outlook`: of `outlook.outlook_document`, a section after the metrics.

    Raises
    ------
    InputError
        The client, the benchmark or the currency isn't known.
    DataError
        The account can't be valued.
    """
    metrics = metrics_document(book, client, benchmark=benchmark, currency=currency, until=now.date())
    parts = [metrics] if outlook is None else [metrics, outlook]
    if desk is not None:
        parts.append(peers_document(book, client, desk, now=now, asked_at=asked_at))
    # A client without a goal, a market of a few months or a book that nobody tracked still has figures: the section says what is missing.
    makers: dict[str, Callable[[], Document]] = {
        "plan": lambda: plan_document(make_plan(book, client, desk, now=now, asked_at=asked_at)),
        "tracking": lambda: tracking_document(book, client, until=now.date()),
    }
    for kind, make in makers.items():
        try:
            parts.append(make())
        except (InputError, DataError) as error:
            missing = f"{error.rule}" + (f"; {error.remedy}" if error.remedy else "")
            words = both_languages(missing)
            texts = {"en": [f"Not available: {words['en']}."], "ru": [f"Недоступно: {words['ru']}."]}
            parts.append(new_document(kind, client, metrics["currency"], texts=texts))
    whole = new_document("report", client, metrics["currency"])
    return whole | {
        "as_of": metrics["as_of"],
        "period": metrics["period"],
        "documents": parts,
    }
