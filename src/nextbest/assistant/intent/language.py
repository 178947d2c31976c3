"""Which language a text is in, and so answered in: Russian, English, Russian in Latin letters, both at once.

Cyrillic and English words are counted; where all letters are Latin, trigrams decide whether it is Russian typed so.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable
from functools import cache

from nextbest.assistant.base import LANGUAGES, Language
from nextbest.assistant.intent.templates import load_templates
from nextbest.text.ngrams import transliterate

_CYRILLIC_WORD = re.compile(r"[а-яё]+", re.IGNORECASE)
_LATIN_WORD = re.compile(r"[a-z']+", re.IGNORECASE)
_BRACED = re.compile(r"\{\w+\}|[()|]")
_ENGLISH_TEXT = (
    "a about after again all am an and any anything are as at be because been before best better bought but buy by can compare could did"
    " do does explain find for from get give good had has have how i if in interesting into is it its just let like looking make me more most"
    " much my need next no not of offer on one or other our out over pick please recommend risk same save see show should similar so some"
    " something spend suggest take tell than thanks that the their them then there these they thing things this to up us want was watch we"
    " were what when where which while who why will with work worth would year you your"
)
_ENGLISH = frozenset(_ENGLISH_TEXT.split())
"""Words that make a sentence English; a title in Latin letters inside a Russian sentence has few of them."""


def detect_language(text: str) -> Language | None:
    """The language to answer in; None where the text has no letters of either.

    Notes
    -----
    A sentence with Cyrillic words is Russian unless its English words outnumber them: titles and tickers don't count,
    "looking for something like Дюна" is English. Latin letters only: Russian where trigrams say that it was typed so.
    """
    n_cyrillic = len(_CYRILLIC_WORD.findall(text))
    latin = [word.lower() for word in _LATIN_WORD.findall(text)]
    if n_cyrillic:
        n_english = sum(word in _ENGLISH for word in latin)
        return "en" if n_english > n_cyrillic else "ru"
    if not latin:
        return None
    return "ru" if is_transliterated(text) else "en"


def is_transliterated(text: str) -> bool:
    """Whether a text in Latin letters is Russian: by trigrams of Russian and English templates (naive Bayes).

    >>> is_transliterated("podskazhi chto pochitat"), is_transliterated("what should I read")
    (True, False)
    """
    if _CYRILLIC_WORD.search(text):
        return False
    words = [word.lower() for word in _LATIN_WORD.findall(text)]
    n_english = sum(word in _ENGLISH and len(word) > 1 for word in words)
    odds = sum(_odds().get(piece, 0.0) for word in words for piece in _trigrams(word))
    return bool(words) and odds - 3.0 * n_english > 2.0


def _trigrams(word: str) -> Iterable[str]:
    framed = f"<{word}>"
    return (framed[i : i + 3] for i in range(len(framed) - 2))


@cache
def _odds() -> dict[str, float]:
    """Log odds of each trigram, Russian in Latin letters against English."""
    counts: dict[Language, Counter[str]] = {language: Counter() for language in LANGUAGES}
    for template in load_templates():
        plain = _BRACED.sub(" ", template.text)
        if template.language == "en":
            counts["en"].update(p for word in _LATIN_WORD.findall(plain.lower()) for p in _trigrams(word))
            continue
        for word in _CYRILLIC_WORD.findall(plain.lower()):
            for spelling in {transliterate(word), _with_j(word)}:
                counts["ru"].update(_trigrams(spelling))
    total = {language: sum(of.values()) for language, of in counts.items()}
    return {
        piece: math.log((counts["ru"][piece] + 0.5) / total["ru"])
        - math.log((counts["en"][piece] + 0.5) / total["en"])
        for piece in counts["ru"] | counts["en"]
    }


def _with_j(word: str) -> str:
    """The other usual spelling: "j" for "й", "ju", "ja", "x" for "х"."""
    table = {"й": "j", "ю": "ju", "я": "ja", "х": "kh", "щ": "shch", "ц": "ts"}
    return "".join(table.get(letter, transliterate(letter)) for letter in word)


_CYRILLIC = (
    ("shch", "щ"), ("sch", "щ"), ("zh", "ж"), ("kh", "х"), ("ts", "ц"), ("ch", "ч"), ("sh", "ш"),
    ("yu", "ю"), ("ju", "ю"), ("ya", "я"), ("ja", "я"), ("yo", "ё"), ("jo", "ё"), ("ye", "е"), ("je", "е"),
    ("a", "а"), ("b", "б"), ("c", "ц"), ("d", "д"), ("e", "е"), ("f", "ф"), ("g", "г"), ("h", "х"), ("i", "и"),
    ("j", "й"), ("k", "к"), ("l", "л"), ("m", "м"), ("n", "н"), ("o", "о"), ("p", "п"), ("q", "к"), ("r", "р"),
    ("s", "с"), ("t", "т"), ("u", "у"), ("v", "в"), ("w", "в"), ("x", "х"), ("y", "ы"), ("z", "з"), ("'", "ь"),
)  # fmt: skip
_TO_CYRILLIC = dict(_CYRILLIC)
_PIECE = re.compile("|".join(latin for latin, _ in _CYRILLIC))
_SHORT_I = re.compile(r"(?<=[аеёиоуыэюя])[ыи]\b")


def to_cyrillic(text: str) -> str:
    """Russian typed in Latin letters, about as it would be written; exact spelling isn't promised.

    >>> to_cyrillic("chto pochitat vecherom")
    'что почитат вечером'
    """
    text = _PIECE.sub(lambda found: _TO_CYRILLIC[found[0]], text.lower())
    return _SHORT_I.sub("й", text)
