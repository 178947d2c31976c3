"""Folds whose training labels know nothing of the test."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.errors import DataError, InputError
from nextbest.market.trading.audit import audit_split
from nextbest.market.verdict.folds import combinatorial, purged, walk_forward


@given(st.integers(8, 40), st.integers(0, 5), st.integers(2, 5), st.integers(0, 4), st.integers(0, 10_000))
def test_no_training_label_shares_a_bar_with_the_test_or_begins_in_the_embargo(n, longest, folds, embargo, seed):  # fmt: skip
    start = np.sort(np.random.default_rng(seed).integers(0, n, size=n))
    end = start + np.random.default_rng(seed + 1).integers(0, longest + 1, size=n)
    tested = []
    for fold in purged(start, end, n_folds=folds, embargo=embargo):
        assert audit_split(start, end, fold.train, fold.test, future_is_allowed=True).passed
        last = end[fold.test].max()
        assert not ((start[fold.train] > last) & (start[fold.train] <= last + embargo)).any()
        assert len(fold.train) + fold.n_purged + fold.n_embargoed + len(fold.test) == n
        tested += fold.test.tolist()
    assert sorted(tested) == list(range(n))


def test_purge_and_embargo_leave_out_the_neighbours():
    bars = np.arange(12)
    middle = list(purged(bars, bars + 2, n_folds=3, embargo=1))[1]
    assert middle.test.tolist() == [4, 5, 6, 7]
    assert middle.train.tolist() == [0, 1, 11]
    assert (middle.n_purged, middle.n_embargoed) == (4, 1)


def test_combinatorial_tests_each_stretch_equally_often():
    bars = np.arange(60)
    folds = list(combinatorial(bars, bars + 1, n_groups=6, n_test=2, embargo=1))
    assert len(folds) == 15
    assert np.bincount(np.concatenate([f.test for f in folds])).tolist() == [5] * 60
    for fold in folds:
        assert audit_split(bars, bars + 1, fold.train, fold.test, future_is_allowed=True).passed


def test_walk_forward_knows_the_past_only():
    bars = np.arange(50)
    folds = list(walk_forward(bars, bars + 3, n_folds=4, min_train=20, embargo=2))
    assert np.concatenate([f.test for f in folds]).tolist() == list(range(20, 50))
    for fold in folds:
        assert audit_split(bars, bars + 3, fold.train, fold.test).passed
        assert fold.train.max() + 3 < fold.test.min() - 2
        assert (fold.n_purged, fold.n_embargoed) == (3, 2)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda b: list(purged(b, b, n_folds=1)), InputError),
        (lambda b: list(purged(b, b, n_folds=3, embargo=-1)), InputError),
        (lambda b: list(combinatorial(b, b, n_groups=3, n_test=3)), InputError),
        (lambda b: list(walk_forward(b, b, n_folds=2, min_train=0)), InputError),
        (lambda b: list(walk_forward(b, b, n_folds=99, min_train=5)), InputError),
        (lambda b: list(walk_forward(b, b, n_folds=2, min_train=5, embargo=-1)), InputError),
        (lambda b: list(purged(b, b - 1, n_folds=3)), DataError),
        (lambda b: list(purged(b[::-1], b[::-1], n_folds=3)), DataError),
        (lambda b: list(purged(b, b[:4], n_folds=3)), DataError),
    ],
)
def test_a_wrong_call_is_refused(call, error):
    with pytest.raises(error):
        call(np.arange(10))
