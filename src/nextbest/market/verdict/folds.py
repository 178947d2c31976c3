"""Splits in time whose training labels know nothing of the test: purged, embargoed, combinatorial, walk forward.

Sample n has a label that is made of the bars [start, end]; sample numbers go with time. Knows no model.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from nextbest.errors import DataError, InputError
from nextbest.market.trading.audit import overlapping

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Fold:
    """Numbers of the samples on each side, ascending."""

    train: IntArray
    test: IntArray
    n_purged: int
    """Training samples left out because their label shares a bar with a test label."""
    n_embargoed: int
    """Training samples left out because they begin within the embargo after a test stretch."""


def purged(
    label_start_N: IntArray, label_end_N: IntArray, *, n_folds: int, embargo: int = 0
) -> Iterator[Fold]:
    """Each of `n_folds` stretches of time as the test once, with purge and embargo on its neighbours.

    Parameters
    ----------
    label_start_N, label_end_N
        First and last bar of each sample's label, start not above end, starts in order of time. Shape (N,).
    n_folds
        2 to N.
    embargo
        Bars after the last bar of a test stretch in which no training sample may begin; 0 or more. Returns that
        depend on each other beyond the label need it.

    Raises
    ------
    InputError
        A number is out of range.
    DataError
        Labels of different lengths, ends before starts, or starts out of order.

    Notes
    -----
    Lopez de Prado 2018, ch. 7.
    """
    yield from combinatorial(label_start_N, label_end_N, n_groups=n_folds, n_test=1, embargo=embargo)


def combinatorial(
    label_start_N: IntArray, label_end_N: IntArray, *, n_groups: int, n_test: int = 2, embargo: int = 0
) -> Iterator[Fold]:
    """All choices of `n_test` of `n_groups` stretches of time as the test; arguments and errors as `purged`.

    Lopez de Prado 2018, ch. 12: every stretch is tested by `comb(n_groups - 1, n_test - 1)` different trainings.
    """
    n = _checked(label_start_N, label_end_N)
    if not 2 <= n_groups <= n:
        raise InputError("n_folds", f"must be 2 to the number of samples, {n}", value=n_groups)
    if not 1 <= n_test < n_groups:
        raise InputError("n_test", f"must be 1 to {n_groups - 1}", value=n_test)
    if embargo < 0:
        raise InputError("embargo", "must be 0 or more", value=embargo)
    groups = np.array_split(np.arange(n), n_groups)
    for chosen in combinations(range(n_groups), n_test):
        test = np.concatenate([groups[g] for g in chosen])
        train = np.setdiff1d(np.arange(n), test)
        kept = np.setdiff1d(train, overlapping(label_start_N, label_end_N, train, test))
        barred = np.zeros(n, bool)
        for group in chosen:
            end = label_end_N[groups[group]].max()
            barred |= (label_start_N > end) & (label_start_N <= end + embargo)
        yield Fold(kept[~barred[kept]], test, len(train) - len(kept), int(barred[kept].sum()))


def walk_forward(
    label_start_N: IntArray,
    label_end_N: IntArray,
    *,
    n_folds: int,
    min_train: int,
    embargo: int = 0,
) -> Iterator[Fold]:
    """The later samples in `n_folds` stretches, each tested by what lies before it; arguments and errors as `purged`.

    Parameters
    ----------
    min_train
        Samples before the first test, 1 or more.
    embargo
        Bars between the end of the last training label and the first test label.
    """
    n = _checked(label_start_N, label_end_N)
    if not 1 <= min_train < n:
        raise InputError("min_train", f"must be 1 to {n - 1}", value=min_train)
    if not 1 <= n_folds <= n - min_train:
        raise InputError("n_folds", f"must be 1 to {n - min_train}", value=n_folds)
    if embargo < 0:
        raise InputError("embargo", "must be 0 or more", value=embargo)
    for test in np.array_split(np.arange(min_train, n), n_folds):
        before = np.arange(test[0])
        start = label_start_N[test].min()
        known = label_end_N[before] < start
        far = label_end_N[before] < start - embargo
        yield Fold(before[far], test, int((~known).sum()), int((known & ~far).sum()))


def _checked(label_start_N: IntArray, label_end_N: IntArray) -> int:
    if len(label_start_N) != len(label_end_N) or not len(label_start_N):
        raise DataError("labels", "must be as many starts as ends, one or more", n_bad=len(label_end_N))
    if (bad := label_end_N < label_start_N).any():
        raise DataError("labels", "must not end before they start", n_bad=int(bad.sum()), examples=np.flatnonzero(bad)[:5].tolist())  # fmt: skip
    if (np.diff(label_start_N) < 0).any() or label_start_N[0] < 0:
        raise DataError(
            "labels", "must start in order of time, from 0 on", remedy="sort the samples by start"
        )
    return len(label_start_N)
