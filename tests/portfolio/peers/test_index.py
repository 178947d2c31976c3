"""The index: from three tables to a cohort, and back from disk."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nextbest.errors import ArtifactError, DataError, InputError
from nextbest.portfolio.peers.answers import PeerSummary
from nextbest.portfolio.peers.index import PeerIndex
from nextbest.portfolio.peers.privacy import PrivacyGate, peer_allocation
from nextbest.portfolio.peers.query_log import QueryLog

NOW, DAY = datetime(2024, 5, 1, 12, tzinfo=UTC), date(2024, 4, 30)
N = 200
IDS = [f"client{i:03}" for i in range(N)]
PROFILES = pl.DataFrame(
    {
        "client_id": IDS,
        "goal_type": ["home"] * 100 + ["pension"] * 97 + ["yacht"] * 3,
        "age_years": [30.0] * 100 + [60.0] * 100,
        "risk_capacity": [4] * 100 + [2] * 100,
        "risk_tolerance": [4] * 100 + [2] * 100,
        "horizon_years": [20.0] * 100 + [5.0] * 100,
        "currency": ["RUB"] * N,
        "contribution_rate": [None] * N,
    }
)
ALLOCATIONS = pl.DataFrame(
    {
        "client_id": np.repeat(IDS, 2),
        "asset_class": ["bonds", "equity"] * N,
        "weight": [0.2, 0.8] * 100 + [0.7, 0.3] * 100,
    }
)
OUTCOMES = pl.DataFrame(
    {
        "client_id": IDS,
        "twr": [0.12] * 100 + [0.06] * 100,
        "max_drawdown": [-0.3] * N,
        "sharpe_ann": np.tile([0.2, 0.6], 100),
        "n_returns": [750] * N,
    }
)
YOUNG = {
    "goal_type": "home",
    "age_years": 31,
    "risk_capacity": 4,
    "risk_tolerance": 4,
    "horizon_years": 19,
    "currency": "RUB",
}
OLD = {
    **YOUNG,
    "goal_type": "pension",
    "age_years": 61,
    "risk_capacity": 2,
    "risk_tolerance": 2,
    "horizon_years": 5,
}


@pytest.fixture(scope="module")
def index() -> PeerIndex:
    return PeerIndex.fit(PROFILES, ALLOCATIONS, OUTCOMES, as_of=DAY)


def told(index: PeerIndex, profile) -> PeerSummary:
    answer = index.summary(profile, asker="me", gate=PrivacyGate(QueryLog()), now=NOW)
    assert isinstance(answer, PeerSummary)
    return answer


def test_the_young_are_told_of_the_young_and_the_old_of_the_old(index: PeerIndex) -> None:
    young, old = told(index, YOUNG), told(index, OLD)
    assert (young.classes["equity"].median, old.classes["equity"].median) == (0.8, 0.3)
    assert (young.results["twr"].median, old.results["twr"].median) == (0.12, 0.06)
    assert (young.n, young.as_of) == (50, "2024-04-30")


def test_the_features_that_made_them_near_are_named_and_what_all_share_is_not(index: PeerIndex) -> None:
    nearness = told(index, YOUNG).nearness
    names = [row.feature for row in nearness]
    assert len(names) == 5
    assert set(names[:3]) == {"goal_type", "risk_capacity", "risk_tolerance"}
    assert "currency" not in names
    assert all(0 < row.share <= 1 for row in nearness)
    assert nearness[0].title_ru


def test_rare_goals_are_not_told_apart(index: PeerIndex) -> None:
    assert index.categories["goal_type"] == ("home", "pension")
    assert told(index, {**OLD, "goal_type": "yacht"}) == told(index, {**OLD, "goal_type": "zeppelin"})


def test_the_proposal_is_the_peers_medians(index: PeerIndex) -> None:
    shape = peer_allocation(index, OLD, asker="me", gate=PrivacyGate(QueryLog()), now=NOW)
    assert shape.asset_classes == ("bonds", "equity")
    assert shape.weights_C == (0.7, 0.3)


def test_a_saved_index_answers_the_same(index: PeerIndex, tmp_path: Path) -> None:
    index.save(tmp_path / "peers")
    again = PeerIndex.load(tmp_path / "peers")
    assert told(again, YOUNG) == told(index, YOUNG)
    assert repr(again) == repr(index) == "PeerIndex(n_clients=200, n_classes=2, as_of=2024-04-30)"


def test_a_folder_of_another_kind_or_a_changed_one_is_refused(index: PeerIndex, tmp_path: Path) -> None:
    index.save(tmp_path / "peers")
    manifest = tmp_path / "peers" / "manifest.json"
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**content, "kind": "ease"}))
    with pytest.raises(ArtifactError, match="holds a 'ease'"):
        PeerIndex.load(tmp_path / "peers")
    manifest.write_text(json.dumps({**content, "as_of": "yesterday"}))
    with pytest.raises(ArtifactError, match="not a readable index"):
        PeerIndex.load(tmp_path / "peers")


def test_clients_without_a_portfolio_are_nobodys_peers() -> None:
    index = PeerIndex.fit(PROFILES, ALLOCATIONS.head(60), as_of=DAY)
    assert len(index) == 30


def test_order_of_the_tables_changes_nothing(index: PeerIndex) -> None:
    shuffled = PeerIndex.fit(
        PROFILES.sample(fraction=1, shuffle=True, seed=1),
        ALLOCATIONS.sample(fraction=1, shuffle=True, seed=2),
        OUTCOMES.sample(fraction=1, shuffle=True, seed=3),
        as_of=DAY,
    )
    assert told(shuffled, YOUNG) == told(index, YOUNG)


def test_better_results_of_many_peers_move_the_proposal() -> None:
    """Two equally near groups; the better one, in results that are no luck, is followed."""
    good = np.tile([True, False], N // 2)
    allocations = ALLOCATIONS.with_columns(
        weight=pl.Series(np.where(np.repeat(good, 2), [0.2, 0.8] * N, [0.9, 0.1] * N))
    )
    outcomes = OUTCOMES.with_columns(
        sharpe_ann=pl.Series(np.where(good, 1.5, -0.5)), n_returns=pl.lit(5000, pl.Int64)
    )
    index = PeerIndex.fit(PROFILES, allocations, outcomes, as_of=DAY)
    shape = peer_allocation(index, YOUNG, asker="me", gate=PrivacyGate(QueryLog()), now=NOW)
    assert shape.weights_C == (0.2, 0.8)


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        (
            (pl.concat([PROFILES, PROFILES.head(2)]), ALLOCATIONS, None),
            "profiles: a client must stand once; 2 row",
        ),
        (
            (PROFILES, ALLOCATIONS.with_columns(weight=-pl.col("weight")), None),
            "weight must be 0 or more; 400 row",
        ),
        (
            (PROFILES, ALLOCATIONS.with_columns(weight=pl.col("weight") / 2), None),
            "must add up to one; 200 row",
        ),
        ((PROFILES, ALLOCATIONS, pl.concat([OUTCOMES, OUTCOMES])), "outcomes: a client must stand once"),
        ((PROFILES.drop("client_id"), ALLOCATIONS, None), r"column\(s\) \['client_id'\] missing"),
    ],
)
def test_tables_that_do_not_add_up_are_refused(tables, words: str) -> None:
    with pytest.raises(DataError, match=words):
        PeerIndex.fit(*tables, as_of=DAY)


def test_a_floor_below_the_floor_is_refused() -> None:
    with pytest.raises(InputError, match="k: must be 20 or more; got 5"):
        PeerIndex.fit(PROFILES, ALLOCATIONS, as_of=DAY, k=5)


def test_an_index_of_nobody_refuses() -> None:
    index = PeerIndex.fit(PROFILES.head(0), ALLOCATIONS.head(0), as_of=DAY)
    answer = index.summary(YOUNG, asker="me", gate=PrivacyGate(QueryLog()), now=NOW)
    assert answer.json()["refused"] == "too_few_peers"
