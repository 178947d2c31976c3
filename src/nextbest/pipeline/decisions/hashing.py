"""Numbers drawn from ids alone: the same client gets the same ones on every machine, engine and day.

A draw is a pure function of (id, key, counters), so clients can come, go and be split into batches
without moving anybody else's. Knows nothing of policies.
"""

import hashlib

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.errors import DataError

U64 = NDArray[np.uint64]
_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_BLOCK_BYTES = 1 << 24


def _mix(x: U64) -> U64:
    """Finaliser of SplitMix64 (Steele, Lea & Flood 2014; constants of Stafford's variant 13)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def text_key(text: str) -> int:
    """64 bits of a text: BLAKE2b with a digest of 8 bytes, read as a little-endian number.

    >>> hex(text_key("control"))
    '0x468cbe88d88f74f5'
    """
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def id_hash(client_ids: pl.Series) -> U64:
    """64 bits of each id, shape (N,): integers count by their decimal text, so 42 and "42" are one client.

    The UTF-8 bytes of the text, cut into little-endian words of 8 bytes (the last padded by zeros), are taken
    into a state that starts with the length: `h = mix(n_bytes + G)`, then `h = mix((h ^ word) + G)` for each
    word, all modulo 2**64, where G = 0x9E3779B97F4A7C15 and mix is SplitMix64's finaliser.

    Raises
    ------
    DataError
        Ids are neither integers nor strings, or one is null.
    """
    if not (client_ids.dtype.is_integer() or client_ids.dtype == pl.String):
        raise DataError("client_ids", f"must be integers or strings, are {client_ids.dtype}")
    if n_null := client_ids.null_count():
        rows = client_ids.is_null().arg_true().head(5).to_list()
        raise DataError("client_ids", "must not be null", n_bad=n_null, examples=rows)
    text = client_ids.cast(pl.String)
    n_bytes = text.str.len_bytes().to_numpy().astype(np.uint64)
    hashes = np.empty(len(text), np.uint64)
    start = 0
    while start < len(text):
        stop = start + max(1, _BLOCK_BYTES // max(8, int(n_bytes[start : start + (1 << 16)].max())))
        stop = min(stop, start + (1 << 16), len(text))
        hashes[start:stop] = _hash_block(text[start:stop], n_bytes[start:stop])
        start = stop
    return hashes


def _hash_block(text: pl.Series, n_bytes: U64) -> U64:
    n_words = -(-int(n_bytes.max()) // 8)
    state = _mix(n_bytes + np.uint64(_GOLDEN))
    if not n_words:
        return state
    padded = np.array(text.cast(pl.Binary).to_list(), dtype=f"S{8 * n_words}")
    words = padded.view("<u8").reshape(len(text), n_words)
    for n in range(n_words):
        taken = _mix((state ^ words[:, n]) + np.uint64(_GOLDEN))
        state = np.where(n_bytes > 8 * n, taken, state)
    return state


def uniforms(hash_N: U64, key: int, *counters: int) -> NDArray[np.float64]:
    """A number in [0, 1) for each hashed id, shape (N,); independent between keys and between counters.

    `h = mix(hash ^ key)`, then `h = mix(h + G * (counter + 1))` for each counter; the upper 52 bits of h as a
    binary fraction, so that 1 is never reached, not by rounding either.
    """
    h = _mix(hash_N ^ np.uint64(key & _MASK))
    for counter in counters:
        h = _mix(h + np.uint64((_GOLDEN * (counter + 1)) & _MASK))
    return (h >> np.uint64(12)).astype(np.float64) * 2.0**-52
