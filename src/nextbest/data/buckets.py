"""Which bucket of the store a user belongs to: a fixed hash of our own, the same on every engine.

An id is hashed by what it says, not by its type: 17 and "17" share a bucket, so that a column
which turns out to be text later does not move anybody.
"""

import zlib

import numpy as np
import polars as pl
from numpy.typing import NDArray

MAX_BITS = 16
"""The hash is cut into at most 2**16 buckets."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)


def hash_int(values: NDArray[np.int64]) -> NDArray[np.uint64]:
    """SplitMix64 finaliser of each integer (two rounds), shape (n,)."""
    h = values.view(np.uint64) * _GOLDEN
    h ^= h >> np.uint64(32)
    h *= _MIX
    return h


def hash_text(value: str) -> int:
    """Hash of an id that isn't a plain integer: CRC-32 of its UTF-8 bytes."""
    return zlib.crc32(value.encode())


def bucket_of(users: pl.Series, *, n_buckets: int) -> NDArray[np.uint16]:
    """Bucket number of each user id, shape (n,), in 0..n_buckets-1.

    Parameters
    ----------
    users
        Int64 or String, without nulls.
    n_buckets
        A power of two, at most 2**16. Doubling it splits bucket b into 2b and 2b + 1.
    """
    bits = n_buckets.bit_length() - 1
    assert 1 << bits == n_buckets
    assert bits <= MAX_BITS
    if bits == 0:
        return np.zeros(len(users), np.uint16)
    if users.dtype == pl.String:
        keys = users.unique()
        numbers = keys.cast(pl.Int64, strict=False)
        plain = (numbers.cast(pl.String) == keys).fill_null(value=False).to_numpy()
        hashed = np.fromiter((hash_text(v) for v in keys.to_list()), np.int64, len(keys))
        values = np.where(plain, numbers.fill_null(0).to_numpy(), hashed)
        codes = _bucket_bits(values, bits)
        table = pl.DataFrame({"key": keys, "bucket": codes})
        joined = users.alias("key").to_frame().join(table, on="key", how="left", maintain_order="left")
        return joined["bucket"].to_numpy()
    return _bucket_bits(users.to_numpy(), bits)


def _bucket_bits(values: NDArray[np.int64], bits: int) -> NDArray[np.uint16]:
    return (hash_int(values) >> np.uint64(64 - bits)).astype(np.uint16)
