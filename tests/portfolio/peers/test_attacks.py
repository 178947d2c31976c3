"""Attackers get nothing from the gate as it is, and what they must not from a gate that lacks one of its rules."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nextbest.portfolio.peers import audit, privacy, query_log
from nextbest.portfolio.peers.audit import World, attack, make_world
from nextbest.portfolio.peers.features import Profile
from nextbest.portfolio.peers.privacy import Cohort, PrivacyConfig, PrivacyGate
from nextbest.portfolio.peers.query_log import QueryLog


@pytest.fixture(scope="module")
def worlds() -> list[World]:
    rng = np.random.default_rng(5)
    return [make_world(rng, n_clients=n, n_neighbours=k) for n, k in ((150, 22), (300, 24), (400, 50))]


def test_the_gate_as_it_is_has_no_breach(worlds: list[World]) -> None:
    report = attack(worlds, n_sequences=80, rng=np.random.default_rng(11))
    assert dict(report.breaches) == {}
    assert report.n_answers > 100  # the attackers did get answers: silence would pass too
    assert {"too_few_peers", "own_accounts", "budget_spent"} <= set(report.refused)


def test_a_restart_from_disk_changes_nothing(worlds: list[World], tmp_path: Path) -> None:
    report = attack(worlds, n_sequences=12, rng=np.random.default_rng(3), folder=tmp_path)
    assert dict(report.breaches) == {}
    assert report.n_answers > 15


class _LeavesAskerOut(PrivacyGate):
    """Takes the asker out of his own peers, as one would at first, and answers every asker for himself."""

    def ask(self, peers, profile, *, asker, now, own_ids=()):  # type: ignore[no-untyped-def]
        class Others:
            config, categories, k = peers.config, peers.categories, peers.k

            def cohort(self, question: Profile) -> Cohort:
                whole = peers.index.cohort(question)
                rows = np.array([i for i, id_ in enumerate(whole.client_ids) if id_ != asker], dtype=int)
                peers.last = replace(
                    whole,
                    client_ids=tuple(whole.client_ids[i] for i in rows),
                    weight_KC=whole.weight_KC[rows],
                    result_K={name: values[rows] for name, values in whole.result_K.items()},
                    peer_weight_K=whole.peer_weight_K[rows],
                )
                return peers.last

        own_gate = PrivacyGate(QueryLog(), config=self.config)
        return own_gate.ask(Others(), profile, asker=asker, now=now, own_ids=own_ids)


def _forget(_: QueryLog, config: PrivacyConfig, person_of) -> PrivacyGate:  # type: ignore[no-untyped-def]
    return PrivacyGate(QueryLog(), config=config, person_of=person_of)


def _no_comparison(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(query_log.Turn, "nearest_released", lambda *_, **__: None)


def _fresh_answers(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(query_log.Turn, "answer_to", lambda *_, **__: None)
    patch.setattr(
        query_log.Turn,
        "nearest_released",
        lambda self, members, *, below, since_us, old=query_log.Turn.nearest_released: (
            None
            if (found := old(self, members, below=below, since_us=since_us)) is None
            or query_log.differing(found.members, members) == 0
            else found
        ),
    )


def _one_too_few(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PrivacyConfig, "fewest", property(lambda self: self.k - 1))


def _no_room_for_the_asker(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PrivacyConfig, "fewest", property(lambda self: self.k))


def _own_accounts_uncounted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PrivacyGate, "_own", staticmethod(lambda own, members: 0))


def _no_hidden_cells(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        privacy,
        "_class_cell",
        lambda weight_K, *, config: privacy._quartiles(weight_K, step=config.weight_step),
    )


def _no_rounding(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(privacy, "_rounded", lambda value, step: float(value))


def _no_budget(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(query_log.Turn, "questions_of", lambda *_: set())
    _no_comparison(patch)


@pytest.mark.parametrize(
    ("weaken", "breach"),
    [
        (_no_comparison, "difference"),
        (_fresh_answers, "renewed"),
        (_one_too_few, "floor"),
        (_no_room_for_the_asker, "cell"),
        (_own_accounts_uncounted, "floor"),
        (_no_hidden_cells, "cell"),
        (_no_rounding, "figures"),
        (_no_budget, "budget"),
    ],
)
def test_a_gate_without_one_of_its_rules_is_caught(
    worlds: list[World], monkeypatch: pytest.MonkeyPatch, weaken, breach: str
) -> None:
    weaken(monkeypatch)
    report = attack(worlds, n_sequences=30, rng=np.random.default_rng(7))
    assert report.breaches[breach] > 0


def test_a_gate_that_forgets_at_a_restart_is_caught(worlds: list[World]) -> None:
    report = attack(worlds, n_sequences=30, rng=np.random.default_rng(7), gate=_forget)
    assert report.breaches["difference"] + report.breaches["renewed"] > 0


def test_a_gate_that_takes_the_asker_out_of_his_peers_is_caught(worlds: list[World]) -> None:
    def gate(log: QueryLog, config: PrivacyConfig, person_of) -> PrivacyGate:  # type: ignore[no-untyped-def]
        return _LeavesAskerOut(log, config=config, person_of=person_of)

    assert attack(worlds, n_sequences=30, rng=np.random.default_rng(7), gate=gate).breaches["difference"] > 0


def test_an_answer_made_of_nobody_is_caught(worlds: list[World], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit._Watched, "taken", lambda self: None)
    assert attack(worlds, n_sequences=5, rng=np.random.default_rng(7)).breaches["unexplained"] > 0
