"""Names in a sentence: those of this turn's items, in any case of Russian, and those that nobody said.

A name is what stands in quotation marks, in Latin letters inside Russian, with a capital inside a sentence, or what the
catalogue knows as a title. One that is nearly an item's own is put right; any other is a finding.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from nextbest.assistant.base import ItemFact, Link
from nextbest.assistant.grounding.facts import Facts
from nextbest.assistant.grounding.likeness import alike, entry, is_same
from nextbest.assistant.grounding.ordinary_words import FUNCTION_WORDS, ORDINARY, is_ordinary
from nextbest.assistant.grounding.spans import Word, cleaned, words_of
from nextbest.assistant.grounding.stretches import unexplained
from nextbest.assistant.phrasing import wordings
from nextbest.assistant.phrasing.rendering import said
from nextbest.text.morphology import is_known

_QUOTED = re.compile(
    r"«([^«»\n]{1,200})»|“([^“”\n]{1,200})”|„([^„“”\n]{1,200})[“”]|\"([^\"\n]{1,200})\"|``?([^`\n]{1,200})`"
)
_GLUE = re.compile(r"[ \u00a0'’&:+.–-]{0,3}")
_SMALL_WORDS = "of the and in to for a an on at from with vs de la le du der und no"
_SMALL = frozenset(_SMALL_WORDS.split())
_POLITE = re.compile(r"(?:вы|вас|вам|вами|ваш[а-я]*)")
_NEAR = 0.8
"""How alike a name and a title have to be for one to be the other, misspelt."""
_NEARLY_A_WORD = 0.6
_SURE_LINK, _LIKELY_LINK = 0.97, 0.9
_FOLLOWS_A_BREAK = re.compile(r"(?:^|[.!?…:;\n]|\s[-–—•*])[\s\u00a0«“\"'(\[*_]*(?:\d{1,3}[.)]\s*)?$")
_LIST_LINE = re.compile(r"\s*(?:\d{1,3}[.)]|[-–—•*·▪●])\s*[«“\"*_]*$")


class Linker(Protocol):
    """What finds titles of the whole catalogue in a text (`intent.linking.Linker`)."""

    def link(self, text: str, /) -> Sequence[Link]:
        """Stretches that name something, whatever the results are."""
        ...


@dataclass(frozen=True, slots=True)
class Named:
    """An item of the results, where a sentence names it."""

    item: str
    """Its id as text."""
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Stranger:
    """A name that nobody said."""

    start: int
    end: int
    instead: str | None = None
    """The one title it nearly is; None: there is none, or several."""


class Names:
    """The names that may be used in one turn.

    Parameters
    ----------
    facts
        Of the turn.
    linker
        Of the catalogue; None: titles of other items are found by their looks only.
    vocabulary
        Words that may be written with a capital or in Latin letters, the phrasebook's among them.
    """

    def __init__(self, facts: Facts, *, linker: Linker | None, vocabulary: Collection[str]) -> None:
        self._facts, self._linker = facts, linker
        self._vocabulary = {w.low for text in vocabulary for w in words_of(text)} | phrasebook_words()
        said_stems = [[w.stem for w in words_of(text)] for text in facts.texts]
        self._said = " | ".join(f" {' '.join(stems)} " for stems in said_stems)
        self._said_words = {stem for stems in said_stems for stem in stems}
        self._titles: dict[str, list[tuple[tuple[Word, ...], str]]] = defaultdict(list)
        self._parts: dict[str, list[tuple[tuple[Word, ...], int, str]]] = defaultdict(list)
        """Titles of several words by each of their words."""
        self._written: list[tuple[str, str]] = []
        """Folded title and item."""
        for key, item in facts.items.items():
            for words in _variants(item):
                self._titles[entry(words[0])].append((words, key))
                self._written.append((" ".join(w.low for w in words), key))
                for place, word in enumerate(words if len(words) > 1 else ()):
                    self._parts[entry(word)].append((words, place, key))
        for titles in self._titles.values():
            titles.sort(key=lambda title: -len(title[0]))

    @property
    def titles(self) -> list[str]:
        """Titles of the items, in both languages."""
        return [title for item in self._facts.items.values() for title in item.title.values()]

    def named(self, text: str, words: Sequence[Word]) -> list[Named]:
        """Items of the results that a sentence names, from left to right."""
        found: list[Named] = []
        at = 0
        while at < len(words):
            match = self._title_at(text, words, at)
            if match is None:
                at += 1
                continue
            n_words, key = match
            found.append(Named(key, words[at].start, words[at + n_words - 1].end))
            at += n_words
        return found

    def _title_at(self, text: str, words: Sequence[Word], at: int) -> tuple[int, str] | None:
        for title, key in self._titles.get(entry(words[at]), ()):
            n = len(title)
            if at + n > len(words) or not all(map(is_same, words[at : at + n], title)):
                continue
            if n == 1 and self._facts.items[key].kind in {"item", "asset"}:
                is_small = words[at].text[:1].islower() and title[0].text[:1].isupper()
                if is_small and text[max(0, words[at].start - 1) : words[at].start] not in tuple('«“"„'):
                    continue
            return n, key
        return None

    def was_said(self, word: Word) -> bool:
        """Whether a tool or the client said the word, in whatever form."""
        return word.stem in self._said_words

    def quoted_and_said(self, text: str, words: Sequence[Word]) -> list[Word]:
        """Words in quotation marks that were said so, in whatever language: passages, sources."""
        spans = [match.span(match.lastindex or 0) for match in _QUOTED.finditer(text)]
        inside = [[w for w in words if start <= w.start and w.end <= end] for start, end in spans]
        return [w for quoted in inside if quoted and self._is_said(quoted) for w in quoted]

    def strangers(self, text: str, words: Sequence[Word], named: list[Named]) -> list[Stranger]:
        """Names of a sentence that aren't those of the results, none inside another.

        Parameters
        ----------
        text, words
            The sentence.
        named
            Of `named`; gets what the catalogue's linker adds to it.
        """
        linked = [] if self._linker is None else list(self._linked(text, words, named))
        looked = list(self._by_looks(text, words, named))
        repairable = [s for s in looked if s.instead is not None]
        kept = [a for a in linked if not any(_is_inside(a, b) for b in repairable)]
        return kept + [a for a in looked if not any(s.start <= a.start and a.end <= s.end for s in kept)]

    def _by_looks(self, text: str, words: Sequence[Word], named: list[Named]) -> Iterator[Stranger]:
        """Names found by quotation marks, letters and capitals."""
        quoted: list[tuple[int, int]] = []
        for match in _QUOTED.finditer(text):
            start, end = match.span(match.lastindex or 0)
            inside = [w for w in words if start <= w.start and w.end <= end]
            if not inside:
                continue
            quoted.append((start, end))
            if not all(_covered(w, named) for w in inside) and not self._is_said(inside):
                yield self._stranger(text, start, end, named)
        found: list[tuple[int, int]] = []
        for start, end in self._nearly_titles(words, named):
            if not any(s < end and start < e for s, e in [*quoted, *found]):
                found.append((start, end))
                yield self._stranger(text, start, end, named)
        quoted += found
        for run in self._runs(text, words, named):
            if any(start <= run[0].start and run[-1].end <= end for start, end in quoted):
                continue
            unknown = [w for w in run if not _covered(w, named)]
            if unknown and not self._may_stand(text, unknown):
                yield self._stranger(text, run[0].start, run[-1].end, named)

    def _nearly_titles(self, words: Sequence[Word], named: Sequence[Named]) -> Iterator[tuple[int, int]]:
        """Stretches that are a title of several words but for one of them, misspelt."""
        for at, word in enumerate(words):
            for title, place, _ in self._parts.get(entry(word), ()):
                first, n = at - place, len(title)
                window = words[max(first, 0) : max(first, 0) + n]
                if first < 0 or len(window) < n or any(_covered(w, named) for w in window):
                    continue
                off = [(w, t) for w, t in zip(window, title, strict=True) if not is_same(w, t)]
                if (
                    len(off) == 1
                    and not off[0][0].low.isdigit()
                    and alike(off[0][0].low, off[0][1].low) >= _NEARLY_A_WORD
                ):
                    yield window[0].start, window[-1].end

    # --- the catalogue ----------------------------------------------------------------------------
    def _linked(self, text: str, words: Sequence[Word], named: list[Named]) -> Iterator[Stranger]:
        assert self._linker is not None
        found = (
            (link, start + link.span[0], start + link.span[1])
            for start, stop in unexplained(text, words, named, is_plain=self._is_plain, is_said=self._is_said)
            for link in self._linker.link(text[start:stop])
        )
        for link, start, end in list(found):
            inside = [w for w in words if start <= w.start and w.end <= end]
            if not inside or all(_covered(w, named) for w in inside):
                continue
            if str(link.item_id) in self._facts.items:
                if link.score >= _SURE_LINK:
                    named.append(Named(str(link.item_id), start, end))
                    named.sort(key=lambda n: n.start)
                continue
            if link.score < _LIKELY_LINK or self._is_said(inside):
                continue
            looks = self._looks_like_a_name(text, inside)
            is_sure = link.score >= _SURE_LINK and (len(inside) > 1 or not self._is_everyday(inside[0]))
            if looks or is_sure:
                yield Stranger(start, end)

    def _is_plain(self, word: Word) -> bool:
        """Whether a word is one that anybody would use in an answer: the phrasebook's, a tool's, a number."""
        low = word.low
        return (
            low.isdigit()
            or low in self._vocabulary
            or low in FUNCTION_WORDS
            or (word.stem in self._said_words and not word.text[:1].isupper())
        )

    def _looks_like_a_name(self, text: str, inside: Sequence[Word]) -> bool:
        first = inside[0]
        if first.text[:1].isupper() and not _FOLLOWS_A_BREAK.search(text, 0, first.start):
            return True
        if text[max(0, first.start - 1) : first.start] in tuple('«“"„'):
            return True
        return self._facts.language == "ru" and any(
            w.text[:1].isascii() and w.text[:1].isalpha() for w in inside
        )

    # --- runs of words that look like a name ---------------------------------------------------------
    def _runs(self, text: str, words: Sequence[Word], named: list[Named]) -> Iterator[list[Word]]:
        run: list[Word] = []
        for i, word in enumerate(words):
            joins = bool(run) and _GLUE.fullmatch(text[run[-1].end : word.start]) is not None
            if run and not joins:
                yield from _trimmed(run)
                run = []
            is_masked = _covered(word, named)
            if self._is_name(text, word) or (is_masked and bool(run or _next_joins(text, words, i))):
                if (
                    run
                    and _script(run[-1]) != _script(word)
                    and not (word.low.isdigit() or run[-1].low.isdigit())
                ):
                    yield from _trimmed(run)
                    run = []
                run.append(word)
            elif run and (
                word.low in _SMALL or (word.low.isdigit() and len(word.low) <= 4 and _is_part(text, word))
            ):
                run.append(word)
            elif run:
                yield from _trimmed(run)
                run = []
        yield from _trimmed(run)

    def _is_name(self, text: str, word: Word) -> bool:
        first = word.text[:1]
        if not first.isalpha():
            return False
        is_latin = first.isascii() or "À" <= first <= "ɏ"
        if self._facts.language == "ru" and is_latin:
            return True
        if self._facts.language == "en" and not is_latin:
            return True
        if not first.isupper() or _POLITE.fullmatch(word.low):
            return False
        before = text[: word.start]
        if _LIST_LINE.fullmatch(before) or not _FOLLOWS_A_BREAK.search(before):
            return not self._is_common(word) if is_latin else True
        if is_latin:
            return not self._is_common(word)
        return is_known("и") and not is_known(word.low)

    def _is_common(self, word: Word) -> bool:
        return is_ordinary(word.low) or word.low in self._vocabulary

    def _is_everyday(self, word: Word) -> bool:
        """Whether a single word that is also a title is more likely the word: small, or one of the phrasebook's."""
        if word.text[:1].isupper():
            return word.low in FUNCTION_WORDS
        return word.low in self._vocabulary or word.stem in self._said_words or is_ordinary(word.low)

    def _may_stand(self, text: str, unknown: Sequence[Word]) -> bool:
        """Whether words that look like a name were said, or are everybody's."""
        words = [w for w in unknown if w.low not in _SMALL and not w.low.isdigit()]
        if all(w.low in self._vocabulary or w.low in ORDINARY for w in words):
            return True
        if self._is_said(unknown):
            return True
        return len(words) == 1 and (
            words[0].stem in self._said_words or self._is_capital_only(text, words[0])
        )

    def _is_capital_only(self, text: str, word: Word) -> bool:
        """After a colon or a mark of a list a Russian word that begins a clause has a capital of its own right."""
        if word.low.isascii() or not _FOLLOWS_A_BREAK.search(text, 0, word.start):
            return False
        if not re.match(r"[ \u00a0][а-яё]", text[word.end :]):
            return False
        return is_known(word.low) or not is_known("и")

    def _is_said(self, words: Sequence[Word]) -> bool:
        return f" {' '.join(w.stem for w in words)} " in self._said

    def _stranger(self, text: str, start: int, end: int, named: Sequence[Named]) -> Stranger:
        name = " ".join(w.low for w in words_of(text[start:end]))
        scored = sorted(((alike(name, title), key) for title, key in self._written), reverse=True)
        best = scored[0] if scored else (0.0, "")
        others = [score for score, key in scored if key != best[1]]
        near = best[0] >= _NEAR and (not others or others[0] < best[0] - 0.05)
        elsewhere = any(n.item == best[1] and not start <= n.start < end for n in named)
        if not near or elsewhere:
            return Stranger(start, end)
        title = said(self._facts.items[best[1]].title, self._facts.language)
        inner = re.search(r"[«“\"](.+)[»”\"]", title)
        before = text[max(0, start - 1) : start]
        if before in tuple('«“"„') and inner is not None:
            title = inner[1]
        return Stranger(start, end, cleaned(title))


@cache
def phrasebook_words() -> frozenset[str]:
    """Every word of the phrasebook's wordings, folded: nobody's name."""
    texts = (path.read_text(encoding="utf-8") for path in sorted(wordings.FOLDER.glob("*.toml")))
    return frozenset(word.low for text in texts for word in words_of(re.sub(r"\{\w+\}", " ", text)))


def _variants(item: ItemFact) -> Iterator[tuple[Word, ...]]:
    """The ways a title may be said: whole in both languages, and what stands in quotation marks inside it."""
    for title in dict.fromkeys(item.title.values()):
        text = cleaned(title)
        whole = words_of(text)
        if whole:
            yield whole
        for match in _QUOTED.finditer(text):
            inner = words_of(match[match.lastindex or 0])
            if inner and len(inner) < len(whole):
                yield inner


def _is_inside(part: Stranger, whole: Stranger) -> bool:
    """Whether one stretch is a smaller part of another."""
    return (
        whole.start <= part.start
        and part.end <= whole.end
        and part.end - part.start < whole.end - whole.start
    )


def _covered(word: Word, named: Sequence[Named]) -> bool:
    return any(n.start <= word.start and word.end <= n.end for n in named)


def _script(word: Word) -> bool:
    return word.low[:1] >= "а"


def _next_joins(text: str, words: Sequence[Word], i: int) -> bool:
    return i + 1 < len(words) and _GLUE.fullmatch(text[words[i].end : words[i + 1].start]) is not None


def _is_part(text: str, word: Word) -> bool:
    """Whether a number after a name may belong to it: no unit follows."""
    return (
        re.match(r"[\s\u00a0]*(?:[%₽$€£]|руб|раз|percent|x\b|час|год|лет|дн|hour|year|day)", text[word.end :])
        is None
    )


def _trimmed(run: list[Word]) -> Iterator[list[Word]]:
    """A run without the small words and numbers at its end."""
    kept = list(run)
    while kept and kept[-1].low in _SMALL:
        kept.pop()
    if kept:
        yield kept
