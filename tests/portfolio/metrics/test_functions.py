"""The plain functions: cases that can be checked by eye, published ones, and what they refuse."""

import math
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.errors import InputError
from nextbest.portfolio.metrics import allocation, drawdown, relative, returns, risk, time_value
from nextbest.portfolio.metrics.fast import fast_metrics

RISE_AND_FALL = [0.1, -0.5, 0.1, 1.0, -0.1]
series = st.lists(st.floats(-0.5, 1).map(lambda x: round(x, 3)), min_size=2, max_size=25)


class TestReturns:
    def test_linked_sub_periods_are_the_whole(self) -> None:
        assert returns.link(
            [returns.link(RISE_AND_FALL[:2]), returns.link(RISE_AND_FALL[2:])]
        ) == pytest.approx(returns.link(RISE_AND_FALL))
        assert returns.linked_so_far(RISE_AND_FALL)[-1] == pytest.approx(returns.link(RISE_AND_FALL))

    def test_nothing_observed_links_to_nothing(self) -> None:
        assert math.isnan(returns.link([math.nan]))

    def test_a_period_return_needs_money_at_its_start(self) -> None:
        assert returns.period_return(0, 110, inflow=100) == pytest.approx(0.1)
        assert returns.period_return(100, 0, outflow=110) == pytest.approx(0.1)
        assert math.isnan(returns.period_return(0, 10))

    def test_dietz_without_capital_has_no_return(self) -> None:
        assert math.isnan(returns.modified_dietz(0, 10))

    def test_dietz_wants_a_weight_for_each_flow(self) -> None:
        with pytest.raises(InputError, match="one for each flow"):
            returns.modified_dietz(1, 1, flows=[1.0])
        with pytest.raises(InputError, match="between 0 and 1"):
            returns.modified_dietz(1, 1, flows=[1.0], weights=[1.5])

    def test_growth_is_not_annualised_under_a_year_unless_asked(self) -> None:
        assert math.isnan(returns.annual_growth(0.1, years=0.99))
        assert returns.annual_growth(0.1, years=0.5, min_years=0) == pytest.approx(0.21)
        assert math.isnan(returns.annual_growth(-1.0, years=2))
        with pytest.raises(InputError, match="years"):
            returns.annual_growth(0.1, years=0)

    @pytest.mark.parametrize(
        ("start", "end", "a_year"),
        [
            ("2023-03-01", "2024-02-29", False),
            ("2023-03-01", "2024-03-01", True),
            ("2024-02-29", "2025-02-28", True),
            ("2024-02-29", "2025-02-27", False),
            ("2023-02-28", "2024-02-28", True),
            ("2023-12-31", "2024-12-30", False),
            ("2023-12-31", "2024-12-31", True),
        ],
    )
    def test_a_year_is_the_same_date_of_the_next(self, start: str, end: str, a_year: bool) -> None:
        assert returns.is_a_year(np.datetime64(start), np.datetime64(end)) is a_year

    def test_calendar_returns_by_month_and_year(self) -> None:
        days = np.array(["2023-12-29", "2024-01-10", "2024-01-31", "2024-03-01"], "datetime64[D]")
        months, linked = returns.calendar_returns(days, np.array([0.1, 0.1, 0.1, math.nan]))
        assert months.astype(str).tolist() == ["2023-12-01", "2024-01-01"]
        assert linked == pytest.approx([0.1, 0.21])
        years, linked = returns.calendar_returns(days, np.array([0.1, 0.1, 0.1, 0.0]), by="year")
        assert years.astype(str).tolist() == ["2023-01-01", "2024-01-01"]
        assert linked == pytest.approx([0.1, 0.21])
        assert len(returns.calendar_returns(days[:0], np.empty(0))[0]) == 0

    def test_infinite_values_are_refused(self) -> None:
        with pytest.raises(InputError, match="finite"):
            returns.link([math.inf])
        with pytest.raises(InputError, match="one series"):
            returns.link([[0.1]])


class TestDrawdown:
    def test_episodes_and_their_averages(self) -> None:
        found = drawdown.drawdowns(RISE_AND_FALL)
        assert [(d.peak, d.trough, d.recovery, d.end) for d in found] == [(0, 1, 3, 3), (3, 4, None, 4)]
        assert drawdown.average_drawdown(RISE_AND_FALL) == pytest.approx(-0.3)
        assert drawdown.deepest(RISE_AND_FALL) == found[0]
        assert drawdown.conditional_drawdown(RISE_AND_FALL, alpha=0.5) == pytest.approx(
            (-0.5 - 0.45 - 0.1) / 3
        )

    def test_no_fall_at_all(self) -> None:
        assert drawdown.drawdowns([0.1, 0.0]) == []
        assert drawdown.average_drawdown([0.1]) == 0
        assert drawdown.deepest([0.1]) is None

    def test_nothing_observed(self) -> None:
        for figure in (
            drawdown.average_drawdown,
            drawdown.ulcer_index,
            drawdown.pain_index,
            drawdown.conditional_drawdown,
        ):
            assert math.isnan(figure([]))

    def test_wealth_must_start_above_zero(self) -> None:
        with pytest.raises(InputError, match="start above 0"):
            drawdown.fall_from_peak([0.0, 1.0])

    @given(series)
    def test_series_and_core_agree_on_the_deepest_fall(self, values: list[float]) -> None:
        falls = drawdown.drawdown_series(values)
        core = fast_metrics(np.array([values]), periods_per_year=12)
        assert falls.min() == pytest.approx(core["max_drawdown"][0], abs=1e-12)
        assert ((falls >= -1) & (falls <= 0)).all()
        depths = [one.depth for one in drawdown.drawdowns(values)]
        assert min(depths, default=0.0) == pytest.approx(falls.min(), abs=1e-12)
        assert drawdown.pain_index(values) <= drawdown.ulcer_index(values) + 1e-12
        assert drawdown.ulcer_index(values) <= -falls.min() + 1e-12


class TestRisk:
    @given(series)
    def test_omega_less_one_is_kappa_of_order_one(self, values: list[float]) -> None:
        omega, kappa = risk.omega(values), risk.kappa(values, order=1)
        assert math.isnan(omega) == math.isnan(kappa)
        assert math.isnan(omega) or omega - 1 == pytest.approx(kappa, abs=1e-9, rel=1e-9)

    @given(series)
    def test_partial_moments_meet_at_the_mean(self, values: list[float]) -> None:
        both = risk.upper_partial_moment(values) - risk.lower_partial_moment(values)
        assert both == pytest.approx(np.mean(values), abs=1e-12)

    def test_without_losses_ratios_have_no_value(self) -> None:
        for figure in (
            risk.omega,
            risk.kappa,
            risk.upside_potential_ratio,
            risk.gain_to_pain,
            risk.volatility_skewness,
        ):
            assert math.isnan(figure([0.1, 0.2])), figure

    def test_nothing_observed(self) -> None:
        for figure in (
            risk.lower_partial_moment,
            risk.upper_partial_moment,
            risk.downside_frequency,
            risk.upside_frequency,
            risk.kappa,
            risk.tail_ratio,
            risk.mean_absolute_deviation,
            risk.population_skewness,
            risk.sample_excess_kurtosis,
        ):
            assert math.isnan(figure([])), figure
        assert math.isnan(risk.historical_var([], alpha=0.05))
        assert math.isnan(risk.log_volatility([0.1], periods=12))
        assert math.isnan(risk.log_semi_volatility([0.1, -1.0], periods=12))

    def test_constant_returns_have_no_shape(self) -> None:
        assert math.isnan(risk.population_kurtosis([0.1] * 5))
        assert math.isnan(risk.sample_kurtosis([0.1] * 5))

    def test_the_excess_is_a_spreadsheet_s_kurt(self) -> None:
        assert risk.sample_excess_kurtosis([3, 4, 5, 2, 3, 4, 5, 6, 4, 7]) == pytest.approx(-0.151799637)

    def test_tails_of_one_side_and_the_other(self) -> None:
        assert risk.tail_ratio([-0.1, 0.0, 0.2], alpha=0.0 + 1e-12) == pytest.approx(2)

    def test_refusals(self) -> None:
        with pytest.raises(InputError, match="alpha"):
            risk.historical_var([0.1], alpha=1.0)
        with pytest.raises(InputError, match="alpha"):
            risk.discrete_cvar([1.0], [1.0], alpha=0.0)
        with pytest.raises(InputError, match="add up to 1"):
            risk.discrete_cvar([1.0, 2.0], [0.5, 0.4], alpha=0.5)
        with pytest.raises(InputError, match="probabilities"):
            risk.discrete_cvar([1.0], [], alpha=0.5)


class TestRelative:
    def test_a_line_is_found(self) -> None:
        bench = [0.01, -0.02, 0.03]
        own = [0.002 + 1.5 * b for b in bench]
        assert relative.beta(own, bench) == pytest.approx(1.5)
        assert relative.fama_beta(own, bench) == pytest.approx(1.5)
        assert relative.specific_risk(own, bench, periods_per_year=12) == pytest.approx(0, abs=1e-12)
        assert relative.batting_average(own, bench) == pytest.approx(2 / 3)

    def test_periods_that_either_lacks_are_left_out(self) -> None:
        assert relative.beta([0.1, math.nan, 0.3, 0.2], [0.1, 5, 0.3, math.nan]) == pytest.approx(1)

    def test_a_constant_benchmark(self) -> None:
        assert math.isnan(relative.beta([0.1, 0.2], [0.1, 0.1]))
        assert math.isnan(relative.fama_beta([0.1, 0.2], [0.1, 0.1]))

    def test_nothing_in_common(self) -> None:
        assert math.isnan(relative.batting_average([math.nan], [0.1]))
        assert math.isnan(relative.specific_risk([0.1], [0.1], periods_per_year=12))

    def test_no_risk_and_no_slope(self) -> None:
        assert math.isnan(relative.modigliani_m2(0.1, volatility=0, benchmark_volatility=0.1))
        assert math.isnan(relative.treynor_ratio(0.1, beta=0))
        assert relative.treynor_ratio(0.1, beta=2, rf_ann=0.02) == pytest.approx(0.04)
        assert relative.jensen_alpha(0.1, 0.05, beta=1.5, rf_ann=0.02) == pytest.approx(0.1 - 0.02 - 0.045)

    def test_series_of_different_lengths(self) -> None:
        with pytest.raises(InputError, match="shape"):
            relative.beta([0.1], [0.1, 0.2])


class TestAllocation:
    def test_equal_holdings(self) -> None:
        assert allocation.herfindahl([5, 5, 5, 5]) == 0.25
        assert allocation.effective_number([5, 5, 5, 5]) == 4

    @given(st.lists(st.floats(0.01, 100), min_size=1, max_size=10), st.floats(0.01, 100))
    def test_concentration_lies_between_equal_and_one_and_has_no_scale(
        self, values: list[float], scale: float
    ) -> None:
        found = allocation.herfindahl(values)
        assert 1 / len(values) - 1e-12 <= found <= 1 + 1e-12
        assert allocation.herfindahl([value * scale for value in values]) == pytest.approx(found)
        assert allocation.herfindahl(values[::-1]) == pytest.approx(found)

    def test_nothing_held(self) -> None:
        assert math.isnan(allocation.herfindahl([]))
        assert math.isnan(allocation.effective_number([0.0]))
        assert allocation.shares({"A": 1.0, "debt": -2.0}) == {}
        assert math.isnan(allocation.return_on_average_investment(1.0, math.nan))

    def test_shares_and_groups(self) -> None:
        assert allocation.shares({"A": 150.0, "debt": -50.0}) == {"A": 1.5, "debt": -0.5}
        assert allocation.by_group({"A": 1.0, "B": 2.0, "C": 4.0}, {"A": "x", "B": "x"}) == {
            "other": 4.0,
            "x": 3.0,
        }

    def test_money_paid_in_is_no_turnover(self) -> None:
        assert allocation.turnover(bought=100, sold=0, average_value=50) == 0
        assert allocation.turnover(bought=100, sold=20, average_value=50) == 0.4
        assert math.isnan(allocation.turnover(bought=1, sold=1, average_value=0))

    def test_days_without_capital_don_t_thin_the_average(self) -> None:
        assert allocation.average_investment([0, 10, 20, 30], [100, -5, 200]) == 150
        assert math.isnan(allocation.average_investment([0, 0], [100]))

    def test_refusals(self) -> None:
        with pytest.raises(InputError, match="0 or more"):
            allocation.herfindahl([1, -1])
        with pytest.raises(InputError, match="0 or more"):
            allocation.turnover(bought=-1, sold=0, average_value=1)
        with pytest.raises(InputError, match="one for each stretch"):
            allocation.average_investment([0], [1])


class TestTimeValue:
    def test_a_payment_and_a_number_of_them_settle_a_debt(self) -> None:
        payment = time_value.level_payment(0.01, n_periods=24, present_value=1000)
        assert time_value.future_value(
            0.01, n_periods=24, payment=payment, present_value=1000
        ) == pytest.approx(0, abs=1e-9)
        assert time_value.n_payments(0.01, payment=payment, present_value=1000) == pytest.approx(24)

    def test_a_payment_below_the_interest_never_settles(self) -> None:
        assert math.isnan(time_value.n_payments(0.01, payment=-5, present_value=1000))

    def test_without_interest_it_is_a_sum(self) -> None:
        assert time_value.future_value(0, n_periods=10, payment=-5, present_value=-100) == pytest.approx(150)

    def test_refusals(self) -> None:
        with pytest.raises(InputError, match="rate"):
            time_value.future_value(-1, n_periods=1)
        with pytest.raises(InputError, match="n_periods"):
            time_value.level_payment(0.1, n_periods=0, present_value=1)
        with pytest.raises(InputError, match="flow_day"):
            time_value.dated_future_value(
                start=date(2020, 1, 2),
                flow_day=date(2020, 1, 1),
                end=date(2021, 1, 1),
                start_rate=0,
                end_rate=0,
                amount=1,
            )
