"""Titles by their first letters: "гта 5", "CS:GO", "tf2", "L4D2"."""

from collections.abc import Iterator, Sequence

from nextbest.assistant.intent.matching import is_everyday
from nextbest.assistant.intent.sounds import literal_sound
from nextbest.assistant.intent.title_words import Word

MOST_TITLES = 5
"""A short form that more titles share names none of them."""
_LONGEST = 4
"""Words of a text that one short form may take: "l 4 d 2"."""


def _key(letters: str) -> str:
    """As a short form is compared: sounds of single letters, so that "кс го" and "csgo" are one."""
    return "".join(char if char.isdecimal() else literal_sound(char) for char in letters.replace("c", "k"))


class Acronyms:
    """Short forms of many titles; three letters and digits at least, with a digit two letters may be enough.

    Parameters
    ----------
    rows
        Words of each title, in the order of its row number.
    """

    def __init__(self, rows: Sequence[Sequence[str]]) -> None:
        self._rows: dict[str, list[int]] = {}
        for row, words in enumerate(rows):
            if not 2 <= len(words) <= 8:
                continue
            letters = "".join(word if word.isdecimal() else word[0] for word in words)
            named = sum(not char.isdecimal() for char in letters)
            if len(letters) >= 3 and named >= 2:
                self._rows.setdefault(_key(letters), []).append(row)

    def find(self, words: Sequence[Word]) -> Iterator[tuple[int, int, int, float]]:
        """(first word, one past the last, row, score) of each short form in a text that few titles share."""
        for first in range(len(words)):
            said = ""
            for last in range(first + 1, min(first + _LONGEST, len(words)) + 1):
                said += words[last - 1].text
                if len(said) > 8:
                    break
                rows = self._rows.get(_key(said), ())
                if len(said) < 3 or not 1 <= len(rows) <= MOST_TITLES:
                    continue
                if all(is_everyday(word.text) for word in words[first:last]):
                    continue
                yield from ((first, last, row, 0.9) for row in rows)
