"""The questionnaire, the risk class and the hard filter."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextbest.charts_page.disclaimer import check_promises
from nextbest.errors import DataError, InputError
from nextbest.portfolio.plan.questionnaire import (
    DIMENSIONS,
    Form,
    RiskProfile,
    load_form,
    read_form,
    risk_class,
    with_horizon,
)
from nextbest.portfolio.plan.suitability import Allocation, load_limits, read_limits, suitable

DAY = date(2026, 11, 1)
FORM = load_form()
WISHES = [a.id for q in FORM.question if q.scores == "wish" for a in q.answers]
BEST = {
    q.id: max(q.answers, key=lambda a: (a.points or 0, -len(a.cap), -a.liquidity)).id for q in FORM.question
}
BEST |= {"purchase": "no", "wished_return": "0"}
some_answers = st.fixed_dictionaries(
    {q.id: st.sampled_from([a.id for a in q.answers]) for q in FORM.question}
)


def profile(**grades: int) -> RiskProfile:
    return RiskProfile(
        **({"capacity": 5, "tolerance": 5, "knowledge": 5, "horizon": 5} | grades), profiled_on=DAY, form="f"
    )


def _class_never_rises_with_the_wish(form: Form, answers: dict[str, str]) -> bool:
    classes = [risk_class(answers | {"wished_return": wish}, form=form, on=DAY).risk_class for wish in WISHES]
    return all(later <= earlier for earlier, later in pairwise(classes))


@settings(max_examples=200)
@given(some_answers)
def test_a_higher_wished_return_never_raises_the_class(answers):
    assert _class_never_rises_with_the_wish(FORM, answers)


def test_that_law_catches_a_form_in_which_the_wish_counts():
    weakened = [
        q.model_copy(
            update={
                "scores": "tolerance",
                "answers": tuple(a.model_copy(update={"points": i + 1}) for i, a in enumerate(q.answers)),
            }
        )
        if q.scores == "wish"
        else q
        for q in FORM.question
        if q.scores != "tolerance"
    ]
    form = FORM.model_copy(update={"question": tuple(weakened), "contradiction": ()})
    answers = {q.id: BEST[q.id] for q in form.question}
    assert not _class_never_rises_with_the_wish(form, answers)


def test_a_form_may_not_give_points_to_a_wish():
    text = (
        FORM.model_dump_json()
        and """
name = "f"
[horizon]
years = [0.0]
risk_class = [5]
[[question]]
id = "wish"
section = "objectives"
scores = "wish"
en = "w"
ru = "w"
answers = [{ id = "a", points = 1, en = "", ru = "" }, { id = "b", points = 5, en = "", ru = "" }]
"""
    )
    with pytest.raises(DataError, match="must have no points"):
        read_form(text)
    capped = text.replace("points = 1,", "cap = { capacity = 1 },").replace("points = 5,", "")
    with pytest.raises(DataError, match="a wish must not change the class"):
        read_form(capped)


@settings(max_examples=100)
@given(some_answers)
def test_class_is_the_lowest_of_the_four_and_caps_hold(answers):
    found = risk_class(answers, on=DAY)
    assert found.risk_class == min(getattr(found, d) for d in DIMENSIONS)
    assert all(getattr(found, d) == found.risk_class for d in found.limited_by)
    if answers["reserve"] == "none" or answers["purchase"] == "6_months":
        assert found.risk_class == 1
    if answers["fall_20"] == "sell_all":
        assert found.tolerance == 1
    assert risk_class(answers | {"horizon": "under_1"}, on=DAY).risk_class == 1


def test_best_answers_give_class_five_and_each_dimension_can_lower_it():
    assert risk_class(BEST, on=DAY).risk_class == 5
    for worse in ({"knowledge": "low"}, {"loss_limit": "10"}, {"fall_20": "sell_some"}, {"horizon": "1_3"}):
        assert risk_class(BEST | worse, on=DAY).risk_class < 5


def test_contradictions_are_found_and_block_advice():
    fine = risk_class(BEST, on=DAY)
    assert fine.contradictions == ()
    found = risk_class(BEST | {"fall_20": "sell_all"}, on=DAY)
    assert [c.id for c in found.contradictions] == ["risk_lover_sells_all"]
    assert found.why_no_advice(DAY) == ["profile_contradicts"]
    told = risk_class(BEST | {"appetite": "avoid", "wished_return": "more"}, on=DAY)
    assert [c.blocking for c in told.contradictions] == [False]
    assert told.why_no_advice(DAY) == []


def test_a_profile_older_than_a_year_is_no_ground_for_advice():
    found = risk_class(BEST, on=DAY)
    assert found.why_no_advice(DAY + timedelta(days=365)) == []
    assert found.why_no_advice(DAY + timedelta(days=366)) == ["profile_expired"]
    assert found.why_no_advice(DAY - timedelta(days=1)) == ["profile_from_the_future"]
    assert RiskProfile(5, 5, 5, 5, DAY).why_no_advice(DAY) == ["no_questionnaire"]


def test_missing_and_unknown_answers_are_all_named():
    answers = {k: v for k, v in BEST.items() if k != "reserve"} | {"job": "pirate", "shoe_size": "43"}
    with pytest.raises(
        InputError, match=r"shoe_size.*no such question.*reserve: is required.*job: must be one of"
    ):
        risk_class(answers, on=DAY)


def test_horizon_caps_the_class():
    assert [with_horizon(profile(), years=y).risk_class for y in (0.5, 1, 2.9, 3, 5, 7, 30)] == [
        1,
        2,
        2,
        3,
        4,
        5,
        5,
    ]
    with pytest.raises(InputError, match="horizon_years"):
        with_horizon(profile(), years=-1)


def test_form_has_both_languages_no_promise_and_its_attribution():
    check_promises(FORM.model_dump(mode="json"))
    for question in FORM.question:
        for words in (question, *question.answers):
            assert words.en
            letters = {c for c in words.ru.lower() if c.isalpha()}
            assert not letters or any("а" <= letter <= "я" for letter in letters)  # "31-60 %" has none


@pytest.mark.parametrize(
    ("classes", "grades", "rules"),
    [
        ({"cash": 1.0}, {"capacity": 1}, []),
        ({"equity": 0.5, "bond": 0.5}, {"capacity": 3}, []),
        ({"equity": 0.51, "bond": 0.49}, {"capacity": 3}, ["max_equity"]),
        ({"equity": 0.3, "mixed": 0.3, "bond": 0.4}, {"tolerance": 3}, ["max_equity"]),
        ({"gold": 0.2, "bond": 0.8}, {"tolerance": 3}, ["max_alternative"]),
        ({"currency": 0.3, "cash": 0.7}, {"tolerance": 2}, ["max_alternative", "max_foreign"]),
        ({"equity": 0.2, "bond": 0.8}, {"knowledge": 2}, ["complexity"]),
        ({"derivative": 0.0, "cash": 1.0}, {"knowledge": 1}, []),
    ],
)
def test_filter_names_every_broken_rule(classes, grades, rules):
    assert sorted(v.rule for v in suitable(Allocation(classes), profile(**grades))) == sorted(rules)


def test_filter_counts_instruments_issuers_currencies_and_ready_money():
    known = Allocation(
        {"equity": 0.5, "bond": 0.5}, {"A": 0.3, "B": 0.2}, {"X": 0.35}, {"RUB": 0.4, "USD": 0.6}
    )
    found = suitable(known, profile(capacity=4), home_currency="RUB")
    assert [(v.rule, v.what, v.value) for v in found] == [
        ("max_foreign", "", pytest.approx(0.6)),
        ("max_asset", "A", 0.3),
        ("max_issuer", "X", 0.35),
    ]
    needy = RiskProfile(5, 5, 5, 5, DAY, liquidity_need=0.9)
    assert [v.rule for v in suitable(Allocation({"real_estate": 0.2, "cash": 0.8}), needy)] == ["liquidity"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: suitable(Allocation({"crypto": 1.0}), profile()), "describe it in the limits"),
        (lambda: Allocation({"cash": 0.9}), "sum to 1"),
        (lambda: Allocation({"cash": 1.2, "bond": -0.2}), "0-1"),
        (lambda: suitable(Allocation({"cash": 1.0}, currencies={"RUB": 1.0}), profile()), "home_currency"),
        (lambda: profile(capacity=6), "1 to 5"),
        (lambda: RiskProfile(1, 1, 1, 1, DAY, liquidity_need=2.0), "liquidity_need"),
        (lambda: load_form("nobody"), "no such form"),
        (lambda: read_form("= 1"), "no TOML"),
        (lambda: read_limits("= 1"), "no TOML"),
        (lambda: read_limits("name = 'x'"), "rules of limits"),
    ],
)
def test_wrong_calls_are_told_what_is_wrong(call, message):
    with pytest.raises((InputError, DataError), match=message):
        call()


def test_limits_must_not_fall_as_the_class_rises():
    body = load_limits().model_dump(mode="json")
    body["risk_class"]["2"]["max_equity"] = 0.9
    with pytest.raises(ValueError, match="must not allow more"):
        type(load_limits()).model_validate(body)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"horizon": {"years": [1.0], "risk_class": [1]}}, "must start at 0"),
        ({"horizon": {"years": [0.0, 2.0], "risk_class": [3, 2]}}, "doesn't fall"),
        ({"question": list(FORM.model_dump(mode="json")["question"]) * 2}, "different ids"),
        ({"question": FORM.model_dump(mode="json")["question"][:3]}, "no question scores"),
        (
            {
                "contradiction": [
                    {"id": "c", "blocking": True, "when": {"age": ["x"], "job": ["safe"]}, "en": "", "ru": ""}
                ]
            },
            "no such question or answer",
        ),
    ],
)
def test_forms_that_do_not_fit_together_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Form.model_validate(FORM.model_dump(mode="json") | change)


def test_every_answer_of_a_scored_question_needs_points():
    body = FORM.model_dump(mode="json")
    next(q for q in body["question"] if q["id"] == "job")["answers"][0]["points"] = None
    with pytest.raises(ValueError, match="job: every answer must have points"):
        Form.model_validate(body)
