"""Texts to vectors of hashed character n-grams: no weights, no dependency, the stand-in for a sentence encoder.

A text in Cyrillic is first written in Latin letters, so that "хадес", "hades" and "Hadec" share most of their pieces.
"""

import re
import zlib
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nextbest.errors import InputError

FloatArray = NDArray[np.float32]

_CYRILLIC = "абвгдеёжзийклмнопрстуфхцчшщъыьэюя"
_LATIN = "a b v g d e e zh z i i k l m n o p r s t u f h c ch sh sh  y  e yu ya"
"""Letter by letter; hard and soft sign become nothing."""
_LATIN_TABLE = str.maketrans(dict(zip(_CYRILLIC, _LATIN.split(" "), strict=True)))
_WORDS = re.compile(r"[^\W_]+")


def transliterate(text: str) -> str:
    """Cyrillic letters as Latin ones, everything in lower case; other signs stay.

    >>> transliterate("Щука и Ёж")
    'shuka i ezh'
    """
    return text.lower().translate(_LATIN_TABLE)


@lru_cache(maxsize=20_000)
def _pieces(word: str, low: int, high: int, dim: int) -> tuple[list[int], list[float]]:
    """Slots and signs of a word's pieces, itself among them."""
    framed = f"<{word}>"
    found = [framed] + [framed[i : i + n] for n in range(low, high + 1) for i in range(len(framed) - n + 1)]
    hashes = [zlib.crc32(piece.encode()) for piece in found]
    return [h % dim for h in hashes], [_sign(h) for h in hashes]


def _sign(code: int) -> float:
    """+1 or -1 by the highest bit of a hash, which its slot doesn't use."""
    return 1.0 if code >> 31 else -1.0


class NgramEncoder:
    """Hashed character n-grams of words, and pairs of neighbouring words; signs of the hash keep collisions unbiased.

    Parameters
    ----------
    dim
        Columns, 64 or more.
    low, high
        Lengths of the pieces, in characters of the transliterated word with its frame "<word>".

    Notes
    -----
    Weinberger et al. 2009 (signed hashing), Bojanowski et al. 2017 (framed pieces of a word). CRC-32 is the hash: the same
    in every process. A count enters as its square root.
    """

    name = "ngrams"

    def __init__(self, *, dim: int = 4096, low: int = 2, high: int = 4) -> None:
        if dim < 64:
            raise InputError("dim", "must be 64 or more", value=dim)
        if not 1 <= low <= high:
            raise InputError("low, high", "must be 1 <= low <= high", value=(low, high))
        self.dim, self.low, self.high = dim, low, high

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Vectors of texts.

        Returns
        -------
        ndarray of shape (n_texts, dim)
            float32, rows of length 1; a text without a letter or digit is the first unit vector, never NaN.
        """
        vectors_ND = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in enumerate(texts):
            words = _WORDS.findall(transliterate(text))
            slots: list[int] = []
            signs: list[float] = []
            for word in words:
                of_word = _pieces(word[:40], self.low, self.high, self.dim)
                slots += of_word[0]
                signs += of_word[1]
            for first, second in pairwise(words):
                code = zlib.crc32(f"{first} {second}".encode())
                slots.append(code % self.dim)
                signs.append(_sign(code))
            vectors_ND[row] = np.bincount(slots, weights=signs, minlength=self.dim) if slots else 0.0
        return _unit_rows(np.sign(vectors_ND) * np.sqrt(np.abs(vectors_ND)))


def _unit_rows(vectors_ND: FloatArray) -> FloatArray:
    """Rows of length 1; a row of zeros (pieces that cancelled out) becomes the first unit vector."""
    lengths_N = np.linalg.norm(vectors_ND, axis=1)
    vectors_ND[lengths_N == 0, 0] = 1.0
    unit_ND: FloatArray = (vectors_ND / np.where(lengths_N == 0, 1.0, lengths_N)[:, None]).astype(np.float32)
    return unit_ND
