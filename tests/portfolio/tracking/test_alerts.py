"""Alerts open at one limit and close at another; plans are records that add up."""

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nextbest.errors import InputError
from nextbest.portfolio.plan.candidates import Candidate
from nextbest.portfolio.plan.class_returns import ClassReturns
from nextbest.portfolio.plan.glide import GlidePath
from nextbest.portfolio.plan.goals import Goal, GoalOdds
from nextbest.portfolio.plan.proposal import Option, Plan, PlanConfig, PlanRequest
from nextbest.portfolio.tracking.alerts import ALERT_KINDS, ALERT_TEXTS, AlertLimits, Limit, next_state
from nextbest.portfolio.tracking.plans import PlanRecord, SimulatedOdds, drift, record_of

PLAN = PlanRecord(
    created=date(2024, 1, 1),
    currency="RUB",
    allocation={"bonds": 0.6, "equity": 0.4},
    goal_id="home",
    target_amount=200.0,
    n_months=2,
    quantiles_MQ=((100, 100, 100, 100, 100), (90, 95, 100, 110, 120), (80, 90, 100, 120, 140)),
)


def states(values: list[float], limit: Limit) -> list[bool]:
    state, found = np.array([False]), []
    for value in values:
        state = next_state(state, np.array([value]), limit)
        found.append(bool(state[0]))
    return found


def test_a_value_that_wavers_around_the_limit_opens_the_alert_once() -> None:
    limit = Limit(opens_at=0.20, closes_at=0.15)
    assert states([0.19, 0.21, 0.19, 0.21, 0.16, 0.14, 0.16], limit) == [False, *[True] * 4, False, False]


def test_a_low_value_may_be_the_bad_one() -> None:
    limit = Limit(opens_at=0.5, closes_at=0.55)
    assert states([0.52, 0.49, 0.52, 0.56, 0.52], limit) == [False, True, True, False, False]


@given(st.lists(st.floats(0.151, 0.199), max_size=30), st.booleans())
def test_between_the_limits_nothing_changes(values: list[float], was_open: bool) -> None:
    state = np.array([was_open])
    for value in [*values, float("nan")]:
        state = next_state(state, np.array([value]), Limit(opens_at=0.20, closes_at=0.15))
    assert bool(state[0]) is was_open


def test_limits_that_flap_or_stand_on_their_head_are_refused() -> None:
    with pytest.raises(ValidationError, match="the alert flaps"):
        Limit(opens_at=0.2, closes_at=0.2)
    with pytest.raises(ValidationError, match="drawdown must close below"):
        AlertLimits(drawdown=Limit(opens_at=0.1, closes_at=0.2))
    with pytest.raises(ValidationError, match="goal_probability must close above"):
        AlertLimits(goal_probability=Limit(opens_at=0.5, closes_at=0.4))


def test_every_alert_has_words_in_both_languages() -> None:
    assert all(en and ru and en != ru for en, ru in (ALERT_TEXTS[kind] for kind in ALERT_KINDS))


def test_the_expected_path_lies_on_straight_lines_between_months() -> None:
    assert PLAN.quantiles_at(date(2024, 1, 1)).tolist() == [100.0] * 5
    month = PLAN.quantiles_at(date(2024, 1, 31))  # 30 days are 0.9856 months
    assert month[0] == pytest.approx(100 - 10 * 30 / (365.25 / 12))
    assert PLAN.quantiles_at(date(2023, 12, 1)).tolist() == [100.0] * 5
    assert PLAN.quantiles_at(date(2024, 3, 15)) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"allocation": {"bonds": 0.6}}, "allocation must add up to one, is 0.600000"),
        ({"n_months": 3}, "must have 4 rows, has 3"),
        ({"quantiles_MQ": ((5, 4, 3, 2, 1),) * 3}, "must rise from 5 to 95 %"),
        ({"target_amount": 0}, "greater than 0"),
        ({"glide_months": 3}, "belong together"),
    ],
)
def test_a_plan_that_does_not_add_up_is_refused(change, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        PlanRecord(**{**PLAN.model_dump(), **change})


def test_drift_names_every_class_of_either_side() -> None:
    assert drift({"equity": 0.5, "gold": 0.5}, PLAN.allocation) == {"bonds": -0.6, "equity": 0.1, "gold": 0.5}


def test_a_plan_that_glides_wants_other_shares_as_the_goal_comes_near() -> None:
    gliding = PLAN.model_copy(update={"near_allocation": {"bonds": 1.0}, "glide_months": 2})
    assert gliding.allocation_on(date(2024, 1, 15)) == {"bonds": 0.6, "equity": 0.4}
    assert gliding.allocation_on(date(2024, 2, 5)) == pytest.approx({"bonds": 0.8, "equity": 0.2})
    assert gliding.allocation_on(date(2025, 1, 1)) == {"bonds": 1.0, "equity": 0.0}
    returns = np.tile([0.0, 0.1], (24, 1))
    odds = SimulatedOdds(returns, ("bonds", "equity"), n_paths=100)
    at_end = [odds.probability(p, wealth=190.0, months_left=2, months_gone=0.0) for p in (PLAN, gliding)]
    assert at_end == [1.0, 1.0]
    assert odds.probability(PLAN, wealth=186.0, months_left=2, months_gone=0.0) == 1.0
    assert odds.probability(gliding, wealth=186.0, months_left=2, months_gone=0.0) == 0.0


def test_odds_rise_with_wealth_and_are_those_of_the_goal_engine() -> None:
    rng = np.random.default_rng(0)
    returns = rng.normal([0.004, 0.01], [0.01, 0.05], (120, 2))
    odds = SimulatedOdds(returns, ("bonds", "equity"), n_paths=400)
    found = [odds.probability(PLAN, wealth=w, months_left=24, months_gone=0.0) for w in (150, 180, 210)]
    assert found == sorted(found)
    assert found[0] < found[2]
    assert odds.probability(PLAN, wealth=180, months_left=24, months_gone=0.0) == found[1]


def test_odds_of_a_class_without_returns_are_refused() -> None:
    odds = SimulatedOdds(np.zeros((24, 1)), ("bonds",))
    with pytest.raises(InputError, match=r"must hold every class of the plan; got \['equity'\]"):
        odds.probability(PLAN, wealth=1.0, months_left=3, months_gone=0.0)


def test_a_proposal_becomes_a_record_with_its_goal_odds_path_and_glide() -> None:
    glide = GlidePath(np.array([0.25, 0.75]), np.array([1.0, 0.0]), glide_months=12)
    odds = GoalOdds(
        probability=0.6,
        n_paths=100,
        target_nominal=1.0,
        shortfall_mean=0.0,
        shortfall_worst=0.0,
        quantiles_MQ=np.tile([1.0, 2, 3, 4, 5], (25, 1)),
        required_contribution=None,
        wanted=None,
    )
    option = Option(Candidate("model", "model", glide.far_C), glide, odds)
    asked = PlanRequest(
        client_id="ann",
        currency="RUB",
        wealth=100.0,
        goal=Goal(500.0, 24, 5.0, inflation_ann=0.04),
        goal_id="g1",
        goal_type="home",
        profile=None,
        now=datetime(2024, 5, 1, 23, tzinfo=UTC),
    )
    months = np.arange(30).astype("datetime64[M]")
    returns = ClassReturns(("bonds", "equity"), np.zeros((30, 2)), months, "RUB")
    plan = Plan(asked, PlanConfig(), None, "information", returns=returns, options=(option,))
    record = record_of(plan)
    assert (record.created, record.goal_id, record.n_months, record.probability) == (
        date(2024, 5, 1),
        "g1",
        24,
        0.6,
    )
    assert (record.allocation, record.near_allocation) == ({"bonds": 0.25, "equity": 0.75}, {"bonds": 1.0})
    assert (record.target_amount, record.monthly_contribution, record.glide_months) == (500.0, 5.0, 12)
    assert record.quantiles_at(date(2025, 1, 1)).tolist() == [1, 2, 3, 4, 5]
    with pytest.raises(InputError, match="must have a proposal; got 'nothing_suitable'"):
        record_of(replace(plan, refused="nothing_suitable"))
