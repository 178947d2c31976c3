"""Facts of a journal on tables small enough to count by hand."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nextbest.data.ingest import ingest
from nextbest.data.store import Workspace
from nextbest.experiments.explore.journal_facts import JournalFacts, journal_facts

START = datetime(2024, 1, 1, 9, 30, tzinfo=UTC)


def facts_of(folder: Path, rows: list[tuple[int, int, int]], **columns: list[object]) -> JournalFacts:
    """Facts of events `(user, item, day after 1 January)`."""
    table = pl.DataFrame(
        {
            "user_id": [u for u, _, _ in rows],
            "item_id": [i for _, i, _ in rows],
            "time": [START + timedelta(days=d) for _, _, d in rows],
            **columns,
        }
    )
    ingest(folder, table)
    return journal_facts(Workspace(folder))


def test_a_small_journal_is_counted_as_by_hand(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, [(1, 7, 0), (1, 7, 1), (1, 8, 4), (2, 7, 1), (3, 9, 40)])
    assert (facts.n_events, facts.users.n, facts.items.n) == (5, 3, 3)
    assert facts.density == pytest.approx(4 / 9)
    assert facts.repeat == pytest.approx(1 / 5)
    assert facts.users.events_B.tolist() == [2, 0, 1]
    assert facts.users.once == pytest.approx(2 / 3)
    assert facts.items.events_B.tolist() == [2, 0, 1]
    assert facts.gap_B.tolist() == [1, 1, 0, 0, 0, 0, 0, 0]
    assert facts.gap_median == 2
    assert facts.weekday_D.tolist() == [1, 2, 0, 0, 1, 1, 0]
    assert facts.hour_H[9] == 5
    assert facts.step == "day"


def test_a_long_journal_is_shown_by_months_with_new_users_and_the_silent(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, [(1, 7, 0), (2, 7, 20), (1, 8, 40), (3, 7, 130), (2, 8, 131)])
    assert facts.step == "month"
    assert [p.month for p in facts.periods] == [1, 2, 5]
    assert facts.events_T.tolist() == [2, 1, 2]
    assert facts.users_T.tolist() == [2, 1, 2]
    assert facts.new_users_T.tolist() == [2, 0, 1]
    assert facts.silent == pytest.approx(1 / 3)


def test_concentration_is_one_item_has_all_against_all_alike(tmp_path: Path) -> None:
    alike = facts_of(tmp_path / "alike", [(u, i, u) for u in range(4) for i in range(10)])
    assert alike.gini == pytest.approx(0, abs=1e-9)
    assert alike.concentration[50] == pytest.approx(0.5)
    rows = [(u, 0, u) for u in range(200)] + [(500, i, 1) for i in range(1, 100)]
    one = facts_of(tmp_path / "one", rows)
    assert one.concentration[1] == pytest.approx(200 / 299)
    counts = np.array([200] + [1] * 99)
    pairs = np.abs(counts[:, None] - counts[None, :]).sum()
    assert one.gini == pytest.approx(pairs / (2 * len(counts) ** 2 * counts.mean()), abs=1e-6)


def test_amounts_are_kept_apart_by_currency(tmp_path: Path) -> None:
    facts = facts_of(
        tmp_path,
        [(1, i, i) for i in range(5)],
        amount=[1.0, 2.0, 3.0, 100.0, None],
        currency=["EUR", "EUR", "EUR", "RUB", "RUB"],
    )
    assert [(m.currency, m.n, m.total) for m in facts.money] == [("EUR", 3, 6.0), ("RUB", 1, 100.0)]
    assert facts.money[0].quantiles[2] == 2.0


def test_a_journal_in_mere_order_has_no_calendar(tmp_path: Path) -> None:
    from nextbest.data.manifest import commit

    facts_of(tmp_path, [(1, 7, 0), (1, 8, 1)])
    commit(tmp_path, Workspace(tmp_path).manifest.model_copy(update={"time_kind": "order"}))
    facts = journal_facts(Workspace(tmp_path))
    assert (facts.periods, facts.gap_B.tolist(), facts.n_events) == ((), [], 2)
    assert np.isnan(facts.gap_median)


def test_refused_rows_are_counted_by_reason(tmp_path: Path) -> None:
    table = pl.DataFrame({"user_id": [1, None, 2], "item_id": [1, 1, 1], "time": [START] * 3})
    ingest(tmp_path, table)
    assert journal_facts(Workspace(tmp_path)).refused == {"missing_user_id": 1}
