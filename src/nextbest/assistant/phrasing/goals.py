"""Answers about a goal: the odds of a plan, what they are counted from, how a plan goes. They never advise."""

from nextbest.assistant.base import Figure, ItemFact, ToolResult
from nextbest.assistant.phrasing.figures import render, title
from nextbest.assistant.phrasing.parts import Question, clause, inline, listed, people, shared_period
from nextbest.assistant.phrasing.statements import (
    MOST,
    day_words,
    figure_of,
    first_figure,
    general_figures,
    joined,
    rows,
    say,
    under_lead,
)
from nextbest.assistant.phrasing.wordings import wordings

_FACTS = ("target_amount", "horizon", "wealth", "monthly_contribution")
_CHANGES = ("contribution_more", "horizon_more", "target_less")


def write_plan(result: ToolResult, question: Question) -> str:
    """The odds of the goal as calculated and as invested now, what they start from, what would change them, the allocation."""
    figures, language, book = general_figures(result), question.language, wordings("plan")
    odds, now = first_figure(figures, "goal_probability"), first_figure(figures, "goal_probability_now")
    goal = f"goal_{result.arguments.get('goal') or question.understood.slots.goal}"
    words = {"goal": book.say(goal if goal in book else "goal", language)}
    parts, told = [], [odds, now]
    if odds is not None or now is not None:
        kind = "probability_now" if odds is None else "probability" if now is None else "probability_both"
        values = {name: render(f, language) for name, f in (("value", odds), ("now", now)) if f is not None}
        parts.append(say(question, "plan", kind, **values, **words))
    facts = [f for key in _FACTS if (f := first_figure(figures, key)) is not None]
    told += facts
    if facts:
        made = listed([clause(figure, language) for figure in facts], language)
        parts.append(say(question, "plan", "facts", clauses=made))
    needed, wanted = (first_figure(figures, key) for key in ("required_contribution", "wanted_probability"))
    if needed is not None and wanted is not None:
        values = {"value": render(needed, language), "odds": render(wanted, language)}
        parts.append(say(question, "plan", "needed" if needed.value else "needed_nothing", **values))
        told += [needed, wanted]
    changes = []
    for key in _CHANGES:
        more, after = first_figure(figures, key), first_figure(figures, f"{key}_odds")
        told += [more, after]
        is_other = after is not None and (odds is None or render(after, language) != render(odds, language))
        if more is not None and after is not None and is_other:
            amount = render(more, language, case="accusative")
            changes.append(say(question, "plan", key, value=amount, odds=render(after, language)))
    rest = [f for f in figures if f not in told and not (f.key.startswith("shortfall") and f.value == 0)]
    if rest:
        parts.append(under_lead("plan", rest[:MOST], question, places=people(result, question)))
    if changes:
        parts.append(say(question, "plan", "changes", clauses="; ".join(changes)))
    shares = [_planned(item, result, question) for item in result.items if item.kind != "asset"]
    instruments = [inline(item, result, question) for item in result.items if item.kind == "asset"]
    parts += rows("plan", "shares", shares, question)
    return joined([*parts, *rows("plan", "instruments", instruments, question)])


def write_tracking(result: ToolResult, question: Question) -> str:
    """Worth against the plan, the odds now and then, how it went, and shares against the plan's."""
    figures, language = general_figures(result), question.language
    worth, expected = first_figure(figures, "worth", "nav"), first_figure(figures, "expected")
    now, then = (
        first_figure(figures, "probability_now", "probability"),
        first_figure(figures, "probability_then"),
    )
    told: list[Figure | None] = []
    parts = []
    if worth is not None:
        values = {"value": render(worth, language), "now": render(expected, language) if expected else ""}
        on = day_words(result.as_of, question)
        parts.append(say(question, "tracking", "worth_expected" if expected else "worth", **values, **on))
        told += [worth, expected]
    if now is not None:
        values = {"now": render(now, language), "value": render(then, language) if then else ""}
        parts.append(say(question, "tracking", "odds_both" if then else "odds", **values))
        told += [now, then]
    rest = [figure for figure in figures if figure not in told]
    if rest:
        parts.append(under_lead("tracking", rest[:MOST], question, period=shared_period(rest)))
    shares = [_against_plan(item, result, question) for item in result.items]
    return joined([*parts, *rows("tracking", "shares", shares, question)])


def _planned(item: ItemFact, result: ToolResult, question: Question) -> str:
    """A class with its share in the allocation and, where it is known, now."""
    share, now = figure_of(item, result, "proposal_share"), figure_of(item, result, "share_now")
    if share is None:
        return inline(item, result, question)
    values = {"value": render(share, question.language), "now": render(now, question.language) if now else ""}
    section = "allocation_row_now" if now else "allocation_row"
    return say(question, "plan", section, title=title(item, question.language), **values)


def _against_plan(item: ItemFact, result: ToolResult, question: Question) -> str:
    """A class with its share now and in the plan."""
    made = [
        say(question, "tracking", key, value=render(figure, question.language))
        for key in ("share_now", "planned_share")
        if (figure := figure_of(item, result, key)) is not None
    ]
    if not made:
        return inline(item, result, question)
    return say(question, "tracking", "row", title=title(item, question.language), clauses=", ".join(made))
