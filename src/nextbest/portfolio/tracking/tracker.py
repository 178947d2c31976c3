"""One new day for every portfolio of the book: figures carried on, plan against actual, alerts, all in one transaction.

A day is taken once, in order; one that was missed is caught up; a trade, flow, price or rate that changed on a day
already taken in makes those it concerns be computed again from that day.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.holdings.book import Book
from nextbest.portfolio.tracking.alerts import ALERT_KINDS
from nextbest.portfolio.tracking.carrier import Carrier, Rows, TrackingConfig, alert_rows, day_of
from nextbest.portfolio.tracking.feed import Gaps, asset_order, closed_days, price_days
from nextbest.portfolio.tracking.plans import Odds
from nextbest.portfolio.tracking.state import (
    NOT_OPEN,
    Clients,
    State,
    fresh_state,
    load_state,
    read_clients,
    splice,
    write_state,
)
from nextbest.portfolio.tracking.tables import (
    changed_since,
    day_number,
    ensure_tables,
    frame,
    insert,
    known_closed,
    last_day,
    remember_closed,
    remember_seen,
    transaction,
)


@dataclass(frozen=True)
class TrackReport:
    """What one call of `track` did."""

    days: tuple[date, ...]
    """Days taken in, ascending; () when there was none new."""
    n_clients: int
    n_returns: int
    opened: int
    """Alerts opened on these days."""
    closed: int
    recomputed: dict[str, date] = field(default_factory=dict)
    """Client -> day from which it was computed again."""


def track(
    book: Book, day: date, *, config: TrackingConfig | None = None, odds: Odds | None = None
) -> TrackReport:
    """Take in every day with prices up to `day` that isn't in yet, and what was corrected on earlier ones.

    Parameters
    ----------
    book
        Open for writing.
    day
        Last day to take in; one that is in already changes nothing.
    odds
        Says how likely goals are, asked once a month for each client with a plan; None = no probabilities.

    Returns
    -------
    TrackReport

    Raises
    ------
    InputError
        The book is open for reading only.
    DataError
        A trade, flow or dividend has no rate, a plan can't be read; the days before it stay taken in.
    ExternalError
        The disk fails; days already written stay.
    """
    config = config or TrackingConfig()
    ensure_tables(book)
    last = last_day(book)
    asset_idx_A, class_A = asset_order(book)
    until = max(day, last or day)
    clients = read_clients(book, until)
    gaps = closed_days(book, until)
    if last is None:
        state = fresh_state(clients, periods_per_year=config.periods_per_year, rf=config.rf)
        recomputed: dict[str, date] = {}
    else:
        places = {idx: place for place, idx in enumerate(asset_idx_A)}
        state = load_state(book, clients, places, periods_per_year=config.periods_per_year, rf=config.rf)
        recomputed = _recompute(book, state, clients, last, gaps, asset_idx_A, class_A, config, odds)
    days = price_days(book, last, day)
    rows = Rows()
    if days and state.n_clients:
        carrier = Carrier(book, clients, state, asset_idx_A, class_A, last, days[-1], gaps, config, odds)
        for start in range(0, len(days), config.days_at_once):
            part, new = days[start : start + config.days_at_once], Rows()
            carrier.carry(part, new)
            with transaction(book):
                _write(book, state, new)
                write_state(book, state, asset_idx_A)
                taken = pl.DataFrame({"day": part, "n_clients": [state.n_clients] * len(part)})
                insert(book, "tracking_days", taken)
                remember_seen(book, last if start == 0 else days[start - 1], part[-1])
                remember_closed(book, gaps)
            rows.n_returns += new.n_returns
            rows.n_opened += new.n_opened
            rows.n_closed += new.n_closed
    return TrackReport(
        tuple(days) if state.n_clients else (),
        state.n_clients,
        rows.n_returns,
        rows.n_opened,
        rows.n_closed,
        recomputed,
    )


def _recompute(
    book: Book,
    state: State,
    clients: Clients,
    last: date,
    gaps: Gaps,
    asset_idx_A: list[int],
    class_A: list[str],
    config: TrackingConfig,
    odds: Odds | None,
) -> dict[str, date]:
    """Compute again whoever a correction concerns; history before its day stays as it was written."""
    by_client, for_all = changed_since(book, last)
    # that the exchange was closed is known only when it opens again: last prices stood in until then
    inside = [start + timedelta(days=1) for start, _ in gaps ^ known_closed(book) if start < last]
    for_all = min([*inside, *([for_all] if for_all else [])], default=None)
    for places, positions in state.groups.values():
        # recorded cash changes every figure of an account from its first day on
        flips = (positions.has_flows_P != clients.has_flows_P[places]) | (
            positions.own_dividends_P != clients.own_dividends_P[places]
        )
        for p in places[flips]:
            by_client[int(clients.client_P[p])] = date.min
    from_P = np.array(
        [day_number(by_client.get(int(c), for_all or date.max)) for c in clients.client_P], np.int64
    )
    if for_all:
        from_P = np.minimum(from_P, day_number(for_all))
    chosen_P = from_P <= day_number(last)
    if not chosen_P.any():
        if by_client or for_all:
            with transaction(book):
                remember_seen(book, None, last)
                remember_closed(book, gaps)
        return {}
    who, first_P = clients.only(chosen_P), from_P[chosen_P]
    part = fresh_state(who, periods_per_year=config.periods_per_year, rf=config.rf)
    kept = frame(book, "SELECT * FROM tracking_alerts ORDER BY opened")
    _reopen(part, kept, first_P)
    rows = Rows()
    carrier = Carrier(book, who, part, asset_idx_A, class_A, None, last, gaps, config, odds, first_P)
    carrier.carry(price_days(book, None, last), rows)
    splice(state, part, chosen_P, len(asset_idx_A))
    changed = pl.DataFrame(
        {"client_idx": who.client_P.astype(np.int32), "first": [day_of(n) for n in first_P]},
        schema={"client_idx": pl.Int32, "first": pl.Date},
    )
    with transaction(book):
        connection = book.connection()
        connection.register("tracking_changed", changed.to_arrow())
        for table, when in (
            ("history", "t.day >= c.first"),
            ("alerts", "(t.opened >= c.first OR t.closed >= c.first)"),
        ):
            connection.execute(
                f"DELETE FROM tracking_{table} t USING tracking_changed c WHERE t.client_idx = c.client_idx AND {when}"
            )
        connection.unregister("tracking_changed")
        _write(book, state, rows)
        write_state(book, state, asset_idx_A)
        new_days = pl.DataFrame({"day": price_days(book, None, last)}, schema={"day": pl.Date})
        known = frame(book, "SELECT day FROM tracking_days")
        missed = new_days.join(known, on="day", how="anti").with_columns(n_clients=pl.lit(state.n_clients))
        insert(book, "tracking_days", missed)
        remember_seen(book, None, last)
        remember_closed(book, gaps)
    return {client: day_of(int(n)) for client, n in zip(who.id_P, first_P, strict=True)}


def _reopen(part: State, kept: pl.DataFrame, first_P: NDArray[np.int64]) -> None:
    """Alerts that were open on the day from which a client is computed again."""
    for row in kept.iter_rows(named=True):
        p = int(np.searchsorted(part.client_P, row["client_idx"]))
        if p == part.n_clients or part.client_P[p] != row["client_idx"]:
            continue
        opened, closed = day_number(row["opened"]), row["closed"] and day_number(row["closed"])
        if opened < first_P[p] and (closed is None or closed >= first_P[p]):
            alerts = part.alerts[row["kind"]]
            alerts.opened_P[p] = opened
            alerts.value_P[p] = alerts.worst_P[p] = row["opened_value"]


def _write(book: Book, state: State, rows: Rows) -> None:
    """History, alerts that closed, and all that are open now, in the running transaction."""
    for table in rows.history:
        insert(book, "tracking_history", table)
    book.connection().execute("DELETE FROM tracking_alerts WHERE closed IS NULL")
    for table in rows.closed:
        insert(book, "tracking_alerts", table)
    for kind in ALERT_KINDS:
        open_P = state.alerts[kind].opened_P < NOT_OPEN
        insert(book, "tracking_alerts", alert_rows(state, kind, open_P, closed=None))
