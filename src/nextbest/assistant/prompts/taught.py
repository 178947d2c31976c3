"""The two short forms that a model reads which `nextbest assistant finetune` taught: a question -> a tool, results -> words.

They are written here alone, for teaching, for a chat and for measuring. A model that knows them needs no instructions and
no examples: these prompts are a tenth as long as those of the files beside this module, which is what a processor's
answer time is made of. The client's text stands on one line, as `fences` escapes it; names and figures are placeholders.
"""

from collections.abc import Mapping

from nextbest.assistant.base import INTENTS, Intent, Language
from nextbest.assistant.phrasing.compact import Placeholder
from nextbest.assistant.phrasing.rendering import label
from nextbest.assistant.prompts.fences import escaped
from nextbest.assistant.prompts.placeholders import GOODS, Masked
from nextbest.assistant.providers.protocol import Message

VERSION = 2
"""Of the forms; an adapter answers to the one it was taught with. 1 had the tool's arguments written by the model."""
TOOLS_OF: Mapping[Intent, tuple[str, ...]] = {
    "recommend": ("recommend_items",),
    "similar": ("similar_items",),
    "next_purchase": ("next_purchases",),
    "bank_product": ("bank_products", "search_documents"),
    "portfolio": ("portfolio_metrics",),
    "peers": ("portfolio_peers",),
    "plan": ("portfolio_plan", "portfolio_tracking"),
    "forecast": ("market_forecast",),
    "explain": ("explain_item", "search_documents"),
    "small_talk": (),
    "off_topic": (),
}
"""Tools that answer an intent; the first is meant where none is named."""
_MOST_ASKED, _MOST_ANSWERED = 500, 200
"""Characters of a question that a tool is chosen by, and that an answer's opening is."""
_HELD: Mapping[str, Mapping[Language, str]] = {
    "allocation": {"en": "Class", "ru": "Класс"},
    "asset": {"en": "Asset", "ru": "Актив"},
}


def call_messages(question: str) -> tuple[Message, ...]:
    """What a tool is asked with."""
    return (Message("user", f"Which tool? {escaped(question[:_MOST_ASKED])}"),)


def call_completion(intent: Intent, tool: str | None) -> str:
    """How that is answered: the intent, and the tool where it isn't the intent's first. Arguments are code's to find.

    >>> call_completion("plan", "portfolio_plan"), call_completion("plan", "portfolio_tracking")
    ('plan', 'plan portfolio_tracking')
    """
    is_usual = tool is None or tool in TOOLS_OF[intent][:1]
    return intent if is_usual else f"{intent} {tool}"


def read_call(text: str) -> tuple[Intent, str | None] | None:
    """An answer as intent and tool; None where it is neither.

    >>> read_call(" plan portfolio_tracking"), read_call("off_topic"), read_call("plan rm")
    (('plan', 'portfolio_tracking'), ('off_topic', None), None)
    """
    words = text.split()
    intent = next((one for one in INTENTS if words[:1] == [one]), None)
    if intent is None or len(words) > 2:
        return None
    tools = TOOLS_OF[intent]
    if len(words) == 1:
        return intent, tools[0] if tools else None
    return (intent, words[1]) if words[1] in tools else None


def phrase_messages(question: str, results: Masked, language: Language) -> tuple[Message, ...]:
    """What an answer is worded from."""
    rows = "\n".join(result_rows(results, language))
    return (Message("user", f"Say in {language}: {escaped(question[:_MOST_ANSWERED])}\n{rows}"),)


def result_rows(results: Masked, language: Language) -> list[str]:
    """A row for each thing to choose, then figures of the whole, then what is held; a reason that comes again keeps its name."""
    reasons: dict[str, str] = {}
    chosen: list[str] = []
    held: list[str] = []
    figures = [place for place in results.places.values() if place.kind == "figure"]
    told: set[str] = set()
    for place in results.places.values():
        if place.kind != "item" or place.item is None:
            continue
        is_good = place.item.kind in GOODS
        row = f"{{{place.name}}}" if is_good else held_name(place, language)
        reason = f"r{place.name[1:]}"
        if reason in results.places:
            row += f" {{{reasons.setdefault(results.values[reason], reason)}}}"
        for one in figures:
            if one.figure is not None and one.figure.of == place.item.item_id:
                told.add(one.name)
                row += f"; {_figure_row(one.name, results, language)}"
        (chosen if is_good else held).append(row)
    loose = [_figure_row(one.name, results, language) for one in figures if one.name not in told]
    return [*chosen, *loose, *held]


def held_name(place: Placeholder, language: Language) -> str:
    """What is held, calculated with or forecast, by what it is: "class {i1}"."""
    kind = place.item.kind if place.item is not None else "asset"
    return f"{_HELD.get(kind, _HELD['asset'])[language]} {{{place.name}}}"


def _figure_row(name: str, results: Masked, language: Language) -> str:
    figure = results.places[name].figure
    assert figure is not None  # places of the kind "figure" have one
    row = f"{label(figure, language)} {{{name}}}"
    if figure.period is None:
        return row
    period = next(
        p.name
        for p in results.places.values()
        if p.kind == "period" and p.figure is not None and p.figure.period == figure.period
    )
    return f"{row} {{{period}}}"
