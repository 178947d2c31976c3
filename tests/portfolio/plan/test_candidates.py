"""Candidates: what is proposed suits, whoever the client is; class returns from prices."""

from collections.abc import Iterator
from datetime import date

import numpy as np
import pytest

from nextbest.data.holdings.market import Market
from nextbest.errors import DataError, InputError
from nextbest.portfolio.plan.candidates import CandidateMaker, Filter, load_models, model_portfolio
from nextbest.portfolio.plan.class_returns import ClassReturns, class_returns
from nextbest.portfolio.plan.questionnaire import RiskProfile
from nextbest.portfolio.plan.suitability import load_limits, suitable

CLASSES = ("equity", "bond", "gold", "currency", "deposit", "cash")
DAY = date(2026, 11, 1)


def made_returns(classes: tuple[str, ...] = CLASSES, n_months: int = 60) -> ClassReturns:
    size = {"equity": 0.06, "bond": 0.015, "gold": 0.04, "currency": 0.03, "deposit": 0.0005, "cash": 0.0}
    mean = {"equity": 0.011, "bond": 0.006, "gold": 0.006, "currency": 0.003, "deposit": 0.005, "cash": 0.003}
    rng = np.random.default_rng(0)
    returns = np.column_stack([rng.normal(mean[c], size[c], n_months) for c in classes])
    months = np.datetime64("2019-01", "M") + np.arange(n_months)
    return ClassReturns(classes, returns, months, "RUB")


def random_profiles(n: int, seed: int) -> Iterator[tuple[RiskProfile, dict[str, float]]]:
    """Any grades and need of money, with any allocation of peers."""
    rng = np.random.default_rng(seed)
    for grades in rng.integers(1, 6, (n, 4)):
        need = float(rng.choice([0.0, 0.25, 0.5, 1.0]))
        shape = rng.dirichlet(np.full(len(CLASSES), 0.5))
        yield (
            RiskProfile(*(int(g) for g in grades), DAY, need),
            dict(zip(CLASSES, shape.tolist(), strict=True)),
        )


def count_violations(n: int, *, check: Filter = suitable, seed: int = 1) -> tuple[int, int]:
    """Proposals checked by a plain second reading of the limits: (how many break a rule, how many there were)."""
    returns, limits = made_returns(), load_limits()
    maker = CandidateMaker(returns)
    bad = total = 0
    for profile, peers in random_profiles(n, seed):
        allowed = limits.risk_class[
            min(profile.capacity, profile.tolerance, profile.knowledge, profile.horizon)
        ]
        found = maker.build(profile, peers=peers, market={"equity": 0.9, "gold": 0.1}, check=check)
        for candidate in found.suitable:
            w = dict(zip(returns.classes, candidate.weights_C, strict=True))
            held = {c: x for c, x in w.items() if x > 1e-6}
            hard = {"equity": 3, "bond": 2, "gold": 2, "currency": 2, "deposit": 1, "cash": 1}
            breaks = (
                w["equity"] > allowed.max_equity + 2e-6
                or w["gold"] + w["currency"] > allowed.max_alternative + 2e-6
                or w["currency"] > allowed.max_foreign + 2e-6
                or any(hard[c] > profile.knowledge for c in held)
                or abs(sum(w.values()) - 1) > 1e-6
            )
            bad += breaks
            total += 1
    return bad, total


def test_no_proposal_breaks_a_rule_for_any_profile():
    bad, total = count_violations(150)
    assert total > 300
    assert bad == 0


def test_that_count_catches_a_filter_that_lets_all_pass(monkeypatch):
    monkeypatch.setattr("nextbest.portfolio.plan.candidates.fit_to_limits", lambda candidate, *_: candidate)
    bad, _ = count_violations(30, check=lambda *_: [])
    assert bad > 10


def test_filter_alone_keeps_unsuitable_ones_out_where_nothing_was_made_to_fit(monkeypatch):
    monkeypatch.setattr("nextbest.portfolio.plan.candidates.fit_to_limits", lambda candidate, *_: candidate)
    assert count_violations(30)[0] == 0


def test_candidates_of_a_daring_client_are_of_every_source():
    profile = RiskProfile(5, 5, 5, 5, DAY)
    peers = {"equity": 0.5, "bond": 0.4, "cash": 0.1}
    found = CandidateMaker(made_returns()).build(profile, peers=peers, market={"equity": 0.9, "gold": 0.1})
    sources = {c.source for c in (*found.suitable, *(c for c, _ in found.refused))}
    assert sources >= {"model", "peers", "min_cvar", "risk_parity", "black_litterman", "market"}
    names = [c.name for c in found.suitable]
    for i, one in enumerate(found.suitable):  # those made before: near twins are left out
        assert all(np.abs(one.weights_C - c.weights_C).max() >= 0.005 for c in found.suitable[:i]), names
    peers_like = next(c for c in found.suitable if c.source == "peers")
    assert peers_like.weights_C == pytest.approx([0.5, 0.4, 0, 0, 0, 0.1])
    assert peers_like.scaled == 1.0


def test_peers_allocation_is_scaled_into_the_limits_of_a_careful_client():
    profile = RiskProfile(2, 5, 5, 5, DAY)
    found = CandidateMaker(made_returns()).build(profile, peers={"equity": 0.5, "bond": 0.4, "cash": 0.1})
    scaled = next(c for c in found.suitable if c.source == "peers")
    assert scaled.weights_C[0] == pytest.approx(0.25)
    assert scaled.weights_C[1] == pytest.approx(0.4)  # only what the limit is about gives way
    assert scaled.scaled == pytest.approx(0.75)


def test_a_client_without_knowledge_gets_the_steady_classes_only():
    profile = RiskProfile(5, 5, 1, 5, DAY)
    for candidate in CandidateMaker(made_returns()).build(profile, peers={"equity": 1.0}).suitable:
        assert candidate.weights_C[:4].sum() == pytest.approx(0, abs=1e-9)


def test_nothing_is_proposed_where_no_class_suits():
    found = CandidateMaker(made_returns(("equity", "gold"))).build(RiskProfile(1, 1, 1, 1, DAY))
    assert found.suitable == ()
    assert found.skipped["model_1"].startswith("class returns: hold no defensive class")


def test_peers_with_a_class_that_has_no_returns_are_skipped_with_the_reason():
    found = CandidateMaker(made_returns(("equity", "cash"))).build(
        RiskProfile(5, 5, 5, 5, DAY), peers={"bond": 1.0}
    )
    assert found.skipped["peers"] == "classes without returns: ['bond']"


def test_model_portfolios_hold_more_equity_as_the_class_rises():
    shares = [load_models()[c]["equity"] for c in range(1, 6)]
    assert shares == sorted(shares)
    profile = RiskProfile(5, 5, 5, 5, DAY)
    weights = model_portfolio(4, made_returns(), profile, load_limits())
    assert weights.sum() == pytest.approx(1)
    assert weights[0] == pytest.approx(0.6)


def make_market() -> Market:
    days = np.array(["2024-01-31", "2024-02-15", "2024-02-29", "2024-03-29", "2024-04-30"], "datetime64[D]")
    close = np.array([[100.0, 50.0], [110.0, np.nan], [60.0, 55.0], [66.0, np.nan], [np.nan, 60.0]])
    split, dividend = np.ones((5, 2)), np.zeros((5, 2))
    split[2, 0], dividend[2, 0] = 2.0, 5.0
    return Market(
        days,
        ("A", "B"),
        ("equity", "bond"),
        ("RUB", "RUB"),
        close,
        np.ones((5, 2)),
        split,
        dividend,
        currency="RUB",
    )


def test_class_returns_count_splits_and_dividends_and_leave_months_without_trades_out():
    found = class_returns(make_market(), cash_return_ann=0.12)
    assert found.classes == ("bond", "equity", "cash")
    assert found.months_M.astype(str).tolist() == ["2024-02"]  # B didn't trade in March, A not in April
    assert found.returns_MC[0, 1] == pytest.approx((60 * 2 + 5 * 2) / 100 - 1)
    assert found.returns_MC[0, 0] == pytest.approx(0.1)
    assert found.returns_MC[0, 2] == pytest.approx(1.12 ** (1 / 12) - 1)
    assert any("2 month(s) left out" in note for note in found.notes)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: class_returns(make_market(), min_assets=0), "min_assets"),
        (lambda: class_returns(make_market(), cash_return_ann=2.0), "cash_return_ann"),
        (lambda: class_returns(make_market(), min_assets=2), "every class has a return"),
        (
            lambda: ClassReturns(("a",), np.array([[np.nan]]), np.array(["2024-01"], "datetime64[M]"), "RUB"),
            "finite",
        ),
        (
            lambda: ClassReturns(("a",), np.zeros((2, 1)), np.array(["2024-01"], "datetime64[M]"), "RUB"),
            "shape",
        ),
    ],
)
def test_wrong_calls_are_told_what_is_wrong(call, message):
    with pytest.raises((InputError, DataError), match=message):
        call()
