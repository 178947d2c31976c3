"""How alike a name and a title are, word by word and as a whole. Knows no facts."""

from difflib import SequenceMatcher

from nextbest.assistant.grounding.spans import Word

_ROMAN = {
    "ii": "2",
    "iii": "3",
    "iv": "4",
    "vi": "6",
    "vii": "7",
    "viii": "8",
    "ix": "9",
    "xi": "11",
    "xii": "12",
}


def entry(word: Word) -> str:
    """Under which a title is found by its first word, whatever its ending."""
    low = _ROMAN.get(word.low, word.low)
    return low[:3] if "а" <= low[:1] <= "я" else low


def is_same(said_word: Word, title: Word) -> bool:
    """Whether a word is a title's, in another case or with another kind of numeral.

    >>> from nextbest.assistant.grounding.spans import words_of
    >>> is_same(words_of("зимнего")[0], words_of("Зимний")[0]), is_same(words_of("II")[0], words_of("2")[0])
    (True, True)
    """
    if said_word.low == title.low:
        return True
    a, b = said_word.low, title.low
    if "а" <= a[:1] <= "я":
        return said_word.stem == title.stem and abs(len(a) - len(b)) <= 3
    return _ROMAN.get(a, a) == _ROMAN.get(b, b)


def alike(name: str, title: str) -> float:
    """From 0 to 1; a name that is a title with more or fewer words around it is nearly that title."""
    if len(name) > 3 * len(title) + 20:
        return 0.0
    if len(title) >= 4 and (name.startswith(f"{title} ") or name.endswith(f" {title}")):
        return 0.95
    if len(name) >= 4 and title.startswith(f"{name} "):
        return 0.85
    return SequenceMatcher(None, name, title, autojunk=False).ratio()
