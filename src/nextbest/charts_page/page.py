"""A document of figures, tables and ECharts options as one HTML file that needs nothing else.

The document, besides what `portfolio/documents.py` says of it: `texts` holds paragraphs for each language; a figure may
bring `title`, `reason_text` and `formula`; an option has `about` (`title`, `caption`, `unit`, `height`, and `words`, its
texts in the other language); `layout` says how it is shown: `title`, `headline` (figures of the tiles) and `tables` (for
each the `title` and the `columns`: `key`, `title`, `unit`, `words`); `documents` holds further documents, a section each.
"""

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from nextbest.charts_page.numbers import LANGUAGES, Language, check_language
from nextbest.charts_page.parts import (
    about_line,
    both,
    charts,
    methods,
    safe,
    step,
    tables,
    tiles,
    word,
)
from nextbest.errors import ExternalError, InputError


def write_page(document: Mapping[str, Any], file: str | Path, *, language: str = "en") -> Path:
    """Write a document as one self-contained HTML file.

    Parameters
    ----------
    document
        JSON-safe; see the module. It stands in the page as it is.
    file
        Replaced when it is there.
    language
        `en` or `ru`: which one the page opens in; a reader can change it.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        The document is not JSON (NaN, infinity, a date), lacks what a page needs, or the language is unknown.
    ExternalError
        The file can't be written.
    """
    path = Path(file)
    text = to_html(document, language=language)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ExternalError("disk", f"{path}: {error.strerror}", retryable=False) from error
    return path


def to_html(document: Mapping[str, Any], *, language: str = "en") -> str:
    """The page as text; arguments and errors as in `write_page`."""
    shown = check_language(language)
    embedded = _embedded(document)
    echarts, script = _resource("echarts.js"), _resource("page.js")
    try:
        title, body = document["layout"]["title"][shown], _body(document, shown)
    except (KeyError, TypeError) as error:
        raise InputError("document", f"lacks what a page needs: {error}") from error
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {_digest(echarts)} {_digest(script)}"
    return Template(_resource("page.html")).substitute(
        language=shown,
        policy=policy,
        title=safe(title),
        body=body,
        document=embedded,
        echarts=echarts,
        script=script,
    )


def _body(document: Mapping[str, Any], language: Language) -> str:
    sections: Sequence[Mapping[str, Any]] = document.get("documents", ())
    links = "".join(
        f'<a href="#{safe(part["kind"])}">{both(part["layout"]["title"])}</a>' for part in sections
    )
    inner = "".join(
        f'<section id="{safe(part["kind"])}"><h2>{both(part["layout"]["title"])}</h2>'
        f"{_content(part, f'/documents/{place}')}</section>"
        for place, part in enumerate(sections)
    )
    return (
        f'<header><div class="top"><div><h1>{both(document["layout"]["title"])}</h1>{about_line(document)}</div>'
        f"{_languages(language)}</div>{_disclaimer(document)}</header><noscript><p>{word('no_script')}</p></noscript>"
        + (f"<nav>{links}</nav>" if links else "")
        + f"{_content(document, '')}{inner}<footer>{_disclaimer(document)}nextbest {safe(document['version'])}</footer>"
    )


def _content(document: Mapping[str, Any], pointer: str) -> str:
    """Words, tiles, charts, tables, notes and methods of one document."""
    lead = "".join(
        f"<p>{both({'en': en, 'ru': ru})}</p>"
        for en, ru in zip(*(document.get("texts", {}).get(name, ()) for name in LANGUAGES), strict=True)
    )
    notes = "".join(
        f"<li>{both(note) if isinstance(note, Mapping) else safe(note)}</li>"
        for note in document.get("notes", ())
    )
    return (
        lead
        + tiles(document, pointer)
        + charts(document, pointer)
        + tables(document, pointer)
        + (f'<ul class="notes">{notes}</ul>' if notes else "")
        + methods(document, pointer)
    )


def _languages(shown: Language) -> str:
    names = {"en": "English", "ru": "Русский"}
    buttons = "".join(
        f'<button type="button" data-language="{language}" aria-pressed="{str(language == shown).lower()}">{names[language]}</button>'
        for language in LANGUAGES
    )
    return f'<div class="languages">{buttons}</div>'


def _disclaimer(document: Mapping[str, Any]) -> str:
    words = document.get("disclaimer")
    return f'<p class="disclaimer" role="note">{both(words)}</p>' if words else ""


def _embedded(document: Mapping[str, Any]) -> str:
    """The document as JSON that can stand inside a script element."""
    try:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise InputError("document", f"must be JSON: {error}", remedy=_where(document)) from error
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _where(node: Any, pointer: str = "") -> str:
    """The first place of a document that JSON has no word for."""
    children: Any = ()
    if isinstance(node, Mapping):
        children = [(step(str(key)), value) for key, value in node.items()]
    elif isinstance(node, list | tuple):
        children = enumerate(node)
    for key, value in children:
        if found := _where(value, f"{pointer}/{key}"):
            return found
    if isinstance(node, int | float):
        bad = not math.isfinite(node)
    else:
        bad = not isinstance(node, Mapping | list | tuple | str | None)
    if bad:
        return f"look at {pointer or 'the document'}"
    return ""


def _digest(script: str) -> str:
    """How a content security policy names one inline script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


@cache
def _resource(name: str) -> str:
    return resources.files("nextbest.charts_page").joinpath(name).read_text(encoding="utf-8")
