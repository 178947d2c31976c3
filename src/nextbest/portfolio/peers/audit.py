"""Attackers against the gate: random sequences of questions, and a count of what they got that no one may get.

The checks use nothing of the gate but its answers: which clients an answer is made of is seen at the index, and the
figures are computed again, plainly. So a weakened gate is found out (`tests` weaken it on purpose).
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from nextbest.portfolio.peers.answers import PeerSummary, Quartiles, Refusal
from nextbest.portfolio.peers.features import FEATURES, PeerConfig, Profile
from nextbest.portfolio.peers.index import PeerIndex
from nextbest.portfolio.peers.privacy import K_FLOOR, Cohort, PrivacyConfig, PrivacyGate
from nextbest.portfolio.peers.query_log import QueryLog

Breach = Literal["floor", "cell", "difference", "renewed", "figures", "budget", "unexplained"]
"""What an attacker may get that he must not: figures of fewer than the floor besides his own accounts (an answer; one
cell of it), two answers over almost the same clients, two different answers over the same clients (a change of one
shows), figures that aren't the rounded quartiles, more questions than the budget, an answer made of nobody."""
GateMaker = Callable[[QueryLog, PrivacyConfig, Mapping[str, str]], PrivacyGate]

Value = float | int | str | None
CLASSES = ("bonds", "cash", "crypto", "equity", "gold")
START = datetime(2024, 3, 1, 9, tzinfo=UTC)
DAY = date(2024, 2, 29)


@dataclass(frozen=True)
class World:
    """A small bank: its clients, and the index on successive days on which one client came, left or traded."""

    profiles: pl.DataFrame
    days: tuple[PeerIndex, ...]
    clients: tuple[str, ...]


@dataclass
class Report:
    """What a run of attacks found."""

    n_sequences: int = 0
    n_questions: int = 0
    n_answers: int = 0
    """Different answers released."""
    n_repeated: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    breaches: Counter[str] = field(default_factory=Counter)
    """By kind (`Breach`); empty is what is asked for."""


@dataclass
class _Watched:
    """The index, and the clients that it last gave to anybody."""

    index: PeerIndex
    last: Cohort | None = None

    def __post_init__(self) -> None:
        self.config, self.categories, self.k = self.index.config, self.index.categories, self.index.k

    def cohort(self, question: Profile) -> Cohort:
        self.last = self.index.cohort(question)
        return self.last

    def taken(self) -> Cohort | None:
        """The clients given since the last call, if any."""
        last, self.last = self.last, None
        return last


@dataclass(frozen=True)
class _Seen:
    """An answer that the attackers have, with the clients it was made of."""

    cohort: Cohort
    at: datetime
    answer: PeerSummary

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(self.cohort.client_ids)


def make_world(rng: np.random.Generator, *, n_clients: int = 160, n_neighbours: int = 24) -> World:
    """A bank of `n_clients` with rare goals and currencies, drawn by `rng`.

    Its last eight, `puppet0..`, are accounts that attackers may own, set around one place to catch a victim among them.
    """
    features = tuple(f for f in FEATURES if f.name not in ("wealth", "income", "knowledge"))
    config = PeerConfig(features=features, n_neighbours=n_neighbours, max_distance=0.3)
    names = tuple([f"c{i}" for i in range(n_clients - 8)] + [f"puppet{i}" for i in range(8)])
    columns: dict[str, list[object]] = {"client_id": list(names)}
    for feature in features:
        if feature.kind == "category":
            columns[feature.name] = rng.choice(
                ["home", "pension", "school", "yacht"], n_clients, p=[0.5, 0.35, 0.12, 0.03]
            ).tolist()
        else:
            values = rng.choice(feature.levels, n_clients) * rng.uniform(0.9, 1.1, n_clients)
            values[-8:] = values[-8]
            columns[feature.name] = np.where(rng.random(n_clients) < 0.05, np.nan, values).tolist()
    profiles = pl.DataFrame(columns, strict=False).with_columns(pl.selectors.float().fill_nan(None))
    weights = rng.dirichlet([0.6, 0.6, 0.04, 0.9, 0.25], n_clients)
    weights[weights < 0.03] = 0
    weights /= weights.sum(axis=1, keepdims=True)
    twr, drawdown = rng.normal(0.1, 0.2, n_clients), -rng.uniform(0, 0.5, n_clients)

    def fitted(keep: Collection[int], weights: np.ndarray) -> PeerIndex:
        rows = np.array(sorted(keep))
        return PeerIndex.fit(
            profiles[rows],
            pl.DataFrame(
                {
                    "client_id": np.repeat(np.array(names)[rows], len(CLASSES)),
                    "asset_class": list(CLASSES) * len(rows),
                    "weight": weights[rows].ravel(),
                }
            ),
            pl.DataFrame(
                {
                    "client_id": np.array(names)[rows],
                    "twr": np.where(rng.random(len(rows)) < 0.1, np.nan, twr[rows]),
                    "max_drawdown": drawdown[rows],
                    "sharpe_ann": twr[rows] / 0.2,
                    "n_returns": np.full(len(rows), 250),
                }
            ),
            as_of=DAY,
            config=config,
        )

    everyone = set(range(n_clients))
    traded = weights.copy()
    traded[int(rng.integers(n_clients))] = np.eye(len(CLASSES))[int(rng.integers(len(CLASSES)))]
    gone, late = (int(i) for i in rng.choice(n_clients - 8, 2, replace=False))
    days = (
        fitted(everyone - {late}, weights),
        fitted(everyone, weights),
        fitted(everyone - {gone}, weights),
        fitted(everyone, traded),
    )
    return World(profiles, days, names)


def honest_gate(log: QueryLog, config: PrivacyConfig, person_of: Mapping[str, str]) -> PrivacyGate:
    """The gate as it is shipped."""
    return PrivacyGate(log, config=config, person_of=person_of)


def attack(
    worlds: Collection[World],
    *,
    n_sequences: int,
    n_questions: int = 14,
    rng: np.random.Generator,
    gate: GateMaker = honest_gate,
    folder: Path | None = None,
) -> Report:
    """Let attackers ask `n_sequences` sequences of questions, each against a gate that nobody has asked before.

    A sequence is played by a person with several ids and a second one who tells him everything. They ask for a
    victim's own profile, shift it by small steps, feature by feature, leave features out, ask for rare categories, ask
    again under other ids, after hours or days, after one client came, left or traded, and after restarts.

    Parameters
    ----------
    gate
        Makes the gate; after a restart, again.
    folder
        Keeps the log there, a folder for each sequence, so that a restart opens it from disk; None = in memory.
    """
    report = Report()
    pool = list(worlds)
    for n in range(n_sequences):
        world = pool[int(rng.integers(len(pool)))]
        place = None if folder is None else folder / f"sequence{n}"
        _Sequence(world, rng=rng, make=gate, report=report, folder=place).play(n_questions)
    return report


class _Sequence:
    """One sequence of questions against one gate."""

    def __init__(
        self, world: World, *, rng: np.random.Generator, make: GateMaker, report: Report, folder: Path | None
    ) -> None:
        self.world, self.rng, self.make, self.report, self.folder = world, rng, make, report, folder
        n_own = int(rng.integers(1, 5))
        own = rng.choice(world.clients, n_own, replace=False).tolist()
        if rng.random() < 0.5:
            own = [f"puppet{i}" for i in range(n_own)]
        self.askers = [*own, "friend"]
        self.person_of = dict.fromkeys(own, "attacker")
        self.config = PrivacyConfig(questions_a_day=int(rng.integers(2, 16)))
        self.now = START
        self.index = _Watched(world.days[0])
        self.seen: dict[str, _Seen] = {}
        self.answered: dict[tuple[str, date], set[str]] = {}

    def play(self, n_questions: int) -> None:
        """Ask them all, then compare what was got."""
        with ExitStack() as stack:
            log = stack.enter_context(QueryLog(self.folder))
            gate = self.make(log, self.config, self.person_of)
            near_own = self.askers[0] == "puppet0"
            row = (
                self.world.profiles.height - 8
                if near_own
                else int(self.rng.integers(len(self.world.clients)))
            )
            victim = self.world.profiles.row(row, named=True)
            profile = dict(victim)
            for _ in range(n_questions):
                profile = self._next_profile(profile, victim)
                if self.rng.random() < 0.15:
                    self.index = _Watched(self.world.days[int(self.rng.integers(len(self.world.days)))])
                if self.rng.random() < 0.2:
                    self.now += timedelta(hours=float(self.rng.uniform(0, 60)))
                if self.rng.random() < 0.1:
                    if self.folder is not None:
                        log = stack.enter_context(QueryLog(self.folder))
                    gate = self.make(log, self.config, self.person_of)
                self._ask(gate, profile)
        self._compare()
        self.report.n_sequences += 1

    def _next_profile(self, profile: dict[str, Value], victim: dict[str, Value]) -> dict[str, Value]:
        """The next question: the victim's, or the last one shifted a little, with a rare word or one thing less."""
        features = self.index.config.features
        feature = features[int(self.rng.integers(len(features)))]
        move = self.rng.random()
        value = profile.get(feature.name)
        if move < 0.1:
            return dict(victim)
        if move < 0.2:
            return self.world.profiles.row(int(self.rng.integers(self.world.profiles.height)), named=True)
        if move < 0.3:
            return {**profile, feature.name: None}
        if feature.kind == "category":
            return {
                **profile,
                feature.name: str(self.rng.choice(["home", "pension", "school", "yacht", "none"])),
            }
        if not isinstance(value, float):
            value = float(self.rng.choice(feature.levels))
        return {**profile, feature.name: value * float(self.rng.choice([0.7, 0.95, 1.01, 1.05, 1.4])) + 0.001}

    def _ask(self, gate: PrivacyGate, profile: Profile) -> None:
        asker = self.askers[int(self.rng.integers(len(self.askers)))]
        self.report.n_questions += 1
        self.index.taken()
        answer = gate.ask(self.index, profile, asker=asker, now=self.now)
        if isinstance(answer, Refusal):
            self.report.refused[answer.code] += 1
            return
        body, made_of = repr(answer), self.index.taken()
        new = body not in self.seen
        if not new:
            self.report.n_repeated += 1
        elif made_of is None:
            self.report.breaches["unexplained"] += 1
            return
        else:
            self.seen[body] = _Seen(made_of, self.now, answer)
            self.report.n_answers += 1
        person = self.person_of.get(asker, asker)
        got = self.answered.setdefault((person, self.now.date()), set())
        got.add(body)
        if len(got) > self.config.questions_a_day:
            self.report.breaches["budget"] += 1
        own = {i for i, p in self.person_of.items() if p == person} | {asker}
        self._look_into(self.seen[body], own, new=new)

    def _look_into(self, seen: _Seen, own: set[str], *, new: bool) -> None:
        """Floors of one answer against one who has it; of a new one, its figures against the plain ones."""
        cohort, breaches = seen.cohort, self.report.breaches
        others = np.array([i not in own for i in cohort.client_ids], dtype=bool)
        if others.sum() < K_FLOOR or seen.answer.n > len(cohort.client_ids):
            breaches["floor"] += 1
        cells = []
        for c, name in enumerate(cohort.asset_classes):
            weight_K = cohort.weight_KC[:, c]
            cell = seen.answer.classes[name]
            told = weight_K.sum() > 0 and weight_K.max() <= 0.5 * weight_K.sum()
            cells.append((cell, weight_K, (weight_K[others] > 0).sum() >= K_FLOOR and told, 0.01))
        for name, values_K in cohort.result_K.items():
            known = np.isfinite(values_K)
            enough = (known & others).sum() >= K_FLOOR
            cells.append((seen.answer.results[name], values_K[known], enough, 0.005))
        for cell, values, may_be_told, step in cells:
            if cell.median is not None and not may_be_told:
                breaches["cell"] += 1
            if cell.median is not None and new and not _told_right(cell, values, step=step):
                breaches["figures"] += 1
        shape = seen.answer.allocation
        if shape and any(
            w > 0 and seen.answer.classes[name].median is None
            for name, w in zip(shape.asset_classes, shape.weights_C, strict=True)
        ):
            breaches["cell"] += 1

    def _compare(self) -> None:
        """Differences of any two answers, whoever got them."""
        for a, b in combinations(self.seen.values(), 2):
            if abs(a.at - b.at) >= timedelta(days=30):
                continue
            sides = [n for n in (len(a.ids - b.ids), len(b.ids - a.ids)) if n]
            if not sides:
                self.report.breaches["renewed"] += 1
            elif min(sides) < K_FLOOR:
                self.report.breaches["difference"] += 1


def _told_right(cell: Quartiles, values: np.ndarray, *, step: float) -> bool:
    """Whether a cell holds the quartiles of `values`, rounded to `step`."""
    for told, exact in zip(
        (cell.q25, cell.median, cell.q75), np.percentile(values, [25, 50, 75]), strict=True
    ):
        if (
            told is None
            or abs(told - exact) > step / 2 + 1e-9
            or abs(told / step - round(told / step)) > 1e-6
        ):
            return False
    return True
