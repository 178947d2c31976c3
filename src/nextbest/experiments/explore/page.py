"""Sections as one HTML page that needs nothing else, and as plain text for a terminal."""

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

Lang = Literal["en", "ru"]
N_KEY_FACTS = 5
"""Lines of a summary."""


@dataclass(frozen=True)
class Table:
    """A small table; numbers are written already."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    n_text: int = 1
    """First columns that hold words and stand left; the others stand right."""


@dataclass(frozen=True)
class Chart:
    """A chart with the line that says how to read it; drawn when the page is made."""

    caption: str
    draw: Callable[[], str]


@dataclass(frozen=True)
class Section:
    """One question and its answer."""

    key: str
    title: str
    meaning: str
    """What it means for a model, in one sentence or two."""
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    """Findings that stand on their own, such as breaks."""

    @property
    def has_something(self) -> bool:
        """Whether there is anything to show beside the sentence."""
        return bool(self.charts or self.tables or self.notes)


@dataclass(frozen=True)
class Page:
    """A whole exploration."""

    title: str
    lang: Lang
    about: str
    cards: tuple[tuple[str, str], ...]
    """Figures to know first: number, what it is."""
    sections: tuple[Section, ...]
    words: dict[str, str] = field(default_factory=dict)
    """The page's own words in its language: `contents`, `meaning`, `footer`."""
    key_facts: tuple[str, ...] = ()
    """The most important facts as sentences; empty: the first cards say them."""

    def to_html(self) -> str:
        """One self-contained document: no script, no outside file."""
        cards = "".join(
            f'<div class="card"><b>{_safe(number)}</b><span>{_safe(what)}</span></div>'
            for number, what in self.cards
        )
        contents = "".join(f'<a href="#{s.key}">{_safe(s.title)}</a>' for s in self.sections)
        body = "".join(self._section(s) for s in self.sections)
        return (
            f'<!doctype html>\n<html lang="{self.lang}"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{_safe(self.title)}</title><style>{_STYLE}</style></head><body><main>"
            f"<header><h1>{_safe(self.title)}</h1><p>{_safe(self.about)}</p></header>"
            f'<div class="cards">{cards}</div><nav>{contents}</nav>{body}'
            f"<footer>{_safe(self.words.get('footer', ''))}</footer></main></body></html>\n"
        )

    def _section(self, section: Section) -> str:
        meaning = (
            f'<p class="meaning"><b>{_safe(self.words.get("meaning", ""))}</b> {_safe(section.meaning)}</p>'
        )
        notes = "".join(f"<li>{_safe(note)}</li>" for note in section.notes)
        charts = "".join(
            f"<figure>{chart.draw()}<figcaption>{_safe(chart.caption)}</figcaption></figure>"
            for chart in section.charts
        )
        tables = "".join(_table(table) for table in section.tables)
        return (
            f'<section id="{section.key}"><h2>{_safe(section.title)}</h2>{meaning}'
            + (f"<ul>{notes}</ul>" if notes else "")
            + f"{charts}{tables}</section>"
        )

    def to_summary(self) -> str:
        """The title and the five most important facts, a line each: what a terminal shows."""
        told = self.key_facts or tuple(f"{number} {what}" for number, what in self.cards)
        return "\n".join([self.title, *(f"- {fact}" for fact in told[:N_KEY_FACTS])])

    def to_text(self) -> str:
        """The figures to know and what each section means, as Markdown."""
        lines = [f"# {self.title}", "", *(f"- {number} {what}" for number, what in self.cards)]
        for section in self.sections:
            lines += ["", f"**{section.title}.** {section.meaning}", *(f"- {note}" for note in section.notes)]
        return "\n".join(lines)


def _table(table: Table) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        made = (
            f"<{tag}{'' if i < table.n_text else ' class=n'}>{_safe(cell)}</{tag}>"
            for i, cell in enumerate(cells)
        )
        return f"<tr>{''.join(made)}</tr>"

    body = "".join(row(cells, "td") for cells in table.rows)
    return f'<div class="wide"><table><thead>{row(table.header, "th")}</thead><tbody>{body}</tbody></table></div>'


def _safe(text: str) -> str:
    return html.escape(text, quote=True)


_STYLE = """
:root{color-scheme:light}
*{box-sizing:border-box}
body{margin:0;background:#f4f6f7;color:#22303c;font:15px/1.5 system-ui,"Segoe UI","DejaVu Sans",sans-serif}
main{max-width:960px;margin:0 auto;padding:28px 20px 60px}
h1{font-size:26px;margin:0 0 4px}
h2{font-size:19px;margin:0 0 8px}
header p{margin:0 0 18px;color:#55646f}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:10px;margin-bottom:16px}
.card{background:#fff;border-radius:8px;padding:10px 12px;border:1px solid #e3e8eb}
.card b{display:block;font-size:19px}
.card span{color:#55646f;font-size:12.5px;line-height:1.3;display:block}
nav{display:flex;flex-wrap:wrap;gap:4px 14px;font-size:13.5px;margin:0 0 20px}
a{color:#2b6a8f}
section{background:#fff;border:1px solid #e3e8eb;border-radius:8px;padding:18px 20px;margin-bottom:18px}
.meaning{background:#fdf3ee;border-left:4px solid #d0603a;padding:8px 12px;margin:0 0 14px;border-radius:0 6px 6px 0}
ul{padding-left:20px;margin:0 0 12px}
li{margin-bottom:6px;overflow-wrap:anywhere}
figure{margin:0 0 16px}
.chart{width:100%;height:auto;display:block}
.chart text{font-family:"DejaVu Sans",Verdana,sans-serif!important}
figcaption{color:#55646f;font-size:13px}
.wide{overflow-x:auto;margin-bottom:12px}
table{border-collapse:collapse;font-size:13px;width:100%}
th,td{padding:4px 8px;border-bottom:1px solid #e9edef;text-align:left;vertical-align:top}
th{color:#55646f;font-weight:600;border-bottom:1px solid #c9d3d9}
.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
th.n{white-space:normal}
td:first-child{white-space:nowrap}
footer{color:#7b8891;font-size:12.5px}
@media print{body{background:#fff}section{break-inside:avoid}}
"""
