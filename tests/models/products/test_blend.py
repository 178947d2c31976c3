"""Weights of a blend: found where members differ, even where they don't; ownership from adds and drops."""

import numpy as np
import pytest

from nextbest.errors import InputError
from nextbest.models.products.base import logit, sigmoid
from nextbest.models.products.blend import BlendConfig, blended, fit_weights
from nextbest.models.products.ownership import own_next_month


def test_a_blend_is_the_mean_of_log_odds():
    a, b = np.array([[0.2, 0.5]]), np.array([[0.6, 0.1]])
    expected = sigmoid(0.25 * logit(a) + 0.75 * logit(b))
    assert blended([a, b], np.array([0.25, 0.75])) == pytest.approx(expected)


def test_what_a_member_with_weight_calls_impossible_is_impossible():
    a, b = np.array([[0.2, 0.0]]), np.array([[0.6, 0.4]])
    assert blended([a, b], np.array([0.5, 0.5]))[0, 1] == 0
    assert blended([a, b], np.array([0.0, 1.0]))[0].tolist() == pytest.approx([0.6, 0.4])


def test_one_member_is_itself():
    p = np.array([[0.2, 0.0]])
    assert blended([p], np.array([1.0])).tolist() == p.astype(np.float32).tolist()


def test_weights_must_fit():
    with pytest.raises(InputError, match="2 weights that sum to 1"):
        blended([np.ones((1, 1))] * 2, np.array([0.5, 0.6]))
    with pytest.raises(InputError, match="at least one member"):
        fit_weights([], np.zeros(0, np.uint32))


def test_a_member_that_knows_gets_the_weight_and_one_that_guesses_none():
    gen = np.random.default_rng(0)
    wanted = gen.integers(0, 5, 3000)
    knows = np.where(np.arange(5) == wanted[:, None], 0.4, 0.1)
    guesses = gen.random((3000, 5)) * 0.98 + 0.01
    added = (1 << wanted).astype(np.uint32)
    assert fit_weights([guesses, knows], added).tolist() == [0, 1]


def test_members_that_know_different_halves_share_the_weight():
    gen = np.random.default_rng(0)
    wanted = gen.integers(0, 6, 4000)
    right = np.where(np.arange(6) == wanted[:, None], 0.5, 0.1)
    noise = gen.uniform(0.1, 0.5, (2, 4000, 6))
    first = np.where(wanted[:, None] < 3, right, noise[0])
    second = np.where(wanted[:, None] >= 3, right, noise[1])
    weights = fit_weights([first, second], (1 << wanted).astype(np.uint32))
    assert 0.25 <= weights[0] <= 0.75


def test_equal_members_and_a_month_without_additions_give_equal_weights():
    p = np.random.default_rng(0).random((50, 4))
    added = np.full(50, 2, np.uint32)
    assert fit_weights([p, p], added).tolist() == [0.5, 0.5]
    assert fit_weights([p, 1 - p], np.zeros(50, np.uint32)).tolist() == [0.5, 0.5]
    assert fit_weights([p], added).tolist() == [1.0]


def test_weights_lie_on_the_grid():
    gen = np.random.default_rng(3)
    p = gen.random((3, 200, 5))
    weights = fit_weights(
        list(p), (1 << gen.integers(0, 5, 200)).astype(np.uint32), config=BlendConfig(steps=3)
    )
    assert weights.sum() == pytest.approx(1)
    assert np.allclose(weights * 3, np.round(weights * 3))


def test_owners_keep_or_drop_and_the_others_may_add():
    add, drop = np.array([[0.1, 0.2], [0.3, 0.0]]), np.array([[0.0, 0.4], [0.0, 0.6]])
    own = own_next_month(add, drop, np.array([0b10, 0b10], np.uint32))
    assert own == pytest.approx(np.array([[0.1, 0.6], [0.3, 0.4]]))


def test_probabilities_of_other_clients_are_refused():
    with pytest.raises(InputError, match="p_drop_NP"):
        own_next_month(np.zeros((2, 3)), np.zeros((2, 2)), np.zeros(2, np.uint32))
