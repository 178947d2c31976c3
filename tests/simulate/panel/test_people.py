"""Who the customers are: cohorts by count, nobody before birth, households, gaps and shapes."""

from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from nextbest.simulate.panel import SimulatedPanel, facts, simulate_panel
from nextbest.simulate.panel.attributes import JOINT, uniform
from nextbest.simulate.panel.people import (
    BASE,
    DORMANT,
    ENTRANT,
    PART,
    UNIV,
    draw_people,
    join,
    n_blocks,
    n_customers,
)
from simulate.panel.bits import bits, present

SCALE = 0.02


@pytest.fixture(scope="module")
def table(panel: SimulatedPanel) -> pl.DataFrame:
    """Attributes of all months."""
    return pl.concat([m.attributes.with_columns(month=pl.lit(m.month)) for m in panel.months()])


def test_months_have_the_published_rows(panel: SimulatedPanel) -> None:
    found = present(panel).sum(axis=1)
    assert np.abs(found / (facts.ROWS * SCALE) - 1).max() < 0.002  # cohorts are dealt out, not drawn


def test_july_2015_reveals_customers_who_do_and_hold_nothing(panel: SimulatedPanel) -> None:
    dormant = (panel.people.cohort == DORMANT) & present(panel)[facts.BREAK]
    assert dormant.sum() == pytest.approx(facts.BREAK_ROWS * SCALE, rel=0.01)
    assert not present(panel)[facts.BREAK - 1][dormant].any()
    assert panel.active_MC[facts.BREAK, dormant].mean() < 0.05
    held = bits(panel.held_MC[facts.BREAK, dormant]).mean(axis=0)
    assert held[facts.PRODUCT["cco"]] == pytest.approx(0.08, abs=0.015)
    assert np.delete(held, facts.PRODUCT["cco"]).max() < 0.02


def test_ids_grow_with_the_day_of_joining_and_never_repeat(panel: SimulatedPanel) -> None:
    assert (np.diff(panel.customer_ids) > 0).all()
    assert panel.customer_ids[0] >= facts.FIRST_ID
    assert panel.customer_ids[-1] <= facts.LAST_ID
    joined = panel.people.joined
    assert (np.diff(joined) > -40).all()  # a month of noise within the order


def test_ids_stay_apart_at_full_size_too() -> None:
    total = n_customers(1)
    ids = draw_people(3, total=total, seed=0).customer_id
    neighbours = draw_people(4, total=total, seed=0).customer_id
    assert len(set(ids.tolist()) & set(neighbours.tolist())) == 0
    assert (neighbours[: len(ids)] > ids[: len(neighbours)]).all()
    assert n_blocks(total) == 59


def test_nobody_joined_before_birth_and_students_are_young(panel: SimulatedPanel) -> None:
    people = panel.people
    days_of_life = (np.datetime64("2015-01-28").astype(int) - people.joined) / 365.25
    assert (people.age - days_of_life > -0.2).all()
    student = people.segment == UNIV
    assert people.age[student].min() >= 17
    assert people.age[student].max() <= 40
    assert (people.age[people.segment != PART] >= 17).all()


def test_newcomers_are_seen_from_the_month_they_join(panel: SimulatedPanel) -> None:
    people = panel.people
    new = people.cohort == ENTRANT
    month = people.joined[new].astype("datetime64[D]").astype("datetime64[M]").astype(int) - 45 * 12
    assert (people.first[new] - month >= 0).all()
    assert (people.first[new] - month <= 1).all()
    assert (people.first[people.cohort == BASE] == 0).all()


def test_members_of_a_household_share_income_and_province(panel: SimulatedPanel) -> None:
    people, _, _ = panel.block(0)
    together = people.household >= 0
    frame = pl.DataFrame(
        {"home": people.household, "income": people.income, "province": people.province}
    ).filter(pl.Series(together) & (pl.col("province") > 0))
    sizes = frame.group_by("home").agg(pl.col("income", "province").n_unique(), pl.len())
    assert sizes["income"].max() == 1
    assert sizes["province"].max() == 1
    assert people.household[together].size / len(people) == pytest.approx(0.233, abs=0.02)


def test_an_income_is_the_same_in_every_month(table: pl.DataFrame, panel: SimulatedPanel) -> None:
    first, last = panel.month(facts.MONTHS[0]), panel.month(facts.MONTHS[16])
    both, i, j = np.intersect1d(first.customer_ids, last.customer_ids, return_indices=True)
    assert len(both) > 10_000
    assert first.attributes["renta"].gather(i).equals(last.attributes["renta"].gather(j))


def test_thirteen_columns_and_more_are_missing_together(table: pl.DataFrame) -> None:
    gap = table["fecha_alta"].is_null()
    assert gap.mean() == pytest.approx(27_734 / facts.ROWS.sum(), rel=0.4)  # 40 customers: sigma 16 %
    for name in JOINT:
        assert table[name].filter(gap).is_null().all()
    assert table["ind_actividad_cliente"].is_null().equals(gap)


@pytest.mark.parametrize(
    ("name", "rows"),
    [("renta", 2_794_375), ("segmento", 189_368), ("canal_entrada", 186_126), ("indrel_1mes", 149_781)],
)
def test_gaps_are_as_wide_as_published(table: pl.DataFrame, name: str, rows: int) -> None:
    """Gaps are of customers: sigma of the share is that of 19,133 draws; 4 sigma and 5 %."""
    share = rows / facts.ROWS.sum()
    sigma = np.sqrt(share * (1 - share) / n_customers(SCALE))
    assert abs(table[name].is_null().mean() - share) < 4 * sigma + 0.05 * share


@pytest.mark.parametrize(
    ("name", "quartiles"),
    [("age", (24, 39, 50)), ("antiguedad", (23, 50, 135)), ("renta", (68_711, 101_850, 155_956))],
)
def test_quartiles_are_the_published_ones(
    table: pl.DataFrame, name: str, quartiles: tuple[float, ...]
) -> None:
    found = [table[name].quantile(q, "linear") for q in (0.25, 0.5, 0.75)]
    assert found == pytest.approx(quartiles, rel=0.08)


@pytest.mark.parametrize(
    ("name", "value", "rows"),
    [
        ("segmento", "01 - TOP", 562_142),
        ("segmento", "02 - PARTICULARES", 7_960_220),
        ("segmento", "03 - UNIVERSITARIO", 4_935_579),
        ("canal_entrada", "KHE", 4_055_270),
        ("canal_entrada", "KAT", 3_268_209),
        ("sexo", "V", 7_424_252),
        ("tiprel_1mes", "A", 6_187_123),
        ("indext", "S", 644_736),
        ("nomprov", "MADRID", 4_409_600),
    ],
)
def test_shares_are_the_published_ones(table: pl.DataFrame, name: str, value: str, rows: int) -> None:
    share = rows / facts.ROWS.sum()
    assert (table[name] == value).sum() / len(table) == pytest.approx(share, rel=0.12)


def test_province_code_and_name_say_the_same(table: pl.DataFrame) -> None:
    pairs = table.select("cod_prov", "nomprov").unique().drop_nulls()
    names = {str(code): name for code, (name, _, _) in enumerate(facts.PROVINCES, start=1)}
    assert len(pairs) == 52
    assert {str(code): str(name) for code, name in pairs.iter_rows()} == names
    assert table["cod_prov"].is_null().equals(table["nomprov"].is_null())


def test_age_and_seniority_stand_still_until_july_2015_and_grow_after(panel: SimulatedPanel) -> None:
    frames = [panel.month(facts.MONTHS[m]) for m in (0, 5, 6, 16)]
    ids = frames[0].customer_ids
    for one in frames[1:]:
        ids = np.intersect1d(ids, one.customer_ids)
    ages = [
        one.attributes["antiguedad"].gather(np.flatnonzero(np.isin(one.customer_ids, ids))) for one in frames
    ]
    assert ages[0].equals(ages[1])
    assert ages[1].equals(ages[2])
    assert (ages[3] - ages[2]).drop_nulls().unique().to_list() == [10]


def test_who_leaves_is_marked_in_the_last_month(panel: SimulatedPanel) -> None:
    """Marked from July 2015 on; before it, those who leave after July, as the real table has it."""
    there = present(panel)
    for m in (3, 6, 11):
        one = panel.month(facts.MONTHS[m])
        places = np.searchsorted(panel.customer_ids, one.customer_ids)
        gone = ~there[max(m, facts.BREAK) + 1][places]
        marked = (one.attributes["indrel"] == "99").fill_null(value=False).to_numpy()
        gap = one.attributes["indrel"].is_null().to_numpy()
        assert np.array_equal(marked, gone & there[max(m, facts.BREAK)][places] & ~gap)
        assert one.attributes["ult_fec_cli_1t"].is_not_null().to_numpy()[marked].all()
        assert marked.sum() > 10


def test_blocks_joined_are_ordered_by_id() -> None:
    total = 20_000
    whole = join([draw_people(b, total=total, seed=1) for b in (1, 0)])
    assert len(whole) == total
    assert all(a < b for a, b in pairwise(whole.customer_id[:500].tolist()))


def test_hashed_numbers_are_even_and_independent_of_each_other() -> None:
    ids = np.arange(1_000_000, 1_020_000)
    one, other, next_month = (uniform(ids, seed=1, month=m, what=w) for m, w in ((1, 1), (1, 2), (2, 1)))
    assert np.histogram(one, 10, (0, 1))[0] == pytest.approx(2000, abs=5 * np.sqrt(2000))
    for x in (other, next_month):
        assert abs(np.corrcoef(one, x)[0, 1]) < 4 / np.sqrt(len(ids))
    assert abs(np.corrcoef(one[1:], one[:-1])[0, 1]) < 4 / np.sqrt(len(ids))


def test_one_customer_is_a_panel() -> None:
    panel = simulate_panel(scale=1e-7, rng=0)
    assert panel.n_customers == 1
    assert panel.truth(facts.MONTHS[16])[1].shape[1] == 24
