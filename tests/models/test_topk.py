"""Exact selection: against a plain sort, with ties and gaps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array

from nextbest.models import topk
from nextbest.models.topk import keep_best, select_top_k, select_top_k_sparse

values = st.sampled_from([-np.inf, -2.0, -0.0, 0.0, 1.0, 1.5, 3.0])


def slow_top_k(scores, k):
    """Row by row, with Python's own sort."""
    items, best = [], []
    for row in scores.tolist():
        order = sorted((-s, i) for i, s in enumerate(row) if s > -np.inf)[:k]
        items.append([i for _, i in order] + [-1] * (k - len(order)))
        best.append([-s for s, _ in order] + [-np.inf] * (k - len(order)))
    return np.array(items).reshape(len(scores), k), np.array(best, np.float32).reshape(len(scores), k)


@given(
    arrays(np.float32, st.tuples(st.integers(0, 5), st.integers(0, 40)), elements=values), st.integers(1, 45)
)
def test_select_top_k_is_a_stable_sort_cut_at_k(scores, k):
    best = select_top_k(scores, k=k)
    items, values = slow_top_k(scores, k)
    assert_array_equal(best.item_idx, items)
    assert_array_equal(best.score, values)


@pytest.mark.parametrize(("n_items", "k"), [(5000, 1), (5000, 10), (5000, 77), (3000, 3000), (2051, 4)])
def test_select_top_k_is_exact_where_groups_bound_the_scores(n_items, k):
    rng = np.random.default_rng(n_items + k)
    scores = rng.integers(0, 900, (7, n_items)).astype(np.float32)  # many ties
    scores[rng.random(scores.shape) < 0.2] = -np.inf
    scores[3] = -np.inf
    scores[4, 9:] = -np.inf
    best = select_top_k(scores, k=k)
    items, values = slow_top_k(scores, k)
    assert_array_equal(best.item_idx, items)
    assert_array_equal(best.score, values)


def test_select_top_k_of_equal_scores_are_the_first_columns():
    assert select_top_k(np.zeros((2, 6000), np.float32), k=3).item_idx.tolist() == [[0, 1, 2]] * 2


def test_select_top_k_keeps_extreme_finite_scores():
    big = np.finfo(np.float32)
    best = select_top_k(np.array([[big.min, -big.tiny, big.max]], np.float32), k=3)
    assert best.item_idx.tolist() == [[2, 1, 0]]
    assert_array_equal(best.score, np.array([[big.max, -big.tiny, big.min]], np.float32))


@given(
    arrays(np.float32, (6, 30), elements=st.sampled_from([0.0, 0.5, 1.0, 7.0])),
    st.integers(1, 12),
    st.sampled_from([1, 40, 1 << 20]),
)
def test_sparse_selection_agrees_with_dense_selection(matrix, k, cells):
    before, topk.BLOCK_CELLS = topk.BLOCK_CELLS, cells
    try:
        sparse = select_top_k_sparse(csr_array(matrix), k=k)
    finally:
        topk.BLOCK_CELLS = before
    dense = select_top_k(np.where(matrix > 0, matrix, -np.inf).astype(np.float32), k=k)
    assert_array_equal(sparse.item_idx, dense.item_idx)
    assert_array_equal(sparse.score, dense.score)


def test_sparse_selection_never_chooses_stored_zeros_or_negative_values():
    matrix = csr_array((np.array([0.0, -1.0, 2.0], np.float32), [0, 1, 2], [0, 3]), shape=(1, 4))
    assert select_top_k_sparse(matrix, k=3).item_idx.tolist() == [[2, -1, -1]]


def test_keep_best_keeps_the_largest_of_each_row_and_drops_zeros():
    matrix = csr_array(np.array([[1, 3, 2, 3], [0, 0, 0, 0], [5, 0, 0, 0]], np.float32))
    kept = keep_best(matrix, n=2)
    assert kept.toarray().tolist() == [[0, 3, 0, 3], [0, 0, 0, 0], [5, 0, 0, 0]]
    assert kept.nnz == 3


def test_keep_best_leaves_a_matrix_alone_that_is_narrow_enough():
    matrix = csr_array(np.eye(3, dtype=np.float32))
    assert keep_best(matrix, n=1) is matrix
    assert keep_best(csr_array((3, 3), dtype=np.float32), n=1).nnz == 0


@pytest.mark.parametrize(("n_items", "rows"), [(0, 1 << 20), (1, 1 << 20), (1 << 19, 2), (1 << 22, 1)])
def test_a_block_holds_a_bounded_number_of_scores_but_one_row_at_least(n_items, rows):
    assert topk.block_size(n_items) == rows
