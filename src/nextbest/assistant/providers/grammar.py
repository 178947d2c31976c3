"""Grammars (GBNF) under which a model can't misspell a name or a figure: they are literals, only the words between are free.

What llama.cpp's sampler allows is what the grammar derives, so a draft holds each literal once, in the order given, and
neither a digit nor a quoted name besides.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Literal

from nextbest.assistant.base import Language
from nextbest.errors import InputError

Gaps = Literal["phrases", "words"]
MAX_LITERALS = 60
_FIRST: Mapping[Language, tuple[str, ...]] = {
    "en": ("I would begin with ", "You may well like ", "First of all, ", "Have a look at "),
    "ru": ("Я бы начал с такого: ", "Вам может понравиться ", "Прежде всего — ", "Обратите внимание: "),
}
_NEXT: Mapping[Language, tuple[str, ...]] = {
    "en": ("Also worth a look: ", "Next to it stands ", "There is also ", "And then: "),
    "ru": ("Стоит посмотреть и такое: ", "Рядом стоит ", "Есть ещё ", "А также: "),
}
_SHOWS: Mapping[Language, tuple[str, ...]] = {
    "en": ("Here is ", "First of all, ", "By the figures: "),
    "ru": ("Вот что есть: ", "Прежде всего — ", "По расчётам: "),
}
_ALSO: Mapping[Language, tuple[str, ...]] = {
    "en": ("There is also ", "Next to it stands ", "And then: "),
    "ru": ("Есть ещё ", "Рядом стоит ", "А также: "),
}
_STATES: Mapping[Language, tuple[str, ...]] = {
    "en": ("Your ", "By the figures, your ", "Here is your "),
    "ru": ("По расчётам, ", "Вот что получилось: ", "Если коротко, "),
}
_THEN: Mapping[Language, tuple[str, ...]] = {
    "en": ("Your ", "The ", "And the "),
    "ru": ("Далее, ", "Кроме того, ", "И ещё: "),
}
_STATEMENT = re.compile(r": (?:\{f\d+\}|[-−]?\d[\d\s.,]*\S{0,3})$")
"""A label with its figure, as `prompts.placeholders` writes it: "return a year {p1}: {f1}"."""
_WHY: Mapping[Language, tuple[str, ...]] = {
    "en": (": ", " - ", ", because of this: "),
    "ru": (": ", " — ", ", и вот почему: "),
}
_LETTERS: Mapping[Language, tuple[str, str]] = {"en": ("A-Z", "a-z"), "ru": ("А-ЯЁ", "а-яё")}


def locked_grammar(
    placeholders: Sequence[Sequence[str]],
    language: Language,
    *,
    gaps: Gaps = "phrases",
    proposes: bool = True,
) -> str:
    """A GBNF of one sentence a group: a few words, its first literal, then each further literal behind a colon, dash or words.

    Parameters
    ----------
    placeholders
        Groups of literals, such as (title, reason), or the placeholders that stand for them ("{i1}", "{r1}"). A group of one
        that ends with a figure ("return a year: {f1}") is stated rather than proposed.
    language
        Of the words between.
    gaps
        "phrases": from a closed list, for models that can't be trusted with more. "words": up to eight words of small
        letters of the language, the first with a capital one.
    proposes
        Whether what is named is something to choose. False: it is only shown, as what a client holds or a calculation says has
        to be; "you may like" would be advice there.

    Returns
    -------
    str
        Rules from `root` on.

    Raises
    ------
    InputError
        No group, an empty group or literal, more than sixty literals, or an unknown kind of gap.

    >>> print(locked_grammar([["Hades II", "same studio"]], "en").splitlines()[0])
    root ::= first "Hades II" why "same studio" "."
    """
    literals = [literal for group in placeholders for literal in group]
    if not placeholders or any(not group for group in placeholders) or any(not s.strip() for s in literals):
        raise InputError("placeholders", "must be groups of one or more texts that aren't empty")
    if len(literals) > MAX_LITERALS:
        raise InputError("placeholders", f"must be {MAX_LITERALS} at most", value=len(literals))
    if gaps not in ("phrases", "words"):
        raise InputError("gaps", "must be phrases or words", value=gaps)
    sentences = []
    for n, (head, *reasons) in enumerate(placeholders):
        is_statement = not reasons and bool(_STATEMENT.search(head))
        kind = ("states" if n == 0 else "then") if is_statement else ("first" if n == 0 else "next")
        parts = [kind, _quoted(head)]
        for reason in reasons:
            parts += ["why", _quoted(reason)]
        end = "" if (reasons[-1] if reasons else head).rstrip()[-1] in ".!?" else '"."'
        sentences.append(" ".join([*parts, end]).strip())
    rules = ["root ::= " + ' " " '.join(sentences)]
    if gaps == "phrases":
        first, following = (_FIRST, _NEXT) if proposes else (_SHOWS, _ALSO)
        texts = {"first": first, "next": following, "states": _STATES, "then": _THEN}
        rules += [_one_of(rule, of[language]) for rule, of in texts.items()]
    else:
        large, small = _LETTERS[language]
        rules += [
            *(f"{rule} ::= words" for rule in ("first", "next", "states", "then")),
            f'words ::= [{large}] [{small}]{{0,15}} (","? " " [{small}]{{1,16}}){{0,7}} ":"? " "',
        ]
    rules.append(_one_of("why", _WHY[language]))
    return "\n".join(rules) + "\n"


def _quoted(text: str) -> str:
    """A literal as GBNF writes it; line breaks become blanks."""
    return json.dumps(" ".join(text.split()), ensure_ascii=False)


def _one_of(rule: str, texts: Sequence[str]) -> str:
    return f"{rule} ::= " + " | ".join(json.dumps(text, ensure_ascii=False) for text in texts)
