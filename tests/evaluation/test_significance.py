"""Intervals and tests against plain resampling, known cases, laws, and their long-run promise."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nextbest.errors import DataError, InputError
from nextbest.evaluation import significance
from nextbest.evaluation.significance import bootstrap_mean, holm, paired_test

METHODS = ("percentile", "bca")
numbers = st.lists(st.floats(-5, 5).map(lambda x: round(x, 2)), min_size=2, max_size=30)


class TestBootstrap:
    @pytest.mark.parametrize("values", [[0.0, 1.0] * 200, np.random.default_rng(1).normal(size=400)])
    def test_the_interval_is_about_that_of_the_normal_law(self, values: list[float]) -> None:
        found = bootstrap_mean(values, n_resamples=4000, rng=0)
        half = 1.96 * np.std(values) / np.sqrt(len(values))
        assert found.value == pytest.approx(np.mean(values))
        assert found.ci_high - found.value == pytest.approx(half, rel=0.08)
        assert found.value - found.ci_low == pytest.approx(half, rel=0.08)

    def test_few_different_values_and_all_different_ones_take_different_roads_to_one_interval(self) -> None:
        rng = np.random.default_rng(3)
        values = rng.integers(0, 3, size=300).astype(float)
        nudged = values + rng.normal(scale=1e-6, size=300)
        a, b = (
            bootstrap_mean(values, n_resamples=5000, rng=0),
            bootstrap_mean(nudged, n_resamples=5000, rng=0),
        )
        assert (a.ci_low, a.ci_high) == pytest.approx((b.ci_low, b.ci_high), abs=0.015)

    def test_bca_agrees_with_scipy_on_a_skewed_sample(self) -> None:
        values = np.random.default_rng(5).exponential(size=40)
        ours = bootstrap_mean(values, n_resamples=20_000, rng=0, method="bca")
        theirs = stats.bootstrap(
            (values,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(1)
        ).confidence_interval
        assert (ours.ci_low, ours.ci_high) == pytest.approx((theirs.low, theirs.high), abs=0.02)
        assert ours.ci_low > bootstrap_mean(values, n_resamples=20_000, rng=0).ci_low

    @pytest.mark.parametrize("method", METHODS)
    def test_equal_values_have_no_width(self, method: str) -> None:
        found = bootstrap_mean([0.3] * 5, rng=0, method=method)  # type: ignore[arg-type]
        assert (found.value, found.ci_low, found.ci_high) == (0.3, 0.3, 0.3)

    def test_nan_is_left_out_and_counted(self) -> None:
        found = bootstrap_mean([1.0, np.nan, 3.0], rng=0)
        assert (found.value, found.n, found.n_nan) == (2.0, 2, 1)

    def test_the_same_rng_gives_the_same_interval(self) -> None:
        values = np.random.default_rng(0).normal(size=50)
        assert bootstrap_mean(values, rng=4) == bootstrap_mean(values, rng=4)
        assert bootstrap_mean(values, rng=4) != bootstrap_mean(values, rng=5)

    def test_chunks_of_any_size_keep_the_number_of_resamples(self, monkeypatch: pytest.MonkeyPatch) -> None:
        values = np.random.default_rng(0).normal(size=100)
        whole = significance._resampled_means(values, n_resamples=37, gen=np.random.default_rng(0))
        monkeypatch.setattr(significance, "_CHUNK", 1000)
        parts = significance._resampled_means(values, n_resamples=37, gen=np.random.default_rng(0))
        assert whole.shape == parts.shape == (37,)
        assert whole.std() == pytest.approx(0.1, rel=0.5)

    @pytest.mark.parametrize("method", METHODS)
    def test_about_95_of_100_intervals_hold_the_true_mean(self, method: str) -> None:
        rng = np.random.default_rng(11)
        held = 0
        for _ in range(400):
            found = bootstrap_mean(rng.binomial(1, 0.3, size=200), n_resamples=400, rng=rng, method=method)  # type: ignore[arg-type]
            held += found.ci_low <= 0.3 <= found.ci_high
        assert 0.91 <= held / 400 <= 0.98

    @given(values=numbers, shift=st.integers(-3, 3), method=st.sampled_from(METHODS))
    def test_moving_all_values_moves_the_interval(self, values: list[float], shift: int, method: str) -> None:
        before = bootstrap_mean(values, n_resamples=200, rng=1, method=method)  # type: ignore[arg-type]
        after = bootstrap_mean(np.array(values) + shift, n_resamples=200, rng=1, method=method)  # type: ignore[arg-type]
        assert min(values) - 1e-9 <= before.ci_low <= before.ci_high <= max(values) + 1e-9
        for name in ("value", "ci_low", "ci_high"):
            assert getattr(after, name) == pytest.approx(getattr(before, name) + shift, abs=1e-6)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"n_resamples": 0}, "n_resamples"),
            ({"confidence": 1.0}, "confidence"),
            ({"method": "normal"}, "method"),
        ],
    )
    def test_a_wrong_call_names_its_rule(self, arguments: dict[str, object], message: str) -> None:
        with pytest.raises(InputError, match=message):
            bootstrap_mean([1.0, 2.0], rng=0, **arguments)  # type: ignore[arg-type]

    def test_a_table_of_values_is_refused(self) -> None:
        with pytest.raises(InputError, match="one axis"):
            bootstrap_mean([[1.0]], rng=0)

    @pytest.mark.parametrize(
        ("values", "message"), [([], "no number"), ([np.nan], "no number"), ([np.inf], "finite")]
    )
    def test_values_without_a_mean_are_refused(self, values: list[float], message: str) -> None:
        with pytest.raises(DataError, match=message):
            bootstrap_mean(values, rng=0)


def exact_p(difference: list[float]) -> float:
    """All sign patterns, one by one."""
    reached = abs(sum(difference)) - 1e-9
    signs = list(itertools.product([1, -1], repeat=len(difference)))
    return sum(
        abs(sum(s * d for s, d in zip(row, difference, strict=True))) >= reached for row in signs
    ) / len(signs)


class TestPaired:
    @given(difference=st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.1, 0.2, 0.7]), min_size=1, max_size=8))
    def test_few_users_get_the_exact_p_value(self, difference: list[float]) -> None:
        found = paired_test(difference, [0.0] * len(difference), n_resamples=300, rng=0)
        assert found.p_value == pytest.approx(exact_p(difference))

    def test_random_flips_come_near_the_exact_p_value(self) -> None:
        difference = [0.5, 0.2, 0.2, -0.1, 0.4, 0.1, -0.3, 0.2, 0.6, -0.2, 0.1, 0.3]
        found = paired_test(difference, np.zeros(12), n_resamples=4000, rng=0)
        assert found.p_value == pytest.approx(exact_p(difference), abs=0.01)

    def test_different_and_equal_differences_together_come_near_the_exact_p_value(self) -> None:
        difference = [0.5, 0.21, 0.22, -0.1, 0.4, 0.1, -0.3, 0.2, 0.61, -0.2, 0.1, 0.35, -0.05]
        found = paired_test(difference, np.zeros(13), n_resamples=4000, rng=0)
        assert found.p_value == pytest.approx(exact_p(difference), abs=0.01)

    def test_sums_under_random_signs_have_the_spread_of_the_values(self) -> None:
        values = np.random.default_rng(0).random(1001)
        sums = significance._flipped(values, n_resamples=3000, gen=np.random.default_rng(1))
        assert sums.std() == pytest.approx(np.sqrt((values**2).sum()), rel=0.05)
        assert abs(sums.mean()) < 4 * sums.std() / np.sqrt(3000)

    def test_a_clear_difference_is_found_and_never_has_p_zero(self) -> None:
        rng = np.random.default_rng(0)
        b = rng.random(500)
        found = paired_test(b + 0.2 + rng.normal(scale=0.1, size=500), b, n_resamples=1000, rng=0)
        assert found.p_value == pytest.approx(1 / 1001)
        assert found.ci_low < 0.2 < found.ci_high

    def test_pairing_finds_what_two_means_alone_would_not(self) -> None:
        b = np.random.default_rng(0).normal(size=200)
        a = b + 0.05
        assert paired_test(a, b, rng=0).p_value < 0.001
        assert paired_test(a, b[::-1], rng=0).p_value > 0.2

    def test_equal_arrays_do_not_differ(self) -> None:
        found = paired_test([0.1, 0.9], [0.1, 0.9], rng=0)
        assert (found.difference, found.ci_low, found.ci_high, found.p_value) == (0, 0, 0, 1)

    def test_a_pair_with_nan_on_either_side_is_left_out(self) -> None:
        found = paired_test([1.0, np.nan, 1.0, 2.0], [0.0, 0.0, np.nan, 0.0], rng=0)
        assert (found.difference, found.n, found.n_nan) == (1.5, 2, 2)

    def test_without_a_difference_one_test_in_twenty_is_below_005(self) -> None:
        rng = np.random.default_rng(2)
        found = [
            paired_test(*rng.binomial(1, 0.3, size=(2, 100)), n_resamples=200, rng=rng).p_value
            for _ in range(500)
        ]
        assert 0.01 <= np.mean(np.array(found) < 0.05) <= 0.08

    @given(
        values=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=40),
    )
    def test_swapping_the_sides_turns_the_sign_and_keeps_the_p_value(
        self, values: list[tuple[int, int]]
    ) -> None:
        a, b = np.array(values, float).T
        one, other = paired_test(a, b, n_resamples=100, rng=0), paired_test(b, a, n_resamples=100, rng=0)
        assert one.difference == -other.difference
        assert one.p_value == other.p_value

    def test_arrays_of_different_length_are_refused(self) -> None:
        with pytest.raises(InputError, match="shape of a"):
            paired_test([1.0], [1.0, 2.0], rng=0)


class TestHolm:
    def test_by_hand(self) -> None:
        assert holm([0.01, 0.02, 0.03, 0.5]).tolist() == pytest.approx([0.04, 0.06, 0.06, 0.5])

    def test_a_comparison_that_was_not_made_does_not_count(self) -> None:
        found = holm([0.01, np.nan, 0.04])
        assert found[[0, 2]].tolist() == pytest.approx([0.02, 0.04])
        assert np.isnan(found[1])

    @given(p=st.lists(st.floats(0, 1), min_size=1, max_size=10))
    def test_it_lies_between_the_value_and_bonferroni_and_keeps_the_order(self, p: list[float]) -> None:
        found, raw = holm(p), np.array(p)
        assert (found >= raw).all()
        assert (found <= np.minimum(raw * len(p), 1) + 1e-12).all()
        order = np.argsort(raw, kind="stable")
        assert (np.diff(found[order]) >= 0).all()

    def test_a_value_outside_0_1_is_refused(self) -> None:
        with pytest.raises(InputError, match="0-1"):
            holm([1.2])
