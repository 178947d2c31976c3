"""Tiles, tables and methods of one document as HTML, in both languages at once.

A word stands twice, one of the two is hidden by the page's language. A number stands once as `<data>`, with the
place in the document that it was taken from; nothing here computes.
"""

import html
from collections.abc import Mapping, Sequence
from typing import Any, Final

from nextbest.charts_page.numbers import LANGUAGES, NOTHING, Language, written

Words = Mapping[Language, str]
Json = Mapping[str, Any]

_WORDS: Final[dict[str, dict[Language, str]]] = {
    "method": {"en": "Method", "ru": "Метод"},
    "formula": {"en": "Formula", "ru": "Формула"},
    "n": {"en": "Observations", "ru": "Наблюдений"},
    "unit": {"en": "Unit", "ru": "Единица"},
    "period": {"en": "Period", "ru": "Период"},
    "alpha": {"en": "Alpha", "ru": "Альфа"},
    "horizon": {"en": "Horizon", "ru": "Горизонт"},
    "reason": {"en": "Why there is none", "ru": "Почему значения нет"},
    "figure": {"en": "Figure", "ru": "Показатель"},
    "value": {"en": "Value", "ru": "Значение"},
    "all_figures": {"en": "All figures, how each is computed", "ru": "Все показатели и как каждый посчитан"},
    "client": {"en": "Client", "ru": "Клиент"},
    "currency": {"en": "Currency", "ru": "Валюта"},
    "as_of": {"en": "as of", "ru": "на"},
    "no_script": {
        "en": "The charts are drawn by a script; it is switched off here.",
        "ru": "Графики рисует скрипт; здесь он выключен.",
    },
}

_UNITS_RU: Final[dict[str, str]] = {
    "fraction": "доля",
    "fraction a year": "доля в год",
    "ratio": "отношение",
    "count": "число",
    "observations": "наблюдения",
    "days": "дни",
    "months": "месяцы",
    "years": "годы",
    "percent": "проценты",
}


def safe(text: object) -> str:
    """Text inside HTML, quotes too."""
    return html.escape(str(text), quote=True)


def both(words: Words) -> str:
    """A word in both languages, once where they are the same."""
    if words["en"] == words["ru"]:
        return safe(words["en"])
    return "".join(f'<span lang="{language}">{safe(words[language])}</span>' for language in LANGUAGES)


def word(key: str) -> str:
    """One of the page's own words, in both languages."""
    return both(_WORDS[key])


def data(value: object, *, unit: str, pointer: str) -> str:
    """A value and the place it came from (RFC 6901 pointer into the document)."""
    shown: Words = {language: written(value, unit=unit, language=language) for language in LANGUAGES}
    raw = "" if value is None else safe(value)
    return f'<data value="{raw}" data-path="{safe(pointer)}">{both(shown)}</data>'


def step(key: str) -> str:
    """One step of a pointer.

    >>> step("a/b")
    'a~1b'
    """
    return key.replace("~", "~0").replace("/", "~1")


def title_of(name: str, figure: Json) -> Words:
    """How a figure is called; its name where the document says nothing."""
    return figure.get("title") or dict.fromkeys(LANGUAGES, name)


def period_of(document: Json) -> str:
    """First and last day of a document, or nothing."""
    period = document.get("period")
    if not period or period.get("start") is None or period.get("end") is None:
        return ""
    days: dict[Language, str] = {
        language: " \u2013 ".join(
            written(period[end], unit="date", language=language) for end in ("start", "end")
        )
        for language in LANGUAGES
    }
    return both(days)


def about_line(document: Json) -> str:
    """Whose figures these are, when and in which currency."""
    parts = []
    if document.get("client_id") is not None:
        parts.append(f"{word('client')}: {safe(document['client_id'])}")
    if period := period_of(document):
        parts.append(f"{word('period')}: {period}")
    if document.get("as_of"):
        day: dict[Language, str] = {
            language: written(document["as_of"], unit="date", language=language) for language in LANGUAGES
        }
        parts.append(f"{word('as_of')} {both(day)}")
    if document.get("currency"):
        parts.append(f"{word('currency')}: {safe(document['currency'])}")
    return f'<p class="about">{" · ".join(parts)}</p>'


def tiles(document: Json, pointer: str) -> str:
    """The figures to know first, each with its method under the pointer or the focus."""
    figures: Json = document.get("figures", {})
    names = [
        name for name in document.get("layout", {}).get("headline", list(figures)[:8]) if name in figures
    ]
    made = [_tile(name, figures[name], f"{pointer}/figures/{step(name)}", document) for name in names]
    return f'<div class="tiles">{"".join(made)}</div>' if made else ""


def _tile(name: str, figure: Json, pointer: str, document: Json) -> str:
    shown = data(figure["value"], unit=unit_of(figure["unit"], document), pointer=f"{pointer}/value")
    why = f'<span class="why">{both(_reason(figure))}</span>' if figure["value"] is None else ""
    lines = [
        f"{word('method')}: {both(_method(figure))}",
        f"{word('n')}: {data(figure.get('n'), unit='count', pointer=f'{pointer}/n')}",
        f"{word('unit')}: {both(_unit_words(figure['unit']))}",
        f"{word('period')}: {period_of(document) or NOTHING}",
    ]
    lines += [
        f"{word(key)}: {both(words) if (words := figure.get(f'{key}_text')) else data(figure[key], unit='ratio', pointer=f'{pointer}/{key}')}"
        for key in ("alpha", "horizon")
        if figure.get(key) is not None
    ]
    return (
        f'<div class="tile" tabindex="0"><span class="name">{both(title_of(name, figure))}</span>'
        f'<b>{shown}</b>{why}<span class="tip" role="tooltip">{"<br>".join(lines)}</span></div>'
    )


def _method(figure: Json) -> Words:
    return figure.get("method_text") or dict.fromkeys(LANGUAGES, str(figure.get("method") or NOTHING))


def _unit_words(unit: str) -> Words:
    return {"en": unit, "ru": _UNITS_RU.get(unit, unit)}


def _reason(figure: Json) -> Words:
    return figure.get("reason_text") or dict.fromkeys(LANGUAGES, str(figure.get("reason") or NOTHING))


def charts(document: Json, pointer: str) -> str:
    """A place for each chart, with its title and what it shows; the script draws into it."""
    made = []
    for name, option in document.get("charts", {}).items():
        about: Json = option.get("about", {})
        title: Words = about.get("title") or dict.fromkeys(LANGUAGES, name)
        caption = f"<figcaption>{both(about['caption'])}</figcaption>" if about.get("caption") else ""
        made.append(
            f'<figure class="card"><h3>{both(title)}</h3>{caption}'
            f'<div class="chart" style="height:{int(about.get("height", 300))}px" '
            f'data-path="{safe(pointer)}/charts/{safe(step(name))}"></div></figure>'
        )
    return "".join(made)


def tables(document: Json, pointer: str) -> str:
    """The tables that the layout names, as it names them."""
    made = []
    for name, form in document.get("layout", {}).get("tables", {}).items():
        rows = document.get("tables", {}).get(name)
        if not rows:
            continue
        columns: Sequence[Json] = form["columns"]
        head = "".join(f"<th{_class(column)}>{both(column['title'])}</th>" for column in columns)
        place = f"{pointer}/tables/{step(name)}"
        body = "".join(
            f"<tr>{_cells(row, columns, f'{place}/{n}', document)}</tr>" for n, row in enumerate(rows)
        )
        caption = f'<p class="caption">{both(form["caption"])}</p>' if form.get("caption") else ""
        made.append(
            f'<div class="card"><h3>{both(form["title"])}</h3>{caption}<div class="wide"><table><thead><tr>{head}</tr>'
            f"</thead><tbody>{body}</tbody></table></div></div>"
        )
    return "".join(made)


def _class(column: Json) -> str:
    return "" if column["unit"] == "text" else ' class="n"'


def _cells(row: Json, columns: Sequence[Json], pointer: str, document: Json) -> str:
    made = []
    for column in columns:
        cell = row.get(column["key"])
        if isinstance(cell, Mapping):
            text = both(cell)
        elif column["unit"] == "text":
            words = column.get("words", {}).get(cell)
            text = both(words) if words else NOTHING if cell is None else safe(cell)
        else:
            unit = unit_of(column["unit"], document)
            text = data(cell, unit=unit, pointer=f"{pointer}/{step(column['key'])}")
        made.append(f"<td{_class(column)}>{text}</td>")
    return "".join(made)


def unit_of(unit: str, document: Json) -> str:
    """The unit as `numbers.written` knows it: money is in the document's currency."""
    if unit == "money":
        return str(document.get("currency") or "ratio")
    return {"fraction a year": "fraction", "observations": "count"}.get(unit, unit)


def methods(document: Json, pointer: str) -> str:
    """Every figure with its method, closed until somebody asks (open on paper)."""
    figures: Json = document.get("figures", {})
    if not figures:
        return ""
    keys = ("figure", "value", "n", "method")
    head = "".join(f"<th{' class=n' if key in ('value', 'n') else ''}>{word(key)}</th>" for key in keys)
    rows = []
    for name, figure in figures.items():
        place = f"{pointer}/figures/{step(name)}"
        how = both(_method(figure))
        if figure.get("formula"):
            how += f"<br><small>{safe(figure['formula'])}</small>"
        value = data(figure["value"], unit=unit_of(figure["unit"], document), pointer=f"{place}/value")
        if figure["value"] is None:
            value += f"<br><small>{both(_reason(figure))}</small>"
        n = data(figure.get("n"), unit="count", pointer=f"{place}/n")
        rows.append(
            f"<tr><td>{both(title_of(name, figure))}<br><small>{safe(name)}</small></td>"
            f'<td class="n">{value}</td><td class="n">{n}</td><td>{how}</td></tr>'
        )
    return (
        f'<details><summary>{word("all_figures")}</summary><div class="card wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div></details>"
    )
