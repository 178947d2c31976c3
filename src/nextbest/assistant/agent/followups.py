"""What a question means in its conversation: "and over three years?", "why the second one?", "not this", "cheaper".

A table of cases, tried in order, over the cues of the text, its slots and the last turns. No model. A question that
stands on its own is left as it is, but for what was turned down before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from nextbest.assistant.agent import cues
from nextbest.assistant.agent.carrying import (
    BACK,
    MONEY,
    TIME,
    given_of,
    in_direction,
    in_the_light_of,
    merged,
    of_a_plan,
)
from nextbest.assistant.agent.ellipsis import LISTS, next_client
from nextbest.assistant.agent.subjects import is_about_else
from nextbest.assistant.base import Intent, Link, Shown, Slots, Turn, Understood
from nextbest.assistant.intent.counts import find_any_ordinal
from nextbest.assistant.memory.past import Past
from nextbest.data.ids import OutsideId

_TAKEN: Mapping[Intent, frozenset[str]] = {
    "recommend": MONEY | {"k", "category", "client"},
    "similar": MONEY | {"k", "items"},
    "next_purchase": TIME | {"k", "client", "items"},
    "bank_product": frozenset({"k", "client", "items"}),
    "portfolio": TIME | {"client"},
    "peers": frozenset({"client"}),
    "plan": TIME | MONEY | {"goal", "client"},
    "forecast": TIME | {"asset"},
    "explain": frozenset({"items", "ordinal"}),
}
"""What of a question's slots changes the answer: a text that says only one of them asks the last question again."""
_OF_SLOT: Mapping[str, Intent] = {
    "asset": "forecast",
    "goal": "plan",
    "monthly": "plan",
    "category": "recommend",
}
"""What a slot asks about that the last question has no use for."""
_GO_ON = LISTS - {"next_purchase"}
"""Intents of words that ask for more of a list; "what will I buy next?" does not."""
_SHORT, _CLEAR = 6, 0.8


@dataclass(frozen=True, slots=True)
class Wish:
    """A question with all that the conversation adds to it."""

    understood: Understood
    about: tuple[Shown, ...] = ()
    """What "it", "the second one", "these" stand for; empty: nothing was pointed at."""
    deny: tuple[OutsideId, ...] = ()
    """Not to be proposed: turned down in this session, or just shown where others are wanted."""
    max_price: float | None = None
    """In the catalogue's own currency."""
    no_prices: bool = False
    """Cheaper ones are wanted, and nothing shown has a price."""
    rejected: tuple[OutsideId, ...] = ()
    """Turned down by this question."""
    taken: tuple[OutsideId, ...] = ()
    """Taken by this question: an event."""
    before: str = ""
    """The question that this one asks again with a change; its words still tell which tool is meant."""


def resolve(understood: Understood, past: Past) -> Wish:
    """The question in its conversation.

    Parameters
    ----------
    understood
        As the text alone was understood.
    past
        The conversation so far.

    Returns
    -------
    Wish
        `understood.is_followup` says whether the conversation changed it.
    """
    if (answered := _answer_to_question_back(understood, past)) is not None:
        return _with_memory(Wish(answered), past)
    last = past.last
    if last is None or len(understood.text) > 300:
        return _with_memory(Wish(understood), past)
    pointed = _pointed(understood, past)
    for case in (_takes, _why, _compared, _alike, _of_another, _other, _changed, _gone_on):
        if (wish := case(understood, past, last, pointed)) is not None:
            return _with_memory(wish, past)
    return _with_memory(Wish(_of_somebody(understood, last), pointed), past)


def _answer_to_question_back(understood: Understood, past: Past) -> Understood | None:
    """The question back answered: with one of the offered intents, or with what was missing."""
    waiting = past.waiting
    if waiting is None or cues.n_words(understood.text) > 2 * _SHORT or cues.WHY.search(understood.text):
        return None
    slots = merged(understood.slots, waiting)
    if waiting.offered:
        ordinal = understood.slots.ordinal
        if ordinal is not None and -1 <= ordinal <= len(waiting.offered) and ordinal:
            return _as_followup(
                understood, waiting.offered[ordinal - 1 if ordinal > 0 else -1], replace(slots, ordinal=None)
            )
        likely = {understood.intent, *(intent for intent, _ in understood.alternatives)}
        named = [intent for intent in waiting.offered if intent in likely]
        if understood.intent in waiting.offered or (named and not understood.is_sure):
            chosen = understood.intent if understood.intent in waiting.offered else named[0]
            return _as_followup(understood, chosen, slots)
        return None
    gives = given_of(understood.slots) & {"items", "asset", "goal", "amount", "client"}
    if gives and (cues.n_words(understood.text) <= _SHORT or not understood.is_sure):
        return _as_followup(understood, waiting.intent, slots)
    return None


def _takes(understood: Understood, past: Past, last: Turn, pointed: tuple[Shown, ...]) -> Wish | None:
    last = past.last_list or last
    if last.intent not in LISTS or not pointed or understood.slots.rejects:
        return None
    match = cues.TAKES.search(understood.text)
    if (
        match is None
        or cues.NOT.search(understood.text)
        or cues.ASKS.search(understood.text[: match.start()])
    ):
        return None
    taken = tuple(shown.item_id for shown in pointed)
    return Wish(
        _as_followup(understood, last.intent, merged(Slots(), last)), pointed, deny=taken, taken=taken
    )


def _why(understood: Understood, past: Past, last: Turn, pointed: tuple[Shown, ...]) -> Wish | None:
    asks = (
        cues.WHY.search(understood.text)
        or cues.TELL.search(understood.text)
        or (understood.is_sure and understood.intent == "explain")
    )
    if not asks or not past.shown or understood.slots.rejects or cues.n_words(understood.text) > 2 * _SHORT:
        return None
    if cues.ALIKE.search(understood.text) and not cues.WHY.search(understood.text):
        return None  # "like the first one": `_alike`
    slots = replace(understood.slots, client=understood.slots.client or last.slots.client)
    if slots.items:  # a thing of the list, or another one of the shop; a bank's is told of by its documents
        is_told = bool(pointed) or last.intent in ("recommend", "similar")
        is_asked = cues.WHY.search(understood.text) or (is_told and cues.TELL.search(understood.text))
        return Wish(_as_followup(understood, "explain", slots), pointed) if is_asked else None
    is_plain = understood.is_sure and understood.intent == "explain"
    if pointed or is_plain or cues.n_words(understood.text) <= _SHORT:
        return Wish(_as_followup(understood, "explain", slots), pointed or past.spoken_of)
    return None


def _alike(understood: Understood, past: Past, last: Turn, pointed: tuple[Shown, ...]) -> Wish | None:
    if not pointed or understood.slots.items:
        return None
    is_one = find_any_ordinal(understood.text) is not None and cues.SUCH.search(understood.text)
    if not (is_one or cues.ALIKE.search(understood.text)):
        return None
    links = tuple(Link(s.item_id, s.title[understood.language], 1.0, (0, 0)) for s in pointed[:1])
    return Wish(_as_followup(understood, "similar", replace(understood.slots, items=links)), pointed[:1])


def _of_another(understood: Understood, past: Past, last: Turn, pointed: tuple[Shown, ...]) -> Wish | None:
    """The last question about oneself, or about the next client: "and me?", "а следующему, 6?"."""
    if last.slots.client is None or understood.slots.items or "client" not in _TAKEN.get(last.intent, ()):
        return None
    client = next_client(understood.text, last.slots)
    if client is None and not cues.OWN.search(understood.text):
        return None
    slots = replace(merged(Slots(), last), client=client)
    return Wish(_as_followup(understood, last.intent, slots), pointed, before=last.question)


def _other(understood: Understood, past: Past, last: Turn, pointed: tuple[Shown, ...]) -> Wish | None:
    """Others, cheaper ones, not this one: the list goes on, also after one of its things was explained."""
    slots = understood.slots
    last = past.last_list or last
    n_words = cues.n_words(understood.text)
    is_short = n_words <= _SHORT or (not understood.is_sure and n_words <= 2 * _SHORT)
    wants_more = bool(cues.MORE.search(understood.text)) and not slots.items and is_short
    if last.intent not in LISTS or not past.shown or not (slots.rejects or slots.cheaper or wants_more):
        return None
    if (
        n_words > 2
        and _starts_anew(understood, last)
        and understood.intent not in _GO_ON
        and not slots.rejects
        and not slots.cheaper
    ):
        return None
    refused = (pointed or past.shown) if slots.rejects else ()
    rejected = tuple(shown.item_id for shown in refused)
    if (
        slots.rejects and slots.items and not pointed
    ):  # "don't suggest Among Us": it wasn't shown, and isn't wanted
        rejected = tuple(link.item_id for link in slots.items)
    if slots.rejects:
        slots = replace(slots, items=())
    prices = [shown.price for shown in (pointed or past.shown) if shown.price is not None]
    bound = None if not slots.cheaper or not prices else (min(prices) if len(prices) == 1 else median(prices))
    before = last.calls[0].arguments if last.calls else {}
    deny = (*(shown.item_id for shown in past.shown), *rejected, *before.get("deny", ()))
    bound = (
        before.get("max_price") if bound is None else bound
    )  # cheap ones stay wanted until something else is
    return Wish(
        _as_followup(understood, last.intent, merged(replace(slots, ordinal=None), last)),
        pointed,
        deny=deny,
        max_price=bound,
        no_prices=slots.cheaper and not prices,
        rejected=rejected,
    )


def _compared(understood: Understood, past: Past, last: Turn, pointed: tuple[Shown, ...]) -> Wish | None:
    """A portfolio beside others', and back to one's own."""
    if last.intent not in BACK or understood.slots.items or cues.n_words(understood.text) > 2 * _SHORT:
        return None
    if last.intent == "peers" and cues.OWN.search(understood.text):
        own = replace(merged(understood.slots, last), client=None)
        return Wish(_as_followup(understood, "portfolio", own))
    if not cues.COMPARED.search(understood.text):
        return None
    return Wish(_as_followup(understood, "peers", merged(understood.slots, last)))


def _changed(understood: Understood, past: Past, last: Turn, pointed: tuple[Shown, ...]) -> Wish | None:
    """Only a time, a sum, an asset, a goal, a client, how many: the last question again with that."""
    text = understood.text
    if last.intent == "explain" and past.last_list is not None and not understood.slots.items:
        last = past.last_list  # a list goes on after one of its things was explained
    if last.intent == "portfolio" and understood.slots.asset is not None and cues.SHARE.search(text):
        return Wish(_as_followup(understood, "portfolio", merged(understood.slots, last)))
    slots = in_the_light_of(understood, last)
    given = given_of(slots) - {"ordinal", "rejects", "cheaper"}
    taken = given & _TAKEN.get(last.intent, frozenset())
    named = {"items", "asset", "goal", "category", "client"} & given
    is_of_list = understood.intent == "recommend" and last.intent in LISTS and given == {"k"}
    is_open = is_of_list or not (understood.is_sure or cues.BEGINS.search(text))
    is_short = cues.n_words(text) <= _SHORT + 2
    is_open &= not is_short and cues.n_words(text) <= 2 * _SHORT + 2
    if not given or not (_leans(text) or is_short or is_open or _is_of_item(understood, last)):
        return None
    own = cues.left_over(_without_items(understood))
    if len(own) > (_SHORT if is_open or _is_of_item(understood, last) else 4 if named else 3):
        return None
    if own and is_open and is_about_else(understood, last, len(own)):
        return None
    if own and _starts_anew(understood, last) and is_about_else(understood, last, len(own)):
        return None
    if not taken or given & {"asset", "goal"} - taken:
        other = next((_OF_SLOT[name] for name in sorted(given - taken) if name in _OF_SLOT), None)
        if other is None or (understood.is_sure and understood.intent != last.intent):
            return None  # it is understood by itself, as that or as something else
        if slots.client is None and not cues.SELF.search(text):
            slots = replace(slots, client=last.slots.client)
        return Wish(_as_followup(understood, other, in_direction(slots, other)), pointed)
    slots = in_direction(slots, last.intent)
    return Wish(_as_followup(understood, last.intent, merged(slots, last)), pointed, before=last.question)


def _gone_on(understood: Understood, past: Past, last: Turn, pointed: tuple[Shown, ...]) -> Wish | None:
    """More of the same: it begins as one that goes on, and nothing else is likelier."""
    slots = understood.slots
    is_of_terms = cues.asks_conditions(last.question) and slots.client is None
    if (
        last.intent == "bank_product"
        and not understood.is_sure
        and (is_of_terms or cues.asks_conditions(understood.text))
    ):
        return Wish(
            _as_followup(understood, "bank_product", slots), before=last.question if is_of_terms else ""
        )
    is_short = cues.n_words(understood.text) <= (_SHORT if understood.is_sure else 2 * _SHORT)
    if last.intent == "plan" and is_short and cues.asks_progress(understood.text):
        near = {"small_talk", "off_topic"} | (set() if cues.COMPARED.search(understood.text) else {"peers"})
        is_other = _starts_anew(understood, last) and understood.intent not in near
        if not is_other:
            return Wish(_as_followup(understood, "plan", Slots(client=slots.client or last.slots.client)))
    if slots.items or not _leans(understood.text):
        return None
    is_same = understood.is_sure and understood.intent == last.intent
    likely = last.intent in {understood.intent, *(intent for intent, _ in understood.alternatives)}
    likely |= last.intent == "plan" and cues.asks_progress(understood.text)
    if not is_same and not (not understood.is_sure and likely and cues.n_words(understood.text) <= _SHORT):
        return None
    if last.slots.client is not None and slots.client is None and cues.SELF.search(understood.text):
        return None
    return Wish(
        _as_followup(understood, last.intent, merged(in_direction(slots, last.intent), last)), pointed
    )


def _without_items(understood: Understood) -> str:
    """The text without the titles it names."""
    text = understood.text
    for first, last in sorted({link.span for link in understood.slots.items}, reverse=True):
        text = text[:first] + " " + text[last:]
    return text


def _is_of_item(understood: Understood, last: Turn) -> bool:
    """Whether a text names another thing where things alike were shown: "Alien was great as well, go off that"."""
    is_short = cues.n_words(understood.text) <= 2 * _SHORT
    return last.intent == "similar" and bool(understood.slots.items) and is_short


def _starts_anew(understood: Understood, last: Turn) -> bool:
    """Whether a text clearly asks something else."""
    return understood.is_sure and understood.intent != last.intent and understood.probability >= _CLEAR


def _of_somebody(understood: Understood, last: Turn) -> Understood:
    """A new question about the client who was spoken of: "а какой у него план?"."""
    slots = understood.slots
    takes = "client" in _TAKEN.get(understood.intent, frozenset())
    if (
        not takes
        or slots.client is not None
        or last.slots.client is None
        or cues.SELF.search(understood.text)
    ):
        return understood
    if not cues.SOMEBODY.search(understood.text):
        return understood
    return replace(understood, slots=replace(slots, client=last.slots.client), is_followup=True)


def _leans(text: str) -> bool:
    """Whether the text begins as one that goes on."""
    return bool(cues.OPENER.search(text)) and cues.n_words(text) <= 2 * _SHORT


def _pointed(understood: Understood, past: Past) -> tuple[Shown, ...]:
    """What is pointed at: by place, by name, or by "it" where there is one thing or all are meant."""
    shown, slots = past.shown, understood.slots
    ordinal = (
        find_any_ordinal(understood.text) if slots.ordinal is None and not slots.items else slots.ordinal
    )
    if ordinal is not None and shown:
        place = ordinal - 1 if ordinal > 0 else ordinal
        return (shown[place],) if -len(shown) <= place < len(shown) else ()
    named = [item for item in shown if any(link.item_id == item.item_id for link in slots.items)]
    if named or slots.items:
        return tuple(named)
    return past.spoken_of if cues.POINTER.search(understood.text) else ()


def _as_followup(understood: Understood, intent: Intent, slots: Slots) -> Understood:
    return replace(understood, intent=intent, slots=slots, is_sure=True, is_followup=True, alternatives=())


def _with_memory(wish: Wish, past: Past) -> Wish:
    """Time looks where the intent does, and what was turned down in this session isn't proposed again."""
    understood = wish.understood
    slots = in_direction(understood.slots, understood.intent)
    if understood.intent == "plan":
        slots = of_a_plan(slots, understood.text)
    if slots != understood.slots:
        wish = replace(wish, understood=replace(understood, slots=slots))
    if understood.intent not in LISTS:
        return wish
    return replace(wish, deny=_once([*wish.deny, *wish.rejected, *past.rejected]))


def _once(ids: Sequence[OutsideId]) -> tuple[OutsideId, ...]:
    return tuple(dict.fromkeys(ids))
