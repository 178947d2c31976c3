"""Where tracking stands after its last day: loaded from the book, carried on in memory, written back whole.

Legend: `P` clients of the state, by `client_idx`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.holdings.book import Book
from nextbest.portfolio.metrics.running import Running
from nextbest.portfolio.tracking.alerts import ALERT_KINDS, AlertKind
from nextbest.portfolio.tracking.positions import NO_DAY, Positions
from nextbest.portfolio.tracking.tables import CLIENT_COLUMNS, RUNNING, day_number, frame, insert

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NOT_OPEN = 2**40
"""Day number at which an alert that isn't open will have opened."""
_MONTH_NONE = -(2**30)
_HOLDING = ("key_H", "pieces_H", "moved_H", "price_H", "age_H")


@dataclass
class OpenAlerts:
    """The open alerts of one kind."""

    opened_P: Ints  # noqa: N815 - shape suffix
    """Day number; `NOT_OPEN` where none is."""
    value_P: Floats  # noqa: N815 - shape suffix
    """When it opened."""
    worst_P: Floats  # noqa: N815 - shape suffix

    @classmethod
    def none(cls, n: int) -> "OpenAlerts":
        """No alert of `n` clients."""
        return cls(np.full(n, NOT_OPEN, np.int64), np.full(n, np.nan), np.full(n, np.nan))


@dataclass
class State:
    """All that the next day needs of the days before."""

    client_P: Ints  # noqa: N815 - shape suffix
    """`client_idx`, ascending."""
    currency_P: list[str]  # noqa: N815 - shape suffix
    groups: dict[str, tuple[Ints, Positions]]
    """Currency -> places of its clients in `P`, and their positions."""
    running: Running
    """Moments of the regular returns; growth and falls of all returns are below."""
    growth_P: Floats  # noqa: N815 - shape suffix
    """Product of 1 + return."""
    peak_P: Floats  # noqa: N815 - shape suffix
    max_drawdown_P: Floats  # noqa: N815 - shape suffix
    first_day_P: Ints  # noqa: N815 - shape suffix
    probability_P: Floats  # noqa: N815 - shape suffix
    probability_month_P: Ints  # noqa: N815 - shape suffix
    """Month (since year 0) in which that was computed."""
    alerts: dict[AlertKind, OpenAlerts] = field(default_factory=dict)

    @property
    def n_clients(self) -> int:
        """P."""
        return len(self.client_P)


@dataclass(frozen=True)
class Clients:
    """Investors of the book, with what their recorded flows make of them."""

    client_P: Ints  # noqa: N815 - shape suffix
    id_P: list[str]  # noqa: N815 - shape suffix
    currency_P: list[str]  # noqa: N815 - shape suffix
    has_flows_P: NDArray[np.bool_]  # noqa: N815 - shape suffix
    own_dividends_P: NDArray[np.bool_]  # noqa: N815 - shape suffix

    def only(self, chosen_P: NDArray[np.bool_]) -> "Clients":
        """Some of them."""
        places = np.flatnonzero(chosen_P)
        return Clients(
            self.client_P[chosen_P],
            [self.id_P[p] for p in places],
            [self.currency_P[p] for p in places],
            self.has_flows_P[chosen_P],
            self.own_dividends_P[chosen_P],
        )


def read_clients(book: Book, until: date) -> Clients:
    """All investors, by `client_idx`."""
    rows = frame(
        book,
        "SELECT i.client_idx, i.client_id, i.currency, count(f.day) > 0 AS has_flows,"
        " coalesce(bool_or(f.kind = 'dividend' AND f.day <= ?), false) AS own_dividends"
        " FROM investors i LEFT JOIN cash_flows f USING (client_idx) GROUP BY ALL ORDER BY i.client_idx",
        [until],
    )
    return Clients(
        rows["client_idx"].to_numpy().astype(np.int64),
        rows["client_id"].to_list(),
        rows["currency"].to_list(),
        rows["has_flows"].to_numpy(),
        rows["own_dividends"].to_numpy(),
    )


def fresh_state(clients: Clients, *, periods_per_year: float, rf: float) -> State:
    """Clients before their first day."""
    n = len(clients.client_P)
    groups = {}
    for currency in sorted(set(clients.currency_P)):
        places = np.array([p for p in range(n) if clients.currency_P[p] == currency], dtype=np.int64)
        groups[currency] = (
            places,
            Positions.empty(clients.has_flows_P[places], clients.own_dividends_P[places]),
        )
    return State(
        client_P=clients.client_P,
        currency_P=clients.currency_P,
        groups=groups,
        running=Running(n, periods_per_year=periods_per_year, rf=rf),
        growth_P=np.ones(n),
        peak_P=np.ones(n),
        max_drawdown_P=np.zeros(n),
        first_day_P=np.full(n, NO_DAY, np.int64),
        probability_P=np.full(n, np.nan),
        probability_month_P=np.full(n, _MONTH_NONE, np.int64),
        alerts={kind: OpenAlerts.none(n) for kind in ALERT_KINDS},
    )


def load_state(
    book: Book, clients: Clients, asset_place: Mapping[int, int], *, periods_per_year: float, rf: float
) -> State:
    """The state in the book; clients that it doesn't hold stand before their first day.

    Parameters
    ----------
    asset_place
        `asset_idx` -> place of the asset in the market that the state is carried through.
    """
    state = fresh_state(clients, periods_per_year=periods_per_year, rf=rf)
    rows = frame(book, "SELECT * FROM tracking_clients ORDER BY client_idx")
    at = np.searchsorted(clients.client_P, rows["client_idx"].to_numpy())
    kept = state.running.state()
    for name in RUNNING:
        kept[name][at] = rows[f"running_{name}"].to_numpy()
    state.running = Running.from_state(kept)
    state.growth_P[at], state.peak_P[at] = rows["growth"].to_numpy(), rows["peak"].to_numpy()
    state.max_drawdown_P[at] = rows["max_drawdown"].to_numpy()
    state.first_day_P[at] = _numbers(rows["first_day"])
    state.probability_P[at] = _floats(rows["probability"])
    state.probability_month_P[at] = rows["probability_month"].fill_null(_MONTH_NONE).to_numpy()
    holdings = frame(book, "SELECT * FROM tracking_holdings ORDER BY client_idx, asset_idx")
    place = np.array([asset_place[a] for a in holdings["asset_idx"].to_list()], dtype=np.int64)
    holder = np.searchsorted(clients.client_P, holdings["client_idx"].to_numpy())
    wide = {name: np.full(state.n_clients, np.nan) for name in ("cash", "nav", "net")}
    for name, values in wide.items():
        values[at] = _floats(rows[name])
    flags = {
        "started": np.zeros(state.n_clients, np.bool_),
        "has_flows": clients.has_flows_P.copy(),
        "own_dividends": clients.own_dividends_P.copy(),
    }
    for name, values_P in flags.items():
        values_P[at] = rows[name].to_numpy()
    observed = np.full(state.n_clients, NO_DAY, np.int64)
    observed[at] = _numbers(rows["observed"])
    for places, positions in state.groups.values():
        positions.cash_P = np.nan_to_num(wide["cash"][places])
        positions.nav_P = wide["nav"][places]
        positions.net_P = np.nan_to_num(wide["net"][places])
        positions.started_P, positions.observed_P = flags["started"][places], observed[places]
        positions.has_flows_P = flags["has_flows"][places]
        positions.own_dividends_P = flags["own_dividends"][places]
        mine = np.isin(holder, places)
        key = np.searchsorted(places, holder[mine]) * len(asset_place) + place[mine]
        order = np.argsort(key)
        positions.key_H = key[order]
        positions.pieces_H = holdings["pieces"].to_numpy()[mine][order]
        positions.moved_H = holdings["moved"].to_numpy()[mine][order]
        positions.price_H = _floats(holdings["price"])[mine][order]
        positions.age_H = holdings["age"].to_numpy()[mine][order].astype(np.int64)
    for row in frame(book, "SELECT * FROM tracking_alerts WHERE closed IS NULL").iter_rows(named=True):
        place_P = int(np.searchsorted(clients.client_P, row["client_idx"]))
        alerts = state.alerts[row["kind"]]
        alerts.opened_P[place_P] = day_number(row["opened"])
        alerts.value_P[place_P], alerts.worst_P[place_P] = row["opened_value"], row["worst_value"]
    return state


def write_state(book: Book, state: State, asset_idx_A: Sequence[int]) -> None:
    """Put the whole state in the place of the old one, in the running transaction; alerts are written apart."""
    book.connection().execute("DELETE FROM tracking_clients")
    book.connection().execute("DELETE FROM tracking_holdings")
    n = state.n_clients
    columns: dict[str, list[object] | NDArray[np.generic]] = {
        "client_idx": state.client_P,
        "currency": list(state.currency_P),
        "growth": state.growth_P,
        "peak": state.peak_P,
        "max_drawdown": state.max_drawdown_P,
        "first_day": _days(state.first_day_P),
        "probability": _nullable(state.probability_P),
        "probability_month": [None if m == _MONTH_NONE else int(m) for m in state.probability_month_P],
        **{f"running_{name}": values for name, values in state.running.state().items() if name in RUNNING},
    }
    of_positions = {
        "has_flows": "has_flows_P",
        "own_dividends": "own_dividends_P",
        "started": "started_P",
        "cash": "cash_P",
        "nav": "nav_P",
        "net": "net_P",
        "observed": "observed_P",
    }
    for column, name in of_positions.items():
        values = np.empty(n, dtype=getattr(next(iter(state.groups.values()))[1], name).dtype)
        for places, positions in state.groups.values():
            values[places] = getattr(positions, name)
        columns[column] = (
            _nullable(values) if column == "nav" else _days(values) if column == "observed" else values
        )
    insert(book, "tracking_clients", pl.DataFrame(columns, strict=False).select(list(CLIENT_COLUMNS)))
    asset_idx = np.asarray(asset_idx_A, dtype=np.int64)
    for places, positions in state.groups.values():
        rows = pl.DataFrame(
            {
                "client_idx": state.client_P[places][positions.key_H // max(len(asset_idx), 1)],
                "asset_idx": asset_idx[positions.key_H % max(len(asset_idx), 1)],
                "pieces": positions.pieces_H,
                "moved": positions.moved_H,
                "price": _nullable(positions.price_H),
                "age": positions.age_H,
            },
            strict=False,
        )
        insert(book, "tracking_holdings", rows)


def splice(state: State, part: State, chosen_P: NDArray[np.bool_], n_assets: int) -> None:
    """Put the clients of `part` in the place of the `chosen_P` ones of `state`, in the same order."""
    kept, new = state.running.state(), part.running.state()
    for name in RUNNING:
        kept[name][chosen_P] = new[name]
    state.running = Running.from_state(kept)
    for name in (
        "growth_P",
        "peak_P",
        "max_drawdown_P",
        "first_day_P",
        "probability_P",
        "probability_month_P",
    ):
        getattr(state, name)[chosen_P] = getattr(part, name)
    for kind, alerts in state.alerts.items():
        for name in ("opened_P", "value_P", "worst_P"):
            getattr(alerts, name)[chosen_P] = getattr(part.alerts[kind], name)
    for currency, (places, positions) in state.groups.items():
        if currency not in part.groups:
            continue
        theirs = part.groups[currency][1]
        mine_P = chosen_P[places]
        for named in fields(Positions):
            if named.name.endswith("_P"):
                getattr(positions, named.name)[mine_P] = getattr(theirs, named.name)
        stay_H = ~mine_P[positions.key_H // n_assets]
        key = np.flatnonzero(mine_P)[theirs.key_H // n_assets] * n_assets + theirs.key_H % n_assets
        both = {
            name: np.concatenate([getattr(positions, name)[stay_H], getattr(theirs, name)])
            for name in _HOLDING
        }
        both["key_H"] = np.concatenate([positions.key_H[stay_H], key])
        order = np.argsort(both["key_H"])
        for name, values in both.items():
            setattr(positions, name, values[order])


def _numbers(days: pl.Series) -> Ints:
    """Day numbers; `NO_DAY` for null."""
    return days.cast(pl.Int32).cast(pl.Int64).fill_null(NO_DAY).to_numpy().copy()


def _days(number_P: Ints) -> list[object]:
    return [None if n == NO_DAY else np.datetime64(int(n), "D").item() for n in number_P]


def _floats(column: pl.Series) -> Floats:
    values: Floats = column.cast(pl.Float64).fill_null(np.nan).to_numpy().copy()
    return values


def _nullable(values: Floats) -> list[object]:
    return [None if v != v else v for v in values.tolist()]  # noqa: PLR0124 - NaN is not itself
