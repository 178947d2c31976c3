"""A draft as characters, words and sentences: cleaned, split where sentences end, each word with its stem.

Knows nothing of facts. A sentence is what is kept or dropped as one.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from nextbest.assistant.intent.number_words import folded
from nextbest.text.morphology import stem as russian_stem

_KEPT = frozenset("\u00a0\u202f\u2009…№™®©½¼¾⅓⅔⅛²³₽€$£")
"""Characters that NFKC would take apart and that an answer may hold."""
_WORD = re.compile(r"[^\W_]+(?:['’`][^\W\d_]+)*")
_END = re.compile(r"(?P<stop>[.!?…]+)[»”\"')\]]*(?=\s|$)|(?P<line>\n+)")
_MARKER = re.compile(r"\s*(?:\d{1,3}[.)]|[-–—•*·▪●])$")
_NEVER = (
    "т е и им ул д напр см стр рис напр ок ориг mr mrs ms dr prof st vs no approx fig e.g i.e jr sr inc ltd co corp тел "
    "янв фев апр авг сен сент окт ноя нояб дек jan feb mar apr jun jul aug sep sept oct nov dec кв"
)
_NEVER_ENDS = frozenset(_NEVER.split())
"""Abbreviations that a sentence doesn't end with."""
_MAY = "г гг в вв руб коп тыс млн млрд трлн долл др пр т.д т.п т.е мес нед дн мин сек ч п.п б.п шт etc p.a u.s a.m p.m"
_MAY_END = frozenset(_MAY.split())
"""Abbreviations that end one only where the next begins with a capital."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text."""

    text: str
    start: int
    end: int
    low: str
    """Folded: lower case, е for ё, straight apostrophes gone."""
    stem: str


def cleaned(text: str) -> str:
    """A text without invisible characters, with look-alikes of digits and letters as these.

    >>> cleaned("Ha\\u200bdes １２\\u202e %")
    'Hades 12 %'
    """
    if text.isascii() and text.isprintable():
        return text
    made: list[str] = []
    for char in unicodedata.normalize("NFC", text):
        if char in "\n\t":
            made.append(char)
            continue
        category = unicodedata.category(char)
        if category in {"Cf", "Cc", "Co", "Cs", "Cn"}:
            continue
        if category == "Nd":
            made.append(str(unicodedata.decimal(char)))
        elif char in _KEPT or category in {"Lo", "So", "Pd", "Pi", "Pf"}:
            made.append(char)
        else:
            made.append(unicodedata.normalize("NFKC", char))
    return "".join(made)


def fold(text: str) -> str:
    """Lower case with е for ё, of the same length: `number_words.folded`, faster where nothing grows in lower case."""
    low = text.lower()
    return low.replace("ё", "е") if len(low) == len(text) else folded(text)


def words_of(text: str) -> tuple[Word, ...]:
    """Words of a text with their places and stems.

    >>> [w.stem for w in words_of("Ещё 3 игры, Baldur's Gate")]
    ['еще', '3', 'игр', 'baldur', 'gate']
    """
    low = fold(text)
    found: list[Word] = []
    for match in _WORD.finditer(low):
        start, end = match.span()
        word = match[0].replace("'", "").replace("’", "").replace("`", "")
        found.append(Word(text[start:end], start, end, word, stem(word)))
    return tuple(found)


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """A folded word without its ending: of Russian as `morphology.stem`, of English a plural's.

    >>> stem("доходности") == stem("доходность"), stem("returns")
    (True, 'return')
    """
    if "а" <= word[:1] <= "я":
        return russian_stem(word)
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def stems_of(text: str) -> tuple[str, ...]:
    """Stems of the words of a text, in order."""
    return tuple(word.stem for word in words_of(text))


def dotted_beginnings(titles: Sequence[str]) -> tuple[str, ...]:
    """Beginnings of titles that look like the end of a sentence: "Dr." of "Dr. Mario".

    >>> dotted_beginnings(["Dr. Mario", "Hades II"])
    ('Dr.',)
    """
    found = {
        title[: match.end()]
        for title in titles
        for match in _END.finditer(title)
        if match["stop"] and match.end() < len(title.rstrip())
    }
    return tuple(sorted(found))


def first_end(text: str, *, protected: tuple[str, ...] = (), is_last: bool = False) -> int | None:
    """Where the first sentence of a text ends, its white space inside; None: not yet, more of the text is needed.

    Parameters
    ----------
    text
        Begins with a sentence.
    protected
        Of `dotted_beginnings`: no end there.
    is_last
        Nothing will follow: what is left is a sentence.

    >>> first_end("Стоит 5 руб. и 1.5 тыс. Дальше"), first_end("See Dr. "), first_end("Цена 5.")
    (24, None, None)
    """
    for match in _END.finditer(text):
        end = match.end()
        rest = text[end:]
        after = rest.lstrip()
        if match["line"]:
            return end + len(rest) - len(after) if after or is_last else None
        if not after:
            return len(text) if is_last or "\n" in rest else None
        if not _goes_on(text[: match.start()], match["stop"], after, protected=protected, whole=text[:end]):
            return end + len(rest) - len(after)
    return len(text) if is_last and text else None


def _goes_on(before: str, stop: str, after: str, *, protected: tuple[str, ...], whole: str) -> bool:
    """Whether the sentence goes on behind this mark."""
    if protected and whole.endswith(protected):
        return True
    if _MARKER.fullmatch((before + stop).rpartition("\n")[2]):
        return True
    opener = after.lstrip("«“\"'(")[:1]
    if opener.islower():
        return True
    if stop != ".":
        return False
    said = before.rpartition(" ")[2].rpartition("\u00a0")[2].lstrip("(«\"'").lower()
    last = said.rpartition(".")[2]
    if said in _MAY_END or last in _MAY_END:
        return not opener.isupper()
    return said in _NEVER_ENDS or (len(last) == 1 and last.isalpha())


def sentences(text: str, *, protected: tuple[str, ...] = ()) -> tuple[str, ...]:
    """A text in sentences, each with the white space behind it; together they are the text.

    >>> sentences("Доходность 12.3 % и т.д. за 2024 г. Риск выше!\\n1. Hades II")
    ('Доходность 12.3 % и т.д. за 2024 г. ', 'Риск выше!\\n', '1. Hades II')
    """
    found: list[str] = []
    rest = text
    while rest:
        end = first_end(rest, protected=protected, is_last=True) or len(rest)
        found.append(rest[:end])
        rest = rest[end:]
    return tuple(found)
