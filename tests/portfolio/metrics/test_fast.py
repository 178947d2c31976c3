"""The core against plain loops, known cases, laws, and the odd series that must give NaN and never inf."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nextbest.errors import DataError, InputError
from nextbest.portfolio.metrics.fast import METRICS, fast_metrics
from nextbest.portfolio.metrics.fast_relative import RELATIVE_METRICS
from portfolio.metrics.oracles import plain_metrics, plain_relative

YEAR = 12.0
MIXED = [0.01, 0.1, -0.04, 0.02, 0.03, 0.02, 0.01, -0.1]
returns = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 5), st.integers(0, 30)),
    elements=st.floats(-0.9, 2).map(lambda x: round(x, 3)) | st.just(np.nan) | st.just(0.0),
)


def one(series: list[float], **options: float) -> dict[str, float]:
    made = fast_metrics(np.array([series]), **({"periods_per_year": YEAR} | options))  # type: ignore[arg-type]
    return {name: float(values[0]) for name, values in made.items()}


class TestAgainstPlainLoops:
    @pytest.mark.parametrize("rf", [0.0, 0.004])
    @pytest.mark.parametrize("alpha", [0.05, 0.21])
    def test_every_figure_of_every_row(self, rf: float, alpha: float) -> None:
        matrix = np.random.default_rng(0).standard_t(4, size=(7, 61)) * 0.05
        made = fast_metrics(matrix, periods_per_year=YEAR, alpha=alpha, rf=rf, chunk=3)
        for p, row in enumerate(matrix):
            plain = plain_metrics(row.tolist(), periods_per_year=YEAR, alpha=alpha, rf=rf)
            assert {name: made[name][p] for name in plain} == pytest.approx(plain, rel=1e-10, abs=1e-12)

    @pytest.mark.parametrize("n_days", [2, 3, 11, 12, 20, 21, 22])
    def test_short_rows_too(self, n_days: int) -> None:
        row = np.random.default_rng(n_days).normal(size=n_days) * 0.05
        plain = plain_metrics(row.tolist(), periods_per_year=YEAR, alpha=0.05, rf=0.0)
        made = one(row.tolist())
        assert {name: made[name] for name in plain} == pytest.approx(plain, rel=1e-10, nan_ok=True)

    def test_the_benchmark_s_figures(self) -> None:
        rng = np.random.default_rng(1)
        bench = rng.normal(size=40) * 0.03
        matrix = 0.7 * bench + rng.normal(size=(5, 40)) * 0.02
        made = fast_metrics(matrix, periods_per_year=YEAR, rf=0.002, benchmark_T=bench, chunk=2)
        for p, row in enumerate(matrix):
            plain = plain_relative(row.tolist(), bench.tolist(), periods_per_year=YEAR, rf=0.002)
            assert {name: made[name][p] for name in RELATIVE_METRICS} == pytest.approx(plain, rel=1e-9)

    def test_published_figures_of_empyrical(self) -> None:
        made = one(MIXED, periods_per_year=252)
        assert made["sharpe"] == pytest.approx(1.7238613961706866, abs=1e-12)
        assert made["sortino"] == pytest.approx(2.605531251673693, abs=1e-12)
        assert made["volatility_ann"] == pytest.approx(0.9136465399704637, abs=1e-12)
        assert made["max_drawdown"] == pytest.approx(-0.1)


class TestMissingDays:
    def test_a_row_with_holes_is_the_row_without_those_days(self) -> None:
        rng = np.random.default_rng(2)
        matrix = rng.normal(size=(6, 30)) * 0.02
        bench = rng.normal(size=30) * 0.02
        holes = rng.random((6, 30)) < 0.3
        holes[0] = False
        made = fast_metrics(
            np.where(holes, np.nan, matrix), periods_per_year=YEAR, benchmark_T=bench, chunk=2
        )
        for p in range(6):
            alone = fast_metrics(
                matrix[p : p + 1, ~holes[p]], periods_per_year=YEAR, benchmark_T=bench[~holes[p]]
            )
            for name in METRICS + RELATIVE_METRICS:
                np.testing.assert_allclose(made[name][p], alone[name][0], rtol=1e-12, err_msg=name)

    def test_days_the_benchmark_lacks_count_for_everything_but_the_benchmark_s_figures(self) -> None:
        rng = np.random.default_rng(3)
        matrix = rng.normal(size=(3, 20)) * 0.02
        matrix[1, 4] = np.nan
        bench = rng.normal(size=20) * 0.02
        bench[[2, 9]] = np.nan
        made = fast_metrics(matrix, periods_per_year=YEAR, benchmark_T=bench)
        assert made["n"].tolist() == [20, 19, 20]
        for p in range(3):
            both = ~np.isnan(matrix[p]) & ~np.isnan(bench)
            alone = fast_metrics(matrix[p : p + 1, both], periods_per_year=YEAR, benchmark_T=bench[both])
            for name in RELATIVE_METRICS:
                np.testing.assert_allclose(made[name][p], alone[name][0], rtol=1e-12, err_msg=name)

    def test_a_benchmark_without_any_day_gives_nan(self) -> None:
        made = fast_metrics(np.array([MIXED]), periods_per_year=YEAR, benchmark_T=np.full(8, np.nan))
        assert all(np.isnan(made[name][0]) for name in RELATIVE_METRICS)
        assert made["twr"][0] == pytest.approx(0.0389310917)


class TestOddSeries:
    def test_nothing_observed_is_nan_all_over(self) -> None:
        for series in ([], [np.nan, np.nan]):
            made = one(series)
            assert made.pop("n") == 0
            assert all(np.isnan(value) for value in made.values())

    def test_one_observation_has_a_return_and_no_spread(self) -> None:
        made = one([0.02])
        assert made["twr"] == pytest.approx(0.02)
        assert made["hit_rate"] == 1
        for name in (
            "volatility_ann",
            "volatility_log_ann",
            "sharpe",
            "omega",
            "var_historical",
            "var_normal",
        ):
            assert np.isnan(made[name]), name

    def test_constant_returns_have_no_ratio_over_their_spread(self) -> None:
        made = one([0.01] * 24)
        assert made["volatility_ann"] == 0
        assert made["cagr"] == pytest.approx(1.01**12 - 1)
        for name in ("sharpe", "sortino", "omega", "calmar", "skewness", "kurtosis", "var_cornish_fisher"):
            assert np.isnan(made[name]), name

    def test_constant_growth_of_prices_is_constant_in_spite_of_its_rounding(self) -> None:
        prices = 100 * 1.0007 ** np.arange(300)
        series = (prices[1:] / prices[:-1] - 1).tolist()
        assert len(set(series)) > 1
        made = one(series)
        assert made["volatility_ann"] == 0
        assert np.isnan(made["sharpe"])

    def test_without_losses_there_is_no_sortino_no_omega_and_no_calmar(self) -> None:
        made = one([0.01, 0.02] * 12)
        assert (made["max_drawdown"], made["max_drawdown_duration"]) == (0, 0)
        assert made["downside_deviation_ann"] == 0
        for name in ("sortino", "omega", "calmar"):
            assert np.isnan(made[name]), name
        assert made["sharpe"] > 0

    def test_under_a_year_nothing_is_annualised_by_growth(self) -> None:
        assert np.isnan(one([0.01, -0.02] * 5)["cagr"])
        assert not np.isnan(one([0.01, -0.02] * 6)["cagr"])

    def test_a_loss_of_all_ends_the_wealth(self) -> None:
        made = one([0.5, -1.0] + [0.1] * 12)
        assert (made["twr"], made["max_drawdown"]) == (-1, -1)
        assert np.isnan(made["cagr"])
        assert np.isnan(made["volatility_log_ann"])

    def test_a_loss_of_more_than_all_has_no_total(self) -> None:
        made = one([0.5, -1.5, -1.5])
        assert np.isnan(made["twr"])
        assert made["max_drawdown"] == -1

    def test_a_first_loss_falls_from_the_base(self) -> None:
        made = one([-0.2, 0.1])
        assert made["max_drawdown"] == pytest.approx(-0.2)
        assert made["max_drawdown_duration"] == 2

    def test_a_portfolio_that_is_its_benchmark(self) -> None:
        made = fast_metrics(np.array([MIXED]), periods_per_year=YEAR, benchmark_T=np.array(MIXED))
        figures = {name: float(made[name][0]) for name in RELATIVE_METRICS}
        assert np.isnan(figures.pop("information_ratio"))
        assert figures == pytest.approx(
            {
                "beta": 1,
                "alpha_ann": 0,
                "correlation": 1,
                "tracking_error_ann": 0,
                "up_capture": 1,
                "down_capture": 1,
            },
            abs=1e-12,
        )

    def test_a_constant_benchmark_has_no_beta(self) -> None:
        made = fast_metrics(np.array([MIXED]), periods_per_year=YEAR, benchmark_T=np.full(8, 0.01))
        assert np.isnan(made["beta"][0])
        assert np.isnan(made["down_capture"][0])
        assert made["tracking_error_ann"][0] > 0


class TestLaws:
    @given(returns, st.floats(-0.01, 0.01))
    def test_no_figure_is_ever_infinite_and_falls_stay_in_their_range(
        self, matrix: np.ndarray, rf: float
    ) -> None:
        bench = np.linspace(-0.02, 0.03, matrix.shape[1])
        made = fast_metrics(matrix, periods_per_year=YEAR, rf=rf, benchmark_T=bench, chunk=2)
        for name, values in made.items():
            assert not np.isinf(values).any(), name
        fall = made["max_drawdown"][~np.isnan(made["max_drawdown"])]
        assert ((fall >= -1) & (fall <= 0)).all()

    @given(returns)
    def test_the_mean_of_the_tail_is_never_better_than_its_edge(self, matrix: np.ndarray) -> None:
        made = fast_metrics(matrix, periods_per_year=YEAR)
        for kind in ("historical", "normal", "cornish_fisher"):
            var, cvar = made[f"var_{kind}"], made[f"cvar_{kind}"]
            assert (np.isnan(var) == np.isnan(cvar)).all()
            assert (cvar <= var + 1e-12)[~np.isnan(var)].all(), kind

    @given(returns, st.integers(1, 5), st.randoms())
    def test_order_of_portfolios_and_size_of_chunks_change_nothing(
        self, matrix: np.ndarray, chunk: int, random: object
    ) -> None:
        order = np.random.default_rng(len(matrix)).permutation(len(matrix))
        straight = fast_metrics(matrix, periods_per_year=YEAR)
        shuffled = fast_metrics(matrix[order], periods_per_year=YEAR, chunk=chunk)
        for name in METRICS:
            np.testing.assert_allclose(straight[name][order], shuffled[name], rtol=1e-12, err_msg=name)

    @given(st.floats(0.1, 5.0))
    def test_ratios_don_t_depend_on_the_scale_of_returns(self, scale: float) -> None:
        series = np.array(MIXED) * 0.1
        straight, scaled = one(series.tolist()), one((series * scale).tolist())
        for name in ("sharpe", "sortino", "omega", "skewness", "kurtosis", "hit_rate"):
            assert scaled[name] == pytest.approx(straight[name], rel=1e-9), name
        for name in ("volatility_ann", "downside_deviation_ann", "var_historical", "cvar_normal", "worst"):
            assert scaled[name] == pytest.approx(scale * straight[name], rel=1e-9), name


class TestRefusals:
    def test_an_infinite_return_is_named_by_its_place(self) -> None:
        with pytest.raises(DataError, match=r"1 row\(s\) break it, first: \[\(1, 2\)\]"):
            fast_metrics(np.array([[0.0, 0.1, 0.2], [0.1, np.nan, np.inf]]), periods_per_year=YEAR)

    @pytest.mark.parametrize(
        "options",
        [
            {"periods_per_year": 0},
            {"alpha": 0.5},
            {"rf": np.nan},
            {"chunk": 0},
            {"benchmark_T": np.zeros(3)},
        ],
    )
    def test_parameters_out_of_range(self, options: dict[str, float]) -> None:
        with pytest.raises(InputError, match=next(iter(options))):
            fast_metrics(np.zeros((2, 4)), **({"periods_per_year": YEAR} | options))  # type: ignore[arg-type]

    def test_a_vector_is_no_matrix(self) -> None:
        with pytest.raises(InputError, match="two axes"):
            fast_metrics(np.zeros(4), periods_per_year=YEAR)

    def test_words_are_no_returns(self) -> None:
        with pytest.raises(InputError, match="numbers"):
            fast_metrics(np.array([["a"]]), periods_per_year=YEAR)  # type: ignore[arg-type]

    def test_an_infinite_benchmark(self) -> None:
        with pytest.raises(DataError, match="benchmark_T"):
            fast_metrics(np.zeros((1, 2)), periods_per_year=YEAR, benchmark_T=np.array([0.0, np.inf]))
