"""Answers that name things: suggestions, similar ones, next purchases, bank products, reasons, passages of documents."""

from collections.abc import Mapping

from nextbest.assistant.base import ItemFact, ToolResult
from nextbest.assistant.phrasing.days import ahead
from nextbest.assistant.phrasing.figures import capital, lowered, said, title
from nextbest.assistant.phrasing.parts import (
    Question,
    clauses,
    excerpt,
    final,
    inline,
    is_cause,
    lines,
    listed,
    options,
    own_figures,
    people,
    reason_of,
    together,
)
from nextbest.assistant.phrasing.russian import declined
from nextbest.assistant.phrasing.wordings import wordings

_BOOKS = {
    "recommend_items": "recommend",
    "similar_items": "similar",
    "next_purchases": "next_purchase",
    "bank_products": "bank_product",
}
LONGEST = 220
"""Characters of three things with their reasons in a sentence."""
FEW = 3
"""Things that still fit into sentences; more stand on lines."""


def write_items(result: ToolResult, question: Question) -> str:
    """Things with their reasons: in a sentence up to three, on lines above; a reason that all share is said once."""
    book, language, variant = wordings(_BOOKS[result.tool]), question.language, question.variant
    places = people(result, question) | _where(result, question)
    items, n = result.items, len(result.items)
    reason = _shared_reason(items, question)
    tells, is_named = True, False
    if reason is not None and "anchor" in places and reason.startswith(("похож", "similar")):
        is_named = places["anchor"] == wordings("similar").say("anchor", language)
        if is_named:  # only the reason knows what the things are similar to
            book = wordings("recommend")
        else:
            reason, tells = None, False  # "similar to X" under the heading "similar to X"
    places["options"] = options(n, language)
    if reason is not None and (n > 1 or is_named):
        kind = "because" if is_cause(reason) else "heading"
        places |= {"reason": reason, "Reason": capital(reason)}
        if n <= FEW:
            told = [
                inline(item, result, question, with_reason=False, after=items[:place])
                for place, item in enumerate(items)
            ]
            named = listed(told, language)
            text = book.say(kind, language, variant, items=named, **places)
        else:
            lead = book.say(f"many_{kind}", language, variant, **places)
            text = lines(lead, (final(item, result, question, with_reason=False) for item in items))
    elif n <= FEW and (n < FEW or _is_short(result, question)):
        named_items = [
            inline(item, result, question, with_reason=tells, after=items[:place])
            for place, item in enumerate(items)
        ]
        places |= dict(zip(("first", "second", "third"), named_items, strict=False))
        last = final(items[-1], result, question, with_reason=tells)
        text = book.say(
            ("one", "two", "three")[n - 1], language, variant, inline=named_items[0], final=last, **places
        )
    else:
        text = lines(
            book.say("many", language, variant, **places),
            (final(item, result, question, with_reason=tells) for item in items),
        )
    return "".join([_opening(question), text, _fewer(result, question)])


def _is_short(result: ToolResult, question: Question) -> bool:
    """Whether things with all that is said of them still read as one sentence."""
    return sum(len(final(item, result, question)) for item in result.items) <= LONGEST


def write_explained(result: ToolResult, question: Question) -> str:
    """Why each thing is there; what is known of it; its description in quotes."""
    book, language, variant = wordings("explain"), question.language, question.variant
    told = []
    for item in result.items:
        name, reason = title(item, language), _reasons(item, question)
        figures = own_figures(item, result)
        if reason is None and figures:
            made = together(clauses(figures, question), language)
            told.append(book.say("held", language, variant, title=name, figures=made))
            continue
        if reason is None:
            told.append(book.say("no_reason", language, variant, title=name))
        else:
            kind = "because" if is_cause(reason) else "reason"
            told.append(book.say(kind, language, variant, title=name, reason=reason, Reason=capital(reason)))
        if len(result.items) == 1:
            figures += tuple(f for f in result.figures if f.of is None)
        if figures:
            told.append(
                book.say("figures", language, variant, figures=together(clauses(figures, question), language))
            )
        text = item.attributes.get("text")
        if isinstance(text, str) and text.strip():
            told.append(book.say("text", language, variant, text=excerpt(text, language)))
    return " ".join(told)


def write_passages(result: ToolResult, question: Question) -> str:
    """What documents say, in their own words and in quotes, each with its document."""
    book, language, variant = wordings("documents"), question.language, question.variant
    passages = [(title(item, language), _passage(item, question)) for item in result.items]
    if len(passages) == 1:
        name, text = passages[0]
        kind = "one" if text else "bare"
        return book.say(kind, language, variant, title=name, text=text)
    rows = (f"{name}: {text}" if text else name for name, text in passages)
    return lines(book.say("many", language, variant), rows)


def _passage(item: ItemFact, question: Question) -> str:
    text = item.attributes.get("text")
    if not isinstance(text, str) or not text.strip():
        text = said(item.reason, question.language) if item.reason else ""
    return excerpt(text, question.language) if text.strip() else ""


def _reasons(item: ItemFact, question: Question) -> str | None:
    """Every reason of an item: its own, and others that a product's tool keeps beside it."""
    first = reason_of(item, question.language)
    kept = item.attributes.get("reasons")
    told = kept.get(question.language) if isinstance(kept, Mapping) else None
    more = (
        [lowered(text.strip().rstrip(".")) for text in told if isinstance(text, str)]
        if isinstance(told, list)
        else []
    )
    unique = dict.fromkeys(filter(None, [first, *more]))
    return "; ".join(unique) or None


def _where(result: ToolResult, question: Question) -> dict[str, str]:
    """The places that only one of the files has: what things are similar to, or when they are bought."""
    language = question.language
    if result.tool == "similar_items":
        return {"anchor": _anchor(result, question)}
    if result.tool != "next_purchases":
        return {}
    days = result.arguments.get("horizon_days")
    when = wordings("next_purchase").say("when", language)
    if isinstance(days, int) and days > 0 and all(note.code != "no_horizon" for note in result.notes):
        when = ahead(days, language)
    return {"when": when, "When": capital(when)}


def _anchor(result: ToolResult, question: Question) -> str:
    """The title of the thing that the client named, in the accusative; words for it where the title isn't known."""
    wanted = result.arguments.get("item_id")
    link = next((link for link in question.understood.slots.items if str(link.item_id) == str(wanted)), None)
    if link is None:
        return wordings("similar").say("anchor", question.language)
    named = title(ItemFact(link.item_id, {question.language: link.title}), question.language)
    return (declined(named, "accusative") or named) if question.is_russian else named


def _shared_reason(items: tuple[ItemFact, ...], question: Question) -> str | None:
    """The reason that all things have alike; None where they differ or one has none."""
    reasons = {reason_of(item, question.language) for item in items}
    return reasons.pop() if len(reasons) == 1 else None


def _opening(question: Question) -> str:
    """A word on what the client turned down."""
    slots, book = question.understood.slots, wordings("parts")
    kind = "rejects" if slots.rejects else "cheaper" if slots.cheaper else None
    return "" if kind is None else book.say(kind, question.language, question.variant) + " "


def _fewer(result: ToolResult, question: Question) -> str:
    """That there are fewer than were asked for."""
    wanted = question.understood.slots.k
    if wanted is None or len(result.items) >= wanted:
        return ""
    gap = "\n" if len(result.items) > FEW else " "
    return gap + wordings("parts").say("fewer", question.language, question.variant)
