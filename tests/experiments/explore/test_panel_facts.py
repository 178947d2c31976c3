"""Facts of a panel against plain loops over clients and months."""

from collections import Counter
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from data.panel.toy_panels import ACCOUNT, CARD, LOAN, SCHEMA, month, write_panel
from nextbest.data.panel.panel import Panel
from nextbest.data.panel.schema import Attribute, PanelSchema, Product
from nextbest.data.panel.store import PanelWriter
from nextbest.experiments.explore.groups import Histogram, age_bands, group_facts
from nextbest.experiments.explore.panel_facts import PanelFacts, panel_facts

BITS = (ACCOUNT, CARD, LOAN)
Months = dict[date, dict[int, int]]


@pytest.fixture(scope="module")
def months() -> Months:
    """60 clients who come, go and switch three products at random over seven months."""
    rng = np.random.default_rng(3)
    held = rng.integers(0, 8, 60)
    made: Months = {}
    for m in range(1, 8):
        held = np.where(rng.random(60) < 0.4, rng.integers(0, 8, 60), held)
        here = rng.random(60) < 0.9
        made[month(m)] = {int(c): int(held[c]) for c in np.flatnonzero(here)}
    return made


@pytest.fixture(scope="module")
def panel(months: Months, tmp_path_factory: pytest.TempPathFactory) -> Panel:
    return write_panel(tmp_path_factory.mktemp("panel"), months)


@pytest.fixture(scope="module")
def facts(panel: Panel) -> PanelFacts:
    return panel_facts(panel)


def moves(months: Months) -> list[tuple[int, int, int, int, int]]:
    """`(month number, client, held before, held now, added)` of clients present in both."""
    return [
        (m, c, months[month(m - 1)][c], now, now & ~months[month(m - 1)][c])
        for m in range(2, 8)
        for c, now in months[month(m)].items()
        if c in months[month(m - 1)]
    ]


def test_hazard_turnover_and_drops_are_shares_of_those_who_could(months: Months, facts: PanelFacts) -> None:
    for p, bit in enumerate(BITS):
        added = sum(bool(a & bit) for *_, a in moves(months))
        free = sum(not before & bit for _, _, before, _, _ in moves(months))
        owners = sum(bool(before & bit) for _, _, before, _, _ in moves(months))
        dropped = sum(bool(before & ~now & bit) for _, _, before, now, _ in moves(months))
        assert facts.hazard_P[p] == pytest.approx(added / free)
        assert facts.turnover_P[p] == pytest.approx(added / owners)
        assert facts.drop_P[p] == pytest.approx(dropped / owners)


def test_adders_and_their_number_of_products(months: Months, facts: PanelFacts) -> None:
    sizes = Counter(a.bit_count() for *_, a in moves(months) if a)
    assert facts.together.n_added_K.tolist() == [sizes[k] for k in range(1, max(sizes) + 1)]
    assert facts.adder_share == pytest.approx(sum(sizes.values()) / len(moves(months)))
    assert facts.additions_per_adder == pytest.approx(
        sum(k * n for k, n in sizes.items()) / sum(sizes.values())
    )
    assert facts.ever_added == len({c for _, c, _, _, a in moves(months) if a})


def test_a_return_is_an_addition_of_what_was_held_in_an_earlier_month(
    months: Months, facts: PanelFacts
) -> None:
    gaps: Counter[int] = Counter()
    returned, added = Counter[int](), Counter[int]()
    for m, c, _, _, a in moves(months):
        for p, bit in enumerate(BITS):
            if m < 3 or not a & bit:
                continue
            added[p] += 1
            earlier = [k for k in range(1, m - 1) if months[month(k)].get(c, 0) & bit]
            if earlier:
                returned[p] += 1
                gaps[m - 1 - max(earlier)] += 1
    assert facts.returns.added_P.tolist() == [added[p] for p in range(3)]
    assert facts.returns.returned_P.tolist() == [returned[p] for p in range(3)]
    assert facts.returns.gap_L.tolist() == [gaps[k] for k in range(1, 7)]
    assert facts.returns.share_P[0] == pytest.approx(returned[0] / added[0])


def test_products_together_are_conditional_shares(months: Months, facts: PanelFacts) -> None:
    newest = list(months[month(7)].values())
    added = [a for *_, a in moves(months) if a]
    for name, masks in (("held_PP", newest), ("added_PP", added)):
        given: NDArray[np.float64] = getattr(facts.together, name)
        for i, row in enumerate(BITS):
            for j, column in enumerate(BITS):
                mine = [mask for mask in masks if mask & row]
                assert given[i, j] == pytest.approx(sum(bool(mask & column) for mask in mine) / len(mine))
    assert Counter(dict(facts.together.sets)) == Counter(added)
    assert facts.together.sets[0][1] == max(Counter(added).values())


def test_who_added_last_month_adds_again(months: Months, facts: PanelFacts) -> None:
    added = {(m, c) for m, c, _, _, a in moves(months) if a}
    there = {(m, c) for m, c, *_ in moves(months)}
    again = [(m, c) in added for m, c in there if (m - 1, c) in added]
    usual = [(m, c) in added for m, c in there if m > 2]
    rest = [(m, c) in added for m, c in there if m > 2 and (m - 1, c) not in added]
    assert facts.again == pytest.approx((np.mean(again), np.mean(usual), np.mean(rest)))


def test_ownership_baselines_are_scikit_learns_weighted_scores(months: Months, facts: PanelFacts) -> None:
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    assert facts.baselines is not None
    rows = sorted(months[month(7)])
    truth = bits([months[month(7)][c] for c in rows])
    before = [months[month(6)].get(c, 0) for c in rows]
    holders = [sum(bool(mask & bit) for mask in months[month(6)].values()) for bit in BITS]
    common = int(np.argmax(holders))
    assert facts.baselines.constant == SCHEMA.product_columns[common]
    for name, masks in (("persistence", before), ("constant", [BITS[common]] * len(rows))):
        scores = facts.baselines.ownership[name]
        expected = precision_recall_fscore_support(truth, bits(masks), average="weighted", zero_division=0)
        assert [scores["precision"], scores["recall"], scores["f1"]] == pytest.approx(list(expected[:3]))
        assert scores["exact_match"] == pytest.approx(accuracy_score(truth, bits(masks)))


def bits(masks: list[int]) -> NDArray[np.int64]:
    return np.array([[int(bool(mask & bit)) for bit in BITS] for mask in masks])


def test_popularity_is_counted_before_the_month_it_is_tested_on(months: Months, facts: PanelFacts) -> None:
    assert facts.baselines is not None
    assert facts.baselines.map7_months == tuple(month(m) for m in range(4, 8))
    plain, masked = [], []
    for m in range(4, 8):
        counts = [sum(bool(a & bit) for k, *_, a in moves(months) if k < m) for bit in BITS]
        order = sorted(range(3), key=lambda p: (-counts[p], p))
        adders = [(before, a) for k, _, before, _, a in moves(months) if k == m and a]
        plain.append(np.mean([average_precision(order, a) for _, a in adders]))
        masked.append(
            np.mean([average_precision([p for p in order if not b & BITS[p]], a) for b, a in adders])
        )
    assert facts.baselines.map7["popularity"] == pytest.approx(np.mean(plain))
    assert facts.baselines.map7["popularity_not_held"] == pytest.approx(np.mean(masked))
    assert facts.baselines.map7["popularity_not_held"] > facts.baselines.map7["popularity"]
    assert facts.baselines.map7["popularity_all"] < facts.baselines.map7["popularity"]


def average_precision(order: list[int], added: int) -> float:
    hits, total = 0, 0.0
    for place, p in enumerate(order[:7], start=1):
        if added & BITS[p]:
            hits += 1
            total += hits / place
    return total / min(added.bit_count(), 7)


def test_a_season_is_a_month_over_the_products_mean(tmp_path: Path) -> None:
    n = 400
    months: Months = {}
    held = np.zeros(n, dtype=int)
    for m, adds in enumerate((0, 40, 40, 120, 40), start=1):
        free = np.flatnonzero(held == 0)[:adds]
        held[free] = ACCOUNT
        months[month(m)] = {c: int(held[c]) for c in range(n)}
    facts = panel_facts(write_panel(tmp_path, months))
    assert facts.season_MP[:, 0].tolist() == pytest.approx([np.nan, 2 / 3, 2 / 3, 2, 2 / 3], nan_ok=True)
    assert np.isnan(facts.season_MP[:, 1]).all()


def panel_of_groups(folder: Path) -> Panel:
    """Old clients of channel B add a card in February, young ones of A don't; attributes change in February."""
    schema = PanelSchema(
        "groups",
        "id",
        "m",
        (Product("account", "", ""), Product("card", "", "")),
        (
            Attribute("years", "integer", low=0, high=120),
            Attribute("way", "category"),
            Attribute("on", "flag"),
            Attribute("pay", "number"),
            Attribute("class", "category", ("x", "y")),
        ),
        {"age": "years", "channel": "way", "activity": "on", "income": "pay", "segment": "class"},
    )
    with PanelWriter(folder, schema=schema) as writer:
        for m in (1, 2):
            table = pl.DataFrame(
                {
                    "years": [20, 22, 65, 66, None] if m == 1 else [99] * 5,
                    "way": ["A", "A", "B", "B", None],
                    "on": [False, False, True, True, None],
                    "pay": [10.0, 30.0, 100.0, None, None],
                    "class": ["x", "x", "y", "y", None],
                }
            )
            held = np.array([1, 1, 1, 1, 1]) if m == 1 else np.array([1, 1, 3, 3, 3])
            writer.append_month(month(m), [1, 2, 3, 4, 5], held, table)
        return writer.commit()


def test_adders_are_grouped_by_what_was_known_a_month_before(tmp_path: Path) -> None:
    groups = group_facts(panel_of_groups(tmp_path))
    assert [(g.name, g.client_months, g.rate) for g in groups.adders["age"]] == [
        ("18-24", 2, 0.0),
        ("60-69", 2, 1.0),
    ]
    assert [(g.name, g.rate) for g in groups.adders["activity"]] == [("active", 1.0), ("inactive", 0.0)]
    assert [(g.name, g.rate) for g in groups.adders["channel"]] == [("A", 0.0), ("B", 1.0)]
    assert groups.adders["segment"][1].added_P.tolist() == [0, 2]


def test_distributions_are_of_the_newest_month(tmp_path: Path) -> None:
    groups = group_facts(panel_of_groups(tmp_path))
    assert groups.month == month(2)
    assert groups.age is not None
    assert (groups.age.start, groups.age.count_V.tolist(), groups.age.missing) == (99, [5], 0)
    assert groups.channels == (("A", 2), ("B", 2))
    assert groups.income_missing == pytest.approx(0.4)
    assert [(s.name, s.n, s.quantiles[2]) for s in groups.income_by_segment] == [("y", 1, 100), ("x", 2, 30)]
    assert (groups.seniority, groups.income_by_region) == (None, ())


def test_two_crowds_are_two_humps_and_noise_is_none() -> None:
    ages = np.arange(100)
    rng = np.random.default_rng(0)
    two = 900 * np.exp(-(((ages - 24) / 4) ** 2)) + 500 * np.exp(-(((ages - 48) / 9) ** 2))
    assert Histogram(0, rng.poisson(two), 0).peaks == (24, 48)
    one = rng.poisson(1000 * np.exp(-(((ages - 40) / 15) ** 2)))
    assert len(Histogram(0, one, 0).peaks) == 1
    assert Histogram(0, np.zeros(0, dtype=np.int64), 3).peaks == ()


def test_quantiles_of_a_histogram_are_those_of_its_values() -> None:
    values = np.array([3, 3, 4, 7, 9])
    histogram = Histogram(3, np.bincount(values - 3), 0)
    assert [histogram.quantile(q) for q in (0.2, 0.5, 1.0)] == [3, 4, 9]


def test_every_age_has_one_band() -> None:
    assert age_bands() == ["0-17", "18-24", "25-29", "30-39", "40-49", "50-59", "60-69", "70+"]


def test_a_panel_without_two_months_in_a_row_has_no_moves(tmp_path: Path) -> None:
    facts = panel_facts(write_panel(tmp_path, {month(1): {1: 1}, month(3): {1: 3}}))
    assert facts.baselines is None
    assert np.isnan(facts.hazard_P).all()
    assert np.isnan(facts.adder_share)
    assert facts.together.sets == ()
