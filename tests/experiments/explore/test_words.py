"""Sentences of a panel's page say what its numbers say, and nothing else where the numbers are other."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nextbest.data.panel.panel import Panel
from nextbest.experiments.explore.panel_facts import PanelFacts, panel_facts
from nextbest.experiments.explore.panel_page import panel_page
from nextbest.experiments.explore.panel_products import is_double
from nextbest.experiments.explore.writing import Writer
from nextbest.simulate.panel import simulate_panel


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Panel:
    return simulate_panel(scale=0.004, rng=1, months=8).to_panel(tmp_path_factory.mktemp("bank"))


@pytest.fixture(scope="module")
def facts(panel: Panel) -> PanelFacts:
    return panel_facts(panel)


def meaning(facts: PanelFacts, key: str, lang: Any = "en") -> str:
    return next(s.meaning for s in panel_page(facts, lang=lang).sections if s.key == key)


def test_popularity_alone_is_one_figure_and_without_what_is_held_another(facts: PanelFacts) -> None:
    assert facts.baselines is not None
    plain, free = (f"{facts.baselines.map7[name]:.3f}" for name in ("popularity", "popularity_not_held"))
    assert plain != free
    page = panel_page(facts)
    assert f"Popularity alone scores {plain}" in meaning(facts, "baselines")
    assert (free, "MAP@7 on adders by popularity of what isn't held") in page.cards
    assert f"{plain} by popularity, {free} leaving out what is held" in page.to_summary()
    assert not any("popularity alone" in what for _, what in page.cards)


def test_last_months_adders_are_compared_with_the_rest(facts: PanelFacts) -> None:
    often = replace(facts, again=(0.135, 0.036, 0.032))
    assert "13.5% of last month's adders add again, 4.2 times the rest's 3.2%" in meaning(often, "adders")
    assert "13.5 %, в 4.2 раза чаще остальных (3.2 %)" in meaning(often, "adders", "ru")
    alike = meaning(replace(facts, again=(0.04, 0.036, 0.036)), "adders")
    assert "says little" in alike
    assert "is a feature" not in alike
    assert "again" not in meaning(replace(facts, again=(np.nan, 0.03, np.nan)), "adders")


def test_months_told_as_double_are_the_cells_that_read_as_double(facts: PanelFacts) -> None:
    w, season_MP = Writer("en"), np.full_like(facts.season_MP, np.nan)
    season_MP[1:, 0] = 1.0
    season_MP[2:5, 0] = 1.94, 1.96, 3.0
    season_MP[1:, 1] = 1.0
    season_MP[5, 1] = 2.04
    told = meaning(replace(facts, season_MP=season_MP), "seasons")
    names = [product.name("en") for product in facts.schema.products]
    months = [w.month(month) for month in facts.profile.months]
    assert f"{names[0]} {months[4]} x3.0, {names[1]} {months[5]} x2.0, {names[0]} {months[3]} x2.0." in told
    assert months[2] not in told
    assert (is_double(1.95001, w), is_double(1.9, w), is_double(12.0, w), is_double(np.nan, w)) == (
        *(True, False, True, False),
    )
    flat = meaning(replace(facts, season_MP=np.where(np.isnan(season_MP), np.nan, 1.0)), "seasons")
    assert "No product has a month with twice" in flat
    assert "Train with" not in flat


def test_products_are_called_switched_or_returning_by_their_own_numbers(facts: PanelFacts) -> None:
    n = len(facts.schema.products)
    names = [product.name("en") for product in facts.schema.products]
    added_P = np.full(n, 100)
    returned_P = np.arange(n)
    returned_P[3] = 52
    calm = np.full(n, 0.01)
    returns = replace(facts.returns, added_P=added_P, returned_P=returned_P)
    changed = replace(facts, turnover_P=calm, drop_P=calm, returns=returns)
    told = meaning(changed, "turnover")
    assert "Switched on and off" not in told
    assert "bought once" not in told
    assert f"most: {names[3]} 52%" in told
    busy_P = calm.copy()
    busy_P[int(np.argmax(facts.profile.added_MP.sum(axis=0)))] = 0.2
    told = meaning(replace(changed, turnover_P=busy_P, drop_P=busy_P), "turnover")
    busiest = names[int(np.argmax(busy_P))]
    assert f"5% of their holders and more a month: {busiest}." in told
    returning = meaning(changed, "returns")
    assert f"most: {names[3]} 52%" in returning
    assert f"least: {names[0]} 0%" in returning


@pytest.mark.parametrize(("returned", "is_told"), [(1, False), (60, True)])
def test_features_for_returns_are_advised_only_where_things_return(
    facts: PanelFacts, returned: int, is_told: bool
) -> None:
    n = len(facts.schema.products)
    returns = replace(facts.returns, added_P=np.full(n, 100), returned_P=np.full(n, returned))
    assert ("Months since the last drop" in meaning(replace(facts, returns=returns), "returns")) == is_told


def test_who_comes_and_goes_is_drawn_on_a_scale_of_its_own(facts: PanelFacts) -> None:
    rows = next(s for s in panel_page(facts).sections if s.key == "rows")
    all_clients, moving = (chart.draw() for chart in rows.charts)
    assert "first seen" not in all_clients
    assert "first seen" in moving
    nobody = np.zeros_like(facts.profile.left_M)
    still = replace(facts, profile=replace(facts.profile, left_M=nobody, first_seen_M=nobody))
    rows = next(s for s in panel_page(still).sections if s.key == "rows")
    assert rows.charts[1].draw().startswith("<svg")


def test_a_summary_is_five_facts_in_either_language(facts: PanelFacts) -> None:
    for lang, word in (("en", "clients"), ("ru", "клиентов")):
        lines = panel_page(facts, lang=lang).to_summary().splitlines()  # type: ignore[arg-type]
        assert len(lines) == 6
        assert word in lines[1]
        assert "nan" not in " ".join(lines)
