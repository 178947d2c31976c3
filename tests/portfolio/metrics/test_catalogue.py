"""Every figure on histories whose answer is visible, the nulls with their reasons, and the words of each."""

import json
import math
from collections.abc import Collection
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.errors import InputError
from nextbest.portfolio.metrics.catalogue import (
    CATALOGUE,
    VALUATION_ONLY,
    measure,
    measure_returns,
)
from nextbest.portfolio.metrics.fast import METRICS, fast_metrics
from nextbest.portfolio.metrics.fast_relative import RELATIVE_METRICS
from nextbest.portfolio.metrics.measured import REASON_WORDS, Measured
from nextbest.portfolio.metrics.money_weighted import xnpv
from portfolio.metrics.valuations import made

MIXED = [0.01, 0.1, -0.04, 0.02, 0.03, 0.02, 0.01, -0.1]
TWO_YEARS = MIXED * 3


def values(measured: dict[str, Measured]) -> dict[str, float | None]:
    return {name: figure.value for name, figure in measured.items()}


def reasons(measured: dict[str, Measured], names: Collection[str]) -> set[str | None]:
    return {measured[name].reason for name in names}


class TestTheCatalogue:
    def test_it_holds_forty_figures_and_more(self) -> None:
        assert len(CATALOGUE) >= 40

    def test_each_has_its_words_in_both_languages(self) -> None:
        for name, spec in CATALOGUE.items():
            assert spec.name == name
            assert all((spec.title_en, spec.unit, spec.formula, spec.convention, spec.source)), name
            assert set(spec.title_ru.lower()) & set(
                "абвгдеёжзийклмнопрстуфхцчшщыэюя"
            ) or spec.title_ru.startswith("VaR"), name

    def test_titles_differ(self) -> None:
        assert len({spec.title_en for spec in CATALOGUE.values()}) == len(CATALOGUE)
        assert len({spec.title_ru for spec in CATALOGUE.values()}) == len(CATALOGUE)

    def test_every_reason_has_words(self) -> None:
        assert all(en and ru for en, ru in REASON_WORDS.values())

    def test_what_both_have_is_the_core_s(self) -> None:
        rng = np.random.default_rng(0)
        series, bench = rng.normal(size=60) * 0.03, rng.normal(size=60) * 0.03
        one = measure_returns(series, periods_per_year=12, benchmark_T=bench)
        many = fast_metrics(series[None, :], periods_per_year=12, benchmark_T=bench)
        same = set(one) & set(METRICS + RELATIVE_METRICS)
        assert len(same) >= 25
        for name in same:
            assert one[name].value == pytest.approx(float(many[name][0]), rel=1e-12), name
            assert one[name].n == 60


class TestReturnsAlone:
    def test_a_history_of_two_years_has_every_figure_that_needs_no_calendar(self) -> None:
        found = measure_returns(TWO_YEARS, periods_per_year=12, benchmark_T=np.array(TWO_YEARS) * 0.5)
        need_days = {"best_month", "worst_month", "hit_rate_months", "longest_drawdown_days"}
        assert set(found) == set(CATALOGUE) - VALUATION_ONLY
        assert {name for name, figure in found.items() if figure.value is None} == need_days
        assert reasons(found, need_days) == {"no_data"}

    def test_published_figures(self) -> None:
        found = measure_returns(MIXED, periods_per_year=252)
        assert found["sharpe"].value == pytest.approx(1.7238613961706866)
        assert found["twr"].value == pytest.approx(0.0389310917)
        assert found["cagr"].reason == "under_a_year"

    def test_plain_figures_by_eye(self) -> None:
        found = values(measure_returns([0.1, -0.5, 1.0, -0.1], periods_per_year=2))
        assert found["twr"] == pytest.approx(1.1 * 0.5 * 2 * 0.9 - 1)
        assert found["cagr"] == pytest.approx((1.1 * 0.5 * 2 * 0.9) ** 0.5 - 1)
        assert found["current_drawdown"] == pytest.approx(-0.1)
        assert found["average_drawdown"] == pytest.approx(-0.3)
        assert found["time_under_water"] == 0.5
        assert found["pain_index"] == pytest.approx((0.5 + 0.1) / 4)
        assert found["ulcer_index"] == pytest.approx(math.sqrt((0.25 + 0.01) / 4))
        assert found["burke"] == pytest.approx(found["cagr"] / math.sqrt(0.25 + 0.01))
        assert found["calmar"] == pytest.approx(found["cagr"] / 0.5)
        assert found["gain_to_pain"] == pytest.approx(0.5 / 0.6)
        assert found["hit_rate"] == 0.5
        assert found["mean_return_ann"] == pytest.approx(0.25)

    def test_a_risk_free_return_is_spread_over_periods(self) -> None:
        made_ = measure_returns(TWO_YEARS, periods_per_year=12, rf_ann=1.01**12 - 1)
        above = np.array(TWO_YEARS) - 0.01
        assert made_["sharpe"].value == pytest.approx(above.mean() / above.std(ddof=1) * math.sqrt(12))
        assert "risk-free 0.126825 a year" in made_["sharpe"].method

    def test_var_names_its_tail_and_its_horizon(self) -> None:
        figure = measure_returns(MIXED, periods_per_year=12, alpha=0.1, period="month")["cvar_historical"]
        assert (figure.alpha, figure.horizon, figure.value) == (0.1, "1 month", -0.1)

    def test_a_gap_counts_in_growth_and_falls_but_not_in_volatility_and_tails(self) -> None:
        regular = np.array([True] * 4 + [False] + [True] * 4)
        series = [*MIXED[:4], -0.3, *MIXED[4:]]
        found = measure_returns(series, periods_per_year=252, regular_T=regular)
        without = measure_returns(MIXED, periods_per_year=252)
        for name in (
            "volatility_ann",
            "sharpe",
            "var_historical",
            "cvar_normal",
            "skewness",
            "worst_day",
            "omega",
        ):
            assert found[name].value == without[name].value, name
            assert "1 return(s) over a gap" in found[name].method
        assert found["twr"].value == pytest.approx((1 + without["twr"].value) * 0.7 - 1)
        assert found["max_drawdown"].value == pytest.approx(0.96 * 1.02 * 0.7 * 1.03 * 1.02 * 1.01 * 0.9 - 1)
        assert (found["volatility_ann"].n, found["max_drawdown"].n) == (8, 9)

    def test_days_give_the_fall_its_dates(self) -> None:
        days = np.array(["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"], "datetime64[D]")
        found = measure_returns(
            [0.1, -0.5, 1.0, 0.2], periods_per_year=12, start=np.datetime64("2023-12-31"), days_T=days
        )
        assert found["max_drawdown"].details == {
            "recovered": True,
            "observations": 1,
            "observations_to_trough": 1,
            "start": "2024-01-31",
            "trough": "2024-02-29",
            "recovery": "2024-03-31",
            "days": 60,
        }
        assert found["longest_drawdown_days"].value == 60
        assert found["best_month"].value == 1.0
        assert found["hit_rate_months"].value == 0.75

    def test_a_fall_that_lasts_has_no_recovery(self) -> None:
        found = measure_returns(
            [-0.5, 0.1],
            periods_per_year=12,
            start=np.datetime64("2024-01-01"),
            days_T=np.array(["2024-01-02", "2024-01-10"], "datetime64[D]"),
        )["max_drawdown"]
        assert found.details["recovery"] is None
        assert (found.details["start"], found.details["days"], found.details["observations"]) == (
            "2024-01-01",
            9,
            2,
        )


class TestNulls:
    @pytest.mark.parametrize("series", [[], [np.nan, np.nan]])
    def test_no_observation(self, series: list[float]) -> None:
        found = measure_returns(series, periods_per_year=252, benchmark_T=series)
        assert {figure.reason for figure in found.values()} == {"no_data"}
        assert {figure.value for figure in found.values()} == {None}

    def test_one_observation(self) -> None:
        found = measure_returns([0.01], periods_per_year=252)
        assert reasons(found, ["volatility_ann", "sharpe", "var_historical", "skewness"]) == {"one_point"}
        assert found["cagr"].reason == "under_a_year"
        assert found["twr"].value == pytest.approx(0.01)

    def test_constant_returns(self) -> None:
        found = measure_returns([0.01] * 30, periods_per_year=12, benchmark_T=[0.01] * 30)
        assert found["volatility_ann"].value == 0
        assert reasons(found, ["sharpe", "sortino", "omega", "skewness", "var_normal", "m2"]) == {"constant"}
        assert reasons(found, ["beta", "alpha_ann", "correlation", "information_ratio"]) == {"constant"}

    def test_only_gains(self) -> None:
        found = measure_returns([0.01, 0.02] * 12, periods_per_year=12)
        names = ["sortino", "omega", "kappa_3", "calmar", "martin", "pain_ratio", "burke", "gain_to_pain"]
        assert reasons(found, names) == {"no_losses"}
        assert values(found)["max_drawdown"] == 0

    def test_a_loss_of_all(self) -> None:
        found = measure_returns([0.1] * 12 + [-1.0, 0.1], periods_per_year=12, benchmark_T=[0.01, 0.02] * 7)
        assert reasons(found, ["cagr", "volatility_log_ann", "calmar", "treynor", "up_capture"]) == {
            "not_positive"
        }
        assert values(found)["twr"] == -1

    def test_no_benchmark_and_none_in_common(self) -> None:
        relative = ["beta", "alpha_ann", "tracking_error_ann", "m2", "up_capture", "batting_average"]
        assert reasons(measure_returns(TWO_YEARS, periods_per_year=12), relative) == {"no_benchmark"}
        empty = measure_returns(TWO_YEARS, periods_per_year=12, benchmark_T=[np.nan] * 24)
        assert reasons(empty, relative) == {"no_overlap"}

    def test_a_benchmark_with_a_hole_has_no_growth_of_its_own(self) -> None:
        bench = np.array(TWO_YEARS) * 0.5
        bench[3] = np.nan
        found = measure_returns(TWO_YEARS, periods_per_year=12, benchmark_T=bench)
        assert reasons(found, ["active_return_ann", "jensen_alpha"]) == {"no_overlap"}
        assert (found["beta"].value, found["beta"].n) == (pytest.approx(2), 23)

    def test_a_negative_beta_has_no_treynor(self) -> None:
        found = measure_returns(TWO_YEARS, periods_per_year=12, benchmark_T=-np.array(TWO_YEARS))
        assert (found["beta"].value, found["treynor"].reason) == (pytest.approx(-1), "not_positive")

    def test_cornish_fisher_where_it_means_nothing(self) -> None:
        found = measure_returns([0.0] * 30 + [0.5], periods_per_year=12)
        assert reasons(found, ["var_cornish_fisher", "cvar_cornish_fisher"]) == {"out_of_domain"}
        assert found["var_normal"].value is not None

    @given(
        st.lists(st.floats(-1, 2).map(lambda x: round(x, 3)) | st.just(math.nan), max_size=15),
        st.lists(st.floats(-0.9, 2).map(lambda x: round(x, 3)) | st.just(math.nan), min_size=15, max_size=15),
    )
    def test_every_figure_is_finite_or_has_a_reason_and_is_json(
        self, series: list[float], bench: list[float]
    ) -> None:
        found = measure_returns(series, periods_per_year=4, benchmark_T=bench[: len(series)])
        text = json.dumps({name: figure.json() for name, figure in found.items()}, allow_nan=False)
        for row in json.loads(text).values():
            assert (row["value"] is None) == ("reason" in row)


class TestValuations:
    def test_money_without_flows_grows_as_time_does(self) -> None:
        found = values(measure(made([0.1, -0.05], step_days=300)))
        assert found["twr"] == pytest.approx(0.045)
        assert found["mwr"] == pytest.approx(0.045)
        assert found["modified_dietz"] == pytest.approx(0.045)
        assert found["return_on_average_investment"] == pytest.approx(0.045)
        assert found["gain"] == pytest.approx(4.5)
        assert found["xirr"] == pytest.approx(1.045 ** (365 / 600) - 1)
        assert found["cagr"] == pytest.approx(1.045 ** (365.25 / 600) - 1)

    @given(
        st.lists(st.floats(-0.2, 0.2), min_size=2, max_size=8),
        st.lists(st.floats(0, 500), min_size=8, max_size=8),
        st.sampled_from(["start", "end"]),
    )
    def test_time_weighted_return_doesn_t_see_the_flows(
        self, returns: list[float], flows: list[float], timing: str
    ) -> None:
        still = measure(made(returns), names=["twr"])["twr"].value
        moved = measure(made(returns, flows=flows[: len(returns)], timing=timing), names=["twr"])["twr"].value
        assert moved == still

    @given(
        st.lists(st.floats(-0.3, 0.3), min_size=2, max_size=6),
        st.lists(st.floats(-50, 80), min_size=6, max_size=6),
    )
    def test_present_value_at_every_root_is_zero(self, returns: list[float], flows: list[float]) -> None:
        valuation = made(returns, flows=flows[: len(returns)], step_days=200)
        found = measure(valuation, names=["xirr", "mwr"])
        days = [day.astype(date) for day in (*valuation.days_T, valuation.days_T[-1])]
        amounts = [*(-valuation.flow_T), float(valuation.nav_T[-1])]
        if found["xirr"].value is not None:
            roots = found["xirr"].details["roots"]
            assert found["xirr"].value in roots
            for root in roots:
                size = xnpv(root, days, [abs(a) for a in amounts])
                assert abs(xnpv(root, days, amounts)) <= 1e-9 * size

    def test_late_money_in_a_rise_earns_less_by_money_than_by_time(self) -> None:
        found = values(measure(made([0.5, 0.0], flows=[0.0, 1000.0], step_days=400)))
        assert found["twr"] == pytest.approx(0.5)
        assert found["xirr"] < found["cagr"]

    def test_under_a_year_money_has_a_return_and_no_rate(self) -> None:
        found = measure(made([0.1], step_days=100))
        assert reasons(found, ["xirr", "cagr", "income_yield"]) == {"under_a_year"}
        assert found["mwr"].value == pytest.approx(0.1)

    def test_a_year_to_the_day_is_a_year(self) -> None:
        assert measure(made([0.1], start="2021-01-01", step_days=365))["cagr"].value is not None
        assert measure(made([0.1], start="2021-01-01", step_days=364))["cagr"].value is None

    def test_periods_a_year_are_counted_without_the_gap(self) -> None:
        found = measure(made([0.01, -0.01] * 5, step_days=[1, 1, 1, 1, 3, 1, 27, 1, 1, 3]))
        assert "253.644 periods a year" not in found["volatility_ann"].method
        assert f"{9 * 365.25 / 13:.6g} periods a year" in found["volatility_ann"].method
        assert found["volatility_ann"].n == 9

    def test_modified_dietz_weighs_a_flow_from_the_start_or_the_end_of_its_day(self) -> None:
        for timing, weight in (("start", 6 / 10), ("end", 5 / 10)):
            valuation = made([0.0, 0.0], flows=[50.0, 0.0], step_days=[5, 5], timing=timing)
            grown = valuation.nav_T[-1] + 12
            object.__setattr__(valuation, "nav_T", np.array([100.0, 150.0, grown]))
            found = measure(valuation, names=["modified_dietz"])["modified_dietz"]
            assert found.value == pytest.approx(12 / (100 + 50 * weight)), timing
            assert f"at the {timing} of their day" in found.method

    def test_the_benchmark_is_taken_over_the_portfolio_s_own_periods(self) -> None:
        valuation = made([0.1, 0.2, -0.1], step_days=[1, 3, 1])
        days = np.datetime64("2020-01-01", "D") + np.arange(7)
        closes = np.array([100.0, 110.0, 1.0, 2.0, 132.0, 118.8, 5.0])
        found = measure(valuation, benchmark=(days, closes))
        assert found["beta"].value == pytest.approx(1)
        assert found["tracking_error_ann"].value == pytest.approx(0, abs=1e-12)
        holed = np.where(np.arange(7) == 1, np.nan, closes)
        assert measure(valuation, benchmark=(days, holed))["beta"].reason == "one_point"
        assert measure(valuation, benchmark=(days[:1], closes[:1]))["beta"].reason == "no_overlap"

    def test_allocation_by_asset_class_and_currency(self) -> None:
        valuation = made(
            [0.5],
            weights={"A": 0.5, "B": 0.25, "C": 0.25},
            asset_class=("share", "bond", "share"),
            cash=50.0,
        )
        found = measure(valuation)
        assert found["allocation_by_asset"].details["shares"] == pytest.approx(
            {"A": 1 / 3, "cash": 1 / 3, "B": 1 / 6, "C": 1 / 6}
        )
        assert found["allocation_by_class"].details["shares"] == pytest.approx(
            {"share": 0.5, "cash": 1 / 3, "bond": 1 / 6}
        )
        assert found["allocation_by_currency"].details["shares"] == pytest.approx(
            {"USD": 2 / 3, "RUB": 1 / 3}
        )
        assert found["allocation_by_class"].value == pytest.approx(0.5)
        assert found["cash_share"].value == pytest.approx(1 / 3)
        assert found["n_holdings"].value == 4
        assert found["effective_n"].value == pytest.approx(1 / (2 / 9 + 2 / 36))

    def test_contributions_add_up_to_the_gain(self) -> None:
        found = measure(made([0.5], weights={"A": 0.75, "B": 0.25}, asset_class=("share", "bond")))
        assert found["contribution_by_class"].details == {
            "contributions": {"share": 37.5, "bond": 12.5},
            "sum": found["gain"].value,
        }
        assert (found["contribution_by_asset"].value, found["contribution_by_asset"].unit) == (37.5, "RUB")

    def test_without_classes_there_is_no_allocation_by_class(self) -> None:
        assert measure(made([0.5]))["allocation_by_class"].reason == "no_data"

    def test_turnover_is_the_smaller_of_bought_and_sold(self) -> None:
        found = measure(made([0.0, 0.0], flows=[-50.0, 0.0]))["turnover"]
        assert found.value == pytest.approx(50 / ((100 + 50 + 50) / 3))

    def test_income_of_the_last_year_over_its_mean_value(self) -> None:
        found = measure(made([0.0] * 4, step_days=146, income=2.0))["income_yield"]
        assert (found.value, found.n) == (pytest.approx(6 / 100), 3)

    def test_all_of_an_empty_valuation_is_null(self) -> None:
        valuation = made([0.1])
        empty = {
            name: getattr(valuation, name)[:0]
            for name in (
                "days_T",
                "nav_T",
                "flow_T",
                "income_T",
                "return_T",
                "span_T",
                "regular_T",
                "value_TA",
                "cash_T",
                "bought_T",
                "sold_T",
            )
        }
        for name, array in empty.items():
            object.__setattr__(valuation, name, array)
        found = measure(valuation)
        assert {figure.reason for figure in found.values()} == {"no_data"}

    def test_one_valued_day_is_one_point_for_money(self) -> None:
        found = measure(made([]))
        assert reasons(found, ["mwr", "xirr", "modified_dietz", "gain"]) == {"one_point"}
        assert found["allocation_by_asset"].value == 1

    def test_rescaling_the_currency_changes_money_alone(self) -> None:
        plain, scaled = (
            measure(made([0.1, -0.2, 0.05], flows=[k * 10, 0, -k * 5], first=k * 100, step_days=200))
            for k in (1, 90)
        )
        for name, figure in plain.items():
            if figure.spec.unit == "money" and figure.value is not None:
                assert scaled[name].value == pytest.approx(90 * figure.value), name
            elif figure.value is None:
                assert scaled[name].reason == figure.reason, name
            else:
                assert scaled[name].value == pytest.approx(figure.value, rel=1e-9), name


class TestRefusals:
    def test_an_unknown_figure(self) -> None:
        with pytest.raises(InputError, match="no such figure; got 'alfa'"):
            measure_returns(MIXED, periods_per_year=12, names=["alfa"])

    def test_a_figure_of_money_from_returns_alone(self) -> None:
        with pytest.raises(InputError, match="needs a valuation"):
            measure_returns(MIXED, periods_per_year=12, names=["xirr"])

    @pytest.mark.parametrize(
        "options",
        [
            {"alpha": 0.7},
            {"rf_ann": -1.0},
            {"periods_per_year": 0.0},
            {"benchmark_T": [0.1]},
            {"regular_T": np.array([True])},
            {"start": np.datetime64("2020-01-01")},
        ],
    )
    def test_parameters_out_of_range(self, options: dict[str, object]) -> None:
        with pytest.raises(InputError, match=next(iter(options))):
            measure_returns(MIXED, **({"periods_per_year": 12.0} | options))  # type: ignore[arg-type]

    def test_days_that_don_t_ascend(self) -> None:
        days = np.array(["2020-01-02", "2020-01-02"], "datetime64[D]")
        with pytest.raises(InputError, match="ascend"):
            measure_returns([0.1, 0.1], periods_per_year=12, start=np.datetime64("2020-01-01"), days_T=days)

    def test_a_matrix_of_returns(self) -> None:
        with pytest.raises(InputError, match="one series"):
            measure_returns([[0.1]], periods_per_year=12)

    @pytest.mark.parametrize(
        ("days", "closes", "rule"),
        [
            (["2020-01-01"], [1.0, 2.0], "one length"),
            (["2020-01-01", "2020-01-02"], [1.0, 0.0], "above 0"),
            (["2020-01-02", "2020-01-01"], [1.0, 2.0], "ascend"),
        ],
    )
    def test_benchmarks_that_can_t_be_read(self, days: list[str], closes: list[float], rule: str) -> None:
        with pytest.raises(InputError, match=rule):
            measure(made([0.1]), benchmark=(np.array(days, "datetime64[D]"), np.array(closes)))
