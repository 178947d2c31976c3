"""Text to numbers of pieces: SentencePiece's unigram model (Kudo 2018), in numpy and one walk.

Every substring that a piece could be is looked up at once, by its hash; the walk then finds the pieces whose scores sum highest.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextbest.errors import ArtifactError

_SPACE = "\u2581"
_BASE = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_UNKNOWN_PENALTY = 10.0
"""Below the least score of a piece, as SentencePiece has it."""
Hashes = NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class PieceTable:
    """Pieces by hash, sorted; arrays only, so that a file of them can be mapped."""

    hash_N: Hashes  # noqa: N815 - axes in the name
    number_N: NDArray[np.int32]  # noqa: N815
    score_N: NDArray[np.float32]  # noqa: N815
    longest: int
    """Letters of the longest piece."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """By name, as `of` reads them."""
        longest = np.array(self.longest, np.int32)
        return {"hash": self.hash_N, "number": self.number_N, "score": self.score_N, "longest": longest}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> "PieceTable":
        """The table of `arrays`.

        Raises
        ------
        ArtifactError
            One is missing.
        """
        try:
            return cls(arrays["hash"], arrays["number"], arrays["score"], int(arrays["longest"]))
        except KeyError as error:
            raise ArtifactError("pieces", f"lack the array {error}") from None


def piece_table(
    pieces: Sequence[str], score_N: NDArray[np.floating[Any]], *, left_out: AbstractSet[int] = frozenset()
) -> PieceTable:
    """The table of all pieces but those of the numbers left out, so that no text can say them."""
    length_N = np.array([len(piece) for piece in pieces])
    hash_N = np.zeros(len(pieces), np.uint64)
    for length in range(1, int(length_N.max()) + 1):
        rows = np.flatnonzero(length_N == length)
        if len(rows):
            letters = np.frombuffer(
                "".join(pieces[row] for row in rows.tolist()).encode("utf-32-le"), np.uint32
            )
            hash_N[rows] = _hashed(letters.reshape(len(rows), length))
    number_N = np.array([n for n in range(len(pieces)) if n not in left_out and length_N[n]], np.int32)
    number_N = number_N[np.argsort(hash_N[number_N], kind="stable")]
    return PieceTable(hash_N[number_N], number_N, score_N[number_N].astype(np.float32), int(length_N.max()))


def letters_read(letters: Mapping[str, str]) -> Callable[[str], str]:
    """How XLM-R reads a text: letters replaced, spaces one each, a space first."""
    table = str.maketrans(dict(letters))

    def read(text: str) -> str:
        found = text.translate(table)
        while "  " in found:
            found = found.replace("  ", " ")
        found = found.replace(" ", _SPACE)
        return found if found.startswith(_SPACE) else _SPACE + found

    return read


class Pieces:
    """Texts to numbers; may be asked from several threads.

    Parameters
    ----------
    table
        Of `piece_table`.
    read
        A text as the letters of pieces are.
    begin, end, unknown
        Numbers around a text, and of what is no piece.
    joins_unknown
        Whether neighbours that are no pieces are one unknown, as XLM-R was taught.
    """

    def __init__(
        self,
        table: PieceTable,
        *,
        read: Callable[[str], str],
        begin: int,
        end: int,
        unknown: int,
        joins_unknown: bool = True,
    ) -> None:
        self._table = table
        self._begin, self._end, self._unknown = begin, end, unknown
        self._read, self._joins_unknown = read, joins_unknown
        self._unknown_score = float(table.score_N.min()) - _UNKNOWN_PENALTY

    def encode(self, text: str, *, most: int | None = None) -> list[int]:
        """Numbers with those around the text, at most `most` of them; what is longer is cut."""
        found = self._walked(self._read(text))
        return [self._begin, *(found if most is None else found[: most - 2]), self._end]

    def _walked(self, text: str) -> list[int]:
        """Pieces of the best way through the letters."""
        n = len(text)
        ends: list[list[tuple[int, float, int]]] = [[] for _ in range(n)]
        for length, firsts, scores, numbers in self._found(text):
            for first, score, number in zip(firsts, scores, numbers, strict=True):
                ends[first].append((first + length, score, number))
        best = [0.0] + [-np.inf] * n
        came: list[tuple[int, int]] = [(0, self._unknown)] * (n + 1)
        for first in range(n):
            here = best[first]
            for last, score, number in ends[first]:
                if here + score > best[last]:
                    best[last], came[last] = here + score, (first, number)
            if here + self._unknown_score > best[first + 1]:
                best[first + 1], came[first + 1] = here + self._unknown_score, (first, self._unknown)
        numbers_back: list[int] = []
        at = n
        while at:
            at, number = came[at]
            is_more = number == self._unknown and numbers_back[-1:] == [number]
            if not (is_more and self._joins_unknown):
                numbers_back.append(number)
        return numbers_back[::-1]

    def _found(self, text: str) -> list[tuple[int, list[int], list[float], list[int]]]:
        """Of each length: where a piece begins, its score, its number."""
        letter_N = np.frombuffer(text.encode("utf-32-le"), np.uint32).astype(np.uint64)
        table, found = self._table, []
        running_N = np.zeros(len(text), np.uint64)
        for length in range(1, min(table.longest, len(text)) + 1):
            running_N = _step(running_N[: len(text) - length + 1], letter_N[length - 1 :])
            hash_N = running_N * _MIX
            place_N = np.searchsorted(table.hash_N, hash_N)
            place_N[place_N == len(table.hash_N)] = 0
            firsts = np.flatnonzero(table.hash_N[place_N] == hash_N)
            if len(firsts):
                places = place_N[firsts]
                found.append(
                    (length, firsts.tolist(), table.score_N[places].tolist(), table.number_N[places].tolist())
                )
        return found


def _hashed(letter_NL: NDArray[np.uint32]) -> Hashes:
    """A hash of each row."""
    running_N = np.zeros(len(letter_NL), np.uint64)
    for place in range(letter_NL.shape[1]):
        running_N = _step(running_N, letter_NL[:, place].astype(np.uint64))
    mixed: Hashes = running_N * _MIX
    return mixed


def _step(running_N: Hashes, letter_N: Hashes) -> Hashes:
    """Hashes one letter longer; wraps around at 64 bits."""
    return (running_N + letter_N + np.uint64(1)) * _BASE
