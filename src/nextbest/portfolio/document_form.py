"""The form that all documents of portfolios share."""

from collections.abc import Sequence
from typing import Any

from nextbest.data.holdings.market import DayArray
from nextbest.portfolio.layouts import layout
from nextbest.portfolio.russian import note_words
from nextbest.portfolio.wording import Document, signed
from nextbest.version import __version__


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
        "notes": [note_words(note) for note in notes],
        "version": __version__,
    }  # fmt: skip
    return laid_out(signed(document))


def laid_out(document: Document) -> Document:
    """The document with the way a page shows it."""
    return document | {"layout": layout(document["kind"])}
