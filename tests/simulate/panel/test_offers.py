"""Offers: what the log says follows from the truth, and causal measures find in the log what the truth holds.

The real effect is a few thousandths, which only hundreds of thousands of contacts can show; effects here
are fifty times as large so that a small panel shows the mechanism.
"""

from bisect import bisect_left
from collections import defaultdict
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from nextbest.data.panel.schema import SANTANDER
from nextbest.evaluation.off_policy import off_policy_value
from nextbest.evaluation.uplift import evaluate_uplift
from nextbest.pipeline.decisions.contacts import CONTACTS
from nextbest.simulate.panel import SimulatedPanel, simulate_panel
from nextbest.simulate.panel.offers import OPEN_COLUMNS, OfferConfig, Offers, simulate_offers
from nextbest.tables import TIME_DTYPE

STRONG = OfferConfig(contacts=0.6, control=0.4, effect_low=0.1, effect_high=0.4, sleeping_dogs=0.2)


@pytest.fixture(scope="module")
def bank() -> SimulatedPanel:
    return simulate_panel(scale=0.01, rng=5, months=8)


@pytest.fixture(scope="module")
def strong(bank: SimulatedPanel) -> Offers:
    return simulate_offers(bank, config=STRONG)


@pytest.fixture(scope="module")
def usual(bank: SimulatedPanel) -> Offers:
    return simulate_offers(bank, choice_months=7)


def choice_matrix(offers: Offers, name: str) -> np.ndarray:
    return offers.choices.select(f"{name}_{column}" for column in OPEN_COLUMNS).to_numpy().astype(np.float64)


def places(log: pl.DataFrame) -> np.ndarray:
    return np.array([OPEN_COLUMNS.index(product) for product in log["product"]])


def sigmas(found: float, expected: float, variance: float) -> float:
    return abs(found - expected) / variance**0.5


def test_control_customers_are_drawn_once_and_for_good(strong: Offers) -> None:
    by_customer = strong.log.group_by("customer_id").agg(pl.col("is_control").unique())
    assert by_customer["is_control"].list.len().max() == 1
    n, n_control = len(by_customer), by_customer["is_control"].list.first().sum()
    assert sigmas(n_control, 0.4 * n, 0.24 * n) < 4


def test_the_usual_control_group_is_a_tenth(usual: Offers) -> None:
    customers = usual.log.unique("customer_id")
    assert sigmas(customers["is_control"].sum(), 0.1 * len(customers), 0.09 * len(customers)) < 4


def test_a_control_customer_s_outcome_is_the_panel_s_own(bank: SimulatedPanel, strong: Offers) -> None:
    place = {month: m for m, month in enumerate(bank.months_)}
    row = np.searchsorted(bank.customer_ids, strong.log["customer_id"].to_numpy())
    m = np.array([place[month] for month in strong.log["month"]])
    bit = np.array([SANTANDER.bit(product) for product in strong.log["product"]], dtype=np.uint32)
    now, before = (bank.held_MC[m, row] >> bit) & 1, (bank.held_MC[m - 1, row] >> bit) & 1
    assert not before.any()
    assert strong.truth["y0"].to_list() == now.astype(bool).tolist()
    control = strong.log["is_control"].to_numpy()
    assert (strong.log["added"].to_numpy()[control] == now[control].astype(bool)).all()


def test_an_offer_s_outcome_is_the_second_one_and_is_named_so(strong: Offers) -> None:
    log, truth = strong.log, strong.truth
    made = ~log["is_control"]
    assert log["added"].filter(made).equals(truth["y1"].filter(made).alias("added"))
    words = dict(log.group_by("outcome").agg(pl.len()).iter_rows())
    assert words["taken"] == truth["y1"].filter(made).sum()
    assert words["not_delivered"] == log["is_control"].sum()
    assert words["shown"] == len(log) - words["taken"] - words["not_delivered"]


def test_good_effects_take_nothing_away_and_bad_ones_add_nothing(strong: Offers) -> None:
    truth = strong.truth
    is_good = truth["tau"] >= 0
    assert not (truth["y0"] & ~truth["y1"]).filter(is_good).any()
    assert not (truth["y1"] & ~truth["y0"]).filter(~is_good).any()
    assert (is_good != (truth["group"] == "sleeping_dog")).filter(truth["tau"] != 0).all()


def test_outcomes_come_as_often_as_the_truth_says(strong: Offers) -> None:
    truth = strong.truth.with_columns(group=pl.col("group") + pl.col("is_tired").cast(pl.String))
    for part in truth.partition_by("group"):
        for p, y in (("p_without", "y0"), ("p_with", "y1")):
            variance = float((part[p] * (1 - part[p])).sum())
            assert sigmas(part[y].sum(), part[p].sum(), variance) < 4


def test_probabilities_without_offer_are_the_panel_s_own_truth(bank: SimulatedPanel, usual: Offers) -> None:
    month = bank.months_[-1]
    ids, p_NP = bank.truth(month)
    here = usual.log["month"] == month
    log = usual.log.filter(here)
    row = np.searchsorted(ids, log["customer_id"].to_numpy())
    bits = [SANTANDER.bit(product) for product in log["product"]]
    assert np.allclose(p_NP[row, bits], usual.truth.filter(here)["p_without"].to_numpy(), atol=1e-7)


def test_usual_effects_lie_in_their_range_and_fade_with_fatigue(usual: Offers) -> None:
    is_dog = usual.truth["group"] == "sleeping_dog"
    fresh = usual.truth.filter(~is_dog & ~usual.truth["is_tired"] & (usual.truth["p_with"] < 1))
    tired = usual.truth.filter(~is_dog & usual.truth["is_tired"] & (usual.truth["p_with"] < 1))
    dogs = usual.truth.filter(is_dog)
    assert fresh["tau"].is_between(0.002 - 1e-9, 0.008 + 1e-9).all()
    assert tired["tau"].is_between(0.0004 - 1e-9, 0.0016 + 1e-9).all()
    assert fresh["tau"].std() > 0.001
    assert dogs["tau"].is_between(-0.008 - 1e-9, 0).all()
    assert (dogs["tau"] >= -dogs["p_without"] - 1e-12).all()
    assert min(len(fresh), len(tired), len(dogs)) > 50


def test_one_customer_in_twenty_is_a_sleeping_dog_for_good(usual: Offers) -> None:
    groups = usual.log.select("customer_id").hstack([usual.truth["group"]]).unique()
    assert groups["customer_id"].is_unique().all()
    n_dogs = (groups["group"] == "sleeping_dog").sum()
    assert sigmas(n_dogs, 0.05 * len(groups), 0.0475 * len(groups)) < 4


def test_contacts_of_thirty_days_are_counted_as_by_hand(strong: Offers) -> None:
    times: dict[int, list] = defaultdict(list)
    expected = []
    for customer, time in strong.log.select("customer_id", "time").iter_rows():  # ordered by time
        since = bisect_left(times[customer], time - timedelta(days=30))
        expected.append(min(len(times[customer]) - since, 3))
        times[customer].append(time)
    assert strong.log["contacts_30d"].to_list() == expected
    assert strong.truth["is_tired"].to_list() == [n == 3 for n in expected]
    assert sum(strong.truth["is_tired"]) > 100


def test_no_product_is_offered_twice_a_month_to_one_customer(strong: Offers) -> None:
    assert strong.log.select("customer_id", "month", "product").is_unique().all()


def test_contacts_fall_in_their_month_by_day_and_in_order(strong: Offers, bank: SimulatedPanel) -> None:
    log = strong.log
    assert log["time"].is_sorted()
    month_before = {month: before for before, month in zip(bank.months_, bank.months_[1:], strict=False)}
    assert all(month_before[m] < t.date() <= m for m, t in log.select("month", "time").iter_rows())
    assert log["time"].dt.hour().is_between(9, 19).all()


def test_minors_get_no_offer(strong: Offers, bank: SimulatedPanel) -> None:
    row = np.searchsorted(bank.customer_ids, strong.log["customer_id"].unique().to_numpy())
    assert bank.people.age[row].min() > 17
    assert (bank.people.age < 17).any()


def test_the_log_is_a_contact_history_as_decisions_read_it(usual: Offers) -> None:
    assert CONTACTS.check(usual.log) is usual.log
    assert usual.log.schema["time"] == TIME_DTYPE


def test_choices_hold_the_chance_and_the_truth_of_the_product_that_was_drawn(usual: Offers) -> None:
    offer = usual.choices["offer"].to_numpy()
    chance, p_with = choice_matrix(usual, "chance"), choice_matrix(usual, "p_with")
    assert offer.tolist() == list(range(len(usual.log)))
    assert np.allclose(chance.sum(axis=1), 1, atol=1e-5)
    at = np.arange(len(offer)), places(usual.log)
    assert np.array_equal(chance[at].astype(np.float32), usual.log["propensity"].to_numpy())
    assert np.allclose(p_with[at], usual.truth["p_with"].to_numpy(), atol=1e-6)
    assert ((chance > 0) >= (p_with > 0)).all()


def test_products_are_drawn_as_often_as_their_chances_say(usual: Offers) -> None:
    chance = choice_matrix(usual, "chance")
    found = np.bincount(places(usual.log), minlength=len(OPEN_COLUMNS))
    variance = (chance * (1 - chance)).sum(axis=0)
    assert (np.abs(found - chance.sum(axis=0)) < 4 * variance**0.5).all()


def test_choices_are_of_the_last_months_alone(strong: Offers, bank: SimulatedPanel) -> None:
    months = strong.log[strong.choices["offer"].to_numpy()]["month"]
    assert months.unique().sort().to_list() == list(bank.months_[-4:])
    assert len(months) == strong.log["month"].is_in(bank.months_[-4:]).sum()


def uplift(offers: Offers, score: np.ndarray):
    log = offers.log
    return evaluate_uplift(
        score,
        treated=~log["is_control"].to_numpy(),
        outcome=log["added"].to_numpy(),
        propensity=np.full(len(log), 1 - STRONG.control),
        clients=log["customer_id"].to_numpy(),
        n_resamples=60,
        rng=0,
    )


def test_the_true_effect_as_score_has_a_clear_qini_and_its_average_is_found(strong: Offers) -> None:
    found = uplift(strong, strong.truth["tau"].to_numpy())
    assert found.qini.ci_low > 0.02
    assert found.auuc.ci_low > found.auuc_random.ci_high
    mean = float(strong.truth["tau"].mean())
    effect = found.average_effect
    assert abs(effect.value - mean) < 2 * (effect.ci_high - effect.ci_low)


def test_a_random_score_finds_nobody(strong: Offers) -> None:
    found = uplift(strong, np.random.default_rng(1).random(len(strong.log)))
    assert abs(found.qini.value) < 0.003


def test_the_value_of_another_policy_is_recovered_from_the_log(strong: Offers) -> None:
    log = strong.log[strong.choices["offer"].to_numpy()]
    made = ~log["is_control"].to_numpy()
    chance, p_with = choice_matrix(strong, "chance")[made], choice_matrix(strong, "p_with")[made]
    log = log.filter(pl.Series(made))
    best = np.where(chance > 0, p_with, -1).argmax(axis=1)  # a sleeping dog's may all be 0
    found = off_policy_value(
        log["added"].to_numpy().astype(float),
        propensity=log["propensity"].to_numpy().astype(float),
        target=(places(log) == best).astype(float),
        clients=log["customer_id"].to_numpy(),
        n_resamples=200,
        rng=0,
        confidence=0.99,
    )
    true_value, logged = p_with.max(axis=1).mean(), (chance * p_with).sum(axis=1).mean()
    assert found.ips.ci_low < true_value < found.ips.ci_high
    assert found.snips.ci_low < true_value < found.snips.ci_high
    assert found.logged.ci_low < logged < found.logged.ci_high < true_value
    assert abs(found.mean_weight - 1) < 0.1


def test_the_same_seed_gives_the_same_offers(usual: Offers, bank: SimulatedPanel) -> None:
    again = simulate_offers(simulate_panel(scale=0.01, rng=5, months=8), choice_months=7)
    assert again.log.equals(usual.log)
    assert again.truth.equals(usual.truth)
    assert again.choices.equals(usual.choices)


def test_offers_leave_the_panel_as_it_is(bank: SimulatedPanel) -> None:
    other = simulate_panel(scale=0.01, rng=5, months=8)
    assert np.array_equal(other.held_MC, bank.held_MC)


def test_a_first_month_has_no_month_before_and_so_no_offers() -> None:
    none = simulate_offers(simulate_panel(scale=0.002, rng=0, months=1))
    some = simulate_offers(simulate_panel(scale=0.002, rng=0, months=2))
    assert (len(none.log), len(none.truth), len(none.choices)) == (0, 0, 0)
    assert (none.log.schema, none.truth.schema) == (some.log.schema, some.truth.schema)
    assert none.choices.schema == some.choices.schema


def test_a_range_of_effects_upside_down_is_refused() -> None:
    with pytest.raises(ValidationError, match="effect_low must not be above"):
        OfferConfig(effect_low=0.3, effect_high=0.1)
