"""Breaks of a panel's levels: found where they are, silent on ordinary months, explained in words."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.panel.toy_panels import ACCOUNT, CARD, SCHEMA, attributes_of, month, write_panel
from nextbest.data.panel.break_words import breaks_in_words
from nextbest.data.panel.breaks import Break, find_breaks, find_jumps
from nextbest.data.panel.panel import Panel
from nextbest.data.panel.profile import profile
from nextbest.data.panel.store import PanelWriter

N_MONTHS = 16


def arc(share: np.ndarray) -> np.ndarray:
    return 2 * np.arcsin(np.sqrt(share))


def ordinary_rows(rng: np.random.Generator) -> np.ndarray:
    """A bank that grows by 0 to 3 % a month."""
    return np.log(600_000) + np.cumsum(rng.uniform(0.0, 0.03, N_MONTHS))


def ordinary_share(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A product with turnover and sampling noise, a small one with a June season that lasts (tax payments grow by
    8 % in one month); its differences' variance."""
    n = int(rng.choice([2_000, 50_000, 900_000]))
    level, share = float(rng.uniform(0.001, 0.7)), []
    for m in range(N_MONTHS):
        season = 0.08 if m == 5 and level < 0.1 else 0.0
        level *= 1 + season + rng.normal(0, 0.02)
        share.append(rng.binomial(n, min(level, 0.99)) / n)
    return np.array(share), np.full(N_MONTHS, 2 / n)


def test_ordinary_months_raise_no_alarm() -> None:
    rng = np.random.default_rng(20261122)
    alarms = 0
    for _ in range(1_500):
        alarms += len(find_jumps(ordinary_rows(rng)))
        share, variance = ordinary_share(rng)
        alarms += len(find_jumps(arc(share), variance_M=variance))
    assert alarms <= 4  # of 45,000 month-to-month differences


def test_a_third_more_rows_in_one_month_are_a_level() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        rows = ordinary_rows(rng)
        rows[6:] += np.log(1.31)
        (jump,) = find_jumps(rows)
        assert (jump.place, jump.kind, jump.z > 6) == (6, "level", True)


def test_a_share_that_falls_with_the_crowd_is_found() -> None:
    rng = np.random.default_rng(1)
    share = 0.79 + rng.normal(0, 0.003, N_MONTHS)
    share[6:] -= 0.17
    (jump,) = find_jumps(arc(share))
    assert (jump.place, jump.kind, jump.z < -6) == (6, "level", True)


def test_one_odd_month_is_one_spike_and_not_two_breaks() -> None:
    rows = np.log(np.full(12, 1000.0))
    rows[5] = np.log(500.0)
    (jump,) = find_jumps(rows)
    assert (jump.place, jump.kind) == (5, "spike")


def test_the_newest_month_can_break_already() -> None:
    rows = np.log(np.full(12, 1000.0))
    rows[-1] = np.log(1200.0)
    assert [(j.place, j.kind) for j in find_jumps(rows)] == [(11, "level")]


def test_a_rare_product_needs_more_than_chance() -> None:
    counts = np.full(12, 2.0)
    counts[6:] = 6.0
    n = 1_000.0
    variance = np.full(12, 2 / n)
    assert find_jumps(arc(counts / n), variance_M=variance) == []
    assert len(find_jumps(arc(counts * 50 / n), variance_M=variance)) == 1


@given(st.integers(0, 2**32 - 1), st.floats(-3, 3))
@settings(max_examples=30, deadline=None)
def test_breaks_dont_depend_on_the_series_level_or_direction(seed: int, shift: float) -> None:
    rows = ordinary_rows(np.random.default_rng(seed))
    rows[9:] += 0.4
    jumps = find_jumps(rows)
    assert [j[:1] for j in find_jumps(rows + shift)] == [j[:1] for j in jumps]
    assert [(j.place, pytest.approx(-j.z)) for j in find_jumps(-rows)] == [(j.place, j.z) for j in jumps]


def test_a_short_series_is_not_judged() -> None:
    assert find_jumps(np.log(np.array([1.0, 1, 1, 1, 99]))) == []


def panel_with_a_wave(folder: Path, *, wave_mask: int, joined: date) -> Panel:
    """8,000 clients with an account for 10 months, a fifth with a card; 4,000 more appear in month 7."""
    with PanelWriter(folder, schema=SCHEMA) as writer:
        for m in range(1, 11):
            n = 8_000 + (4_000 if m >= 7 else 0)
            held = np.full(n, ACCOUNT, dtype=np.uint32)
            held[:1_600] |= CARD
            held[8_000:] = wave_mask
            table = attributes_of(n).with_columns(joined=np.full(n, np.datetime64(joined)))
            writer.append_month(month(m), np.arange(n), held, table)
        return writer.commit()


def test_clients_first_seen_without_products_are_told_from_new_ones(tmp_path: Path) -> None:
    panel = panel_with_a_wave(tmp_path, wave_mask=0, joined=date(2014, 7, 1))
    rows, *shares = find_breaks(panel, profile(panel))
    assert (rows.month, rows.what, rows.before, rows.after) == (month(7), "rows", 8_000, 12_000)
    assert (rows.arrived, rows.arrived_empty, rows.arrived_months) == (4_000, 1.0, 120)
    assert {b.column for b in shares} == {"account", "card"}
    assert all(b.is_mix and b.month == month(7) for b in shares)
    assert "first seen, not new" in rows.words()
    assert "впервые видны" in rows.words("ru")
    assert "who came or left" in shares[0].words()
    assert "из-за состава" in shares[0].words("ru")


def test_breaks_in_words_tell_prevalences_that_moved_with_the_crowd_once(tmp_path: Path) -> None:
    panel = panel_with_a_wave(tmp_path, wave_mask=0, joined=date(2014, 7, 1))
    breaks = find_breaks(panel, profile(panel))
    rows, shares = breaks_in_words(breaks)
    assert rows.startswith("2024-07: rows go from 8,000 to 12,000")
    assert "prevalences of 2 products" in shares
    assert "account 1.000 -> 0.667" in shares
    assert "доли владельцев 2 продуктов" in breaks_in_words(breaks, "ru")[1]
    assert breaks_in_words(breaks[:2])[1] == f"2024-07: {breaks[1].words()}"


def test_a_new_crowd_with_products_is_told_apart(tmp_path: Path) -> None:
    panel = panel_with_a_wave(tmp_path, wave_mask=ACCOUNT, joined=date(2024, 7, 1))
    rows = find_breaks(panel, profile(panel))[0]
    assert not rows.is_late_sight
    assert "new crowd" in rows.words()
    assert "новые люди" in rows.words("ru")


def test_a_launch_among_clients_who_were_there_is_a_change_of_holdings(tmp_path: Path) -> None:
    months = {
        month(m): {c: ACCOUNT | (CARD if m >= 6 and c % 2 else 0) for c in range(300)} for m in range(1, 11)
    }
    panel = write_panel(tmp_path, months)
    (card,) = (b for b in find_breaks(panel, profile(panel)) if b.what == "prevalence")
    assert (card.column, card.before, card.after, card.is_mix) == ("card", 0, 0.5, False)
    assert "holdings changed" in card.words()
    assert "изменились сами портфели" in card.words("ru")


def test_a_column_that_stops_being_filled_is_a_break(tmp_path: Path) -> None:
    with PanelWriter(tmp_path, schema=SCHEMA) as writer:
        for m in range(1, 11):
            table = attributes_of(300)
            if m >= 8:
                table = table.with_columns(city=None)
            writer.append_month(month(m), np.arange(300), np.ones(300), table)
        panel = writer.commit()
    (city,) = find_breaks(panel, profile(panel))
    assert (city.what, city.column, city.month, city.before, city.after) == (
        "missing", "city", month(8), 0, 1,
    )  # fmt: skip
    assert "source changed" in city.words()
    assert "сменился источник" in city.words("ru")


def test_a_month_that_lost_half_its_rows_is_a_spike_of_vanished_clients(tmp_path: Path) -> None:
    months = {month(m): dict.fromkeys(range(300 if m != 6 else 150), ACCOUNT) for m in range(1, 11)}
    panel = write_panel(tmp_path, months)
    (rows,) = (b for b in find_breaks(panel, profile(panel)) if b.what == "rows")
    assert (rows.month, rows.kind, rows.after) == (month(6), "spike", 150)
    assert "for a short while" in rows.words()
    assert "vanish" in rows.words()
    assert "исчезли" in rows.words("ru")


def test_months_before_a_gap_are_not_compared_with_those_after(tmp_path: Path) -> None:
    months = {month(m): dict.fromkeys(range(100), ACCOUNT) for m in (1, 2)}
    months |= {month(m): dict.fromkeys(range(300), ACCOUNT) for m in range(4, 13)}
    panel = write_panel(tmp_path, months)
    assert find_breaks(panel, profile(panel)) == ()


def test_a_profile_counts_who_came_left_added_and_dropped(tmp_path: Path) -> None:
    panel = write_panel(
        tmp_path,
        {
            month(1): {1: ACCOUNT, 2: ACCOUNT | CARD, 3: 0},
            month(2): {1: ACCOUNT | CARD, 2: ACCOUNT, 4: 0},
            month(3): {1: ACCOUNT, 2: ACCOUNT, 3: CARD, 4: 0},
            month(5): {1: ACCOUNT},
        },
    )
    p = profile(panel)
    assert p.rows_M.tolist() == [3, 3, 4, 1]
    assert p.follows_M.tolist() == [False, True, True, False]
    assert p.first_seen_M.tolist() == [3, 1, 0, 0]
    assert p.arrived_M.tolist() == [0, 1, 1, 0]
    assert p.arrived_empty_M.tolist() == [0, 1, 0, 0]
    assert p.left_M.tolist() == [0, 1, 0, 0]
    assert p.empty_M.tolist() == [1, 1, 1, 0]
    assert p.holders_MP.tolist() == [[2, 1, 0], [2, 1, 0], [2, 1, 0], [1, 0, 0]]
    assert p.added_MP.tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert p.dropped_MP.tolist() == [[0, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 0]]
    assert p.adders_M.tolist() == [0, 1, 0, 0]
    assert p.stayed_M.tolist() == [0, 2, 3, 0]
    assert p.prevalence_MP[0].tolist() == pytest.approx([2 / 3, 1 / 3, 0])


def test_a_break_says_its_statistic() -> None:
    b = Break(month=month(7), what="missing", column="age", before=0.1, after=0.2, z=12.5)
    assert "z 12.5" in b.words()
