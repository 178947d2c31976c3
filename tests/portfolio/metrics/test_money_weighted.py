"""Rates of dated flows: published ones, several roots, none, and the laws they obey."""

import math
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.errors import InputError
from nextbest.portfolio.metrics.money_weighted import LARGEST_FACTOR, irr, xirr, xnpv

START = date(2020, 1, 1)
MATHWORKS = ["2007-01-12", "2008-02-14", "2008-03-03", "2008-06-14", "2008-12-01"]


def yearly(*amounts: float) -> tuple[list[date], list[float]]:
    """Flows 365 days apart, so that ACT/365F has whole years."""
    return [START + timedelta(days=365 * i) for i in range(len(amounts))], list(amounts)


class TestXirr:
    @pytest.mark.parametrize(
        ("day_count", "rate"),
        [
            ("ACT/365F", 0.10064378342638),
            ("ACT/360", 0.0991988898057063),
            ("30/360 ISDA", 0.100675477282743),
            ("ACT/ACT ISDA", 0.100739648987346),
        ],
    )
    def test_published_rates_of_one_case_by_day_count(self, day_count: str, rate: float) -> None:
        days = [date.fromisoformat(day) for day in MATHWORKS]
        found = xirr(days, [-10000, 2500, 2000, 3000, 4000], day_count=day_count)  # type: ignore[arg-type]
        assert found.rate == pytest.approx(rate, abs=1e-9)
        assert found.day_count == day_count

    def test_two_roots_are_both_told_and_the_falling_one_leads(self) -> None:
        found = xirr(
            *yearly(-100, 230, -132)
        )  # (1 + r) is 1.1 or 1.2; the value rises at 1.1 and falls at 1.2
        assert found.roots == pytest.approx((0.1, 0.2))
        assert found.rate == pytest.approx(0.2)

    def test_of_several_falling_roots_the_nearest_to_no_growth_leads(self) -> None:
        # (x - 1.5)(x - 3)(x - 0.2) = x^3 - 4.7 x^2 + 5.4 x - 0.9, falling at 0.2 and 3
        found = xirr(*yearly(-1, 4.7, -5.4, 0.9))
        assert found.roots == pytest.approx((-0.8, 0.5, 2.0))
        assert found.rate == pytest.approx(2.0)

    def test_a_lone_rising_root_is_the_rate_of_a_loan(self) -> None:
        assert xirr(*yearly(100, -110)).rate == pytest.approx(0.1)

    @pytest.mark.parametrize(
        "amounts", [(), (100.0,), (100.0, 50.0), (-100.0, -50.0), (0.0, 0.0), (100.0, -150.0, 100.0)]
    )
    def test_no_rate_settles_these(self, amounts: tuple[float, ...]) -> None:
        found = xirr(*yearly(*amounts))
        assert (found.rate, found.roots, found.over_period) == (None, (), None)

    def test_flows_of_one_day_alone_have_no_rate(self) -> None:
        assert xirr([START, START], [-100, 120]).rate is None

    def test_flows_of_a_day_are_one_flow_in_any_order(self) -> None:
        days, amounts = yearly(-100, 30, 90)
        split = xirr([days[2], days[1], days[0], days[1]], [90, 130, -100, -100])
        assert split.rate == pytest.approx(xirr(days, amounts).rate)
        assert len(split.roots) == 1

    def test_a_root_that_rounding_hides_is_none(self) -> None:
        assert xirr([START, START + timedelta(days=400)], [-1000, 1e-6]).rate == pytest.approx(
            (1e-9) ** (365 / 400) - 1, rel=1e-9
        )
        tiny = 1000 / LARGEST_FACTOR / 10
        assert xirr([START, START + timedelta(days=14600)], [-1000, tiny]).rate is None

    def test_over_the_period(self) -> None:
        assert xirr(*yearly(-100, 0, 121)).over_period == pytest.approx(0.21)

    def test_a_loss_of_nearly_all(self) -> None:
        days = [date(2019, 5, 24), date(2020, 1, 13), date(2020, 6, 29)]
        assert xirr(days, [-1560.94, -1160, 42.8]).rate == pytest.approx(-0.999251643, abs=1e-8)

    @given(
        st.lists(
            st.tuples(st.integers(0, 4000), st.floats(-1000, 1000).map(lambda x: round(x, 2))),
            min_size=2,
            max_size=8,
        )
    )
    def test_at_every_root_the_present_value_is_zero(self, flows: list[tuple[int, float]]) -> None:
        days = [START + timedelta(days=day) for day, _ in flows]
        amounts = [amount for _, amount in flows]
        found = xirr(days, amounts)
        assert (found.rate is None) == (not found.roots)
        assert found.rate is None or found.rate in found.roots
        assert list(found.roots) == sorted(found.roots)
        for root in found.roots:
            first = min(day for day, amount in zip(days, amounts, strict=True))
            size = sum(
                abs(a) * (1 + root) ** (-(d - first).days / 365) for d, a in zip(days, amounts, strict=True)
            )
            assert abs(xnpv(root, days, amounts)) <= 1e-8 * size

    @given(st.floats(0.001, 1000), st.floats(-0.5, 3), st.integers(30, 3000))
    def test_scale_changes_nothing_and_a_known_rate_is_found(
        self, scale: float, rate: float, days: int
    ) -> None:
        end = START + timedelta(days=days)
        grown = 100 * (1 + rate) ** (days / 365)
        found = xirr([START, end], [-100 * scale, grown * scale])
        assert found.rate == pytest.approx(rate, rel=1e-6, abs=1e-7)

    def test_refusals(self) -> None:
        with pytest.raises(InputError, match="one for each day"):
            xirr([START], [1, 2])
        with pytest.raises(InputError, match="finite"):
            xirr(*yearly(-1, math.inf))
        with pytest.raises(InputError, match="day_count"):
            xirr(*yearly(-1, 2), day_count="ACT/999")  # type: ignore[arg-type]
        with pytest.raises(InputError, match="above -1"):
            xnpv(-1, *yearly(-1, 2))


class TestIrr:
    def test_published(self) -> None:
        assert irr([-100, -118, 264]).rate == pytest.approx(0.1386, abs=5e-5)
        assert irr([-100, -50, 300]).over_period == pytest.approx(1.25)

    def test_the_nearest_root_can_be_preferred(self) -> None:
        flows = [-5, 10.5, 1, -8, 1]
        assert irr(flows, prefer="nearest").rate == pytest.approx(0.0886, abs=5e-5)
        assert irr(flows).rate == pytest.approx(0.7096, abs=5e-5)
        assert irr(flows).roots == irr(flows, prefer="nearest").roots

    def test_nothing_flows(self) -> None:
        assert irr([0, 0]).rate is None

    def test_an_infinite_flow(self) -> None:
        with pytest.raises(InputError, match="finite"):
            irr([-1, math.nan])
