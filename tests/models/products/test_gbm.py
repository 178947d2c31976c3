"""Boosters behind one door: choices against their definition, stacks against single boosters, folders."""

import numpy as np
import pytest

from nextbest.errors import InputError
from nextbest.models.products.base import State
from nextbest.models.products.gbm import (
    GBM,
    BinnedRows,
    GBMConfig,
    choice_bias,
    fit_binary,
    fit_choice,
    fit_count,
    softmax,
)
from nextbest.models.products.stacked import Stacked

CONFIG = GBMConfig(n_trees=6, min_leaf_rows=5, feature_fraction=1.0, l2=0.1)
LIBRARIES = ("lightgbm", "catboost")


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).normal(size=(600, 5)).astype(np.float32)


def binary(x, *, feature=0, library="lightgbm", **changes):
    config = CONFIG.model_copy(update={"library": library, **changes})
    return fit_binary(
        BinnedRows(x, config=config), x[:, feature] > 0, np.ones(len(x)), rng=np.random.default_rng(0)
    )


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_booster_comes_back_from_its_state_bit_for_bit(x, library):
    booster = binary(x, library=library)
    booster.bias_K = booster.bias_K + 0.25
    again = GBM.from_state(booster.state(), library=library)
    assert (again.raw(x) == booster.raw(x)).all()
    assert (again.contributions(x[:50]) == booster.contributions(x[:50])).all()


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_state_that_is_no_booster_is_a_value_error(library):
    name = {"lightgbm": "booster.txt", "catboost": "booster.cbm"}[library]
    with pytest.raises(ValueError, match="is no"):
        GBM.from_state(State({"bias": np.zeros(1)}, {name: b"tree\nnot one"}), library=library)


@pytest.mark.parametrize("library", LIBRARIES)
def test_contributions_and_a_constant_are_the_raw_output(x, library):
    booster = binary(x, library=library)
    rest = booster.raw(x[:100])[:, 0] - booster.contributions(x[:100]).sum(axis=1)
    assert rest == pytest.approx(np.full(100, rest[0]), abs=1e-5)


def test_early_stopping_keeps_the_best_trees_only(x):
    noise = np.random.default_rng(1).random(600) < 0.5
    config = CONFIG.model_copy(update={"n_trees": 60, "early_stopping": 2})
    valid = (x[300:], noise[300:].astype(np.float32), np.ones(300))
    binned = BinnedRows(x[:300], config=config)
    booster = fit_binary(binned, noise[:300], np.ones(300), rng=np.random.default_rng(0), valid=valid)
    assert booster.booster.num_trees() < 60


def test_rows_of_a_subset_are_the_only_ones_learned_from(x):
    rows = np.arange(0, 600, 2)
    part = fit_binary(
        BinnedRows(x, config=CONFIG), x[rows, 0] > 0, np.ones(300), rng=np.random.default_rng(0), rows=rows
    )
    assert ((part.raw(x[rows])[:, 0] > 0) == (x[rows, 0] > 0)).mean() > 0.97
    assert part.booster.dump_model()["tree_info"][0]["tree_structure"]["internal_count"] == 300


def test_boosters_asked_as_one_answer_as_each_alone(x):
    boosters = [binary(x, feature=f, n_trees=n) for f, n in ((0, 6), (1, 2), (2, 4))]
    for at, booster in enumerate(boosters):
        booster.bias_K = booster.bias_K + at
    assert Stacked(boosters).raw(x) == pytest.approx(np.column_stack([b.raw(x)[:, 0] for b in boosters]))


def test_a_stack_of_none_one_and_of_catboost_answers_too(x):
    assert Stacked([]).raw(x).shape == (600, 0)
    one = binary(x)
    assert (Stacked([one]).raw(x) == one.raw(x)).all()
    cats = [binary(x, feature=f, library="catboost") for f in (0, 1)]
    assert (Stacked(cats).raw(x[:9]) == np.column_stack([c.raw(x[:9])[:, 0] for c in cats])).all()


def test_a_product_without_a_split_is_a_constant_in_a_stack(x):
    binned = BinnedRows(x, config=CONFIG.model_copy(update={"min_leaf_rows": 1000}))
    flat = fit_binary(binned, x[:, 0] > 1, np.ones(600), rng=np.random.default_rng(0))
    both = Stacked([flat, binary(x)]).raw(x)
    share = (x[:, 0] > 1).mean()
    assert both[:, 0] == pytest.approx(np.log(share / (1 - share)))
    assert both[:, 1] == pytest.approx(binary(x).raw(x)[:, 0])


def test_the_bias_of_choices_gives_the_observed_shares_where_different_things_are_possible():
    rng = np.random.default_rng(0)
    can = rng.random((4000, 4)) < 0.7
    can[:, 0] = True
    true = np.array([0.5, -1.0, 0.3, -2.0])
    p = softmax(np.where(can, true, -np.inf))
    picked = (p.cumsum(axis=1) > rng.random((4000, 1))).argmax(axis=1)
    target = np.eye(4)[picked]
    bias = choice_bias(target, can, np.ones(4000), n_rounds=200)
    assert softmax(np.where(can, bias, -np.inf)).sum(axis=0) == pytest.approx(target.sum(axis=0), rel=1e-6)
    assert bias - bias[0] == pytest.approx(true - true[0], abs=0.15)


def test_softmax_of_nothing_possible_is_nothing():
    assert softmax(np.full((1, 3), -np.inf)).tolist() == [[0, 0, 0]]


def test_one_round_of_choices_goes_against_the_gradient_of_the_masked_loss(x):
    """A leaf's value is minus the sum of gradients over the sum of hessians, worked out by hand here."""
    can = np.ones((600, 3), bool)
    can[::3, 2] = False
    target = np.zeros((600, 3))
    target[np.arange(600), np.where(x[:, 0] > 0, 1, 0)] = 1
    config = CONFIG.model_copy(
        update={"n_trees": 1, "max_leaves": 2, "l2": 0.0, "learning_rate": 1.0, "min_leaf_hessian": 0.0}
    )
    binned = BinnedRows(x, config=config)
    booster = fit_choice(binned, target, can, np.ones(600), rng=np.random.default_rng(0))
    bias = choice_bias(target, can, np.ones(600))
    p = softmax(np.where(can, bias, -np.inf))
    raw = booster.raw(x) - bias
    for output in (0, 1, 2):
        for value in np.unique(raw[:, output]):
            leaf = raw[:, output] == value
            gradient = (p - target)[leaf, output].sum()
            hessian = (p * (1 - p))[leaf, output].sum()
            assert value == pytest.approx(-gradient / hessian, rel=1e-4, abs=1e-6)


def test_catboost_learns_choices_too(x):
    target = np.zeros((600, 3))
    target[np.arange(600), np.where(x[:, 0] > 0, 1, 2)] = 1
    config = CONFIG.model_copy(update={"library": "catboost", "n_trees": 10})
    binned = BinnedRows(x, config=config)
    booster = fit_choice(binned, target, np.ones((600, 3), bool), np.ones(600), rng=np.random.default_rng(0))
    assert (booster.raw(x).argmax(axis=1) == target.argmax(axis=1)).mean() > 0.95


@pytest.mark.parametrize("library", LIBRARIES)
def test_counts_are_expected_counts(x, library):
    counts = np.random.default_rng(0).poisson(np.where(x[:, 0] > 0, 2.0, 0.2))
    config = CONFIG.model_copy(update={"library": library, "n_trees": 120})
    booster = fit_count(BinnedRows(x, config=config), counts, np.ones(600), rng=np.random.default_rng(0))
    expected = np.exp(booster.raw(x)[:, 0])
    assert expected[x[:, 0] > 0].mean() == pytest.approx(counts[x[:, 0] > 0].mean(), rel=0.15)
    assert expected[x[:, 0] <= 0].mean() == pytest.approx(counts[x[:, 0] <= 0].mean(), rel=0.3)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_that_is_not_installed_is_said_with_the_way_out(monkeypatch, x, library):
    monkeypatch.setitem(__import__("sys").modules, library, None)
    with pytest.raises(InputError, match=rf"{library} is not installed; install nextbest\["):
        binary(x, library=library)
