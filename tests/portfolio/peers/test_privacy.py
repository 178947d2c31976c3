"""The rules of the gate, one by one, on cohorts small enough to count."""

import json
import sqlite3
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from nextbest.errors import ExternalError, InputError
from nextbest.portfolio.peers.answers import PeerSummary, Refusal
from nextbest.portfolio.peers.features import Feature, PeerConfig, Profile
from nextbest.portfolio.peers.privacy import (
    Cohort,
    PrivacyConfig,
    PrivacyGate,
    common_categories,
    peer_allocation,
    tell,
)
from nextbest.portfolio.peers.query_log import KEY_FILE, QUERIES_FILE, QueryLog

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)
AGES = tuple(float(a) for a in range(20, 71, 2))


def cohort(ids: range, *, bonds: float | None = None, twr: float = 0.1) -> Cohort:
    """Clients of these numbers, each with `bonds` or a share of its own in bonds and the rest in shares."""
    n = len(ids)
    share = np.linspace(0.2, 0.6, n) if bonds is None else np.full(n, bonds)
    return Cohort(
        client_ids=tuple(f"c{i}" for i in ids),
        asset_classes=("bonds", "equity"),
        weight_KC=np.stack([share, 1 - share], axis=1),
        result_K={"twr": np.full(n, twr), "max_drawdown": np.linspace(-0.3, -0.1, n)},
        peer_weight_K=np.full(n, 1 / n) if n else np.empty(0),
        nearness=(),
        as_of="2024-04-30",
    )


@dataclass
class Peers:
    """An index of one feature: who asks at age `a` gets the clients that stand in `of_age`."""

    of_age: dict[float, range]
    bonds: float | None = None
    k: int = 20
    config: PeerConfig = field(
        default=PeerConfig(features=(Feature(name="age", title_en="age", title_ru="возраст", levels=AGES),))
    )
    categories: dict[str, tuple[str, ...]] = field(default_factory=dict)
    n_calls: int = 0

    def cohort(self, question: Profile) -> Cohort:
        self.n_calls += 1
        return cohort(self.of_age[float(str(question["age"]))], bonds=self.bonds)


def ask(gate: PrivacyGate, peers: Peers, age: float, *, asker: str = "me", now: datetime = NOW, own_ids=()):
    return gate.ask(peers, {"age": age}, asker=asker, now=now, own_ids=own_ids)


@pytest.fixture
def gate() -> PrivacyGate:
    return PrivacyGate(QueryLog())


# --- floors and cells -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    "lower", [{"k": 19}, {"min_difference": 19}, {"weight_step": 0.001}, {"n_step": 1}, {"memory_days": 1}]
)
def test_a_config_may_raise_a_floor_and_never_lower_it(lower) -> None:
    with pytest.raises(ValidationError):
        PrivacyConfig(**lower)
    assert PrivacyConfig(k=30).difference == 30


def test_below_the_floor_beside_the_askers_own_account_nothing_is_told() -> None:
    assert tell(cohort(range(20)), config=PrivacyConfig()) == Refusal("too_few_peers")
    assert isinstance(tell(cohort(range(21)), config=PrivacyConfig()), PeerSummary)


def test_figures_are_rounded_and_the_count_is_rounded_down() -> None:
    told = tell(cohort(range(28)), config=PrivacyConfig())
    assert isinstance(told, PeerSummary)
    cell = told.classes["bonds"]
    assert (told.n, cell.q25, cell.median, cell.q75) == (25, 0.3, 0.4, 0.5)
    assert told.results["max_drawdown"].q25 == -0.25
    assert "c1" not in json.dumps(told.json())


def test_a_class_with_few_holders_is_hidden() -> None:
    few = cohort(range(40))
    few.weight_KC[:20] = [0, 1]
    told = tell(few, config=PrivacyConfig())
    assert isinstance(told, PeerSummary)
    assert (told.classes["bonds"].median, told.classes["bonds"].hidden) == (None, "few_holders")
    assert told.classes["equity"].hidden is None
    assert told.allocation is not None
    assert told.allocation.weights_C == (0.0, 1.0)
    assert told.allocation.spread_C[0] is None


def test_a_class_that_one_client_makes_most_of_is_hidden() -> None:
    one = cohort(range(30), bonds=0.001)
    one.weight_KC[7] = [1, 0]
    told = tell(one, config=PrivacyConfig())
    assert isinstance(told, PeerSummary)
    assert told.classes["bonds"].hidden == "dominated"


def test_results_of_few_are_hidden() -> None:
    few = cohort(range(30))
    few.result_K["twr"][:10] = np.nan
    told = tell(few, config=PrivacyConfig())
    assert isinstance(told, PeerSummary)
    assert told.results["twr"].hidden == "few_results"
    assert told.results["max_drawdown"].hidden is None


def test_rare_categories_are_merged_and_dropped_where_the_rest_is_rare_too() -> None:
    column = pl.Series(["a"] * 21 + ["b"] * 20 + ["c"] + [None] * 50)
    assert common_categories(column) == ("a", "other")
    assert common_categories(column[:41]) == ("a",)
    assert common_categories(column, k=30) == ("other",)


# --- one question, one answer ---------------------------------------------------------------------
def test_near_identical_questions_get_the_identical_answer_from_anybody(gate: PrivacyGate) -> None:
    peers = Peers({30.0: range(30)})
    answers = [ask(gate, peers, age, asker=who) for age, who in ((30, "a"), (30.4, "b"), (29.1, "c"))]
    assert answers[0] == answers[1] == answers[2]
    assert peers.n_calls == 1


@pytest.mark.parametrize(("shift", "same"), [(0, True), (1, True), (19, True), (20, False), (30, False)])
def test_sets_that_differ_by_fewer_than_the_floor_get_the_earlier_answer(
    gate: PrivacyGate, shift: int, same: bool
) -> None:
    first = ask(gate, Peers({30.0: range(40)}), 30)
    second = ask(gate, Peers({32.0: range(shift, 40 + shift)}, bonds=0.9), 32, asker="a friend")
    assert (first == second) is same


def test_a_part_of_an_earlier_set_counts_by_those_left_out(gate: PrivacyGate) -> None:
    first = ask(gate, Peers({30.0: range(45)}), 30)
    assert ask(gate, Peers({32.0: range(26)}, bonds=0.9), 32) == first  # 19 left out
    assert ask(gate, Peers({34.0: range(25)}, bonds=0.9), 34) != first  # 20


def test_an_answer_stands_while_it_is_remembered_whatever_becomes_of_the_data(gate: PrivacyGate) -> None:
    first = ask(gate, Peers({30.0: range(30)}), 30)
    changed = Peers({30.0: range(30)}, bonds=0.9)
    assert ask(gate, changed, 30, now=NOW + timedelta(days=89)) == first
    assert ask(gate, changed, 30, now=NOW + timedelta(days=91)) != first


def test_the_peers_do_not_depend_on_who_asks_and_own_accounts_beyond_one_are_refused(
    gate: PrivacyGate,
) -> None:
    peers = Peers({30.0: range(30)})
    assert ask(gate, peers, 30, asker="c3") == ask(gate, peers, 30, asker="stranger")
    assert ask(gate, peers, 30, asker="c3", own_ids=["c4"]) == Refusal("own_accounts")
    known = PrivacyGate(gate.log, person_of={"c5": "anna", "c6": "anna"})
    assert ask(known, peers, 30, asker="c5") == Refusal("own_accounts")


def test_a_first_question_about_own_accounts_releases_nothing(gate: PrivacyGate) -> None:
    peers = Peers({30.0: range(30)})
    assert ask(gate, peers, 30, asker="c1", own_ids=["c2"]) == Refusal("own_accounts")
    assert gate.log.rows()[0]["answer_hash"] is None


def test_a_day_has_a_budget_of_different_questions_for_all_ids_of_a_person() -> None:
    peers = Peers({age: range(int(age) * 100, int(age) * 100 + 30) for age in AGES})
    gate = PrivacyGate(QueryLog(), config=PrivacyConfig(questions_a_day=2), person_of={"x": "p", "y": "p"})
    assert isinstance(ask(gate, peers, 20, asker="x"), PeerSummary)
    assert isinstance(ask(gate, peers, 22, asker="y"), PeerSummary)
    assert ask(gate, peers, 24, asker="x") == Refusal("budget_spent")
    assert isinstance(ask(gate, peers, 20, asker="y"), PeerSummary)  # asked before
    assert isinstance(ask(gate, peers, 24, asker="z"), PeerSummary)  # somebody else
    assert isinstance(ask(gate, peers, 26, asker="x", now=NOW + timedelta(days=1)), PeerSummary)


def test_a_profile_of_which_nothing_is_known_is_refused(gate: PrivacyGate) -> None:
    peers = Peers({})
    assert gate.ask(peers, {}, asker="me", now=NOW) == Refusal("unknown_profile")


def test_a_proposal_is_the_same_question_and_adds_up_to_one(gate: PrivacyGate) -> None:
    peers = Peers({30.0: range(31)})
    shape = peer_allocation(peers, {"age": 30}, asker="me", gate=gate, now=NOW)
    assert not isinstance(shape, Refusal)
    assert shape.weights_C == (0.4, 0.6)
    assert shape.n == 30
    ask(gate, peers, 30)
    assert peers.n_calls == 1


def test_peers_without_a_common_shape_make_no_proposal(gate: PrivacyGate) -> None:
    class Split(Peers):
        def cohort(self, question: Profile) -> Cohort:
            mixed = super().cohort(question)
            weights = np.repeat(np.eye(3), 22, axis=0)
            return Cohort(**{**vars(mixed), "asset_classes": ("a", "b", "c"), "weight_KC": weights})

    peers = Split({30.0: range(66)})
    assert peer_allocation(peers, {"age": 30}, asker="me", gate=gate, now=NOW) == Refusal("no_common_shape")
    assert peer_allocation(Peers({32.0: range(5)}), {"age": 32}, asker="me", gate=gate, now=NOW) == Refusal(
        "too_few_peers"
    )


def test_every_refusal_has_words_in_both_languages() -> None:
    for code in ("too_few_peers", "budget_spent", "own_accounts", "unknown_profile", "no_common_shape"):
        said = Refusal(code).json()
        assert said["refused"] == code
        assert all(said["texts"].values())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"asker": ""}, "asker: must be a non-empty id"),
        ({"now": datetime(2024, 1, 1)}, "now: must carry a time zone"),  # noqa: DTZ001 - the wrong one is the point
    ],
)
def test_a_wrong_call_is_refused(gate: PrivacyGate, arguments, words: str) -> None:
    with pytest.raises(InputError, match=words):
        ask(gate, Peers({30.0: range(30)}), 30, **arguments)


def test_an_index_for_a_lower_floor_is_refused() -> None:
    with pytest.raises(InputError, match="fit with k=30"):
        ask(PrivacyGate(QueryLog(), config=PrivacyConfig(k=30)), Peers({}), 30)


# --- the log --------------------------------------------------------------------------------------
def test_the_log_binds_after_a_restart_and_in_another_process(tmp_path: Path) -> None:
    with QueryLog(tmp_path) as log:
        first = ask(PrivacyGate(log), Peers({30.0: range(40)}), 30)
    with QueryLog(tmp_path) as log, QueryLog(tmp_path) as other:
        assert ask(PrivacyGate(log), Peers({32.0: range(5, 45)}, bonds=0.9), 32) == first
        assert ask(PrivacyGate(other), Peers({34.0: range(6, 46)}, bonds=0.9), 34) == first
        second = ask(PrivacyGate(other), Peers({36.0: range(90, 120)}), 36)
        assert ask(PrivacyGate(log), Peers({38.0: range(91, 121)}, bonds=0.9), 38) == second


def test_the_log_says_who_when_and_hashes_and_names_no_client(tmp_path: Path) -> None:
    with QueryLog(tmp_path) as log:
        ask(PrivacyGate(log), Peers({30.0: range(1000, 1030)}), 30, asker="me")
        (row,) = log.rows()
    assert (row["who"], row["outcome"]) == ("me", "answered")
    assert row["at_us"] == int(NOW.timestamp() * 1e6)
    assert len(row["question"]) == len(row["answer_hash"]) == 16
    assert not any(b"c10" in file.read_bytes() for file in tmp_path.iterdir())
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("table", ["queries", "answers"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET answer_id = 7"])
def test_the_log_only_grows(tmp_path: Path, table: str, change: str) -> None:
    with QueryLog(tmp_path) as log:
        ask(PrivacyGate(log), Peers({30.0: range(30)}), 30)
    direct = sqlite3.connect(tmp_path / QUERIES_FILE)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        direct.execute(change.format(table))
    direct.close()


def test_without_a_row_in_the_log_nothing_is_told(tmp_path: Path) -> None:
    log = QueryLog(tmp_path, timeout_s=0.01)
    other = sqlite3.connect(tmp_path / QUERIES_FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(ExternalError, match="locked") as caught:
        ask(PrivacyGate(log), Peers({30.0: range(30)}), 30)
    assert caught.value.retryable
    other.close()
    log.close()


def test_an_error_in_between_leaves_no_half_of_a_question(gate: PrivacyGate) -> None:
    with pytest.raises(KeyError):
        ask(gate, Peers({}), 30)
    assert gate.log.rows() == []


def test_a_broken_key_or_database_is_told(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_bytes(b"short")
    with pytest.raises(ExternalError, match="not a key of 32 bytes"):
        QueryLog(tmp_path)
    (tmp_path / KEY_FILE).unlink()
    (tmp_path / QUERIES_FILE).write_bytes(b"not a database, however long it may be" * 100)
    with pytest.raises(ExternalError, match="query log"):
        QueryLog(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ExternalError, match="query log"):
        QueryLog(tmp_path / "file")
