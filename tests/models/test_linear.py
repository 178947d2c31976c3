"""EASE and truncated SVD: against textbook dense algebra."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from contracts.recommender import random_log
from nextbest.data.interactions import Histories
from nextbest.errors import InputError, NotFittedError
from nextbest.models import make_model
from nextbest.models.ease import EASE


@pytest.mark.parametrize("values", ["binary", "weight"])
def test_ease_is_the_closed_form_of_the_paper(values):
    log = random_log()
    model = make_model("ease", {"regularization": 3.0, "values": values}).fit(log)
    X = log.histories.to_csr(log.n_items, binary=values == "binary").toarray().astype(float)
    P = np.linalg.inv(X.T @ X + 3.0 * np.eye(log.n_items))
    B = P / -np.diag(P)
    np.fill_diagonal(B, 0)
    assert_allclose(model.item_weights_, B, atol=1e-6)
    scores = model.score(log.histories)
    finite = np.isfinite(scores)
    assert_allclose(scores[finite], (X @ B)[finite], atol=1e-5)
    assert_allclose(finite, np.tile(log.item_counts > 0, (log.n_users, 1)))


def test_each_column_of_ease_is_a_ridge_regression_on_the_other_items():
    log = random_log()
    model = make_model("ease", {"regularization": 3.0}).fit(log)
    X = log.histories.to_csr(log.n_items, binary=True).toarray().astype(float)
    others = [i for i in range(log.n_items) if i != 4]
    A = X[:, others]
    ridge = np.linalg.solve(A.T @ A + 3.0 * np.eye(len(others)), A.T @ X[:, 4])
    assert_allclose(model.item_weights_[others, 4], ridge, atol=1e-6)


def test_ease_refuses_a_catalogue_that_does_not_fit_in_memory_and_names_other_models():
    log = random_log(n_items=25)
    with pytest.raises(InputError, match=r"EASE needs .* MB for 300 items, max_memory_mb is 1; .*item_knn"):
        make_model("ease", {"max_memory_mb": 1}).fit(random_log(n_items=300))
    assert EASE.memory_mb(25) < 1
    # 8 bytes a cell of the Gram matrix, beside it the sparse product (12) or the weights (4)
    assert EASE.memory_mb(1000) == 20
    assert EASE.memory_mb(1000, n_pairs=10) == 12
    make_model("ease", {"max_memory_mb": 1}).fit(log)


def test_a_refused_fit_leaves_an_unfitted_model():
    model = make_model("ease", {"max_memory_mb": 1})
    with pytest.raises(InputError):
        model.fit(random_log(n_items=300))
    with pytest.raises(NotFittedError):
        model.score(Histories.from_lists([[0]]))


def test_similar_items_of_ease_are_alike_in_both_directions():
    log = random_log()
    model = make_model("ease", {"regularization": 3.0}).fit(log)
    B = model.item_weights_
    best = model.similar_items(np.array([2]), k=1)
    both = (B[2] + B[:, 2]) / 2
    assert best.item_idx[0, 0] == both.argmax()
    assert best.score[0, 0] == pytest.approx(both.max())


@pytest.mark.parametrize(("n_users", "n_items", "dim"), [(60, 25, 5), (60, 25, 20), (12, 40, 9), (12, 40, 3)])
@pytest.mark.parametrize("item_power", [0.0, 0.5])
def test_svd_is_the_truncated_dense_decomposition(n_users, n_items, dim, item_power):
    log = random_log(n_users=n_users, n_items=n_items)
    model = make_model("svd", {"embedding_dim": dim, "item_power": item_power}).fit(log)
    X = log.histories.to_csr(n_items, binary=True).toarray().astype(float)
    norm = np.linalg.norm(X, axis=0)
    X = X / np.where(norm > 0, norm, 1) ** item_power
    _, _, Vt = np.linalg.svd(X, full_matrices=False)
    scores = model.score(log.histories)
    finite = np.isfinite(scores)
    assert_allclose(scores[finite], (X @ Vt[:dim].T @ Vt[:dim])[finite], atol=1e-4)


def test_svd_keeps_no_more_directions_than_the_log_has():
    log = random_log(n_users=4)
    model = make_model("svd", {"embedding_dim": 64}).fit(log)
    X = log.histories.to_csr(log.n_items, binary=True).toarray()
    assert model.item_vectors_.shape[1] == np.linalg.matrix_rank(X)
