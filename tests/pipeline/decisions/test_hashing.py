"""Hashes of ids: fixed for ever, the same for every way of writing an id, and even."""

import hashlib

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nextbest.errors import DataError
from nextbest.pipeline.decisions import hashing
from nextbest.pipeline.decisions.hashing import id_hash, text_key, uniforms

BITS = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15


def plain_mix(x: int) -> int:
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & BITS
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & BITS
    return x ^ (x >> 31)


def plain_hash(text: str) -> int:
    """The docstring of `id_hash`, read aloud."""
    octets = text.encode()
    h = plain_mix((len(octets) + GOLDEN) & BITS)
    for start in range(0, len(octets), 8):
        word = int.from_bytes(octets[start : start + 8], "little")
        h = plain_mix(((h ^ word) + GOLDEN) & BITS)
    return h


def plain_uniform(h: int, key: int, *counters: int) -> float:
    h = plain_mix(h ^ key)
    for counter in counters:
        h = plain_mix((h + GOLDEN * (counter + 1)) & BITS)
    return (h >> 12) / 2**52


def test_the_first_numbers_of_splitmix64_come_out() -> None:
    # the generator's published sequence for seed 0 is mix(G), mix(2 G), ...
    found = hashing._mix(np.array([GOLDEN, 2 * GOLDEN & BITS], np.uint64))
    assert [hex(n) for n in found.tolist()] == ["0xe220a8397b1dcdaf", "0x6e789e6aa1b965f4"]


def test_hashes_never_change() -> None:
    # a control group chosen years ago depends on these
    found = id_hash(pl.Series(["15889", "client-0001", "Ёж", ""]))
    assert found.tolist() == PINNED


PINNED = [4065215020651127203, 10645371156869402753, 15082041437901549535, 16294208416658607535]


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=40), min_size=1, max_size=20))
def test_batches_hash_as_single_ids_do(texts: list[str]) -> None:
    assert id_hash(pl.Series(texts)).tolist() == [plain_hash(text) for text in texts]


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20))
def test_integers_hash_as_their_decimal_text(ids: list[int]) -> None:
    numbers = pl.Series(ids, dtype=pl.Int64)
    assert id_hash(numbers).tolist() == id_hash(numbers.cast(pl.String)).tolist()


def test_blocks_of_any_size_give_the_same_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = pl.Series([f"{'x' * (n % 50)}{n}" for n in range(300)])
    whole = id_hash(ids)
    monkeypatch.setattr(hashing, "_BLOCK_BYTES", 256)
    assert (id_hash(ids) == whole).all()


def test_zero_bytes_at_the_end_are_part_of_the_id() -> None:
    found = id_hash(pl.Series(["a", "a\0", "a\0\0\0\0\0\0\0\0"]))
    assert len(set(found.tolist())) == 3


@given(st.integers(0, BITS), st.integers(0, BITS), st.lists(st.integers(0, 2**31), max_size=3))
def test_numbers_are_those_of_the_definition(h: int, key: int, counters: list[int]) -> None:
    found = uniforms(np.array([h], np.uint64), key, *counters)
    assert found.tolist() == [plain_uniform(h, key, *counters)]


def test_the_largest_number_stays_below_1_when_scaled() -> None:
    top = float(uniforms(np.array([0], np.uint64), 0)[0] * 0 + (2**52 - 1) / 2**52)
    for total in (1.0, 0.1, 3.0, 1e-300, 0.9999999999999999):
        assert top * total < total


def test_numbers_of_consecutive_ids_are_even_and_independent_between_counters() -> None:
    hashes = id_hash(pl.Series(np.arange(200_000)))
    a, b = uniforms(hashes, text_key("a"), 0), uniforms(hashes, text_key("a"), 1)
    c = uniforms(hashes, text_key("b"), 0)
    for u in (a, b, c):
        counts = np.histogram(u, bins=64, range=(0, 1))[0]
        assert stats.chisquare(counts).pvalue > 1e-4
    for x, y in ((a, b), (a, c)):
        assert abs(np.corrcoef(x, y)[0, 1]) < 0.01


def test_a_key_is_blake2b_of_its_text() -> None:
    assert text_key("x") == int.from_bytes(hashlib.blake2b(b"x", digest_size=8).digest(), "little")


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (pl.Series([1.5]), "must be integers or strings, are Float64"),
        (pl.Series(["a", None]), r"must not be null; 1 row\(s\) break it, first: \[1\]"),
    ],
)
def test_other_ids_are_refused(ids: pl.Series, message: str) -> None:
    with pytest.raises(DataError, match=message):
        id_hash(ids)


def test_no_id_has_no_hash() -> None:
    assert id_hash(pl.Series([], dtype=pl.String)).shape == (0,)
