"""How an experiment cuts a journal: one protocol for the test part, the same again for validation."""

import warnings
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

import polars as pl

from nextbest.errors import DataError, InputError
from nextbest.evaluation.splits import (
    RandomSplitWarning,
    Split,
    split_by_time,
    split_leave_last,
    split_random,
)
from nextbest.tables import TimeKind

Protocol = Literal["time", "leave-last", "random"]
PROTOCOL_OF: dict[TimeKind, Protocol] = {"real": "time", "order": "leave-last", "none": "random"}
"""The most honest protocol that the times of a journal allow."""


@dataclass(frozen=True)
class SplitPlan:
    """How a journal is cut: one protocol for the test part and for the validation part inside its train."""

    protocol: Protocol = "time"
    refit: bool = True
    """Fit the reported model on all that was known before the test part, validation included."""
    test_fraction: float = 0.1
    """Share in the test part: of the events, the newest (`time`), or of the pairs of user and item (`random`)."""
    test_days: float | None = None
    """Length of the test part in days, in place of `test_fraction`; `time` only."""
    cutoff: datetime | None = None
    """First moment of the test part, UTC, in place of both; `time` only."""
    time_kind: TimeKind = "real"
    rng: int = 0

    def test(self, journal: pl.DataFrame) -> Split:
        """The split whose targets are reported."""
        self._check()
        if self.protocol == "time":
            return self._by_time(journal, self.cutoff)
        if self.protocol == "random":
            return self._random(journal, self.rng)
        return split_leave_last(journal, part="test", refit=self.refit, time_kind=self.time_kind)

    def validation(self, journal: pl.DataFrame, test: Split) -> Split:
        """The split on which settings are chosen: the same cut again, inside what the test part may know."""
        if self.protocol == "time":
            return self._by_time(test.train, None)
        if self.protocol == "random":
            return self._random(test.train, self.rng + 1)
        return split_leave_last(journal, part="validation", time_kind=self.time_kind)

    def _random(self, journal: pl.DataFrame, rng: int) -> Split:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RandomSplitWarning)  # chosen by name, and the report says it
            return split_random(journal, rng=rng, test_fraction=self.test_fraction)

    def _by_time(self, journal: pl.DataFrame, cutoff: datetime | None) -> Split:
        return split_by_time(
            journal,
            cutoff=cutoff,
            test_fraction=self.test_fraction,
            test_days=self.test_days,
            time_kind=self.time_kind,
        )

    def _check(self) -> None:
        if self.protocol not in get_args(Protocol):
            raise InputError("protocol", f"must be one of {get_args(Protocol)}", value=self.protocol)
        if self.test_days is not None and self.protocol != "time":
            raise InputError(
                "test_days", f"cuts by time, which the protocol {self.protocol} doesn't", value=self.test_days
            )
        if self.protocol == "time" and self.time_kind != "real":
            raise DataError(
                "journal",
                f"its times are no moments (time_kind {self.time_kind!r}), so it can't be cut by global time",
                remedy=f"use --protocol {'leave-last' if self.time_kind == 'order' else 'random'}",
            )
        if self.protocol == "leave-last" and self.time_kind == "none":
            raise DataError(
                "journal", "its events have no order, so no last one", remedy="use --protocol random"
            )
