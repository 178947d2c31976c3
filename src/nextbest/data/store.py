"""The workspace: a folder of Parquet parts in buckets of users, with a manifest that names the ones that count.

Reading takes no lock: a snapshot's files stay until two ingests later. Writing is `ingest`'s.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from nextbest.data.manifest import Manifest, Part, read_manifest
from nextbest.errors import DataError, InputError
from nextbest.tables import ITEM_ID, JOURNAL, QUARANTINE, TIME, USER_ID, TimeKind

if TYPE_CHECKING:
    import duckdb

LINEAGE = ("_source", "_row")
"""Columns of the parts that say where a row came from; not part of the journal."""


class Workspace:
    """A folder that holds a journal and its companions.

    Every method answers from the snapshot committed last when it is called; a table or a
    connection taken from one snapshot does not change under a later ingest.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"Workspace({str(self.path)!r})"

    @property
    def manifest(self) -> Manifest:
        """The snapshot committed last, read anew."""
        return read_manifest(self.path)

    @property
    def time_kind(self) -> TimeKind:
        """What the journal's times mean; "real" before anything was ingested."""
        return self.manifest.time_kind or "real"

    @property
    def n_rows(self) -> int:
        """Rows of the journal."""
        return self.manifest.n_rows

    def journal(self, columns: Sequence[str] | None = None) -> pl.LazyFrame:
        """Committed rows, lazily; inside a user in time order, ties in source order.

        A user's rows are together, users are in no order that means anything.

        Parameters
        ----------
        columns
            The columns wanted, in their order; None: all of them.

        Raises
        ------
        InputError
            A column isn't there.
        """
        manifest = self.manifest
        schema = _schema(manifest)
        wanted = list(schema) if columns is None else list(columns)
        if unknown := [c for c in wanted if c not in schema]:
            raise InputError("columns", f"the journal has {list(schema)}", value=unknown)
        return self._scan(manifest.journal, schema).select(wanted)

    def quarantine(self) -> pl.LazyFrame:
        """Rejected rows: `source, row, reason, raw`."""
        schema = {name: dtype for name, dtype in QUARANTINE.required.items() if dtype is not None}
        return self._scan(self.manifest.quarantine, schema)

    def catalog(self) -> pl.DataFrame | None:
        """The items' table, None where none was ingested."""
        return self._table(self.manifest.catalog)

    def clients(self) -> pl.DataFrame | None:
        """The clients' table, None where none was ingested."""
        return self._table(self.manifest.clients)

    def connect(self) -> "duckdb.DuckDBPyConnection":
        """A DuckDB connection, in memory, with views `journal`, `quarantine`, `catalog`, `clients` of this snapshot.

        Views without a table behind them (no catalog was ingested) are left out.
        """
        import duckdb

        manifest = self.manifest
        connection = duckdb.connect(":memory:")
        connection.execute("SET TimeZone = 'UTC'")
        schema = _schema(manifest)
        quarantine = {name: dtype for name, dtype in QUARANTINE.required.items() if dtype is not None}
        _view(connection, "journal", schema, self._files(manifest.journal))
        _view(connection, "quarantine", quarantine, self._files(manifest.quarantine))
        for name, part in (("catalog", manifest.catalog), ("clients", manifest.clients)):
            if part:
                file = str(self.path / part.file)
                connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet({_literal(file)})")
        return connection

    def _files(self, parts: Sequence[Part]) -> list[str]:
        return [str(self.path / part.file) for part in parts if part.rows]

    def _scan(self, parts: Sequence[Part], schema: dict[str, pl.DataType]) -> pl.LazyFrame:
        files = self._files(parts)
        if not files:
            return pl.LazyFrame(schema=schema)
        if missing := [f for f in files if not Path(f).exists()]:
            raise DataError(
                str(self.path), "files of the snapshot are missing", n_bad=len(missing), examples=missing
            )
        return pl.scan_parquet(
            files,
            schema=schema,
            missing_columns="insert",
            extra_columns="ignore",
            hive_partitioning=False,
            glob=False,
        )

    def _table(self, part: Part | None) -> pl.DataFrame | None:
        return None if part is None else pl.read_parquet(self.path / part.file, glob=False)


def _schema(manifest: Manifest) -> dict[str, pl.DataType]:
    """Columns of the journal; before a first row is stored only those that every journal has."""
    return dict(manifest.dtypes) if TIME in manifest.dtypes else {**_empty_schema(), **manifest.dtypes}


def _empty_schema() -> dict[str, pl.DataType]:
    ids: dict[str, pl.DataType] = {USER_ID: pl.Int64(), ITEM_ID: pl.Int64()}
    time = JOURNAL.required[TIME]
    assert time is not None
    return {**ids, TIME: time}


_SQL_TYPES: dict[pl.DataType, str] = {
    pl.Boolean(): "BOOLEAN",
    pl.Int32(): "INTEGER",
    pl.Int64(): "BIGINT",
    pl.Float64(): "DOUBLE",
    pl.String(): "VARCHAR",
    pl.Date(): "DATE",
    pl.Datetime("us", "UTC"): "TIMESTAMPTZ",
}


def _view(connection: Any, name: str, schema: dict[str, pl.DataType], files: list[str]) -> None:
    columns = ", ".join(_quoted(c) for c in schema)
    if files:
        listed = ", ".join(_literal(f) for f in files)
        source = f"read_parquet([{listed}], union_by_name = true)"
        connection.execute(f"CREATE VIEW {name} AS SELECT {columns} FROM {source}")
        return
    typed = ", ".join(f"NULL::{_SQL_TYPES[dtype]} AS {_quoted(c)}" for c, dtype in schema.items())
    connection.execute(f"CREATE VIEW {name} AS SELECT {typed} WHERE false")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
