"""Calibration against plain loops, scikit-learn and known laws; expected counts against plain convolution."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from nextbest.errors import DataError, InputError
from nextbest.evaluation.calibration import (
    brier_score,
    calibration_error,
    calibration_line,
    reliability_table,
    wilson_interval,
)
from nextbest.evaluation.expected_counts import (
    CalibrationCounts,
    chance_within,
    poisson_binomial_interval,
    share_within,
)
from nextbest.evaluation.per_product import product_metrics

BINNINGS = ("mass", "width", "expected")


def sample(seed: int, n: int, *, levels: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, few or many different ones, and outcomes drawn from them."""
    rng = np.random.default_rng(seed)
    p = rng.integers(0, levels + 1, n) / levels if levels else rng.beta(0.5, 5, n)
    return p, (rng.random(n) < p).astype(float)


class TestError:
    @given(seed=st.integers(0, 10_000), n=st.integers(1, 40), n_bins=st.integers(1, 12))
    def test_bins_of_equal_width_equal_a_plain_loop(self, seed: int, n: int, n_bins: int) -> None:
        p, y = sample(seed, n)
        bins = [[] for _ in range(n_bins)]  # type: ignore[var-annotated]
        for one, happened in zip(p, y, strict=True):
            bins[min(int(one * n_bins), n_bins - 1)].append((one, happened))
        gaps = [abs(sum(a for a, _ in b) - sum(c for _, c in b)) for b in bins]
        found = calibration_error(p, y, n_bins=n_bins, binning="width")
        assert found.ece == pytest.approx(sum(gaps) / n)
        assert found.n_bins == sum(len(b) > 0 for b in bins)
        if y.any():
            assert found.relative == pytest.approx(sum(gaps) / y.sum())

    @given(seed=st.integers(0, 10_000), n_bins=st.integers(1, 10))
    def test_bins_of_equal_mass_are_equal_parts_of_the_sorted_rows(self, seed: int, n_bins: int) -> None:
        p, y = sample(seed, 10 * n_bins)
        order = np.argsort(p)
        parts = np.array_split(order, n_bins)
        gap = sum(abs(p[part].sum() - y[part].sum()) for part in parts)
        assert calibration_error(p, y, n_bins=n_bins).ece == pytest.approx(gap / len(p))
        assert reliability_table(p, y, n_bins=n_bins)["n"].to_list() == [10] * n_bins

    def test_bins_of_equal_expectation_expect_as_much_each(self) -> None:
        p, y = sample(0, 5000)
        table = reliability_table(p, y, n_bins=5, binning="expected")
        assert table["expected"].to_numpy() == pytest.approx(np.full(5, p.sum() / 5), rel=0.02)
        assert (np.diff(table["n"].to_numpy()) < 0).all()

    @pytest.mark.parametrize("binning", BINNINGS)
    def test_equal_probabilities_share_a_bin(self, binning: str) -> None:
        table = reliability_table([0.2] * 7, [0, 1, 0, 0, 0, 0, 0], binning=binning)  # type: ignore[arg-type]
        assert table["n"].to_list() == [7]

    def test_where_nothing_is_expected_all_rows_are_one_bin(self) -> None:
        assert reliability_table([0.0, 0.0], [0, 1], binning="expected")["n"].to_list() == [2]

    @given(seed=st.integers(0, 1000), binning=st.sampled_from(BINNINGS))
    def test_rows_grouped_by_weight_say_the_same(self, seed: int, binning: str) -> None:
        p, y = sample(seed, 60, levels=7)
        levels, index = np.unique(p, return_inverse=True)
        n = np.bincount(index).astype(float)
        rate = np.bincount(index, y) / n
        each = calibration_error(p, y, n_bins=4, binning=binning)  # type: ignore[arg-type]
        grouped = calibration_error(levels, rate, weight=n, n_bins=4, binning=binning)  # type: ignore[arg-type]
        assert grouped.ece == pytest.approx(each.ece)
        assert brier_score(levels, rate, weight=n) == pytest.approx(brier_score(p, y))

    @given(seed=st.integers(0, 1000), n_bins=st.integers(1, 30), binning=st.sampled_from(BINNINGS))
    def test_bins_only_hide_the_error_of_the_whole_is_the_least(
        self, seed: int, n_bins: int, binning: str
    ) -> None:
        p, y = sample(seed, 50)
        found = calibration_error(p, y, n_bins=n_bins, binning=binning)  # type: ignore[arg-type]
        assert found.ece >= abs(p.mean() - y.mean()) - 1e-12

    def test_equal_width_doesn_t_see_what_equal_mass_sees_where_events_are_rare(self) -> None:
        # 99 % of the clients: said 0.2 %, came 0.1 %; the last 1 %: said 0.3 %, came 10 %; the sums agree
        p = np.r_[np.full(9900, 0.002), np.full(100, 0.003)]
        y = np.zeros(10_000)
        y[:10], y[-10:] = 1, 1
        assert calibration_error(p, y, n_bins=10, binning="width").ece < 2e-4
        assert calibration_error(p, y, n_bins=100).ece > 1.5e-3

    def test_nobody_adds_has_an_ece_of_the_base_rate_and_a_relative_error_of_1(self) -> None:
        found = calibration_error(np.zeros(1000), (np.arange(1000) < 2).astype(float))
        assert (found.ece, found.relative) == (0.002, 1.0)

    def test_without_events_there_is_no_relative_error(self) -> None:
        assert np.isnan(calibration_error([0.1], [0]).relative)


class TestScoresAndLine:
    def test_brier_equals_scikit_learn(self) -> None:
        p, y = sample(1, 300)
        assert brier_score(p, y) == pytest.approx(brier_score_loss(y, p))

    @pytest.mark.parametrize(("slope", "shift"), [(1.0, 0.0), (0.5, 0.3), (1.6, -1.0)])
    def test_line_equals_scikit_learn_s_unpenalised_logistic_regression(
        self, slope: float, shift: float
    ) -> None:
        rng = np.random.default_rng(3)
        x = rng.normal(-2, 1.5, 4000)
        y = (rng.random(4000) < 1 / (1 + np.exp(-(shift + slope * x)))).astype(float)
        found = calibration_line(1 / (1 + np.exp(-x)), y)
        theirs = LogisticRegression(C=np.inf, tol=1e-9).fit(x[:, None], y)
        assert found.slope == pytest.approx(theirs.coef_[0, 0], abs=1e-4)
        assert found.intercept == pytest.approx(theirs.intercept_[0], abs=1e-4)
        assert found.slope == pytest.approx(slope, abs=0.1)

    def test_shift_makes_expected_equal_observed(self) -> None:
        p, y = sample(4, 2000)
        shift = calibration_line(p / 3, y).shift
        odds = (p / 3) / (1 - p / 3) * np.exp(shift)
        assert (odds / (1 + odds)).sum() == pytest.approx(y.sum())

    def test_what_can_t_be_fitted_is_nan(self) -> None:
        nothing = calibration_line([0.1, 0.2], [0, 0])
        assert np.isnan([nothing.slope, nothing.intercept, nothing.shift]).all()
        flat = calibration_line([0.1, 0.1], [0, 1])
        assert np.isnan(flat.slope)
        assert flat.shift == pytest.approx(np.log(9))
        assert np.isnan(calibration_line([0.1, 0.1, 0.9, 0.9], [0, 0, 1, 1]).slope)

    @given(yes=st.integers(0, 30), more=st.integers(0, 30))
    def test_wilson_equals_scipy(self, yes: int, more: int) -> None:
        if yes + more == 0:
            assert np.isnan(wilson_interval(0, 0)).all()
            return
        theirs = stats.binomtest(yes, yes + more).proportion_ci(method="wilson")
        low, high = wilson_interval(yes, yes + more)
        assert (float(low), float(high)) == (pytest.approx(theirs.low), pytest.approx(theirs.high))

    @pytest.mark.parametrize(
        ("p", "y", "w", "rule"),
        [
            ([1.1], [0], None, r"probability: must lie in 0-1, not NaN; 1 row\(s\)"),
            ([np.nan], [0], None, "probability"),
            ([0.5], [2], None, "outcome"),
            ([0.5], [0], [-1], "weight"),
            ([0.5], [0], [0], "no row"),
            ([], [], None, "no row"),
        ],
    )
    def test_bad_values_are_named(self, p: list[float], y: list[float], w: list[float], rule: str) -> None:
        with pytest.raises(DataError, match=rule):
            calibration_error(p, y, weight=w)

    def test_bad_options_are_named(self) -> None:
        with pytest.raises(InputError, match="n_bins"):
            calibration_error([0.5], [0], n_bins=0)
        with pytest.raises(InputError, match="binning"):
            calibration_error([0.5], [0], binning="log")  # type: ignore[arg-type]
        with pytest.raises(InputError, match="outcome"):
            calibration_error([0.5], [0, 1])
        with pytest.raises(InputError, match="one axis"):
            brier_score([[0.5]], [[1]])
        with pytest.raises(InputError, match="confidence"):
            wilson_interval(1, 2, confidence=0)


def convolved(p: np.ndarray) -> np.ndarray:
    law = np.ones(1)
    for one in p:
        law = np.convolve(law, [1 - one, one])
    return law


class TestPoissonBinomial:
    @given(seed=st.integers(0, 10_000), n=st.integers(1, 60), high=st.sampled_from([0.05, 0.5, 1.0]))
    def test_equals_plain_convolution(self, seed: int, n: int, high: float) -> None:
        p = np.random.default_rng(seed).random(n) * high
        reached = np.cumsum(convolved(p))
        low, top = poisson_binomial_interval(p, confidence=0.9)
        assert low == np.searchsorted(reached, 0.05)
        assert top == np.searchsorted(reached, 0.95)

    @pytest.mark.parametrize(("p", "n"), [(0.001, 500_000), (0.3, 3000), (0.97, 8000)])
    def test_large_counts_are_within_one_of_the_binomial(self, p: float, n: int) -> None:
        low, high = poisson_binomial_interval([p], weight=[n])
        assert abs(low - stats.binom.ppf(0.025, n, p)) <= 1
        assert abs(high - stats.binom.ppf(0.975, n, p)) <= 1

    def test_the_law_and_its_approximation_meet(self, monkeypatch: pytest.MonkeyPatch) -> None:
        p = np.random.default_rng(0).beta(0.3, 4, 900)
        exact = poisson_binomial_interval(p)
        monkeypatch.setattr("nextbest.evaluation.expected_counts._EXACT_BELOW", 0.0)
        assert np.abs(np.subtract(poisson_binomial_interval(p), exact)).max() <= 1

    def test_certain_and_impossible_trials(self) -> None:
        assert poisson_binomial_interval([0.0, 1.0, 1.0]) == (2, 2)
        assert poisson_binomial_interval([]) == (0, 0)

    def test_bad_input_is_named(self) -> None:
        with pytest.raises(InputError, match="0-1"):
            poisson_binomial_interval([1.5])
        with pytest.raises(InputError, match="one axis"):
            poisson_binomial_interval([0.5], weight=[1, 2])
        with pytest.raises(InputError, match="confidence"):
            poisson_binomial_interval([0.5], confidence=1)


class TestWithin:
    def test_by_hand(self) -> None:
        found = share_within([109, 111, 1000, 50], [100, 100, 2000, 50], min_expected=100)
        assert (found.n, found.n_left_out) == (3, 1)
        assert found.share == pytest.approx(1 / 3)
        assert found.weighted_share == pytest.approx(100 / 2200)
        assert found.weighted_error == pytest.approx((9 + 11 + 1000) / 2200)

    def test_nothing_to_count_is_nan(self) -> None:
        found = share_within([5.0], [5.0])
        assert np.isnan(found.share)
        assert (found.n, found.n_left_out) == (0, 1)
        assert np.isnan(share_within([200.0], [0.0]).weighted_share)

    @pytest.mark.parametrize("mean", [3.0, 10.0, 99.5, 400.0])
    def test_chance_is_that_of_drawn_counts(self, mean: float) -> None:
        drawn = np.random.default_rng(0).poisson(mean, 40_000)
        share = (np.abs(mean - drawn) <= 0.1 * drawn).mean()
        assert chance_within(mean) == pytest.approx(share, abs=0.01)

    def test_perfect_foresight_reaches_its_chance(self) -> None:
        mean = np.full(4000, 120.0)
        found = share_within(mean, np.random.default_rng(1).poisson(mean))
        assert found.share == pytest.approx(found.chance, abs=0.02)

    def test_bad_input_is_named(self) -> None:
        with pytest.raises(InputError, match="tolerance"):
            share_within([1.0], [1.0], tolerance=0)
        with pytest.raises(InputError, match="one axis"):
            share_within([1.0], [1.0, 2.0])
        with pytest.raises(DataError, match="observed: must be finite"):
            share_within([1.0], [-1.0])


class TestCounts:
    @pytest.fixture
    def month(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rng = np.random.default_rng(7)
        p = (rng.beta(0.2, 20, (3000, 3))).astype(np.float32)
        p[:5] = [0.0, 1.0, 1e-12]
        held = rng.integers(0, 8, 3000).astype(np.uint32)
        held[:5] |= np.uint32(0b010)
        added = ((rng.random((3000, 3)) < p) @ np.array([1, 2, 4])).astype(np.uint32) & ~held
        return p, added, held

    def test_say_what_the_rows_say(self, month: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
        p, added, held = month
        counts = CalibrationCounts.of(p, added, held_N=held)
        exact = product_metrics(p, added, held_N=held, products=["a", "b", "c"])
        for product in range(3):
            free = (held >> product & 1) == 0
            mine, y = p[free, product].astype(float), (added[free] >> product & 1).astype(float)
            mean, rate, n = counts.points(product)
            assert n.sum() == free.sum()
            assert (mean * n).sum() == pytest.approx(mine.sum())
            assert (rate * n).sum() == pytest.approx(y.sum())
            assert brier_score(mean, rate, weight=n) == pytest.approx(brier_score(mine, y), rel=1e-4)
            assert counts.log_loss(product) == pytest.approx(exact["log_loss"][product], rel=1e-3)
            line, theirs = calibration_line(mean, rate, weight=n), calibration_line(mine, y)
            assert line.slope == pytest.approx(theirs.slope, rel=1e-2)
            for binning in ("mass", "width"):
                grouped = calibration_error(mean, rate, weight=n, n_bins=16, binning=binning)  # type: ignore[arg-type]
                plain = calibration_error(mine, y, n_bins=16, binning=binning)  # type: ignore[arg-type]
                assert grouped.ece == pytest.approx(plain.ece, abs=2e-4)

    def test_of_parts_add_up_to_the_whole(self, month: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
        p, added, held = month
        whole = CalibrationCounts.of(p, added, held_N=held)
        parts = [
            CalibrationCounts.of(p[i], added[i], held_N=held[i]) for i in (slice(0, 900), slice(900, None))
        ]
        summed = parts[0] + parts[1]
        assert np.array_equal(summed.n, whole.n)
        assert summed.expected == pytest.approx(whole.expected)
        assert np.array_equal(summed.observed, whole.observed)

    def test_table_counts_and_covers(self, month: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
        p, added, held = month
        table = CalibrationCounts.of(p, added, held_N=held).table(["a", "b", "c"])
        free = (held[:, None] >> np.arange(3) & 1) == 0
        assert table["expected"].to_numpy() == pytest.approx((p * free).sum(axis=0), rel=1e-5)
        assert table["observed"].to_list() == [int((added >> b & 1).sum()) for b in range(3)]
        assert table["is_inside"].all()  # outcomes were drawn from the probabilities
        assert (
            CalibrationCounts.of(p / 3, added, held_N=held).table(["a", "b", "c"])["is_inside"].any() is False
        )

    def test_a_product_nobody_can_add_expects_nothing(self) -> None:
        held = np.ones(3, np.uint32)
        counts = CalibrationCounts.of(np.full((3, 1), 0.5, np.float32), np.zeros(3, np.uint32), held_N=held)
        row = counts.table(["a"]).row(0, named=True)
        assert (row["n"], row["expected"], row["ratio"], row["ci_high"]) == (0, 0.0, None, 0)
        assert np.isnan(counts.log_loss())

    def test_zero_and_minus_zero_are_the_same(self) -> None:
        counts = CalibrationCounts.of(np.array([[0.0], [-0.0]], np.float32), np.zeros(2, np.uint32))
        assert counts.points()[2].tolist() == [2.0]

    def test_bad_input_is_named(self) -> None:
        nobody = np.zeros(1, np.uint32)
        with pytest.raises(DataError, match="0-1"):
            CalibrationCounts.of(np.array([[2.0]], np.float32), nobody)
        counts = CalibrationCounts.of(np.array([[0.5]], np.float32), nobody)
        with pytest.raises(InputError, match="1 products"):
            counts.table(["a", "b"])
        with pytest.raises(InputError, match="1 products"):
            counts + CalibrationCounts.of(np.array([[0.5, 0.5]], np.float32), nobody)
