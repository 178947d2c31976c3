"""The book: everything known of investors, what they did and what it is worth, in one DuckDB file.

One process writes or several read, never both at once: a `Book` open for writing shuts everybody else out, and one
open for reading shuts writers out, each with an `ExternalError` that says so. Open it, do what is to do, close it.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Self
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from nextbest.data.holdings import database
from nextbest.data.holdings.account import ACCOUNT_FLOWS, ACCOUNT_TRADES, Account
from nextbest.data.holdings.importing import import_rows
from nextbest.data.holdings.kinds import KINDS, KindName, kind_of
from nextbest.data.holdings.market import DayArray, FloatArray, Market
from nextbest.data.holdings.priced_tables import PricedTables
from nextbest.data.holdings.report import BookReport
from nextbest.data.locking import new_folder
from nextbest.data.sources.opening import Readable
from nextbest.errors import ArtifactError, InputError

if TYPE_CHECKING:
    import duckdb

_AT_A_TIME = 2_000
"""Clients whose rows are read together."""
_TRADES = """
SELECT t.client_idx, t.trade_id, a.asset_id, t.day, t.quantity, t.price, t.fee, t.currency
FROM trades t JOIN assets a USING (asset_idx) WHERE t.client_idx BETWEEN ? AND ?
ORDER BY t.client_idx, t.day, t.quantity < 0, t.trade_id
"""
_FLOWS = """
SELECT client_idx, day, amount, currency, kind FROM cash_flows WHERE client_idx BETWEEN ? AND ?
ORDER BY client_idx, day, amount DESC, nth
"""


class Book:
    """A book of investors; made by `create`, opened by `open`, closed by `close` or at the end of a `with` block."""

    def __init__(self, path: Path, connection: "duckdb.DuckDBPyConnection", *, read_only: bool) -> None:
        self.path, self.read_only = path, read_only
        self._connection = connection
        self._priced = PricedTables(connection, keep=read_only)
        self._clients: dict[str, tuple[int, str]] = {}
        meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
        if meta.get("format") != database.FORMAT:
            connection.close()
            raise ArtifactError(
                path,
                f"is a book of format {meta.get('format')}, this version reads {database.FORMAT}",
                remedy="import it again",
            )
        self.base_currency: str = meta["base_currency"]
        """In which rates and benchmarks are told."""
        self.exchange_zone: str = meta["exchange_zone"]
        """IANA zone in which a moment becomes a day."""
        self.max_rate_age_days = int(meta["max_rate_age_days"])
        """Calendar days that a rate holds when no newer one is known."""

    @classmethod
    def create(
        cls,
        folder: str | Path,
        *,
        base_currency: str,
        exchange_zone: str = "Europe/Moscow",
        max_rate_age_days: int = 10,
    ) -> Self:
        """A new, empty book in `folder`, open for writing.

        Raises
        ------
        InputError
            There is a book already, the currency is no ISO 4217 code, the zone is unknown, the age is negative.
        """
        path = Path(folder) / database.FILE
        if not (len(base_currency) == 3 and base_currency.isascii() and base_currency.isupper()):
            raise InputError(
                "base_currency", "must be three capital letters such as RUB", value=base_currency
            )
        if max_rate_age_days < 0:
            raise InputError("max_rate_age_days", "must be 0 or more", value=max_rate_age_days)
        try:
            ZoneInfo(exchange_zone)
        except (ValueError, KeyError, OSError) as error:  # an unknown key is a KeyError
            raise InputError(
                "exchange_zone", "must be an IANA zone such as Europe/Moscow", value=exchange_zone
            ) from error
        if path.exists():
            raise InputError(
                "folder", "holds a book already", value=str(path), remedy="open it, or name another folder"
            )
        meta = {
            "base_currency": base_currency,
            "exchange_zone": exchange_zone,
            "max_rate_age_days": str(max_rate_age_days),
        }
        with new_folder(path.parent):
            connection = database.connect(path, read_only=False)
            database.create_tables(connection, meta)
        return cls(path, connection, read_only=False)

    @classmethod
    def open(cls, folder: str | Path, *, read_only: bool = True) -> Self:
        """The book in `folder`.

        Raises
        ------
        InputError
            There is none.
        ExternalError
            Another process holds it (see the module); retryable.
        DataError, ArtifactError
            The file is broken, or of another version.
        """
        path = Path(folder) / database.FILE
        if not path.is_file():
            raise InputError("folder", "holds no book", value=str(path), remedy="import one first")
        return cls(path, database.connect(path, read_only=read_only), read_only=read_only)

    def close(self) -> None:
        """Let others have it."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Book({str(self.path)!r}, base_currency={self.base_currency!r}, read_only={self.read_only})"

    def connection(self) -> "duckdb.DuckDBPyConnection":
        """The open connection, for tables of one's own; those of the book are changed by `add` alone."""
        return self._connection

    def add(
        self,
        kind: KindName,
        source: Readable | Sequence[Readable],
        *,
        replace: bool = False,
        day_first: bool | None = None,
        now: date | None = None,
    ) -> BookReport:
        """Import rows of one kind; rows that don't add up go to quarantine, the rest is in the book or nothing is.

        The order matters: fx, assets, splits, dividends, asset_prices, benchmarks, investors, goals, trades,
        cash_flows. The same file again changes nothing; a longer one adds what is new.

        Parameters
        ----------
        kind
            Which table of `nextbest.tables`.
        source
            CSV, Parquet or Arrow files, folders, globs, database URLs or tables. Columns go by our names or the
            usual ones; prices, rates and benchmarks may be days x ids, or a file an asset, named after it.
        replace
            Whether a row whose key is known replaces the old one; without, it goes to quarantine when it differs.
        day_first
            Whether 1/2/2024 is 1 February; None finds out.
        now
            Rows of later days go to quarantine as `future_day`; None lets them pass.

        Returns
        -------
        BookReport

        Raises
        ------
        InputError
            The kind is unknown, the book is open for reading only, cash flows are to be replaced (they have no key).
        DataError
            A source is broken or lacks a column. The book is as it was.
        ExternalError
            A database or the disk fails. The book is as it was.
        """
        described = kind_of(kind)
        if self.read_only:
            raise InputError("book", "is open for reading only", remedy="Book.open(folder, read_only=False)")
        if replace and "nth" in described.key:
            raise InputError("replace", f"can't be told of {kind}: equal rows have no key of their own")
        return import_rows(
            self._connection,
            described,
            source,
            name=str(self.path),
            base_currency=self.base_currency,
            exchange_zone=self.exchange_zone,
            max_rate_age_days=self.max_rate_age_days,
            replace=replace,
            day_first=day_first,
            now=now,
        )

    def quarantine(self, kind: KindName | None = None) -> pl.DataFrame:
        """Refused rows: `kind, source, row, reason, raw`, by kind, source and row."""
        where = "" if kind is None else " WHERE kind = ?"
        return database.frame(
            self._connection,
            f'SELECT * FROM quarantine{where} ORDER BY kind, source, "row", reason',
            [] if kind is None else [kind_of(kind).name],
        )

    def assets(self) -> pl.DataFrame:
        """ASSETS, by asset_id."""
        return self._priced.assets()

    def investors(self, client: str | None = None) -> pl.DataFrame:
        """INVESTORS, one or all, by client_id.

        Raises
        ------
        InputError
            The client isn't known.
        """
        where, parameters = self._only(client)
        sql = database.all_rows(KINDS["investors"], where=where) + " ORDER BY client_id"
        return database.frame(self._connection, sql, parameters)

    def currency_of(self, client: str) -> str:
        """The client's own currency.

        Raises
        ------
        InputError
            The client isn't known.
        """
        return self._client(client)[1]

    def goals(self, client: str | None = None) -> pl.DataFrame:
        """GOALS of one client or of all, by client_id and goal_id; none is an empty table.

        Raises
        ------
        InputError
            The client isn't known.
        """
        where, parameters = self._only(client)
        sql = database.all_rows(KINDS["goals"], where=where) + " ORDER BY client_id, goal_id"
        return database.frame(self._connection, sql, parameters)

    def account(self, client: str) -> Account:
        """One client's trades and flows.

        Raises
        ------
        InputError
            The client isn't known.
        """
        idx, currency = self._client(client)
        trades = database.frame(self._connection, _TRADES, [idx, idx]).select(list(ACCOUNT_TRADES))
        flows = database.frame(self._connection, _FLOWS, [idx, idx]).select(list(ACCOUNT_FLOWS))
        return Account(client, currency, trades, flows, flows.height > 0)

    def accounts(self, clients: Sequence[str] | None = None) -> Iterator[Account]:
        """Accounts of all clients, also those that never traded, in the order of import; of some, in the order asked.

        Raises
        ------
        InputError
            A client isn't known, once its turn comes.
        """
        if clients is not None:
            for client in clients:
                yield self.account(client)
            return
        who = database.frame(
            self._connection, "SELECT client_idx, client_id, currency FROM investors ORDER BY client_idx"
        )
        for part in who.iter_slices(_AT_A_TIME):
            ends = [part["client_idx"][0], part["client_idx"][-1]]
            trades = database.frame(self._connection, _TRADES, ends)
            flows = database.frame(self._connection, _FLOWS, ends)
            idx = part["client_idx"].to_numpy()
            trade_ends = _bounds(trades, idx)
            flow_ends = _bounds(flows, idx)
            trades, flows = trades.select(list(ACCOUNT_TRADES)), flows.select(list(ACCOUNT_FLOWS))
            for i, (client, currency) in enumerate(part.select("client_id", "currency").iter_rows()):
                mine = flows[flow_ends[0][i] : flow_ends[1][i]]
                yield Account(
                    client, currency, trades[trade_ends[0][i] : trade_ends[1][i]], mine, mine.height > 0
                )

    def market(
        self,
        assets: Sequence[str] | None = None,
        start: date | None = None,
        end: date | None = None,
        currency: str | None = None,
    ) -> Market:
        """Prices of some assets (None = all, by asset_id) from `start` to `end`, both in, converted into `currency`.

        Its days are those on which at least one of these assets has a price; gaps are told of all assets' days.

        Raises
        ------
        InputError
            An asset isn't known, or the currency has no rates.
        DataError
            There is no price in that time, or a dividend has no rate.
        """
        return self._priced.market(
            assets, (start or date.min, end or date.max), self.base_currency, currency, self.max_rate_age_days
        )

    def benchmark(self, benchmark: str) -> tuple[DayArray, FloatArray]:
        """Days (datetime64[D]) and closes of an index, in the base currency.

        Raises
        ------
        InputError
            The book holds none of that name; the message lists what it holds.
        """
        table = database.frame(
            self._connection,
            "SELECT day, close FROM benchmarks WHERE benchmark_id = ? ORDER BY day",
            [benchmark],
        )
        if not table.height:
            raise InputError("benchmark", f"must be one of {self.benchmarks()}", value=benchmark)
        return table["day"].to_numpy().astype("datetime64[D]"), table["close"].to_numpy()

    def benchmarks(self) -> list[str]:
        """Names of the indices."""
        found = self._connection.execute("SELECT DISTINCT benchmark_id FROM benchmarks ORDER BY 1").fetchall()
        return [name for (name,) in found]

    def _only(self, client: str | None) -> tuple[str, list[int]]:
        """SQL that keeps the rows of one client, and its parameters; None keeps all."""
        return ("", []) if client is None else (" WHERE t.client_idx = ?", [self._client(client)[0]])

    def _client(self, client: str) -> tuple[int, str]:
        """The client's number and currency."""
        known = self._clients.get(client)
        if known is not None:
            return known
        found = self._connection.execute(
            "SELECT client_idx, currency FROM investors WHERE client_id = ?", [client]
        ).fetchall()
        if not found:
            raise InputError("client", "must be an investor of the book", value=client)
        idx, currency = found[0]
        if self.read_only:
            self._clients[client] = idx, currency
        return idx, currency


def _bounds(
    table: pl.DataFrame, idx: "np.ndarray[tuple[int], np.dtype[np.int32]]"
) -> tuple[list[int], list[int]]:
    """First and last + 1 row of each client."""
    column = table["client_idx"].to_numpy()
    return (
        np.searchsorted(column, idx, side="left").tolist(),
        np.searchsorted(column, idx, side="right").tolist(),
    )
