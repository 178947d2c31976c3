"""What a journal of events says: activity by time, users and items, repeats, concentration, gaps, amounts. Draws nothing."""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.store import Workspace
from nextbest.tables import ITEM_ID, TIME, USER_ID, TimeKind

IntArray = NDArray[np.int64]
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
GAP_EDGES = (1, 2, 4, 8, 15, 31, 91, 366)
"""Lower edges of bins of days between a user's active days; the first bin is one day."""
_DAYS_FOR_MONTHS = 100
"""A journal longer than this is shown by months, a shorter one by days."""
_CURVE_POINTS = 101


@dataclass(frozen=True)
class Activity:
    """Events of each user, or of each item."""

    n: int
    """Users, or items."""
    events_B: IntArray
    """How many have 1, 2, 3-4, 5-8, 9-16, ... events."""
    quantiles: tuple[float, ...]
    """Events at `QUANTILES` of users or items."""
    once: float
    """Share with exactly one event."""


@dataclass(frozen=True)
class Money:
    """Amounts in one currency."""

    currency: str
    n: int
    quantiles: tuple[float, ...]
    """At `QUANTILES`."""
    negative: float
    """Share below zero."""
    total: float


@dataclass(frozen=True)
class JournalFacts:
    """Everything the pages of a journal show; parts that need moments are empty without them."""

    time_kind: TimeKind
    n_events: int
    users: Activity
    items: Activity
    density: float
    """Share of all pairs of user and item that occur."""
    repeat: float
    """Share of events whose user had that item before (their second and later events of a pair)."""
    concentration: NDArray[np.float64]
    """Share of events of the most popular 0 %, 1 %, ..., 100 % of items."""
    step: Literal["month", "day"]
    periods: tuple[date, ...]
    events_T: IntArray
    users_T: IntArray
    """Users with an event in the period."""
    new_users_T: IntArray
    """Users whose first event it is."""
    weekday_D: IntArray
    """Events from Monday to Sunday."""
    hour_H: IntArray
    """Events by hour, UTC; empty where all moments are midnights."""
    gap_B: IntArray
    """Pauses between two active days in a row of a user, by days: 1, 2-3, 4-7, 8-14, 15-30, 31-90, 91-365, 366+."""
    gap_median: float
    silent: float
    """Share of users without an event in the last 30 days of the journal; NaN for a shorter one."""
    money: tuple[Money, ...]
    refused: dict[str, int]
    """Quarantined rows by reason."""

    @property
    def gini(self) -> float:
        """Gini coefficient of events over items: 0 all alike, 1 one item has all."""
        above = self.concentration - np.linspace(0, 1, len(self.concentration))
        return float(np.mean(above[1:] + above[:-1])) if self.items.n else float("nan")


def journal_facts(workspace: Workspace) -> JournalFacts:
    """Look at a whole journal; each column is read a few times and never all at once."""
    journal = workspace.journal()
    columns = journal.collect_schema().names()
    pairs = journal.group_by(USER_ID, ITEM_ID).agg(n=pl.len())
    by_user = pairs.group_by(USER_ID).agg(pl.col("n").sum()).select("n")
    by_item = pairs.group_by(ITEM_ID).agg(pl.col("n").sum()).select("n")
    n_pairs = pairs.select(pl.len())
    users, items, n_pairs_table = pl.collect_all([by_user, by_item, n_pairs])
    n_distinct = int(n_pairs_table.item())
    n_events = int(users["n"].sum())
    return JournalFacts(
        time_kind=workspace.time_kind,
        n_events=n_events,
        users=_activity(users["n"]),
        items=_activity(items["n"]),
        density=n_distinct / max(len(users) * len(items), 1),
        repeat=1 - n_distinct / n_events if n_events else float("nan"),
        concentration=_concentration(items["n"]),
        money=_money(journal, columns) if "amount" in columns else (),
        refused={
            str(reason): int(n)
            for reason, n in workspace.quarantine()
            .group_by("reason")
            .len()
            .sort("len", "reason", descending=[True, False])
            .collect()
            .iter_rows()
        },
        **_by_time(journal, is_real=workspace.time_kind == "real" and n_events > 0),
    )


def bins(n_bins: int) -> list[str]:
    """Names of the bins of `Activity.events_B`; past a thousand in rounded thousands.

    >>> bins(5), bins(12)[-2:]
    (['1', '2', '3-4', '5-8', '9-16'], ['513-1k', '1k-2k'])
    """
    return [("1", "2")[b] if b < 2 else f"{_short(2 ** (b - 1) + 1)}-{_short(2**b)}" for b in range(n_bins)]


def _short(count: int) -> str:
    for size, letter in ((1 << 20, "M"), (1 << 10, "k")):
        if count >= size:
            return f"{count // size}{letter}"
    return str(count)


def _activity(counts: pl.Series) -> Activity:
    if not len(counts):
        return Activity(0, np.zeros(0, dtype=np.int64), (float("nan"),) * len(QUANTILES), float("nan"))
    values = counts.to_numpy()
    binned = np.bincount(np.ceil(np.log2(values)).astype(np.int64))
    return Activity(
        len(values),
        binned.astype(np.int64),
        tuple(float(q) for q in np.quantile(values, QUANTILES)),
        float((values == 1).mean()),
    )


def _concentration(counts: pl.Series) -> NDArray[np.float64]:
    """Share of events by share of items, most popular first."""
    if not len(counts):
        return np.zeros(_CURVE_POINTS)
    share = np.concatenate([[0.0], np.cumsum(np.sort(counts.to_numpy())[::-1]) / counts.sum()])
    curve: NDArray[np.float64] = np.interp(
        np.linspace(0, len(counts), _CURVE_POINTS), np.arange(len(share)), share
    )
    return curve


def _money(journal: pl.LazyFrame, columns: list[str]) -> tuple[Money, ...]:
    """Amounts by currency, most events first; one nameless currency where the journal has no such column."""
    currency = pl.col("currency").fill_null("?") if "currency" in columns else pl.lit("")
    amount = pl.col("amount")
    found = (
        journal.filter(amount.is_not_null())
        .group_by(currency.alias("c"))
        .agg(
            pl.len().alias("n"),
            (amount < 0).mean().alias("negative"),
            amount.sum().alias("total"),
            *(amount.quantile(q).alias(f"q{q}") for q in QUANTILES),
        )
        .sort("n", "c", descending=[True, False])
        .collect()
    )
    return tuple(
        Money(str(c), int(n), tuple(map(float, quantiles)), float(negative), float(total))
        for c, n, negative, total, *quantiles in found.iter_rows()
    )


def _by_time(journal: pl.LazyFrame, *, is_real: bool) -> dict[str, Any]:
    nothing = np.zeros(0, dtype=np.int64)
    if not is_real:
        names = ("events_T", "users_T", "new_users_T", "weekday_D", "hour_H", "gap_B")
        return {
            "step": "month", "periods": (), "gap_median": float("nan"), "silent": float("nan"),
            **dict.fromkeys(names, nothing),
        }  # fmt: skip
    day = pl.col(TIME).dt.date()
    first, last = journal.select(day.min().alias("a"), day.max().alias("b")).collect().row(0)
    n_days = (last - first).days + 1
    step: Literal["month", "day"] = "month" if n_days > _DAYS_FOR_MONTHS else "day"
    period = day.dt.truncate("1mo" if step == "month" else "1d").alias("t")
    days = journal.select(USER_ID, day.alias("d")).unique().sort(USER_ID, "d")
    counted, new, weekday, hour, active = pl.collect_all(
        [
            journal.group_by(period)
            .agg(pl.len().alias("n"), pl.col(USER_ID).n_unique().alias("u"))
            .sort("t"),
            journal.group_by(USER_ID).agg(period.min()).group_by("t").agg(pl.len().alias("n")),
            journal.group_by(day.dt.weekday().alias("w")).agg(pl.len().alias("n")),
            journal.group_by(pl.col(TIME).dt.hour().alias("h")).agg(pl.len().alias("n")),
            days,
        ]
    )
    frame = counted.join(new.rename({"n": "new"}), on="t", how="left").sort("t").fill_null(0)
    pauses = (
        active.select(pl.col("d").diff().over(USER_ID).dt.total_days().alias("g")).to_series().drop_nulls()
    )
    last_of_user = active.group_by(USER_ID).agg(pl.col("d").max()).to_series(1)
    silent = ((pl.Series([last] * len(last_of_user)) - last_of_user).dt.total_days() >= 30).mean()
    by_hour = _spread(hour, "h", 24, start=0)
    return {
        "step": step,
        "periods": tuple(frame["t"].to_list()),
        "events_T": frame["n"].to_numpy().astype(np.int64),
        "users_T": frame["u"].to_numpy().astype(np.int64),
        "new_users_T": frame["new"].to_numpy().astype(np.int64),
        "weekday_D": _spread(weekday, "w", 7, start=1),
        "hour_H": by_hour if by_hour[1:].any() else nothing,
        "gap_B": np.histogram(pauses.to_numpy(), bins=[*GAP_EDGES, 10**9])[0].astype(np.int64),
        "gap_median": float(np.median(pauses.to_numpy())) if len(pauses) else float("nan"),
        "silent": float(silent) if n_days > 60 and isinstance(silent, float) else float("nan"),
    }


def _spread(table: pl.DataFrame, key: str, n: int, *, start: int) -> IntArray:
    counts = np.zeros(n, dtype=np.int64)
    counts[table[key].to_numpy() - start] = table["n"].to_numpy()
    return counts
