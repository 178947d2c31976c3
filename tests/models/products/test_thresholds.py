"""The threshold of expected F1: exact against trying all, and near what labels would have tuned."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nextbest.errors import InputError
from nextbest.models.products.thresholds import NEVER, expected_f1_threshold


def expected_f1(p_NP, weight_N, threshold: float) -> float:
    """By its definition, one threshold."""
    said = p_NP >= threshold
    hits = (p_NP * said * weight_N[:, None]).sum()
    return float(2 * hits / ((said * weight_N[:, None]).sum() + (p_NP * weight_N[:, None]).sum()))


@given(
    arrays(np.float64, (4, 3), elements=st.sampled_from([0.0, 0.01, 0.2, 0.2, 0.5, 1.0])),
    arrays(np.float64, 4, elements=st.sampled_from([1.0, 2.5, 10.0])),
)
def test_no_other_threshold_has_a_higher_expected_f1(p_NP, weight_N) -> None:
    threshold, f1 = expected_f1_threshold(p_NP, weight_N=weight_N)
    if not p_NP.any():
        assert (threshold, f1) == (NEVER, 0.0)
        return
    tried = [expected_f1(p_NP, weight_N, t) for t in np.unique(p_NP[p_NP > 0])]
    assert f1 == pytest.approx(max(tried))
    assert expected_f1(p_NP, weight_N, threshold) == pytest.approx(f1)


def test_the_best_threshold_is_half_of_the_f1_it_reaches() -> None:
    """Lipton, Elkan & Narayanaswamy 2014, theorem 1: probabilities so dense that a threshold lies anywhere."""
    p_NP = np.random.default_rng(0).beta(0.3, 6, (20_000, 5))
    threshold, f1 = expected_f1_threshold(p_NP)
    assert threshold == pytest.approx(f1 / 2, rel=0.01)


def test_labels_drawn_from_the_probabilities_would_tune_nearly_the_same_f1() -> None:
    random = np.random.default_rng(1)
    p_NP = random.beta(0.3, 6, (20_000, 5))
    added_NP = random.random(p_NP.shape) < p_NP
    threshold, _ = expected_f1_threshold(p_NP)

    def f1(t: float) -> float:
        said = p_NP >= t
        return 2 * (said & added_NP).sum() / (said.sum() + added_NP.sum())

    assert f1(threshold) > max(f1(t) for t in np.linspace(0.01, 0.9, 90)) - 0.01


@pytest.mark.parametrize(
    ("p", "weights", "name"),
    [
        ([[1.5]], None, "p_NP"),
        ([[-0.1]], None, "p_NP"),
        ([[np.nan]], None, "p_NP"),
        ([[0.5]], [1.0, 2.0], "weight_N"),
    ],
)
def test_what_is_no_probability_is_refused(p, weights, name) -> None:
    with pytest.raises(InputError, match=name):
        expected_f1_threshold(np.array(p), weight_N=weights)
