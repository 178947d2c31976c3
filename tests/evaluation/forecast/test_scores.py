"""Point, quantile, direction and volatility scores against closed forms, brute force and small tables."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nextbest.errors import DataError, InputError
from nextbest.evaluation.forecast.direction import direction_accuracy, rank_correlations, rank_ic
from nextbest.evaluation.forecast.point import mase, one_step_scale, r2_against, rmse
from nextbest.evaluation.forecast.quantiles import LEVELS, coverage, crps, pinball, quantile_faults
from nextbest.evaluation.forecast.volatility import qlike, squared_log_error, volatility_score

NAN = float("nan")
Y = np.array([[0.01, -0.02, 0.0], [0.03, NAN, -0.01]])


class TestPoint:
    def test_scale_is_the_mean_absolute_step_of_each_asset(self) -> None:
        found = one_step_scale([[0.01, -0.03, NAN], [NAN, NAN, NAN]])
        assert found[0] == pytest.approx(0.02)
        assert np.isnan(found[1])

    def test_mase_by_hand_with_a_missing_cell_and_an_asset_without_scale(self) -> None:
        # errors .01/.01, .02/.02, .03/.01 of the two assets that have a scale
        assert mase(np.zeros((2, 3)), Y, scale_A=[0.01, 0.02, NAN]) == pytest.approx((1 + 1 + 3) / 3)

    def test_rmse_and_r2_by_hand(self) -> None:
        assert rmse(np.zeros((2, 3)), Y) == pytest.approx(np.sqrt((1 + 4 + 0 + 9 + 1) / 5) / 100)
        half = Y / 2
        assert r2_against(half, Y, np.zeros((2, 3))) == pytest.approx(0.75)
        assert r2_against(np.zeros((2, 3)), Y, np.zeros((2, 3))) == 0.0

    def test_r2_is_over_cells_that_both_answered(self) -> None:
        forecast = np.where(Y == 0.03, NAN, 0.0)
        benchmark = np.where(Y == 0.01, NAN, 0.02)
        # both at -.02, 0, -.01: squared errors 5e-4 of 0 and 16e-4 + 4e-4 + 9e-4 of .02
        assert r2_against(forecast, Y, benchmark) == pytest.approx(1 - 5 / 29)

    @given(scale=st.floats(0.01, 100))
    def test_mase_and_r2_have_no_unit_and_rmse_has_that_of_returns(self, scale: float) -> None:
        f = np.array([[0.002, 0.01, -0.01], [0.0, 0.01, 0.02]])
        s = np.array([0.01, 0.02, 0.03])
        assert mase(f * scale, Y * scale, scale_A=s * scale) == pytest.approx(mase(f, Y, scale_A=s))
        assert r2_against(f * scale, Y * scale, f * 0) == pytest.approx(r2_against(f, Y, f * 0))
        assert rmse(f * scale, Y * scale) == pytest.approx(scale * rmse(f, Y))

    def test_bad_input_is_told(self) -> None:
        zero = np.zeros((2, 3))
        with pytest.raises(DataError, match=r"above 0 and finite; 1 row\(s\) break it, first: \[1\]"):
            mase(zero, Y, scale_A=[1.0, 0.0, 1.0])
        with pytest.raises(InputError, match="each of 3 assets"):
            mase(zero, Y, scale_A=[1.0])
        with pytest.raises(DataError, match="no cell"):
            rmse(zero * NAN, Y)
        with pytest.raises(InputError, match="origin and asset"):
            rmse(zero[0], Y[0])
        with pytest.raises(InputError, match="1 cell"):
            rmse([[np.inf]], [[0.0]])
        with pytest.raises(DataError, match="made no error"):
            r2_against([[0.0]], [[0.1]], [[0.1]])
        with pytest.raises(InputError, match="asset and bar"):
            one_step_scale([0.1])


class TestQuantiles:
    def test_crps_of_many_levels_is_the_closed_form_of_a_normal(self) -> None:
        """Gneiting & Raftery 2007: sigma (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi))."""
        levels = (np.arange(20_000) + 0.5) / 20_000
        y = np.array([-2.0, 0.0, 0.3, 4.0])
        mean, sigma = 0.5, 1.7
        z = (y - mean) / sigma
        closed = sigma * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))
        quantiles = np.broadcast_to(stats.norm.ppf(levels, mean, sigma), (4, 20_000))
        assert crps(quantiles, y, levels=levels) == pytest.approx(closed, abs=2e-4)

    def test_crps_of_a_sample_is_that_of_all_its_pairs(self) -> None:
        """E|X - y| - E|X - X'| / 2 of the m equally likely values; middle levels make the two the same."""
        sample = np.sort(np.random.default_rng(0).normal(size=50))
        levels = (np.arange(50) + 0.5) / 50
        for y in (-3.0, 0.1, 2.0):
            brute = np.abs(sample - y).mean() - np.abs(sample[:, None] - sample).mean() / 2
            assert crps(sample, y, levels=levels) == pytest.approx(brute, abs=1e-12)

    def test_pinball_is_least_at_the_true_quantile(self) -> None:
        y = np.random.default_rng(1).normal(size=20_000)
        grid = np.linspace(-2.5, 2.5, 101)
        for level in (0.1, 0.5, 0.9):
            mean = [pinball(np.full((20_000, 1), q), y, levels=[level]).mean() for q in grid]
            assert grid[np.argmin(mean)] == pytest.approx(stats.norm.ppf(level), abs=0.06)

    @given(
        q=st.lists(st.floats(-5, 5), min_size=9, max_size=9).map(sorted),
        y=st.floats(-5, 5),
        scale=st.floats(0.01, 100),
        shift=st.floats(-10, 10),
    )
    def test_crps_moves_with_units_and_is_never_negative(
        self, q: list[float], y: float, scale: float, shift: float
    ) -> None:
        before = crps(np.array(q), y)
        assert before >= 0
        assert crps(np.array(q) * scale + shift, y * scale + shift) == pytest.approx(before * scale, abs=1e-9)
        assert crps(np.full(9, y), y) == 0

    def test_a_nan_at_one_level_is_no_answer(self) -> None:
        q = np.zeros((2, 9))
        q[1, 3] = NAN
        assert np.isnan(crps(q, [0.1, 0.1])).tolist() == [False, True]
        assert np.isnan(pinball(q, [0.1, 0.1])).sum() == 1

    def test_faults_are_counted_and_last_bits_forgiven(self) -> None:
        good, crossing, gone = np.arange(9.0), np.r_[1.0, 0.0, np.arange(2.0, 9.0)], np.full(9, NAN)
        touching = np.full(9, 0.3)
        touching[4] = 0.3 + 1e-16
        found = quantile_faults(np.stack([good, crossing, gone, touching]))
        assert (found.n, found.n_nan, found.n_crossing) == (4, 1, 1)

    def test_coverage_counts_ends_as_inside_and_leaves_nan_out(self) -> None:
        low, high = np.full((8, 2), -1.0), np.full((8, 2), 1.0)
        y = np.array([[-1.0, 1.0], [0.0, 2.0], [-2.0, 0.0], [0.0, NAN]] * 2)
        found = coverage(low, high, y, rng=0)
        assert (found.value, found.n, found.n_nan, found.n_clusters) == (5 / 7, 14, 2, 8)
        assert found.ci_low < 5 / 7 < found.ci_high
        few = coverage(low[:4], high[:4], y[:4], rng=0)
        assert few.value == 5 / 7
        assert np.isnan(few.ci_low)
        assert np.isnan(few.ci_high)

    def test_intervals_of_assets_that_move_together_are_wide(self) -> None:
        gen = np.random.default_rng(2)
        together = np.repeat(gen.normal(size=(150, 1)), 12, axis=1)
        apart = gen.normal(size=(150, 12))
        z = np.full((150, 12), stats.norm.ppf(0.9))
        one, other = (coverage(-z, z, y, rng=0) for y in (together, apart))
        assert one.ci_high - one.ci_low > 2 * (other.ci_high - other.ci_low)

    def test_bad_input_is_told(self) -> None:
        with pytest.raises(InputError, match="rise strictly"):
            pinball([[0.0, 1.0]], [0.0], levels=[0.5, 0.5])
        with pytest.raises(InputError, match=r"shape \(1, 9\)"):
            crps([[0.0, 1.0]], [0.0])
        with pytest.raises(InputError, match=r"1 value\(s\) are infinite"):
            crps(np.zeros((1, 9)), [np.inf])
        with pytest.raises(DataError, match="no cell"):
            coverage([[NAN]], [[1.0]], [[0.0]], rng=0)
        with pytest.raises(InputError, match="last axis"):
            quantile_faults(0.0)


class TestDirection:
    def test_ties_and_zero_forecasts_are_left_out_and_counted(self) -> None:
        forecast = np.array([[1.0, -1.0, 0.0], [1.0, 1.0, NAN]])
        outcome = np.array([[2.0, 3.0, 1.0], [0.0, 0.1, 1.0]])
        found = direction_accuracy(forecast, outcome, rng=0)
        assert found.accuracy == pytest.approx(2 / 3)
        assert (found.n, found.n_zero_forecast, found.n_tied, found.n_nan, found.n_dates) == (3, 1, 1, 1, 2)

    def test_a_model_without_direction_has_no_accuracy(self) -> None:
        found = direction_accuracy(np.zeros((2, 3)), Y, rng=0)
        assert (found.accuracy, found.ci_low, found.wilson_low, found.n) == (None, None, None, 0)

    def test_twelve_coins_that_move_together_arent_twelve_observations(self) -> None:
        gen = np.random.default_rng(0)
        outcome = np.repeat(gen.normal(size=(200, 1)), 12, axis=1)
        forecast = np.repeat(gen.normal(size=(200, 1)), 12, axis=1)
        found = direction_accuracy(forecast, outcome, rng=0)
        assert found.ci_low is not None
        assert found.ci_high is not None
        assert found.wilson_low is not None
        assert found.wilson_high is not None
        assert found.ci_high - found.ci_low > 2.5 * (found.wilson_high - found.wilson_low)

    @given(seed=st.integers(0, 50), scale=st.floats(0.001, 1000))
    def test_only_signs_and_ranks_count(self, seed: int, scale: float) -> None:
        f, y = np.random.default_rng(seed).normal(size=(2, 12, 5))
        assert direction_accuracy(f * scale, y, rng=0, n_resamples=20) == direction_accuracy(
            f, y, rng=0, n_resamples=20
        )
        assert rank_correlations(np.exp(f), y * scale) == pytest.approx(rank_correlations(f, y))

    def test_rank_correlation_is_spearmans_with_ties_and_holes(self) -> None:
        gen = np.random.default_rng(3)
        f, y = gen.integers(0, 5, size=(30, 8)).astype(float), gen.normal(size=(30, 8))
        f[gen.random((30, 8)) < 0.2] = NAN
        y[gen.random((30, 8)) < 0.1] = NAN
        found = rank_correlations(f, y)
        for i in range(30):
            kept = ~np.isnan(f[i]) & ~np.isnan(y[i])
            if kept.sum() < 3 or np.ptp(f[i][kept]) == 0:
                assert np.isnan(found[i])
            else:
                assert found[i] == pytest.approx(stats.spearmanr(f[i][kept], y[i][kept]).statistic)

    def test_ic_finds_a_ranking_and_leaves_dates_without_one_out(self) -> None:
        gen = np.random.default_rng(4)
        y = gen.normal(size=(120, 10))
        f = 0.5 * y + gen.normal(size=(120, 10))
        f[:5] = 1.0
        found = rank_ic(f, y)
        assert found.mean == pytest.approx(0.42, abs=0.06)
        assert found.t is not None
        assert found.t > 8
        assert (found.n, found.n_nan) == (115, 5)
        assert rank_ic(np.zeros((20, 4)), y[:20, :4]).mean is None
        assert abs(rank_ic(gen.normal(size=(120, 10)), y).t or 9) < 3
        with pytest.raises(InputError, match="min_assets"):
            rank_ic(f, y, min_assets=1)


class TestVolatility:
    def test_qlike_and_log_error_by_hand(self) -> None:
        assert qlike([2.0], [1.0])[0] == pytest.approx(0.5 - np.log(0.5) - 1)
        assert squared_log_error([2.0, 0.5], [1.0, 1.0]) == pytest.approx(np.log(2) ** 2)

    @given(v=st.floats(1e-8, 1e3), r=st.floats(1e-8, 1e3), scale=st.floats(0.01, 100))
    def test_qlike_has_no_unit_is_zero_at_the_truth_and_fears_low_forecasts(
        self, v: float, r: float, scale: float
    ) -> None:
        assert qlike([r], [r])[0] == 0
        assert qlike([v], [r])[0] >= -1e-12
        assert qlike([v * scale], [r * scale])[0] == pytest.approx(qlike([v], [r])[0], rel=1e-6, abs=1e-9)
        assert qlike([r / 2], [r])[0] > qlike([r * 2], [r])[0]

    def test_the_mean_over_a_noisy_proxy_is_least_at_the_true_variance(self) -> None:
        proxy = np.random.default_rng(0).normal(size=50_000) ** 2
        grid = np.linspace(0.5, 2, 31)
        assert grid[np.argmin([qlike(np.full(50_000, v), proxy).mean() for v in grid])] == pytest.approx(
            1, abs=0.06
        )

    def test_days_without_trade_are_left_out_and_counted(self) -> None:
        found = volatility_score([1.0, 2.0, NAN, 1.0], [1.0, 3.0, 1.0, 0.0])
        assert (found.n, found.n_nan, found.n_zero) == (2, 1, 1)
        assert found.qlike == pytest.approx((1.5 - np.log(1.5) - 1) / 2)
        assert found.correlation_log == pytest.approx(1.0)
        assert volatility_score([1.0, 1.0], [1.0, 2.0]).correlation_log is None

    def test_bad_input_is_told(self) -> None:
        with pytest.raises(DataError, match=r"variance: must be above 0 and finite; 1 row\(s\)"):
            qlike([0.0], [1.0])
        with pytest.raises(DataError, match="realised: must be 0 or more"):
            qlike([1.0], [-1.0])
        with pytest.raises(InputError, match="shape of variance"):
            qlike([1.0], [1.0, 2.0])
        with pytest.raises(DataError, match="no cell"):
            volatility_score([1.0], [0.0])


def test_levels_are_those_asked_of_models() -> None:
    assert tuple(i / 10 for i in range(1, 10)) == LEVELS
