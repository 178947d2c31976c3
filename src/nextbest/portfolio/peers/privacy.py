"""The one gate between clients and what is told of them: every rule of it is in this module.

What leaves is made of many: medians and quartiles over at least `k` clients besides the one who asks. The rules:

1. Floor: fewer than `k` peers beside one own account, and nothing is told (`Refusal`), nor is a cell (an asset class,
   a result) that fewer carry or that one client makes most of.
2. Rare cohorts: a category that fewer clients carry is "other"; if those are few too, it isn't known.
3. One question for all near it: a profile is rounded to levels before anything is looked up, and neither the peers nor
   the answer depend on who asks. The asker isn't taken out (two askers' answers would differ by one client then);
   instead every floor leaves room for his own account, so that subtracting it leaves `k` others.
4. Differencing: two released answers, to anybody (several ids of one person and people who talk are covered), are over
   the same clients or over sets that differ by `min_difference` or more on both sides; else the earlier is repeated,
   word for word. A difference of two answers is a statistic of those who differ, so it has the floor of one.
5. Time: an answer stands for `memory_days`, whatever becomes of the data, so that a client who joins, leaves or trades
   can't be seen in the change. Older answers don't bind; by then markets have moved everybody.
6. Rounding of weights, results and counts; a budget of different questions a person and day; a log that only grows.

Not promised: if all peers hold the same, the answer says so of each of them; an employee who reads the database needs
no peers; clients who pool their own holdings against the rest are one more account each that no floor knows of. Medians
are no sums, so differences of more than two answers are not examined.
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, Field, PositiveInt, model_validator

from nextbest.errors import InputError
from nextbest.portfolio.peers.answers import (
    Hidden,
    Nearness,
    PeerAllocation,
    PeerSummary,
    Quartiles,
    Refusal,
    RefusalCode,
)
from nextbest.portfolio.peers.features import OTHER, PeerConfig, Profile, canonical
from nextbest.portfolio.peers.query_log import Members, QueryLog, Released, Turn, moment

K_FLOOR = 20
"""Fewest clients beside the asker's own account that anything is told of; a config may raise it, never lower."""
OWN_ACCOUNTS = 1
"""Accounts of the asker that may be among his peers; every floor stands above them."""


class PrivacyConfig(BaseModel, frozen=True, extra="forbid"):
    """Strictness of the gate; each bound is the least strict that is allowed."""

    k: Annotated[int, Field(ge=K_FLOOR)] = K_FLOOR
    """Floor, clients."""
    min_difference: int | None = None
    """Clients by which two answers differ at least; None = `k`; never below it."""
    dominance: Annotated[float, Field(gt=0, le=0.5)] = 0.25
    """A class is hidden if one client holds a larger share of what its holders hold together, fraction."""
    weight_step: Annotated[float, Field(ge=0.01, le=0.1)] = 0.01
    """Weights are rounded to this, fraction of the portfolio."""
    result_step: Annotated[float, Field(ge=0.005, le=0.1)] = 0.005
    """Results are rounded to this, fraction."""
    n_step: Annotated[int, Field(ge=5)] = 5
    """Counts are rounded down to a multiple of this."""
    questions_a_day: PositiveInt = 20
    """Different questions of one person on one day (UTC)."""
    memory_days: Annotated[int, Field(ge=30)] = 90
    """How long an answer stands, and is compared with; days."""

    @model_validator(mode="after")
    def _difference_has_the_floor(self) -> "PrivacyConfig":
        if self.min_difference is not None and self.min_difference < self.k:
            raise ValueError(f"min_difference must be k ({self.k}) or more, is {self.min_difference}")
        return self

    @property
    def difference(self) -> int:
        """`min_difference` or its default."""
        return self.min_difference or self.k

    @property
    def fewest(self) -> int:
        """Clients that must carry anything told: the floor and the asker's own account."""
        return self.k + OWN_ACCOUNTS


@dataclass(frozen=True)
class Cohort:
    """The raw neighbours of one question. Never leaves the process; only `tell` reads it for an answer."""

    client_ids: tuple[str, ...]
    asset_classes: tuple[str, ...]
    weight_KC: NDArray[np.float64]  # noqa: N815 - shape suffix
    """Share of each class in each portfolio; rows add up to one."""
    result_K: Mapping[str, NDArray[np.float64]]  # noqa: N815 - shape suffix
    """Result name -> values, NaN = none."""
    peer_weight_K: NDArray[np.float64]  # noqa: N815 - shape suffix
    """Parts of the peers in the proposal, adding up to one."""
    nearness: tuple[Nearness, ...]
    as_of: str


class Peers(Protocol):
    """What the gate needs of an index."""

    config: PeerConfig
    categories: Mapping[str, tuple[str, ...]]
    k: int
    """Floor its categories were merged for."""

    def cohort(self, question: Profile) -> Cohort:
        """Raw neighbours of a canonical question."""
        ...


def common_categories(column: pl.Series, *, k: int = K_FLOOR) -> tuple[str, ...]:
    """The categories that may be told apart: those of more than `k` clients, and "other" if the rest are as many.

    >>> common_categories(pl.Series(["home"] * 30 + ["yacht"] * 3 + ["farm"] * 2))
    ('home',)
    >>> common_categories(pl.Series(["home"] * 30 + ["yacht"] * 13 + ["farm"] * 12))
    ('home', 'other')
    """
    counts = Counter(column.drop_nulls().cast(pl.String).to_list())
    fewest = k + OWN_ACCOUNTS
    common = sorted(name for name, n in counts.items() if n >= fewest and name != OTHER)
    rest = counts.total() - sum(counts[name] for name in common)
    return (*common, OTHER) if rest >= fewest else tuple(common)


def tell(cohort: Cohort, *, config: PrivacyConfig) -> PeerSummary | Refusal:
    """What may be said of a cohort: rules 1 and 6. A refusal below the floor."""
    n = len(cohort.client_ids)
    if n < config.fewest:
        return Refusal("too_few_peers")
    classes = {
        name: _class_cell(cohort.weight_KC[:, c], config=config)
        for c, name in enumerate(cohort.asset_classes)
    }
    results = {name: _result_cell(values, config=config) for name, values in cohort.result_K.items()}
    n_told = n // config.n_step * config.n_step
    return PeerSummary(
        n=n_told,
        as_of=cohort.as_of,
        classes=classes,
        results=results,
        nearness=cohort.nearness,
        allocation=_allocation(cohort, classes, n_told, config=config),
    )


class PrivacyGate:
    """The only way from a question to an answer about peers.

    Parameters
    ----------
    log
        Its memory; what it holds binds later answers, also of other processes and after a restart.
    person_of
        Id of an asker or client -> the person behind it, for those with several; the rest stand for themselves.
    """

    def __init__(
        self,
        log: QueryLog,
        *,
        config: PrivacyConfig | None = None,
        person_of: Mapping[str, str] | None = None,
    ) -> None:
        self.log = log
        self.config = config or PrivacyConfig()
        self._person_of = dict(person_of or {})
        self._ids_of: dict[str, set[str]] = {}
        for id_, person in self._person_of.items():
            self._ids_of.setdefault(person, set()).add(id_)

    def ask(
        self, peers: Peers, profile: Profile, *, asker: str, now: datetime, own_ids: Collection[str] = ()
    ) -> PeerSummary | Refusal:
        """An answer about the peers of `profile`, or why there is none.

        Parameters
        ----------
        profile
            Any profile, the asker's own or a supposed one.
        asker
            Who asks, as the caller has authenticated him; an id of a client or of anybody else.
        own_ids
            Further clients whose holdings the asker knows, such as his other accounts.

        Raises
        ------
        InputError
            A feature is no finite number, `asker` is empty, or `now` has no time zone.
        ExternalError
            The log could not be read or written: nothing is told without its row.
        """
        if not asker:
            raise InputError("asker", "must be a non-empty id", value=asker)
        if peers.k < self.config.k:
            raise InputError(
                "peers",
                "must be fitted for the gate's floor",
                value=peers.k,
                remedy=f"fit with k={self.config.k}",
            )
        at_us, day = moment(now)
        question = self._canonical(peers, profile)
        person = self._person_of.get(asker, asker)
        own = self.log.members({asker, person, *own_ids, *self._ids_of.get(person, ())})
        digest = self.log.hashed(question, peers.config.model_dump(mode="json"))
        with self.log.turn() as turn:
            answer: PeerSummary | Refusal
            released = None
            asked = turn.questions_of(person, day)
            if digest not in asked and len(asked) >= self.config.questions_a_day:
                answer = Refusal("budget_spent")
            elif not self._known_enough(peers, question):
                answer = Refusal("unknown_profile")
            else:
                since_us = at_us - self.config.memory_days * 86_400_000_000
                answer, released = self._answer(turn, peers, question, digest, own, at_us, since_us)
            outcome: RefusalCode | str = answer.code if isinstance(answer, Refusal) else "answered"
            turn.write(who=person, at_us=at_us, day=day, question=digest, outcome=outcome, answer=released)
        return answer

    def _answer(
        self,
        turn: Turn,
        peers: Peers,
        question: Profile,
        digest: bytes,
        own: Members,
        at_us: int,
        since_us: int,
    ) -> tuple[PeerSummary | Refusal, Released | None]:
        """Rules 3 to 5: the answer of this or of a near question if there is one, else a new one."""
        released = turn.answer_to(digest, since_us=since_us)
        if released is None:
            cohort = peers.cohort(question)
            told = tell(cohort, config=self.config)
            if isinstance(told, Refusal):
                return told, None
            members = self.log.members(cohort.client_ids)
            released = turn.nearest_released(members, below=self.config.difference, since_us=since_us)
            if released is None:
                if self._own(own, members) > OWN_ACCOUNTS:
                    return Refusal("own_accounts"), None
                return told, turn.release(json.dumps(told.json(), ensure_ascii=False), members, at_us=at_us)
        if self._own(own, released.members) > OWN_ACCOUNTS:
            return Refusal("own_accounts"), None
        return PeerSummary.from_json(json.loads(released.body)), released

    @staticmethod
    def _own(own: Members, members: Members) -> int:
        return int(np.isin(own, members).sum())

    @staticmethod
    def _canonical(peers: Peers, profile: Profile) -> Profile:
        """Rule 3: the question that stands for all near it."""
        return canonical(profile, config=peers.config, categories=peers.categories)

    @staticmethod
    def _known_enough(peers: Peers, question: Profile) -> bool:
        known = np.array([question[f.name] is not None for f in peers.config.features])
        return bool(peers.config.weights[known].sum() >= peers.config.min_known - 1e-9)


def peer_allocation(
    peers: Peers,
    profile: Profile,
    *,
    asker: str,
    gate: PrivacyGate,
    now: datetime,
    own_ids: Collection[str] = (),
) -> PeerAllocation | Refusal:
    """The peers' proposal for `profile`, through the gate: the same question as a summary, and the same answer.

    Weights are medians over peers, who count by nearness and shrunken result (`results.peer_weights`); they are
    rounded and add up to one.

    Returns
    -------
    PeerAllocation or Refusal
        A refusal also where the peers have no common shape: medians of the classes add up to less than a half.
    """
    answer = gate.ask(peers, profile, asker=asker, now=now, own_ids=own_ids)
    if isinstance(answer, Refusal):
        return answer
    return answer.allocation or Refusal("no_common_shape")


def _class_cell(weight_K: NDArray[np.float64], *, config: PrivacyConfig) -> Quartiles:
    holders = weight_K[weight_K > 0]
    if len(holders) < config.fewest:
        return _hidden("few_holders")
    if holders.max() > config.dominance * holders.sum():
        return _hidden("dominated")
    return _quartiles(weight_K, step=config.weight_step)


def _result_cell(values_K: NDArray[np.float64], *, config: PrivacyConfig) -> Quartiles:
    known = values_K[np.isfinite(values_K)]
    return (
        _hidden("few_results") if len(known) < config.fewest else _quartiles(known, step=config.result_step)
    )


def _hidden(reason: Hidden) -> Quartiles:
    return Quartiles(None, None, None, reason)


def _quartiles(values: NDArray[np.float64], *, step: float) -> Quartiles:
    low, middle, high = (_rounded(q, step) for q in np.quantile(values, [0.25, 0.5, 0.75]))
    return Quartiles(low, middle, high)


def _rounded(value: float, step: float) -> float:
    """To a multiple of `step`, without the tail of binary fractions and without -0."""
    return round(round(float(value) / step) * step, 6) + 0.0


def _allocation(
    cohort: Cohort, classes: Mapping[str, Quartiles], n: int, *, config: PrivacyConfig
) -> PeerAllocation | None:
    """Weighted medians of the classes that may be told, as whole steps that add up to one."""
    medians = np.array(
        [
            0.0
            if classes[name].hidden
            else weighted_median(cohort.weight_KC[:, c], weights=cohort.peer_weight_K)
            for c, name in enumerate(cohort.asset_classes)
        ]
    )
    if medians.sum() < 0.5:
        return None
    n_steps = round(1 / config.weight_step)
    exact = medians / medians.sum() * n_steps
    whole = np.floor(exact)
    # the steps that rounding down leaves over go to the largest remainders, the first of equal ones
    left = round(n_steps - whole.sum())
    whole[np.argsort(whole - exact, kind="stable")[:left]] += 1
    spread = [
        None if cell.q75 is None or cell.q25 is None else round(cell.q75 - cell.q25, 6)
        for cell in (classes[name] for name in cohort.asset_classes)
    ]
    return PeerAllocation(
        asset_classes=cohort.asset_classes,
        weights_C=tuple(round(float(w) / n_steps, 6) for w in whole),
        n=n,
        spread_C=tuple(spread),
    )


def weighted_median(values: NDArray[np.float64], *, weights: NDArray[np.float64]) -> float:
    """The lowest value with half of the weight at or below it.

    >>> weighted_median(np.array([3.0, 1.0, 2.0]), weights=np.array([0.2, 0.2, 0.6]))
    2.0
    """
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(below, below[-1] / 2 - 1e-12)]])
