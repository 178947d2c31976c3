"""Answers about a portfolio and about similar clients. They state what was measured; they never advise."""

from datetime import date

from nextbest.assistant.base import ItemFact, ToolResult
from nextbest.assistant.phrasing.figures import render, title
from nextbest.assistant.phrasing.parts import Question, inline, people, shared_period
from nextbest.assistant.phrasing.statements import (
    MOST,
    after_lead,
    day_words,
    figure_of,
    first_figure,
    general_figures,
    joined,
    period_words,
    rows,
    say,
    under_lead,
)


def write_portfolio(result: ToolResult, question: Question) -> str:
    """What it is worth, what it returned over which period, up to eight figures in all, then what is in it."""
    places, figures, language = people(result, question), general_figures(result), question.language
    worth = first_figure(figures, "worth", "nav", "value")
    earned = first_figure(figures, "twr", "mwr", "modified_dietz")
    if earned is not None and earned.value == 0:
        earned = None  # neither earned nor lost: said with the other figures
    period = earned.period if earned is not None and earned.period else shared_period(figures)
    told, parts = [], []
    if worth is not None:
        until = worth.period[1] if worth.period else result.as_of
        is_said = earned is not None and period is not None and period[1] == until
        on = day_words(None if is_said else until, question)
        parts.append(say(question, "portfolio", "worth", value=render(worth, language), **on, **places))
        told.append(worth)
    if earned is not None and not isinstance(earned.value, date):
        kind = f"{'return' if worth is None else 'then'}_{'up' if earned.value > 0 else 'down'}"
        value = render(earned, language, style="unsigned")
        parts.append(
            say(question, "portfolio", kind, value=value, **period_words(period, question), **places)
        )
        told.append(earned)
    rest = [figure for figure in figures if figure not in told]
    kept = rest[: MOST - len(told)]
    if kept and told:
        parts.append(after_lead(kept, question, period=period if earned is not None else None))
    elif kept:
        parts.append(under_lead("portfolio", kept, question, period=period, places=places))
    if len(kept) < len(rest):
        parts.append(say(question, "portfolio", "more"))
    classes = [inline(item, result, question) for item in result.items if item.kind != "asset"]
    assets = [inline(item, result, question) for item in result.items if item.kind == "asset"]
    parts += rows("portfolio", "items", classes, question, places=places)
    return joined([*parts, *rows("portfolio", "assets", assets, question, places=places)])


def write_peers(result: ToolResult, question: Question) -> str:
    """How many similar clients there are at least, their results, and the shares of classes next to theirs."""
    figures = list(general_figures(result))
    count = first_figure(figures, "n_peers", "n")
    parts = []
    if count is not None:
        figures.remove(count)
        parts.append(say(question, "peers", "found", value=render(count, question.language)))
    if figures:
        parts.append(under_lead("peers", figures, question, period=shared_period(figures)))
    told = [_next_to_peers(item, result, question) for item in result.items]
    return joined([*parts, *rows("peers", "items", told, question)])


def _next_to_peers(item: ItemFact, result: ToolResult, question: Question) -> str:
    """A class with the client's share and the quartiles of similar clients; hidden ones are left out."""
    language = question.language
    own = "yours" if result.arguments.get("client") is None else "theirs"
    parts = []
    for key, section in (("yours", own), ("peers_median", "median")):
        if (figure := figure_of(item, result, key)) is not None:
            parts.append(say(question, "peers", section, value=render(figure, language)))
    low, high = figure_of(item, result, "peers_q25"), figure_of(item, result, "peers_q75")
    if low is not None and high is not None:
        bounds = {"low": render(low, language), "high": render(high, language)}
        parts.append(say(question, "peers", "spread", **bounds))
    if not parts:
        return inline(item, result, question)
    return say(question, "peers", "row", title=title(item, language), clauses=", ".join(parts))
