"""Figures and items read off documents of portfolios: nothing is computed here."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from nextbest.assistant.base import LANGUAGES, Figure, ItemFact, Words
from nextbest.assistant.tools.tool import figure
from nextbest.portfolio.layouts import HEADLINES, class_words
from nextbest.portfolio.tracking.document import FIGURES as TRACKED
from nextbest.portfolio.wording import Document

MOST_ASSETS = 5
"""Assets of a portfolio that are named, largest first."""
LEAST_SHARE = 0.0005
"""A class below this share of a portfolio isn't named: cents on an account are no allocation."""
_UNITS: Mapping[str, str] = {"fraction a year": "fraction", "observations": "count"}
_RESULTS: Mapping[str, Words] = {
    "twr": {"en": "median return of similar clients", "ru": "медиана доходности похожих клиентов"},
    "max_drawdown": {
        "en": "median deepest fall of similar clients",
        "ru": "медиана самой глубокой просадки похожих клиентов",
    },
}
_COUNTERFACTUALS = {
    "contribution": "contribution_more",
    "horizon": "horizon_more",
    "target": "target_less",
}


def period_of(document: Document) -> tuple[date, date] | None:
    """First and last day of a document; None where it has no such period (a plan's is of months)."""
    told = document.get("period")
    if not told or len(told["start"]) != len("2026-01-01"):
        return None
    return date.fromisoformat(told["start"]), date.fromisoformat(told["end"])


def document_figures(
    document: Document, names: Iterable[str] = (*HEADLINES["metrics"], "gain")
) -> tuple[Figure, ...]:
    """Those of the document's own figures that have a value, under their own names."""
    period = period_of(document)
    found = []
    for name in names:
        told = document["figures"].get(name)
        if told is not None and told["value"] is not None:
            unit = _UNITS.get(told["unit"], told["unit"])
            unit = document["currency"] if unit == "money" else unit
            found.append(Figure(name, float(told["value"]), unit, dict(told["title"]), period))
    return tuple(found)


def worth_figures(document: Document, *, most: int | None = MOST_ASSETS) -> tuple[Figure, ...]:
    """What the portfolio, its classes and its largest assets are worth."""
    tables, currency, period = document["tables"], document["currency"], period_of(document)
    if "worth" in tables:  # of a period
        edges = tables["worth"]
        return (
            figure("worth", edges["end"]["value"], currency),
            figure("worth_before", edges["start"]["value"], currency),
        )
    classes = tables.get("classes", ())
    found = [figure("worth", sum(row["value"] for row in classes), currency)] if classes else []
    for row in _told(classes, "weight"):
        found.append(figure("share", row["weight"], "fraction", of=row["asset_class"]))
        found.append(figure("class_worth", row["value"], currency, of=row["asset_class"]))
    for row in tables.get("assets", ())[:most]:
        found.append(figure("share", row["weight"], "fraction", of=row["asset_id"]))
        found.append(figure("class_worth", row["value"], currency, of=row["asset_id"]))
        found.append(figure("asset_gain", row["gain"], currency, of=row["asset_id"], period=period))
    return tuple(found)


def allocation_items(document: Document) -> tuple[ItemFact, ...]:
    """Classes of the document's table, in its order."""
    rows = _told(document["tables"].get("classes", ()), "weight", "yours", "q75")
    return tuple(_class(row["asset_class"], rank) for rank, row in enumerate(rows, start=1))


def asset_items(document: Document, *, most: int | None = MOST_ASSETS) -> tuple[ItemFact, ...]:
    """The largest assets that the client holds, by their titles in the book."""
    rows = document["tables"].get("assets", ())[:most]
    return tuple(
        ItemFact(
            row["asset_id"],
            _title(document, row["asset_id"]),
            kind="asset",
            rank=rank,
            attributes={"asset_class": row["asset_class"]},
        )
        for rank, row in enumerate(rows, start=1)
    )


def peer_figures(document: Document) -> tuple[Figure, ...]:
    """Shares of classes, the client's and the peers', and the peers' results; a hidden cell is left out."""
    found = []
    for row in _told(document["tables"].get("classes", ()), "yours", "q75"):
        for name, key in (
            ("yours", "yours"),
            ("q25", "peers_q25"),
            ("median", "peers_median"),
            ("q75", "peers_q75"),
        ):
            if row[name] is not None:
                share = row[name] if abs(row[name]) >= LEAST_SHARE else 0.0
                found.append(figure(key, share, "fraction", of=row["asset_class"]))
    for row in document["tables"].get("results", ()):
        if row["median"] is not None and row["result"] in _RESULTS:
            label = _RESULTS[row["result"]]
            found.append(figure(f"peers_{row['result']}", row["median"], "fraction", label=label))
    if document.get("n_peers") is not None:
        found.insert(0, figure("n_peers", document["n_peers"], "count"))
    return tuple(found)


def plan_figures(document: Document) -> tuple[Figure, ...]:
    """Odds, the goal itself, what would change the odds, shares of the allocation."""
    currency, tables = document["currency"], document["tables"]
    goal = tables["goal"][0]
    found = [
        *document_figures(document, HEADLINES["plan"]),
        figure("target_amount", goal["target"], currency),
        figure("horizon", goal["n_months"], "months"),
        figure("wealth", goal["wealth"], currency),
        figure("monthly_contribution", goal["monthly_contribution"], currency),
    ]
    needed = document["figures"].get("required_contribution")
    if needed is not None and "wanted" in needed.get("details", {}):
        found.append(figure("wanted_probability", needed["details"]["wanted"], "fraction"))
    for row in tables.get("counterfactuals", ()):
        key = _COUNTERFACTUALS[row["change"]]
        found.append(figure(key, row["amount"], "months" if row["change"] == "horizon" else currency))
        found.append(figure(f"{key}_odds", row["after"], "fraction"))
    for row in _told(tables.get("drift", ()), "proposal", "now"):
        found.append(figure("proposal_share", row["proposal"], "fraction", of=row["asset_class"]))
        if row.get("now") is not None:
            found.append(figure("share_now", row["now"], "fraction", of=row["asset_class"]))
    return tuple(found)


def plan_items(document: Document) -> tuple[ItemFact, ...]:
    """Classes of the allocation, largest first; in advice mode the instruments after them."""
    tables = document["tables"]
    rows = sorted(_told(tables.get("drift", ()), "proposal"), key=lambda row: -float(row["proposal"]))
    classes = tuple(_class(row["asset_class"], rank) for rank, row in enumerate(rows, start=1))
    instruments = tuple(
        ItemFact(
            row["asset_id"],
            _title(document, row["asset_id"]),
            kind="asset",
            rank=rank,
            attributes={"weight": row["weight"]},
        )
        for rank, row in enumerate(tables.get("instruments", ()), start=1)
    )
    return classes + instruments


def tracking_figures(document: Document) -> tuple[Figure, ...]:
    """How it went since it is tracked, and where it stands against the plan."""
    currency, tables = document["currency"], document["tables"]
    found = [figure("worth", tables["history"][-1]["nav"], currency)] if tables.get("history") else []
    found += document_figures(document, TRACKED)
    path = tables.get("path") or {}
    for key, unit in (
        ("probability_now", "fraction"),
        ("probability_then", "fraction"),
        ("target_amount", currency),
    ):
        if path.get(key) is not None:
            found.append(figure(key, path[key], unit))
    if path.get("expected") is not None:
        found.append(figure("expected", path["expected"]["q50"], currency))
    for row in _told(tables.get("plan", ()), "actual", "target"):
        for name, key in (("actual", "share_now"), ("target", "planned_share"), ("drift", "drift")):
            found.append(figure(key, row[name], "fraction", of=row["asset_class"]))
    return tuple(found)


def tracking_items(document: Document) -> tuple[ItemFact, ...]:
    """Classes of the plan and of the portfolio."""
    rows = _told(document["tables"].get("plan", ()), "actual", "target")
    return tuple(_class(row["asset_class"], rank) for rank, row in enumerate(rows, start=1))


def _told(rows: Iterable[dict[str, Any]], *shares: str) -> list[dict[str, Any]]:
    """The rows in which one of these shares is worth a word."""
    return [row for row in rows if any(abs(row.get(share) or 0.0) >= LEAST_SHARE for share in shares)]


def _title(document: Document, asset_id: str) -> Words:
    """An asset by its title in the book, which has one language."""
    return dict.fromkeys(LANGUAGES, document["asset_titles"].get(asset_id) or asset_id)


def _class(asset_class: str, rank: int) -> ItemFact:
    return ItemFact(asset_class, dict(class_words(asset_class)), kind="allocation", rank=rank)  # type: ignore[arg-type]
