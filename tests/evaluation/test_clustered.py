"""Intervals over customers: a plain bootstrap of customers, known cases, and their long-run promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.errors import DataError, InputError
from nextbest.evaluation import clustered
from nextbest.evaluation.clustered import (
    bootstrap_clustered_mean,
    clustered_paired_test,
    linearised_interval,
    ratio_interval,
)
from nextbest.evaluation.significance import bootstrap_mean, paired_test


def alike_months(rng: np.random.Generator, n: int, *, few: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Values of customers with one to four months, alike inside a customer, and who each row is."""
    sizes = rng.integers(1, 5, n)
    who = np.repeat(rng.permutation(10 * n)[:n], sizes)  # ids with gaps, in no order
    level = np.repeat(rng.random(n), sizes)
    values = (rng.random(len(who)) < level).astype(float)
    return (values if few else values + rng.normal(scale=0.01, size=len(who))), who


@pytest.mark.parametrize("few", [True, False], ids=["few different values", "all different"])
def test_the_interval_is_that_of_drawing_whole_customers(few: bool) -> None:
    values, who = alike_months(np.random.default_rng(0), 200, few=few)
    ours = bootstrap_clustered_mean(values, clusters=who, n_resamples=4000, rng=1)
    rng, different = np.random.default_rng(2), np.unique(who)
    rows = [np.flatnonzero(who == one) for one in different]
    drawn = []
    for _ in range(2000):
        chosen = np.concatenate([rows[i] for i in rng.integers(0, len(rows), len(rows))])
        drawn.append(values[chosen].mean())
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert (ours.ci_low, ours.ci_high) == (pytest.approx(low, abs=0.008), pytest.approx(high, abs=0.008))
    assert ours.value == pytest.approx(values.mean())
    assert (ours.n, ours.n_clusters) == (len(values), 200)


def test_months_of_one_customer_make_the_interval_wider() -> None:
    rng = np.random.default_rng(0)
    values = np.repeat(rng.random(300), 4)
    together = bootstrap_clustered_mean(values, clusters=np.repeat(np.arange(300), 4), rng=0)
    apart = bootstrap_mean(values, rng=0)
    ratio = (together.ci_high - together.ci_low) / (apart.ci_high - apart.ci_low)
    assert ratio == pytest.approx(2, rel=0.15)  # four equal rows are one


def test_customers_with_one_row_each_are_the_plain_bootstrap() -> None:
    values = np.random.default_rng(0).normal(size=400)
    ours = bootstrap_clustered_mean(values, clusters=np.arange(400), n_resamples=4000, rng=0)
    plain = bootstrap_mean(values, n_resamples=4000, rng=1)
    assert ours.ci_low == pytest.approx(plain.ci_low, abs=0.01)
    assert ours.ci_high == pytest.approx(plain.ci_high, abs=0.01)


def test_about_95_of_100_intervals_hold_the_true_mean() -> None:
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(300):
        values, who = alike_months(rng, 120, few=True)
        found = bootstrap_clustered_mean(values, clusters=who, n_resamples=300, rng=rng)
        held += found.ci_low <= 0.5 <= found.ci_high
    assert 0.91 <= held / 300 <= 0.98


def test_nan_rows_are_left_out_and_counted() -> None:
    found = bootstrap_clustered_mean([1.0, np.nan, 0.0], clusters=[1, 1, 2], rng=0)
    assert (found.value, found.n, found.n_nan, found.n_clusters) == (0.5, 2, 1, 2)


@given(seed=st.integers(0, 1000), shift=st.integers(-(10**12), 10**12))
def test_names_of_customers_change_nothing(seed: int, shift: int) -> None:
    values, who = alike_months(np.random.default_rng(seed), 12)
    plain = bootstrap_clustered_mean(
        values, clusters=np.unique(who, return_inverse=True)[1], n_resamples=50, rng=0
    )
    far = bootstrap_clustered_mean(values, clusters=who.astype(np.int64) + shift, n_resamples=50, rng=0)
    assert (plain.ci_low, plain.ci_high) == (pytest.approx(far.ci_low), pytest.approx(far.ci_high))


def test_chunks_keep_the_number_of_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clustered, "_CHUNK", 100)
    for top in (np.arange(40.0), np.tile([0.0, 1.0], 20)):
        drawn = clustered._drawn_ratios(top, np.ones(40), n_resamples=37, gen=np.random.default_rng(0))
        assert drawn.shape == (37,)
        assert drawn.std() > 0


class TestRatio:
    def test_equal_pairs_have_no_width(self) -> None:
        found = ratio_interval([1.0, 1.0], [2.0, 2.0], rng=0)
        assert (found.value, found.ci_low, found.ci_high) == (0.5, 0.5, 0.5)

    @pytest.mark.parametrize(
        ("top", "bottom", "error", "rule"),
        [
            ([1.0], [-1.0], DataError, "denominators >= 0"),
            ([np.inf], [1.0], DataError, "finite"),
            ([1.0, 2.0], [0.0, 0.0], DataError, "0 for every customer"),
            ([1.0, 2.0], [1.0], InputError, "one axis of numerator"),
        ],
    )
    def test_bad_pairs_are_named(
        self, top: list[float], bottom: list[float], error: type[Exception], rule: str
    ) -> None:
        with pytest.raises(error, match=rule):
            ratio_interval(top, bottom, rng=0)

    def test_options_out_of_range_are_refused(self) -> None:
        with pytest.raises(InputError, match="n_resamples"):
            ratio_interval([1.0], [1.0], n_resamples=0, rng=0)
        with pytest.raises(InputError, match="confidence"):
            ratio_interval([1.0], [1.0], confidence=1.0, rng=0)


class TestPaired:
    def test_flipping_customers_is_flipping_their_sums(self) -> None:
        a, b = [1.0, 1.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0]
        ours = clustered_paired_test(a, b, clusters=[1, 1, 2, 3], rng=0)
        sums = paired_test([2.0, 0.0, 1.0], [0.0, 0.0, 0.0], rng=0)
        assert ours.p_value == sums.p_value == 0.5
        assert (ours.difference, ours.n) == (0.75, 3)

    def test_equal_rows_of_few_customers_prove_nothing(self) -> None:
        a, who = np.ones(40), np.repeat([1, 2], 20)
        assert paired_test(a, np.zeros(40), rng=0).p_value < 0.001
        assert clustered_paired_test(a, np.zeros(40), clusters=who, rng=0).p_value == 0.5

    def test_a_pair_with_nan_is_left_out(self) -> None:
        found = clustered_paired_test([1.0, np.nan], [0.0, 0.0], clusters=[1, 2], rng=0)
        assert (found.n, found.n_nan) == (1, 1)
        with pytest.raises(DataError, match="no number"):
            clustered_paired_test([np.nan], [1.0], clusters=[1], rng=0)


class TestLinearised:
    def test_of_a_mean_it_is_the_normal_interval(self) -> None:
        values = np.random.default_rng(0).normal(size=500)
        found = linearised_interval(values.mean(), (values - values.mean()) / 500)
        assert found.ci_high - found.value == pytest.approx(1.96 * values.std() / np.sqrt(500), rel=1e-3)

    def test_it_is_cut_where_the_statistic_ends(self) -> None:
        found = linearised_interval(0.9, [0.5, -0.5], clusters=[1, 2], low=0.0, high=1.0)
        assert (found.ci_low, found.ci_high) == (0.0, 1.0)


def test_broken_arguments_are_named() -> None:
    with pytest.raises(InputError, match="clusters: must be 2 integers"):
        bootstrap_clustered_mean([1.0, 2.0], clusters=[0.5, 1.0], rng=0)
    with pytest.raises(InputError, match="clusters: must be 2 integers"):
        bootstrap_clustered_mean([1.0, 2.0], clusters=[1], rng=0)
    with pytest.raises(InputError, match="one axis"):
        bootstrap_clustered_mean([[1.0]], clusters=[[1]], rng=0)
    with pytest.raises(DataError, match="no number"):
        bootstrap_clustered_mean([np.nan], clusters=[1], rng=0)
