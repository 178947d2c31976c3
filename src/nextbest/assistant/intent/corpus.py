"""Questions to learn from: templates filled, and written ones, then said as people do - in haste, without punctuation, in Latin letters.

Deterministic by `rng`; every example says which template it came from, so that a validation holds whole templates out. What
comes close to one of `questions` isn't among them.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

import numpy as np

from nextbest.assistant.base import Intent, Language
from nextbest.assistant.intent.cleaning import clean
from nextbest.assistant.intent.features import flags_of, masked
from nextbest.assistant.intent.nearness import is_close
from nextbest.assistant.intent.questions.catalogue import catalogue_assets, catalogue_linker
from nextbest.assistant.intent.slots import find_slots
from nextbest.assistant.intent.templates import Template, load_templates, load_words
from nextbest.assistant.intent.written import load_written
from nextbest.errors import InputError
from nextbest.text.ngrams import transliterate

T = TypeVar("T")

_CHOICE = re.compile(r"\(([^()]*)\)")
_WORD = re.compile(r"\{(\w+)\}")
_SPACES = re.compile(r"\s+(?=[,.:?!])|\s{2,}")
_PUNCTUATION = re.compile(r"[^\w\s$€£₽%'<>=*/.-]")

_OPENINGS: dict[Language, tuple[str, ...]] = {
    "ru": (
        "подскажите, ", "скажи, ", "скажите пожалуйста, ", "добрый день! ", "здравствуйте, ", "слушай, ", "а ", "ну ", "вопрос: ", "хочу узнать, ",
        "интересно, ", "можешь сказать, ", "эм ", "мне бы понять, ", "будьте добры, ", "привет! ", "окей, ", "короче ", "расскажи, ",
    ),
    "en": (
        "please tell me, ", "tell me, ", "hi, ", "hello! ", "good afternoon, ", "listen, ", "so ", "well ", "question: ", "I'd like to know: ",
        "just curious, ", "can you say, ", "um ", "hey ", "kindly, ", "ok so ", "quick one: ", "could you tell me ", "uh ",
    ),
}  # fmt: skip
_ENDINGS: dict[Language, tuple[str, ...]] = {
    "ru": (" пожалуйста", " плиз", ", спасибо", " а?", ", срочно", " если можно", " (для отчёта)", ")))", " только коротко"),
    "en": (" please", " pls", ", thanks", " eh?", ", asap", " if possible", " (for a report)", " :)", " in short"),
}  # fmt: skip
_MIXED: dict[Language, dict[str, str]] = {
    "ru": {
        "портфель": "portfolio", "портфеля": "portfolio", "рекомендации": "recommendations", "фильм": "movie", "игру": "game", "прогноз": "forecast",
        "план": "plan", "почему": "why", "похожее": "similar", "похоже": "similar", "карту": "card", "кредит": "loan", "вклад": "deposit",
        "риск": "risk", "доходность": "return", "сколько": "how much", "купить": "buy", "цель": "goal", "спасибо": "thanks", "привет": "hello",
        "посоветуй": "suggest", "покажи": "show me", "что": "what", "клиента": "client", "цены": "price", "погода": "weather", "расходы": "expenses",
    },
    "en": {
        "portfolio": "портфель", "recommend": "посоветуй", "movie": "фильм", "film": "фильм", "game": "игру", "forecast": "прогноз", "plan": "план",
        "why": "почему", "similar": "похожее", "card": "карту", "loan": "кредит", "deposit": "вклад", "risk": "риск", "return": "доходность",
        "buy": "купить", "goal": "цель", "thanks": "спасибо", "hello": "привет", "show": "покажи", "price": "цену", "weather": "погода", "please": "пожалуйста",
    },
}  # fmt: skip
_NEIGHBOURS: dict[Language, tuple[str, ...]] = {
    "ru": ("йцукенгшщзхъ", "фывапролджэ", "ячсмитьбю"),
    "en": ("qwertyuiop", "asdfghjkl", "zxcvbnm"),
}


@dataclass(frozen=True, slots=True)
class Example:
    """One text with its intent."""

    text: str
    intent: Intent
    language: Language
    """Of the template; a text in Latin letters or two languages keeps it."""
    template: str
    """Or the place of a written question."""
    flags: frozenset[str] = frozenset()
    """Slots that the template's words fill (`features.FLAGS`), less some: a shop without a catalogue links nothing."""
    is_written: bool = False
    """Of `written`: as people ask, while templates are as programs do."""


_FLAG_OF = {
    "game": "items", "film": "items", "wear": "items", "food": "items", "item": "items", "product": "items",
    "asset": "asset", "asset_g": "asset", "client": "client", "period": "period", "horizon": "horizon_days", "years": "horizon_days",
    "amount": "amount", "goal": "goal", "k": "k", "ordinal": "ordinal",
}  # fmt: skip
_NAMES = frozenset({"game", "film", "wear", "food", "item"})
"""Words that are things of a catalogue: masked in part of the examples, as they are when a question is understood."""
_MASKED, _UNSEEN = 0.5, 0.15
_UNKNOWN = 1 / 3
_TODAY = date(2026, 11, 23)
"""What times of written questions are counted from; only whether there is one is learned."""


def make_corpus(rng: int | np.random.Generator, *, n_each: int = 14, n_said: int = 4) -> tuple[Example, ...]:
    """Examples of every template and written question, without repeated texts and without the questions' neighbours.

    Parameters
    ----------
    rng
        Seed or generator.
    n_each
        Fillings drawn of each template, 1 or more; those that come out alike count once.
    n_said
        Ways in which each written question is said, the first as it is; 0: none of them.
    """
    if n_each < 1:
        raise InputError("n_each", "must be 1 or more", value=n_each)
    if n_said < 0:
        raise InputError("n_said", "must be 0 or more", value=n_said)
    rng = np.random.default_rng(rng)
    examples: dict[str, Example] = {}
    for template in load_templates():
        names = set(_WORD.findall(template.text))
        flags = {_FLAG_OF[name] for name in names if name in _FLAG_OF}
        for place in range(n_each):
            is_masked = bool(names & _NAMES) and rng.random() < _MASKED
            text = fill(template, rng, is_masked=is_masked)
            if place:  # the first of each stays as the template has it
                text = vary(text, template.language, rng)
            seen = {flag for flag in sorted(flags) if rng.random() >= _UNSEEN}
            seen = seen | {"items"} if is_masked else seen
            example = Example(text, template.intent, template.language, template.id, frozenset(seen))
            examples.setdefault(text.lower(), example)
    for example in _said(rng, n_said):
        examples.setdefault(example.text.lower(), example)
    found = list(examples.values())
    close_N = is_close([example.text for example in found])
    return tuple(example for example, is_near in zip(found, close_N, strict=True) if not is_near)


def _said(rng: np.random.Generator, n_said: int) -> Iterator[Example]:
    """Written questions as an understander reads them: their slots found by code, what they name masked where it is known.

    One in three of the ways is read by a shop that knows none of the names.
    """
    close_N = is_close([written.text for written in load_written()])
    linker, assets = catalogue_linker(), catalogue_assets()
    for written, is_near in zip(load_written(), close_N, strict=True):
        if is_near:  # nor is any way to say it
            continue
        for way in range(n_said):
            text = clean(vary(written.text, written.language, rng) if way else written.text)
            knows = rng.random() >= _UNKNOWN
            slots = find_slots(
                text, written.language, today=_TODAY, linker=linker if knows else None, assets=assets
            )
            yield Example(
                masked(text, slots),
                written.intent,
                written.language,
                written.id,
                flags_of(slots),
                is_written=True,
            )


def fill(template: Template, rng: np.random.Generator, *, is_masked: bool = False) -> str:
    """One text of a template: choices made, words put in; `is_masked`: things of a catalogue as `X`."""
    text = template.text
    while found := _CHOICE.search(text):
        text = text[: found.start()] + _one(found[1].split("|"), rng) + text[found.end() :]
    words = load_words()[template.language]
    while found := _WORD.search(text):
        if found[1] not in words:
            raise InputError(f"template {template.id}", "names a word that words.toml hasn't", value=found[1])
        word = "X" if is_masked and found[1] in _NAMES else _one(words[found[1]], rng)
        text = text[: found.start()] + word + text[found.end() :]
    return _SPACES.sub(
        lambda spaces: " " if spaces.end() < len(text) and text[spaces.end()] not in ",.:?!" else "", text
    ).strip()


def vary(text: str, language: Language, rng: np.random.Generator) -> str:
    """The same said by somebody else: opened, ended, mistyped, in Latin letters, with a foreign word, as dictated."""
    if rng.random() < 0.2:
        text = _one(_OPENINGS[language], rng) + text
    if rng.random() < 0.12:
        text += _one(_ENDINGS[language], rng)
    if rng.random() < 0.06:
        text = " ".join(_MIXED[language].get(word.lower(), word) for word in text.split())
    if rng.random() < 0.15:
        text = mistype(text, language, rng)
    styles: tuple[Callable[[str], str], ...] = (_dictated, _dictated, _written, _written, str)
    text = _one(styles, rng)(text)
    if language == "ru" and rng.random() < 0.05:
        text = transliterate(text)
    return text


def mistype(text: str, language: Language, rng: np.random.Generator) -> str:
    """One or two slips of the finger: letters swapped, lost, doubled, or a neighbour hit."""
    for _ in range(1 + int(rng.random() < 0.3)):
        places = [i for i in range(1, len(text) - 1) if text[i].isalpha() and text[i + 1].isalpha()]
        if not places:
            return text
        at = places[int(rng.integers(len(places)))]
        letter, slip = text[at], int(rng.integers(4))
        if slip == 0:
            text = text[:at] + text[at + 1] + letter + text[at + 2 :]
        elif slip == 1:
            text = text[:at] + text[at + 1 :]
        elif slip == 2:
            text = text[:at] + letter + text[at:]
        else:
            text = text[:at] + _neighbour(letter, language, rng) + text[at + 1 :]
    return text


def _neighbour(letter: str, language: Language, rng: np.random.Generator) -> str:
    for row in _NEIGHBOURS[language]:
        at = row.find(letter.lower())
        if at >= 0:
            return _one([row[i] for i in (at - 1, at + 1) if 0 <= i < len(row)], rng)
    return letter


def _dictated(text: str) -> str:
    """Lower case, no punctuation: as a recogniser of speech writes."""
    return " ".join(_PUNCTUATION.sub(" ", text.lower()).split())


def _written(text: str) -> str:
    """A capital letter and an end, as at school."""
    return text[:1].upper() + text[1:] + ("" if text[-1:] in "?!.)" else "?")


def _one(options: Sequence[T], rng: np.random.Generator) -> T:
    return options[int(rng.integers(len(options)))]
