"""Which of many titles share rare letter sequences with a text: the candidates that a closer look is worth.

An inverted index of trigrams of sounds, flat arrays in memory; a query costs the length of its lists, about half a
millisecond for 50,000 titles.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from nextbest.assistant.intent.sounds import english_sound, literal_sound


def grams(form: str) -> list[str]:
    """Trigrams of one sound, its borders marked, and of a short one its letters in order and its consonants.

    >>> grams("rust")
    [' r', ' ru', 'rus', 'ust', 'st ', '~rstu', '=rst']
    """
    marked = f" {form} "
    found = [marked[:2], *(marked[i : i + 3] for i in range(len(marked) - 2))]
    if (
        4 <= len(form) <= 8
    ):  # a short word with two letters swapped or one vowel for another shares few trigrams
        found += ["~" + "".join(sorted(form)), "=" + "".join(char for char in form if char not in "aeiou")]
    return found


class GramIndex:
    """Titles by the trigrams of their words' sounds.

    Parameters
    ----------
    rows
        Words of each title, in the order of its row number.
    """

    def __init__(self, rows: Sequence[Sequence[str]]) -> None:
        self.n_rows = len(rows)
        self._number: dict[str, int] = {}
        of_word: dict[str, NDArray[np.int32]] = {}
        counts = np.empty(len(rows), dtype=np.int64)
        parts: list[NDArray[np.int32]] = []
        for place, words in enumerate(rows):
            for word in words:
                if word not in of_word:
                    of_word[word] = self._numbers_of(word)
            found = [of_word[word] for word in words]
            row = np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.int32)
            counts[place] = len(row)
            parts.append(row)
        flat = np.concatenate(parts) if parts else np.empty(0, dtype=np.int32)
        order = np.argsort(flat, kind="stable")
        row_of = np.repeat(np.arange(len(rows), dtype=np.int32), counts)
        self._rows = row_of[order]
        n_grams = len(self._number)
        per_gram = np.bincount(flat, minlength=n_grams)
        self._starts = np.concatenate([[0], np.cumsum(per_gram)])
        self._weights = np.log1p(len(rows) / np.maximum(per_gram, 1)).astype(np.float32)
        totals = (
            np.bincount(row_of, weights=self._weights[flat], minlength=len(rows))
            if len(flat)
            else np.zeros(len(rows))
        )
        self._totals = np.maximum(totals, 1e-9).astype(np.float32)

    def _numbers_of(self, word: str) -> NDArray[np.int32]:
        """Numbers of a word's grams, new ones given."""
        said = {gram for form in {literal_sound(word), english_sound(word)} for gram in grams(form)}
        return np.array(
            sorted(self._number.setdefault(gram, len(self._number)) for gram in said), dtype=np.int32
        )

    def nearest(self, forms: Iterable[str], *, n: int) -> NDArray[np.int64]:
        """Row numbers that share most with the sounds of a text: half by what is shared, half by the share of the title.

        Shape (up to 2 n,), unordered; n candidates of each kind.
        """
        wanted = {self._number[gram] for form in forms for gram in grams(form) if gram in self._number}
        if not wanted:
            return np.empty(0, dtype=np.int64)
        numbers = np.fromiter(wanted, dtype=np.int64)
        lengths = self._starts[numbers + 1] - self._starts[numbers]
        keep = lengths <= max(200, self.n_rows // 12)  # a gram of every tenth title tells nothing
        if keep.any():
            numbers, lengths = numbers[keep], lengths[keep]
        found = np.concatenate([self._rows[self._starts[i] : self._starts[i + 1]] for i in numbers])
        shared = np.bincount(found, weights=np.repeat(self._weights[numbers], lengths), minlength=self.n_rows)
        rows = np.flatnonzero(shared)
        if len(rows) <= n:
            return rows
        mass = shared[rows]
        totals = self._totals[rows]
        close = rows[np.argpartition(-(mass / np.sqrt(totals)), n - 1)[:n]]
        covered = rows[np.argpartition(-(mass / (totals + 4.0)), n - 1)[:n]]
        return np.union1d(close, covered)
