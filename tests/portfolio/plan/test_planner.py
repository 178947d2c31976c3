"""Plans from a book: information names no instrument, advice needs its conditions and its journal, reasons are the engine's."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nextbest.charts_page.disclaimer import DISCLAIMER, PAST_PERFORMANCE, check_promises
from nextbest.data.holdings.book import Book
from nextbest.errors import DataError, InputError
from nextbest.portfolio.peers.answers import Nearness, PeerAllocation, PeerSummary, Quartiles, Refusal
from nextbest.portfolio.plan.advice import AdviceConfig, Instrument, choose_instruments
from nextbest.portfolio.plan.class_returns import ClassReturns
from nextbest.portfolio.plan.explain import counterfactuals, drift, nice
from nextbest.portfolio.plan.goals import Goal, GoalSimulator
from nextbest.portfolio.plan.journal import Journal
from nextbest.portfolio.plan.planner import NEW_GOAL, WhatIf, advise, plan
from nextbest.portfolio.plan.proposal import PlanConfig, PlanRequest, propose
from nextbest.portfolio.plan.questionnaire import RiskProfile, load_form
from nextbest.portfolio.plan.suitability import load_limits
from nextbest.portfolio.wording import REFUSALS, refusal, signed

NOW = datetime(2024, 1, 15, 9, tzinfo=UTC)
CONFIG = PlanConfig(n_paths=400, seed=3)
PROFILE = RiskProfile(4, 4, 5, 5, date(2023, 9, 1), form="mifid-nextbest-1")
HOUSE_LIST = tuple(
    Instrument(
        asset_id=f"{c.upper()}{i}", title=f"Fund {c} {i}", asset_class=c, issuer=f"I{i % 4}", currency="RUB"
    )
    for c in ("equity", "bond")
    for i in range(8)
)


def made_returns() -> ClassReturns:
    rng = np.random.default_rng(2)
    table = np.column_stack([rng.normal(0.010, 0.05, 60), rng.normal(0.006, 0.012, 60), np.full(60, 0.004)])
    return ClassReturns(
        ("equity", "bond", "deposit"), table, np.datetime64("2019-01", "M") + np.arange(60), "RUB"
    )


def request(**changes: object) -> PlanRequest:
    goal = Goal(1_500_000.0, 84, 8_000.0, 0.04)
    made = PlanRequest("anna", "RUB", 500_000.0, goal, "g1", "home", PROFILE, NOW, {"equity": 1.0})
    return replace(made, **changes)


SUMMARY = PeerSummary(
    n=40,
    as_of="2024-01-01",
    classes={
        "equity": Quartiles(0.2, 0.4, 0.6),
        "bond": Quartiles(0.3, 0.5, 0.6),
        "deposit": Quartiles(0.0, 0.1, 0.2),
    },
    results={},
    nearness=(Nearness("horizon_years", "years to the goal", "лет до цели", 0.4),),
    allocation=PeerAllocation(("equity", "bond", "deposit"), (0.4, 0.5, 0.1), 40, (0.4, 0.3, 0.2)),
)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    """Two clients over three assets of six years; one of them never traded."""
    folder = tmp_path_factory.mktemp("book")
    days = pl.date_range(date(2018, 1, 1), date(2024, 1, 12), "1w", eager=True)
    rng = np.random.default_rng(0)
    assets = {
        "SBERX": ("equity", 0.002, 0.03),
        "OFZ26": ("bond", 0.001, 0.005),
        "DEPO1": ("deposit", 0.0012, 0.0001),
    }
    with Book.create(folder, base_currency="RUB") as made:
        titles = ["Sberegate ordinary", "Federal loan 26", "Term deposit one"]
        made.add(
            "assets",
            pl.DataFrame(
                {
                    "asset_id": list(assets),
                    "title": titles,
                    "asset_class": [a[0] for a in assets.values()],
                    "currency": ["RUB"] * 3,
                }
            ),
        )
        for name, (_, mean, size) in assets.items():
            close = 100 * np.cumprod(1 + rng.normal(mean, size, len(days)))
            made.add(
                "asset_prices", pl.DataFrame({"asset_id": [name] * len(days), "day": days, "close": close})
            )
        made.add(
            "investors",
            pl.DataFrame(
                {
                    "client_id": ["anna", "boris"],
                    "currency": ["RUB"] * 2,
                    "birth_year": [1985, 1960],
                    "risk_tolerance": [4, 2],
                    "risk_capacity": [5, 5],
                    "knowledge": [4, 4],
                    "profiled_at": [date(2023, 6, 1)] * 2,
                    "income": [100_000.0, 0.0],
                }
            ),
        )
        made.add(
            "goals",
            pl.DataFrame(
                {
                    "client_id": ["anna", "boris"],
                    "goal_id": ["g1"] * 2,
                    "goal_type": ["home", "retirement"],
                    "target_amount": [600_000.0, 100_000.0],
                    "currency": ["RUB"] * 2,
                    "horizon_years": [6.0, 2.0],
                    "monthly_contribution": [3_000.0, 1_000.0],
                }
            ),
        )
        made.add(
            "trades",
            pl.DataFrame(
                {
                    "trade_id": ["1", "2"],
                    "client_id": ["anna"] * 2,
                    "asset_id": ["SBERX", "OFZ26"],
                    "day": [days[10], days[12]],
                    "quantity": [1_000.0, 500.0],
                    "price": [100.0, 100.0],
                }
            ),
        )
    with Book.open(folder) as opened:
        yield opened


def test_information_names_no_instrument_anywhere(book):
    text = json.dumps(plan("anna", book, now=NOW, config=CONFIG).document(), ensure_ascii=False)
    for row in book.assets().iter_rows(named=True):
        assert row["asset_id"] not in text
        assert row["title"] not in text


def test_every_document_carries_the_disclaimer_and_the_line_on_the_past(book):
    for client in ("anna", "boris"):
        document = plan(client, book, now=NOW, config=CONFIG).document()
        for language in ("en", "ru"):
            assert document["disclaimer"][language].startswith(DISCLAIMER[language])
            assert PAST_PERFORMANCE[language] in document["disclaimer"][language]
        assert document["mode"] == "information"
    assert DISCLAIMER["ru"] == "Не является индивидуальной инвестиционной рекомендацией"
    assert DISCLAIMER["en"] == "This is not an individual investment recommendation"


def test_document_is_json_with_the_agreed_parts_and_no_nan(book):
    document = plan("anna", book, now=NOW, config=CONFIG).document()
    parts = {
        "kind",
        "client_id",
        "as_of",
        "currency",
        "period",
        "figures",
        "tables",
        "texts",
        "charts",
        "notes",
        "disclaimer",
        "version",
    }
    assert parts <= set(document)
    json.dumps(document, allow_nan=False)
    assert set(document["charts"]) == {"allocation", "goal", "frontier"}
    assert len(document["texts"]["en"]) == len(document["texts"]["ru"]) > 4
    figure = document["figures"]["goal_probability"]
    assert {"value", "method", "alpha", "horizon", "n", "unit"} <= set(figure)


def test_a_client_who_never_traded_starts_from_nothing(book):
    made = plan("boris", book, now=NOW, config=CONFIG)
    assert made.request.wealth == 0.0
    assert made.request.current is None
    assert made.request.profile.horizon == 2  # two years to the goal
    assert made.request.profile.risk_class == 2
    assert made.document()["tables"]["drift"][0]["now"] is None


def test_wealth_and_split_are_those_of_the_day_of_the_plan(book):
    late, early = (
        plan("anna", book, now=n, config=CONFIG).request for n in (NOW, datetime(2020, 6, 1, tzinfo=UTC))
    )
    assert late.current is not None
    assert set(late.current) == {"equity", "bond"}
    assert sum(late.current.values()) == pytest.approx(1)
    assert late.wealth != early.wealth
    before = plan(
        "anna", book, now=datetime(2018, 2, 20, tzinfo=UTC), config=CONFIG, returns=made_returns()
    ).request
    assert before.wealth == 0.0


def test_best_odds_win_and_within_a_point_the_least_shortfall():
    made = propose(request(), made_returns(), config=CONFIG, peers=SUMMARY)
    best = max(o.odds.probability for o in made.options)
    near = [o for o in made.options if o.odds.probability >= best - 0.01]
    assert made.chosen is made.options[0]
    assert made.chosen.odds.shortfall_mean == min(o.odds.shortfall_mean for o in near)
    assert {o.candidate.source for o in made.options} >= {"model", "peers", "black_litterman", "safe"}


@pytest.mark.parametrize(("grade", "shares"), [(3, 0.5), (4, 0.75), (5, 1.0)])
@pytest.mark.parametrize("glide_months", [None, 36])
def test_nothing_worse_than_what_is_held_is_proposed_where_that_suits(grade, shares, glide_months):
    held = {"equity": shares, "deposit": 1 - shares}
    asked = request(
        profile=replace(PROFILE, capacity=grade, tolerance=grade),
        current=held,
        goal=Goal(3_000_000.0, 84, 8_000.0, 0.04),
    )
    config = PlanConfig(n_paths=2000, glide_months=glide_months)
    made = propose(asked, made_returns(), config=config)
    assert made.chosen is not None
    assert made.current_odds is not None
    own = next(o for o in made.options if o.candidate.weights_C[0] == pytest.approx(shares, abs=0.02))
    assert made.chosen.odds.probability >= own.odds.probability - 0.01
    if glide_months is None:
        assert made.chosen.odds.probability >= made.current_odds.probability - 0.01
        assert made.chosen.odds.shortfall_mean <= made.current_odds.shortfall_mean * 1.01
    else:
        assert any("going on as now doesn't" in note for note in made.notes)


def test_what_is_held_and_does_not_suit_is_refused_with_its_rule_and_never_mixed():
    made = propose(request(current={"equity": 1.0}), made_returns(), config=CONFIG)
    assert made.candidates is not None
    rules = {c.name: {v.rule for v in broken} for c, broken in made.candidates.refused}
    assert rules["current"]
    assert "current" not in {o.candidate.name for o in made.options}


def test_a_larger_target_changes_neither_the_class_nor_what_is_allowed():
    small, large = (
        propose(request(goal=Goal(t, 84, 8_000.0)), made_returns(), config=CONFIG) for t in (1e6, 1e8)
    )
    names = [sorted(o.candidate.name for o in p.options) for p in (small, large)]
    assert names[0] == names[1]
    assert small.request.profile.risk_class == large.request.profile.risk_class


def test_counterfactuals_are_answers_of_the_same_engine_to_changed_goals():
    made = propose(request(), made_returns(), config=CONFIG)
    assert made.chosen is not None
    simulator = GoalSimulator(made_returns().returns_MC, n_paths=400, block=12, rng=3)
    more = next(c for c in made.counterfactuals if c.change == "contribution")
    goal = request().goal
    again = simulator.probability(
        replace(goal, monthly_contribution=goal.monthly_contribution + more.amount),
        wealth=500_000.0,
        weights=made.chosen.weights,
    )
    assert more.after == again
    assert more.before == made.chosen.odds.probability
    assert more.after >= more.before
    assert re.search(r"more a month: odds of the goal \S+ → ", more.text("RUB")["en"])
    assert {c.change for c in made.counterfactuals} == {"contribution", "horizon", "target"}


def test_half_the_way_to_what_is_needed_is_tried_where_that_is_more():
    simulator = GoalSimulator(made_returns().returns_MC, n_paths=200, block=12, rng=0)
    tried = counterfactuals(
        simulator, Goal(1e6, 60, 1_000.0), wealth=0.0, weights=[0, 0, 1], before=0.0, needed=21_000.0
    )
    assert tried[0].amount == nice(10_000.0)


def test_peers_reasons_and_their_refusal_are_told():
    told = propose(request(), made_returns(), config=CONFIG, peers=SUMMARY).document()
    assert "Similar in years to the goal: 40% of the likeness" in told["texts"]["en"]
    assert told["tables"]["peers"][0] == {"asset_class": "equity", "q25": 0.2, "median": 0.4, "q75": 0.6}
    refused = propose(request(), made_returns(), config=CONFIG, peers=Refusal("too_few_peers")).document()
    assert any("too few similar clients" in t for t in refused["texts"]["en"])


def test_drift_is_what_is_held_less_the_proposal():
    rows = drift({"equity": 1.0, "coins": 0.0}, {"equity": 0.4, "bond": 0.6})
    assert rows[0] == {"asset_class": "equity", "now": 1.0, "proposal": 0.4, "drift": 0.6}
    assert rows[2] == {"asset_class": "coins", "now": 0.0, "proposal": 0.0, "drift": 0.0}


def test_nothing_suitable_is_a_refusal_with_words():
    returns = made_returns()
    only_shares = ClassReturns(("equity",), returns.returns_MC[:, :1], returns.months_M, "RUB")
    careful = RiskProfile(1, 1, 1, 1, date(2023, 9, 1))
    document = propose(request(profile=careful), only_shares, config=CONFIG).document()
    assert document["refusal"] == {"refused": "nothing_suitable", "texts": dict(REFUSALS["nothing_suitable"])}
    assert document["figures"] == {}
    assert document["disclaimer"]["en"].startswith(DISCLAIMER["en"])


ADVICE = PlanConfig(n_paths=400, advice=AdviceConfig(instruments=HOUSE_LIST))


def advised(journal: Journal | None, *, config: PlanConfig = ADVICE, **changes: object):
    return advise(
        request(**changes),
        made_returns(),
        journal=journal,
        config=config,
        limits=load_limits(),
        peers=SUMMARY,
    )


def test_advice_is_off_unless_configured(book, tmp_path):
    made = plan("anna", book, now=NOW, config=CONFIG, mode="advice", journal=Journal(tmp_path))
    assert made.refused == "advice_off"
    assert made.chosen is None
    assert made.document()["disclaimer"]["en"].startswith(DISCLAIMER["en"])


@pytest.mark.parametrize(
    ("profile", "code"),
    [
        (replace(PROFILE, profiled_on=(NOW - timedelta(days=366)).date()), "profile_expired"),
        (replace(PROFILE, form=""), "no_questionnaire"),
        (replace(PROFILE, profiled_on=(NOW + timedelta(days=2)).date()), "profile_from_the_future"),
    ],
)
def test_advice_needs_a_valid_profile_and_the_refusal_is_journaled(profile, code, tmp_path):
    journal = Journal(tmp_path)
    made = advised(journal, profile=profile)
    assert made.refused == code
    assert made.document()["refusal"]["texts"] == dict(REFUSALS[code])
    assert [r["result"] for r in journal.rows()] == [{"refused": code}]


def test_grades_stored_in_the_book_are_no_ground_for_advice(book, tmp_path):
    made = plan("anna", book, now=NOW, config=ADVICE, mode="advice", journal=Journal(tmp_path))
    assert made.refused == "no_questionnaire"


def test_advice_is_in_the_journal_with_inputs_version_and_reason(tmp_path):
    journal = Journal(tmp_path)
    made = advised(journal)
    assert made.chosen is not None
    (row,) = journal.rows()
    assert row["client_id"] == "anna"
    assert row["version"]
    assert row["reason"]["ru"].startswith("Риск-профиль 4 из 5")
    assert row["inputs"]["goal"]["target"] == 1_500_000.0
    assert len(row["inputs_hash"]) == 64
    assert row["result"]["instruments"] == dict(made.instruments)
    document = made.document()
    assert document["mode"] == "advice"
    assert document["disclaimer"]["ru"].startswith("Индивидуальная инвестиционная рекомендация")
    assert {r["asset_id"] for r in document["tables"]["instruments"]} == set(made.instruments)


def test_no_answer_without_a_journal(tmp_path):
    with pytest.raises(InputError, match="journal"):
        advised(None)
    journal = Journal(tmp_path)
    journal.path.mkdir()  # nothing can be written there
    with pytest.raises(Exception, match="journal"):
        advised(journal)


def test_a_changed_journal_is_found_out(tmp_path):
    journal = Journal(tmp_path)
    for _ in range(3):
        advised(journal)
    assert [r["n"] for r in journal.rows()] == [1, 2, 3]
    lines = journal.path.read_text(encoding="utf-8").splitlines()
    journal.path.write_text("\n".join([lines[0], lines[2]]) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"changed after they were written.*\[2\]"):
        journal.rows()
    journal.path.write_text(lines[0].replace('"anna"', '"olga"') + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"\[1\]"):
        advised(journal)


def test_instruments_keep_the_clients_limits_and_make_up_the_classes():
    found = choose_instruments(
        {"equity": 0.5, "bond": 0.4, "cash": 0.1},
        PROFILE,
        config=AdviceConfig(instruments=HOUSE_LIST),
        limits=load_limits(),
        recommended={},
        home_currency="RUB",
    )
    assert found is not None
    assert sum(w for a, w in found.items() if a.startswith("EQUITY")) == pytest.approx(0.5)
    assert sum(w for a, w in found.items() if a.startswith("BOND")) == pytest.approx(0.4)
    assert max(found.values()) <= 0.2
    few = AdviceConfig(instruments=HOUSE_LIST[:2])
    assert (
        choose_instruments(
            {"equity": 1.0}, PROFILE, config=few, limits=load_limits(), recommended={}, home_currency="RUB"
        )
        is None
    )


def test_no_instrument_grows_beyond_its_share_of_all_recommendations():
    config = AdviceConfig(instruments=HOUSE_LIST, max_share_of_all=0.15, start_weight=2.0)
    totals: dict[str, float] = {}
    for _ in range(60):
        found = choose_instruments(
            {"equity": 0.6, "bond": 0.4},
            PROFILE,
            config=config,
            limits=load_limits(),
            recommended=totals,
            home_currency="RUB",
        )
        assert found is not None
        for asset, weight in found.items():
            totals[asset] = totals.get(asset, 0.0) + weight
    assert max(totals.values()) / sum(totals.values()) <= 0.15 + 1e-9
    crowded = {"EQUITY0": 30.0}
    found = choose_instruments(
        {"equity": 0.5, "bond": 0.5},
        PROFILE,
        config=config,
        limits=load_limits(),
        recommended=crowded,
        home_currency="RUB",
    )
    assert found is not None
    assert "EQUITY0" not in found


def test_instruments_in_other_currencies_count_against_the_limit():
    dollars = tuple(i.model_copy(update={"currency": "USD"}) for i in HOUSE_LIST)
    config = AdviceConfig(instruments=dollars)
    assert (
        choose_instruments(
            {"equity": 0.5, "bond": 0.5},
            PROFILE,
            config=config,
            limits=load_limits(),
            recommended={},
            home_currency="RUB",
        )
        is None
    )


def test_the_goal_is_nearer_by_the_time_since_the_profile(book):
    late, early = (
        plan("anna", book, now=n, config=CONFIG).request for n in (NOW, datetime(2023, 7, 1, tzinfo=UTC))
    )
    assert early.goal.n_months == 71  # six years from June 2023
    assert late.goal.n_months == 65


def test_the_gate_is_asked_with_the_clients_own_profile(book):
    class Gate:
        def ask(self, peers, profile, *, asker, now, own_ids):
            self.asked = (profile, asker, own_ids)
            return Refusal("too_few_peers")

    gate = Gate()
    made = plan("anna", book, object(), gate=gate, now=NOW, config=CONFIG)  # type: ignore[arg-type]
    profile, asker, own = gate.asked
    assert profile["goal_type"] == "home"
    assert profile["target_ratio"] == pytest.approx(600_000 / made.request.wealth)
    assert (asker, own) == ("anna", ("anna",))
    assert made.peers == Refusal("too_few_peers")
    for what_if in (
        WhatIf(target_amount=5e6, years=3),
        WhatIf("travel", 5e6, 3),
    ):  # one question, whatever is supposed
        plan("anna", book, object(), gate=gate, now=NOW, config=CONFIG, what_if=what_if)  # type: ignore[arg-type]
        assert gate.asked == (profile, asker, own)


def test_a_supposed_goal_takes_the_place_of_the_stored_one(book):
    def asked(what_if):
        return plan("anna", book, now=NOW, config=CONFIG, what_if=what_if).request

    own = asked(None)
    assert asked(WhatIf()) == own
    richer = asked(WhatIf(target_amount=900_000.0))
    assert (richer.goal.target, richer.goal.n_months, richer.goal_id) == (
        900_000.0,
        own.goal.n_months,
        own.goal_id,
    )
    saving = asked(WhatIf(monthly_contribution=12_345.0))
    assert (saving.goal.monthly_contribution, saving.goal.target) == (12_345.0, own.goal.target)
    assert own.goal.monthly_contribution != 12_345.0
    later = asked(WhatIf("home", years=10))
    assert (later.goal.target, later.goal.n_months) == (own.goal.target, 120)
    new = asked(WhatIf("travel", 200_000.0, 2))
    assert (new.goal_id, new.goal_type, new.goal.target, new.goal.n_months) == (
        NEW_GOAL,
        "travel",
        200_000.0,
        24,
    )
    for half in (WhatIf("travel", 200_000.0), WhatIf("travel", years=2)):
        with pytest.raises(InputError, match="no such goal"):
            asked(half)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda b: plan("nobody", b, now=NOW), "investor of the book"),
        (lambda b: plan("anna", b, now=NOW, goal_id="g9"), "no such goal"),
        (lambda b: plan("boris", b, now=datetime(2025, 7, 1, tzinfo=UTC)), "time of the goal is over"),
        (lambda b: plan("anna", b, now=datetime(2024, 1, 1)), "time zone"),  # noqa: DTZ001 (that is the mistake)
        (lambda b: plan("anna", b, now=NOW, answers={"age": "36_50"}), "is required"),
        (lambda b: propose(request(currency="USD"), made_returns()), "goal's currency"),
        (lambda b: plan("anna", b, now=datetime(2018, 9, 1, tzinfo=UTC)), "fewer than 24"),
        (lambda b: signed({}, mode="sales"), "mode"),
        (lambda b: refusal("nope"), "must be one of"),
        (lambda b: AdviceConfig(instruments=(HOUSE_LIST[0],) * 2), "different ids"),
        (lambda b: signed({"texts": {"en": ["Guaranteed income"]}}), "promises a return"),
        (lambda b: check_promises([{"ru": "без риска"}]), "promises a return"),
    ],
)
def test_wrong_calls_are_told_what_is_wrong(book, call, message):
    with pytest.raises((InputError, DataError, ValueError), match=message):
        call(book)


def test_the_disclaimer_cannot_be_brought_along():
    assert signed({"disclaimer": {"en": "Trust me"}})["disclaimer"]["en"].startswith(DISCLAIMER["en"])


def test_files_of_the_plan_name_where_the_form_comes_from():
    text = (Path(__file__).parents[3] / "src/nextbest/portfolio/plan/forms/mifid.toml").read_text(
        encoding="utf-8"
    )
    assert "FAR-Trans" in text
    assert "CC BY 4.0" in text


def test_answers_make_the_profile_and_advice_possible(book, tmp_path):
    form = load_form()
    best = {
        q.id: max(q.answers, key=lambda a: (a.points or 0, -len(a.cap), -a.liquidity)).id
        for q in form.question
    }
    answers = best | {"purchase": "no", "wished_return": "0"}
    instruments = (
        Instrument(asset_id=f"E{i}", title=f"E {i}", asset_class=c, issuer=f"I{i}{c}", currency="RUB")
        for i in range(9)
        for c in ("equity", "bond", "deposit")
    )
    named = {i.asset_id + i.asset_class: i for i in instruments}
    house = tuple(i.model_copy(update={"asset_id": k}) for k, i in named.items())
    config = PlanConfig(n_paths=400, advice=AdviceConfig(instruments=house))
    made = plan(
        "anna", book, now=NOW, config=config, mode="advice", answers=answers, journal=Journal(tmp_path)
    )
    assert made.request.profile.form == form.name
    assert made.refused is None
    assert sum(made.instruments.values()) <= 1 + 1e-9
    assert len(Journal(tmp_path).rows()) == 1


def test_journal_takes_json_with_a_time_zone_only(tmp_path):
    with Journal(tmp_path).turn() as turn:
        naive = datetime(2024, 1, 1)  # noqa: DTZ001 (that is the mistake)
        with pytest.raises(InputError, match="time zone"):
            turn.append(at=naive, client_id="a", inputs={}, version="1", reason={}, result={})
        with pytest.raises(InputError, match="must be JSON"):
            turn.append(at=NOW, client_id="a", inputs={"x": float("nan")}, version="1", reason={}, result={})
    journal = Journal(tmp_path)
    assert journal.rows() == []
    journal.path.write_text("not json\n", encoding="utf-8")
    with pytest.raises(DataError, match="no entry"):
        journal.rows()
