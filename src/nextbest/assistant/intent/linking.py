"""Titles of a catalogue found in what a client writes: with typing errors, in the other script, inflected, in part.

Three steps: letter sequences of sounds pick candidates (`gram_index`), words are compared by edits (`matching`), and what
is left must be plausible where it stands (`hints`): an everyday word is no title without a hint. A title is data, whatever
it says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from nextbest.assistant.base import Language, Link
from nextbest.assistant.intent.acronyms import Acronyms
from nextbest.assistant.intent.common_words import STOP_WORDS
from nextbest.assistant.intent.gram_index import GramIndex
from nextbest.assistant.intent.hints import expects_title, is_mentioned
from nextbest.assistant.intent.matching import Alignment, Matches, align, is_everyday, said_words, word_weight
from nextbest.assistant.intent.sounds import is_cyrillic
from nextbest.assistant.intent.title_words import TitleWords, Word, title_words, words_of
from nextbest.data.ids import OutsideId
from nextbest.errors import InputError
from nextbest.text.morphology import lemma

LEAST_SCORE = 0.78
"""Share of a title's weight that must be said."""
MOST_ALTERNATIVES = 5
"""Links that one stretch of text may have where it names several things."""
_SINGLE_WORD = 0.82
"""How good a name one word of a title is that no other title has."""
_SMALL = 2000
"""Names of a catalogue in which a dictionary's Russian word may stand for the only item that has it."""
_LEAST_HINTED = 0.6
"""The same where a title is expected and two of its words or more are there."""
_N_CANDIDATES = 40
_WINDOW, _STEP = 24, 18
"""Words looked at together; a long text is read in overlapping windows."""
_LONGEST_TITLE = 40
"""Words of a title that are compared."""


@dataclass(frozen=True, slots=True)
class _Hit:
    """A candidate that a text names."""

    item: int
    title: str
    first: int
    last: int
    score: float
    value: float
    """By which hits on the same words compete: what is said, less what is missing."""


class Linker:
    """Finds the catalogue's titles in texts of either language.

    Parameters
    ----------
    titles
        (item_id, Russian title or None, English title or None) of each item, or a mapping from item id to its title.
        Either field may hold any script. An item without a title is passed over.
    aliases
        Further names by item id: "вичер" for The Witcher 3. A name has the standing of a title.

    Raises
    ------
    InputError
        A row isn't (id, title, title).

    Notes
    -----
    40,000 titles take about three CPU-seconds and 110 MB to index and three CPU-milliseconds a question
    (benchmarks/assistant_linking.md). `link` is deterministic and safe to call from several threads.

    >>> linker = Linker([("w3", None, "The Witcher 3: Wild Hunt"), ("hades", None, "Hades")])
    >>> [(link.item_id, link.span) for link in linker.link("что-то вроде вичера 3 и хэдеса", "ru")]
    [('w3', (13, 21)), ('hades', (24, 30))]
    """

    def __init__(
        self,
        titles: Sequence[tuple[OutsideId, str | None, str | None]] | Mapping[OutsideId, str],
        *,
        aliases: Mapping[OutsideId, Sequence[str]] | None = None,
    ) -> None:
        rows = (
            [(key, None, title) for key, title in titles.items()] if isinstance(titles, Mapping) else titles
        )
        self._ids: list[OutsideId] = []
        self._titles: list[str] = []
        shown: dict[OutsideId, str] = {}
        for row in rows:
            if len(row) != 3:
                raise InputError(
                    "titles", "each row must be (item_id, Russian title, English title)", value=row
                )
            item_id, *names = row
            for name in dict.fromkeys(name.strip() for name in names if name and name.strip()):
                self._add(item_id, name)
                shown.setdefault(item_id, name)
        for item_id, others in (aliases or {}).items():
            for name in others:
                if name.strip():
                    self._add(item_id, name.strip())
        self._words = self._with_single_words([title_words(title) for title in self._titles])
        words = [one.words[:_LONGEST_TITLE] for one in self._words]
        self._index = GramIndex(words)
        self._acronyms = Acronyms(words)

    def _add(self, item_id: OutsideId, name: str) -> None:
        self._ids.append(item_id)
        self._titles.append(name)

    def _with_single_words(self, titles: list[TitleWords]) -> list[TitleWords]:
        """Titles with the one word that no other item's title has as one more part: "Shawshank", "пуховик"."""
        owners: dict[str, set[OutsideId]] = {}
        for item_id, title in zip(self._ids, titles, strict=True):
            for word in title.words:
                owners.setdefault(lemma(word), set()).add(item_id)
        result = []
        for title in titles:
            own = [
                (i, i + 1, _SINGLE_WORD)
                for i, word in enumerate(title.words)
                if len(word) >= 5
                and sum(not other.isdecimal() for other in title.words) > 1
                and len(owners[lemma(word)]) == 1
                and not is_everyday(word, english_only=len(titles) <= _SMALL)
            ]
            result.append(replace(title, parts=(*title.parts, *own)) if own else title)
        return result

    def __len__(self) -> int:
        """Names known."""
        return len(self._titles)

    def link(self, text: str, language: Language, *, expects_item: bool = False) -> tuple[Link, ...]:
        """Items that a text names, from left to right; the longest, best match of each stretch.

        Parameters
        ----------
        text
            As cleaned; spans count its characters.
        language
            The client's; titles of both languages are looked for.
        expects_item
            Whether an item must be meant ("похожее на ..."): everyday words may be titles then.

        Returns
        -------
        tuple of Link
            Links that share a span are alternatives, best first: the text says one of them and code can't know which.
            At most 5 to a span. Empty where nothing is named.
        """
        del language  # both are looked for in any text; the parameter is the contract's
        words = words_of(text)
        hits: list[_Hit] = []
        for start in range(0, max(1, len(words) - (_WINDOW - _STEP)), _STEP):
            hits += self._hits(
                text, words, start, min(start + _WINDOW, len(words)), expects_item=expects_item
            )
        return self._choose(hits, words)

    def _hits(
        self, text: str, words: Sequence[Word], start: int, end: int, *, expects_item: bool
    ) -> list[_Hit]:
        window = words[start:end]
        said = said_words(window)
        rows = self._index.nearest({form for one in said for form, _ in one.forms}, n=_N_CANDIDATES)
        candidates = {int(row): self._words[row] for row in rows}
        matches = Matches(said, candidates.values())
        hits: list[_Hit] = []
        for row, title in candidates.items():
            pairs = matches.pairs(title)
            if not pairs:
                continue
            for part in title.parts:
                found = align(pairs, title, part)
                if found is None or not self._is_meant(
                    text, words, start, found, part, expects_item=expects_item
                ):
                    continue
                hits.append(self._hit(row, title, part, found, start, words))
        for first, last, row, score in self._acronyms.find(window):
            said_as = text[window[first].start : window[last - 1].end]
            is_plain = (
                said_as == said_as.lower() and said_as.isascii() and not any(map(str.isdecimal, said_as))
            )
            if is_plain and not (expects_item or expects_title(text, words, start + first, start + last)):
                continue  # "wow"
            hits.append(
                _Hit(row, self._titles[row], start + first, start + last, score, score + 0.2 * (last - first))
            )
        return hits

    def _hit(
        self,
        row: int,
        title: TitleWords,
        part: tuple[int, int, float],
        found: Alignment,
        start: int,
        words: Sequence[Word],
    ) -> _Hit:
        first, last = start + found.first, start + found.last
        missing = len(title.words) - (part[1] - part[0])
        is_whole = tuple(word.text for word in words[first:last]) == title.words
        score = 1.0 if is_whole else min(0.99, found.score)
        said = sum(word_weight(word.text) for word in words[first:last])
        value = (
            min(found.weight, said) * (0.5 + 0.5 * found.score)
            - 0.02 * min(missing, 10)
            + 0.05 * is_whole
            - 0.5 * (part[2] == _SINGLE_WORD)
            - (1 - found.score)
        )
        return _Hit(row, self._titles[row], first, last, score, value)

    @staticmethod
    def _is_meant(
        text: str,
        words: Sequence[Word],
        start: int,
        found: Alignment,
        part: tuple[int, int, float],
        *,
        expects_item: bool,
    ) -> bool:
        """Whether a match is good enough for where it stands."""
        if found.score < _LEAST_HINTED * part[2]:
            return False
        first, last = start + found.first, start + found.last
        hinted = expects_item or expects_title(text, words, first, last)
        if part[2] == _SINGLE_WORD:
            if found.is_everyday and all(word.text.isascii() for word in words[first:last]):
                return False  # "in the world" is no "Рим Ворлд"
            return found.score >= 0.9 * part[2] and (hinted or is_mentioned(text, words, first))
        if found.score < LEAST_SCORE * part[2] and not (
            hinted and found.n_words > 1 and found.score >= _LEAST_HINTED * part[2]
        ):
            return False
        if found.n_words == 0 and part[2] < 1:
            return False
        if found.is_everyday:
            own = [word.text for word in words[first:last]]
            named = [word for word in own if word not in STOP_WORDS and not word.isdecimal()]
            least = 2 if all(map(is_cyrillic, named)) else 3
            if len(named) >= least and found.score >= 0.95 and part[2] == 1:
                return True
            if found.score < 0.9 * part[2]:
                return False
            is_foreign = all(len(word) >= 7 and is_cyrillic(word) for word in named)
            if len(named) < 2 and last - first < 2 and part[2] < 0.99 and not is_foreign:
                return False  # "watch" is no "Watson's Watch"
            return hinted and (bool(named) or not expects_item)
        own = [word.text for word in words[first:last]]
        if found.n_words == 1 and last - first == 1 and not (hinted or is_mentioned(text, words, first)):
            # one word among others: an English one may be any word, a Russian one is a name where no dictionary has it
            return is_cyrillic(own[0]) and found.score >= 0.9 * part[2]
        return True

    def _choose(self, hits: Sequence[_Hit], words: Sequence[Word]) -> tuple[Link, ...]:
        """The best hits that don't overlap, each with its near equals."""
        ranked = sorted(hits, key=lambda hit: (-hit.value, len(hit.title), hit.item))
        taken: list[_Hit] = []
        links: list[Link] = []
        for hit in ranked:
            if any(hit.first < other.last and other.first < hit.last for other in taken):
                continue
            taken.append(hit)
            span = (words[hit.first].start, words[hit.last - 1].end)
            group: dict[OutsideId, _Hit] = {}
            for other in ranked:
                overlaps = other.first < hit.last and hit.first < other.last
                is_close = other.value >= hit.value - 0.06 and (hit.score < 1 or other.score == 1)
                if overlaps and is_close:
                    group.setdefault(self._ids[other.item], other)
            links += [
                Link(item_id, other.title, round(other.score, 4), span)
                for item_id, other in list(group.items())[:MOST_ALTERNATIVES]
            ]
        return tuple(sorted(links, key=lambda link: link.span[0]))
