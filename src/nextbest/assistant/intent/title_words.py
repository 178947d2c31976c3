"""Titles and texts as words that can be compared: one form for "III" and "3", "S.T.A.L.K.E.R." and "stalker"."""

import re
import unicodedata
from dataclasses import dataclass

from nextbest.assistant.intent.common_words import STOP_WORDS
from nextbest.assistant.intent.number_words import folded
from nextbest.text.number_words import UNITS

_WORD = re.compile(r"(?:[^\W\d_]\.){2,}[^\W\d_]?(?![^\W\d_])|[^\W\d_]+(?:['’`][^\W\d_]+)*|\d+")
_ROMAN = {
    "ии": "2", "иии": "3", "ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6", "vii": "7", "viii": "8", "ix": "9", "xi": "11",
    "xii": "12", "xiii": "13", "xiv": "14", "xv": "15", "xvi": "16", "xvii": "17", "xviii": "18",
}  # fmt: skip
_SUBTITLE = re.compile(r"\s*[:(\[|]\s*|\s+[-–—~]\s*|\s*[–—]\s+")
_OWNER = re.compile(r"^(?:[^\W\d_.]+\.?\s+){0,2}[^\W\d_]+['’]s\s+(?=\S)")


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a text."""

    text: str
    """Lower case, е for ё, no marks inside; a number in digits."""
    start: int
    end: int


def words_of(text: str) -> list[Word]:
    """Words of a text with their places; numbers in words, Roman numbers and digits glued to letters become digits.

    >>> [word.text for word in words_of("Sid Meier's Civilization® V, S.T.A.L.K.E.R., дота2")]
    ['sid', 'meiers', 'civilization', '5', 'stalker', 'дота', '2']
    """
    return [Word(_plain(match[0]), *match.span()) for match in _WORD.finditer(text)]


def _plain(said: str) -> str:
    """One word as compared."""
    if said.isdecimal():
        return str(int(said)) if len(said) < 19 else said
    word = re.sub(r"['’`.]", "", folded(unicodedata.normalize("NFKC", said)))
    if word in _ROMAN:
        return _ROMAN[word]
    number = UNITS.get(word)
    return str(int(number)) if number is not None and number == int(number) and number <= 20 else word


@dataclass(frozen=True, slots=True)
class TitleWords:
    """A title's words and the stretches of them that people say instead of the whole."""

    words: tuple[str, ...]
    parts: tuple[tuple[int, int, float], ...]
    """First word, one past the last, how good a name it is (1 = the whole title)."""


def title_words(title: str) -> TitleWords:
    """Words of a title, with its head ("The Witcher 3" of "The Witcher 3: Wild Hunt"), its tail ("Skyrim"), its name
    without the owner ("Civilization V") and without the number at the end ("Cyberpunk").
    """
    clean = re.sub(r"[™®©]", "", unicodedata.normalize("NFKC", title.replace("™", "").replace("℠", "")))
    words = words_of(clean)
    n = len(words)
    parts = [(0, n, 1.0)]

    def add(first: int, last: int, quality: float) -> None:
        if first < last and any(
            not word.text.isdecimal() and word.text not in STOP_WORDS for word in words[first:last]
        ):
            parts.append((first, last, quality))

    breaks = [match.end() for match in _SUBTITLE.finditer(clean)]
    inner = [place for end in breaks if 0 < (place := sum(word.start < end for word in words)) < n]
    if inner:
        add(0, inner[0], 0.95)
        add(inner[-1], n, 0.93)
    if owner := _OWNER.match(clean):
        first = sum(word.start < owner.end() for word in words)
        if n - first > 1 or len(words[first].text) >= 5:  # "Mod" alone is no name of Garry's
            add(first, n, 0.97)
        if inner and inner[0] > first:
            add(first, inner[0], 0.93)
    for first, last, quality in tuple(parts):
        if last - first > 1 and words[last - 1].text.isdecimal():
            add(first, last - 1, quality * (0.93 if len(words[last - 1].text) == 4 else 0.86))
    return TitleWords(tuple(word.text for word in words), tuple(dict.fromkeys(parts)))
