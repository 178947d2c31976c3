"""Words of a text against words of titles: which stretch of the text says which part of a title, and how well."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from nextbest.assistant.intent.common_words import STOP_WORDS, everyday
from nextbest.assistant.intent.similarity import similarities
from nextbest.assistant.intent.sounds import english_sound, is_cyrillic, literal_sound
from nextbest.assistant.intent.title_words import TitleWords, Word
from nextbest.text.morphology import is_known, lemma, stem

MOST_GAP = 2
"""Words of the text that may stand between two words of a title."""
_KEPT_WORDS = 8192
"""Words of titles whose sounds are kept: the same titles are candidates again and again; some megabytes."""
_VOWELS = "aeiou"
_TRIMMED = 0.97
_NUMBER_SOUNDS = {"4": ("for", "fo"), "2": ("tu", "to"), "1": ("van",), "8": ("eit",)}
"""How English numbers sound inside titles: "лефт фор дед"."""
_SPECIAL = {"the": ("ze", "za", "de"), "of": ("ov",), "and": ("end", "en", "n")}


@dataclass(frozen=True, slots=True)
class Said:
    """One word, or two joined, of a text as it is compared."""

    first: int
    last: int
    """Numbers of words, one past the last."""
    forms: tuple[tuple[str, float], ...]
    """Sounds and how far each is from what was said."""
    is_everyday: bool


@dataclass(frozen=True, slots=True)
class Pair:
    """A stretch of the text that says a stretch of the title."""

    said: tuple[int, int]
    title: tuple[int, int]
    similarity: float
    is_everyday: bool


@dataclass(frozen=True, slots=True)
class Alignment:
    """How a part of a title stands in a text."""

    first: int
    last: int
    """Numbers of words of the text, one past the last."""
    score: float
    """Share of the part's weight that is there, 0 to 1."""
    weight: float
    """Weight of what is there."""
    n_words: int
    """Words of the title that are there, no stop words."""
    is_everyday: bool
    """Whether every word that says it is an everyday one."""


def is_everyday(word: str, *, english_only: bool = False) -> bool:
    """Whether a word may be in any talk: a stop word, a common English or a dictionary's Russian one, a number."""
    if word in STOP_WORDS or word in everyday() or word.isdecimal():
        return True
    if is_cyrillic(word):
        return not english_only and is_known(word)
    singular = word[:-3] + "y" if word.endswith("ies") else word.removesuffix("s")
    return singular in everyday()


def said_words(words: Sequence[Word]) -> list[Said]:
    """What a text's words may stand for: each alone and each two neighbours as one ("халф лайф" for "Half-Life")."""
    result = []
    for i, word in enumerate(words):
        result.append(Said(i, i + 1, _said_forms(word.text), is_everyday(word.text)))
        if i + 1 < len(words) and not word.text.isdecimal() and not words[i + 1].text.isdecimal():
            joined = word.text + words[i + 1].text
            both = is_everyday(word.text) and is_everyday(words[i + 1].text)
            is_name = 5 <= len(joined) <= 30 and not {word.text, words[i + 1].text} & STOP_WORDS
            forms = ((literal_sound(joined), 0.98),) if is_name else ()
            result.append(Said(i, i + 2, forms, both))
    return result


def _said_forms(word: str) -> tuple[tuple[str, float], ...]:
    """Sounds of a word of the text: as said, in its dictionary form, without the ending."""
    if word.isdecimal():
        return (("#" + word, 1.0),)
    forms = {word: 1.0}
    forms.setdefault(literal_sound(word), 1.0)
    if is_cyrillic(word):
        base = lemma(word)
        forms.setdefault(literal_sound(base), 0.99)
        forms.setdefault(_without_vowel(literal_sound(base)), 0.95)
        if not is_known(word):
            forms.setdefault(literal_sound(stem(word)), _TRIMMED)
            forms.setdefault(_without_vowel(literal_sound(word)), _TRIMMED)
    elif len(word) > 3 and word.endswith("s"):
        forms.setdefault(literal_sound(word[:-1]), _TRIMMED)
    return tuple((sound, quality) for sound, quality in forms.items() if sound)


@lru_cache(_KEPT_WORDS)
def title_forms(word: str) -> tuple[tuple[str, float], ...]:
    """Sounds of a title's word: letter for letter, as English is heard, in the dictionary form, without a last vowel."""
    if word.isdecimal():
        return (("#" + word, 1.0), *((sound, 0.9) for sound in _NUMBER_SOUNDS.get(word, ())))
    literal, heard = literal_sound(word), english_sound(word)
    forms = {word: 1.0}
    forms.setdefault(literal, 1.0)
    forms.setdefault(heard, 0.99)
    if "au" in literal:  # "авто"
        forms.setdefault(literal.replace("au", "av"), 0.98)
    for sound in _SPECIAL.get(word, ()):
        forms.setdefault(sound, 0.95)
    if word.endswith("tion"):  # "цивилизация"
        forms.setdefault(literal_sound(word[:-4]) + "sia", 0.98)
    if "c" in word and "ch" not in word:  # a soft c read as k: "киберпанк"
        forms.setdefault(literal_sound(word.replace("c", "k")), 0.97)
        forms.setdefault(english_sound(word.replace("c", "k")), 0.96)
        forms.setdefault(heard.replace("saib", "kib"), 0.98)
    if is_cyrillic(word):
        forms.setdefault(literal_sound(lemma(word)), 0.99)
    for sound in (literal, heard):
        forms.setdefault(_without_vowel(sound), _TRIMMED)
    return tuple((sound, quality) for sound, quality in forms.items() if sound)


def _without_vowel(sound: str) -> str:
    return sound[:-1] if len(sound) > 3 and sound[-1] in _VOWELS else sound


class Matches:
    """Every match between a text's words and the words of candidate titles, computed once for all candidates."""

    def __init__(self, said: Sequence[Said], titles: Iterable[TitleWords]) -> None:
        self._forms_of: dict[str, tuple[tuple[str, float], ...]] = {}
        for title in titles:
            for i, word in enumerate(title.words):
                if word not in self._forms_of:
                    self._forms_of[word] = title_forms(word)
                if i + 1 < len(title.words):
                    joined = word + title.words[i + 1]
                    if joined not in self._forms_of and not joined.isdecimal():
                        self._forms_of[joined] = tuple(
                            (form, quality * 0.98)
                            for form, quality in _joined_forms(word, title.words[i + 1])
                        )
        columns = {form: None for forms in self._forms_of.values() for form, _ in forms}
        names = list(columns)
        rows = [(i, form, quality) for i, one in enumerate(said) for form, quality in one.forms]
        table = similarities([form for _, form, _ in rows], names)
        if rows:
            lengths = np.array([len(form) for _, form, _ in rows])
            # a very short word is said right or means something else; two slips in a longer one leave this much of it
            least = np.where(lengths <= 3, 0.99, 0.6)
            is_number = np.array([form.startswith("#") for _, form, _ in rows])
            least[is_number] = 0.999
            known = np.array([said[i].is_everyday and not is_number[at] for at, (i, _, _) in enumerate(rows)])
            least[known] = np.where(
                lengths[known] >= 5, 0.82, 0.999
            )  # spelt right, it is hardly another word
            table = (
                np.where(table >= least[:, None] - 1e-6, table, 0) * np.array([q for *_, q in rows])[:, None]
            )
        self._found: dict[str, dict[int, float]] = {}
        for row, column in zip(*np.nonzero(table), strict=True):
            place = rows[row][0]
            here = self._found.setdefault(names[column], {})
            here[place] = max(here.get(place, 0.0), float(table[row, column]))
        self._said = said

    def pairs(self, title: TitleWords) -> list[Pair]:
        """Every stretch of the text that says one word of a title or two, unordered."""
        result = []
        n = len(title.words)
        for j, word in enumerate(title.words):
            for place, similarity in self._of(word).items():
                one = self._said[place]
                result.append(Pair((one.first, one.last), (j, j + 1), similarity, one.is_everyday))
            if j + 1 < n:
                for place, similarity in self._of(word + title.words[j + 1]).items():
                    one = self._said[place]
                    if one.last - one.first == 1:
                        result.append(Pair((one.first, one.last), (j, j + 2), similarity, one.is_everyday))
        return result

    def _of(self, word: str) -> dict[int, float]:
        best: dict[int, float] = {}
        for form, quality in self._forms_of.get(word, ()):
            for place, similarity in self._found.get(form, {}).items():
                best[place] = max(best.get(place, 0.0), similarity * quality)
        return best


@lru_cache(_KEPT_WORDS)
def _joined_forms(first: str, second: str) -> tuple[tuple[str, float], ...]:
    """Sounds of two words of a title said as one."""
    if first.isdecimal() or second.isdecimal():
        return ()
    whole = {literal_sound(first + second): 1.0}
    whole.setdefault(english_sound(first) + english_sound(second), 0.99)
    return tuple(whole.items())


def word_weight(word: str) -> float:
    """What a word of a title counts: a name's word 1, a number 0.6, "the" 0.15."""
    if word in STOP_WORDS:
        return 0.15
    return 0.6 if word.isdecimal() else 1.0


def align(pairs: Sequence[Pair], title: TitleWords, part: tuple[int, int, float]) -> Alignment | None:
    """The best way in which a text says a part of a title, words in order; None: it says none of it."""
    first, last, quality = part
    weights = [word_weight(word) for word in title.words]
    total = sum(weights[first:last])
    inside = sorted(
        (pair for pair in pairs if pair.title[0] >= first and pair.title[1] <= last),
        key=lambda pair: pair.said,
    )
    if not inside or not total:
        return None
    values: list[float] = []
    before: list[int] = []
    for at, pair in enumerate(inside):
        own = sum(weights[pair.title[0] : pair.title[1]]) * pair.similarity
        best, link = 0.0, -1
        for k in range(at):
            gap = pair.said[0] - inside[k].said[1]
            if (
                0 <= gap <= MOST_GAP
                and inside[k].title[1] <= pair.title[0]
                and (value := values[k] - 0.12 * gap) > best
            ):
                best, link = value, k
        values.append(own + best)
        before.append(link)
    at = max(range(len(inside)), key=lambda i: (values[i], -(inside[i].said[1] - inside[i].said[0])))
    chain = [at]
    while before[chain[-1]] >= 0:
        chain.append(before[chain[-1]])
    named = [
        place
        for i in chain
        for place in range(*inside[i].title)
        if title.words[place] not in STOP_WORDS and not title.words[place].isdecimal()
    ]
    return Alignment(
        first=inside[chain[-1]].said[0],
        last=inside[at].said[1],
        score=min(1.0, values[at] / total) * quality,
        weight=values[at],
        n_words=len(named),
        is_everyday=all(inside[i].is_everyday for i in chain),
    )
