"""The verdict on series whose truth is known, its gate, its sentence and its page."""

import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from market.trading.toy_prices import panel_of, walk
from nextbest.charts_page.page import to_html
from nextbest.errors import DataError, InputError
from nextbest.market.trading.audit import Audit, Finding
from nextbest.market.trading.backtest import Costs
from nextbest.market.trading.signals import long_flat, long_short, top_minus_bottom
from nextbest.market.verdict.document import verdict_document
from nextbest.market.verdict.gate import Limits, line, worst
from nextbest.market.verdict.judge import Trials, by_day, independent, judge
from nextbest.market.verdict.sharpe import moments
from nextbest.market.verdict.wording import EVIDENCE, NO_EVIDENCE

OWNED = Costs(funding=0.0)
LIMITS = Limits(min_days=800)


def rules(panel, rng=0):
    """Nine rules of prices: three looks back, three ways to hold."""
    price = np.log(panel.close_AT)
    made = {}
    for length in (5, 20, 60):
        past = np.full(price.shape, np.nan)
        past[:, length:] = price[:, length:] - price[:, :-length]
        past[:, :60] = np.nan
        made |= {
            f"momentum {length}, long/short": long_short(past.T),
            f"momentum {length}, long/flat": long_flat(past.T),
            f"momentum {length}, 2 minus 2": top_minus_bottom(past.T, k=2),
        }
    return made


def predictable(n_bars=1000, n_assets=6, *, ic=0.12, memory=20, rng=0):
    """The next move goes with a mean of the asset's past surprises."""
    gen = np.random.default_rng(rng)
    noise = gen.normal(size=(n_assets, n_bars))
    keep = 1 - 1 / memory
    known, move = np.zeros(n_assets), np.zeros((n_assets, n_bars))
    for t in range(n_bars):
        move[:, t] = ic * known + np.sqrt(1 - ic**2) * noise[:, t]
        known = keep * known + np.sqrt(1 - keep**2) * noise[:, t]
    return panel_of(100 * np.exp(np.cumsum(0.03 * move, axis=1)))


def judged(panel, *, trials=None, limits=LIMITS, costs=OWNED, **more):
    made = rules(panel)
    call = {"costs": costs, "trials": trials or Trials(len(made)), "rng": 0, "limits": limits}
    return judge(made, panel, **call, n_resamples=200, n_entries=39, **more)


@pytest.fixture(scope="module")
def good():
    return judged(predictable())


@pytest.fixture(scope="module")
def bad():
    return judged(walk(1000, 6, rng=1))


def passed(verdict):
    return {one.name: one.passed for one in verdict.gate}


def test_a_planted_trend_is_found(good):
    assert good.evidence_of_profit
    assert all(passed(good).values())


def test_a_random_walk_is_no_evidence(bad):
    assert not bad.evidence_of_profit
    assert not passed(bad)["deflated_sharpe"]


def test_of_many_random_walks_few_are_called_profit_and_of_planted_series_most():
    walks = [judged(walk(960, 6, rng=100 + s)).evidence_of_profit for s in range(8)]
    found = [judged(predictable(960, ic=0.15, rng=200 + s)).evidence_of_profit for s in range(4)]
    assert sum(walks) <= 1
    assert sum(found) >= 3


def test_many_more_trials_take_the_evidence_away():
    few, many = (judged(predictable(960, ic=0.05, rng=3), trials=Trials(n)) for n in (9, 10**6))
    assert many.worst.dsr < few.worst.dsr
    assert not many.evidence_of_profit


def test_fewer_trials_than_strategies_are_refused(bad):
    with pytest.raises(InputError, match="the ledger"):
        judged(walk(200, 6), trials=Trials(3))


def test_the_paper_s_deflation_uses_the_spread_of_the_trials():
    narrow, wide = (judged(predictable(), trials=Trials(9, s)) for s in ([0.0, 0.001], [-0.2, 0.2]))
    assert wide.worst.dsr_by_spread < narrow.worst.dsr_by_spread
    assert wide.worst.dsr == narrow.worst.dsr


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"limits": Limits(min_days=2000)}, "days"),
        ({"costs": Costs()}, "funding"),
        ({"costs": Costs(funding=0.01)}, None),
        ({"audit": Audit((Finding("same_bar_fill", 1, 3, "planted"),), ("same_bar_fill",))}, "audit"),
        ({"limits": replace(LIMITS, break_even_bps=500.0)}, "break_even"),
    ],
)
def test_one_broken_condition_is_enough(changed, name):
    verdict = judged(predictable(), **changed)
    if (
        name is None
    ):  # a funding of 1 % a day is paid by longs, received by shorts: nothing to say but that it is charged
        assert passed(verdict)["funding"]
    else:
        assert [k for k, holds in passed(verdict).items() if not holds] == [name]
        assert not verdict.evidence_of_profit


def test_holding_a_rising_market_is_not_called_skill():
    panel = walk(1000, 6, rng=2, drift=0.01)
    verdict = judge({"always long": np.full((1000, 6), 1 / 6)}, panel, costs=OWNED, trials=Trials(1), rng=0, limits=LIMITS, n_resamples=200, n_entries=19)  # fmt: skip
    assert verdict.worst.dsr > 0.99
    assert not passed(verdict)["random_entry"]
    assert not verdict.evidence_of_profit


def test_bars_of_a_day_count_once():
    panel = panel_of(walk(24 * 60, 4, rng=7, volatility=0.006).close_AT, step=timedelta(hours=1))
    verdict = judged(panel, limits=Limits())
    assert verdict.n_days == 58  # the first 60 hours decide nothing
    assert not passed(verdict)["days"]
    assert np.prod(1 + verdict.worst.net_SD[0]) == pytest.approx(np.prod(1 + verdict.worst.result.net_ST[0]))


def test_days_are_linked_returns():
    time = np.datetime64("2020-01-01", "us") + np.arange(4) * np.timedelta64(12, "h")
    days, net = by_day(np.array([[0.1, 0.1, 0.0, -0.5]]), time, timedelta(hours=12))
    assert days.tolist() == [
        d.astype(object) for d in np.array(["2020-01-01", "2020-01-02"], "datetime64[D]")
    ]
    assert net[0].tolist() == pytest.approx([0.21, -0.5])


def test_smooth_returns_count_as_fewer_days():
    gen = np.random.default_rng(0)
    noise = gen.normal(size=3000) * 0.01
    smooth = np.convolve(noise, np.ones(5) / 5, mode="valid")
    assert independent(moments(noise), noise).n > 2400
    assert independent(moments(smooth), smooth).n < 1000


def test_a_rule_that_never_trades_is_told_not_crashed_on():
    panel = walk(300, 3)
    verdict = judge(
        {"nothing": np.zeros((300, 3))}, panel, costs=OWNED, trials=Trials(1), rng=0, n_resamples=50
    )
    assert not verdict.evidence_of_profit
    document = verdict_document(verdict)
    assert document["dsr"] is None
    assert to_html(document)


def test_no_strategy_or_no_decision_is_refused():
    panel = walk(100, 3)
    with pytest.raises(InputError, match="one strategy"):
        judge({}, panel, costs=OWNED, trials=Trials(1), rng=0)
    with pytest.raises(DataError, match="decide nothing"):
        judge({"mute": np.full((100, 3), np.nan)}, panel, costs=OWNED, trials=Trials(1), rng=0)


def test_a_line_without_a_number_does_not_pass():
    assert not line("spa", float("nan"), "below", 0.05).passed
    assert worst([0.5, None], high_is_good=True) is None
    assert worst([0.5, 0.2], high_is_good=True) == 0.2
    with pytest.raises(InputError, match="cost_bps"):
        Limits(cost_bps=())


def test_the_sentence_says_it_first_and_in_both_languages(good, bad):
    assert verdict_document(bad)["text"] == NO_EVIDENCE["en"] == "No evidence of profit after costs."
    assert verdict_document(good)["text"] == EVIDENCE["en"]
    for verdict in (good, bad):
        said = verdict_document(verdict)["texts"]
        assert len(said["en"]) == len(said["ru"])
        assert all(any("а" <= letter <= "я" for letter in text) for text in said["ru"])


def test_a_failed_line_is_named_with_its_number(bad):
    reason = verdict_document(bad)["texts"]["en"][1]
    assert "Deflated Sharpe ratio" in reason
    assert "above 0.95" in reason


def test_what_an_audit_found_stands_in_the_text():
    audit = Audit((Finding("same_bar_fill", 1, 3, "planted"),), ("same_bar_fill",))
    said = verdict_document(judged(predictable(), audit=audit))["texts"]
    assert any("fills in the bar of the decision" in text for text in said["en"])


def test_the_document_is_json_and_its_numbers_are_the_verdict_s(good):
    document = json.loads(json.dumps(verdict_document(good), allow_nan=False))
    assert document["evidence_of_profit"] is True
    assert document["trials"] == 9
    assert document["dsr"] == pytest.approx(min(level.dsr for level in good.levels), abs=1e-6)
    assert document["pbo"] == pytest.approx(max(level.overfitting.pbo for level in good.levels), abs=1e-6)
    assert document["strategies"][0]["name"] == good.candidate
    assert [row["name"] for row in document["strategies"]][-2:] == ["buy_and_hold", "equal_weight"]
    assert {one["name"] for one in document["gate"]} == set(passed(good))
    first = document["strategies"][0]
    assert first["sharpe_ann"][0] > first["sharpe_ann"][1]  # 5 bp before 10 bp


def test_the_page_opens_in_both_languages_with_the_sentence_first(bad):
    document = verdict_document(bad)
    for language, words in NO_EVIDENCE.items():
        page = to_html(document, language=language)
        assert words in page
        assert 'data-path="/charts/growth"' in page
    assert "individual investment recommendation" in to_html(document)


def test_the_same_seed_gives_the_same_document(bad):
    again = judged(walk(1000, 6, rng=1))
    assert verdict_document(again) == verdict_document(bad)
