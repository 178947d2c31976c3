"""The ledger: every block of forecasts as it is made, every strategy ever back-tested. One DuckDB file.

A block is found again only under equal bars, origins, settings and code; a trial counts once however often it is run
again, and never leaves. One process writes at a time. Axes: O origins, A assets, H horizons, Q levels, T bars.
"""

import hashlib
import inspect
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from nextbest import market
from nextbest.errors import DataError, ExternalError, InputError
from nextbest.market.base import FloatArray, Forecaster
from nextbest.market.bench.origins import Origins
from nextbest.version import __version__

if TYPE_CHECKING:
    import duckdb

FILE = "ledger.duckdb"
_TABLES = """
CREATE TABLE IF NOT EXISTS blocks (
    run VARCHAR, first INTEGER, stop INTEGER, shape INTEGER[] NOT NULL, quantiles BLOB NOT NULL,
    cpu_s DOUBLE NOT NULL, words VARCHAR, PRIMARY KEY (run, first, stop));
CREATE TABLE IF NOT EXISTS trials (
    trial VARCHAR PRIMARY KEY, kind VARCHAR NOT NULL, config VARCHAR NOT NULL, data VARCHAR NOT NULL,
    code VARCHAR NOT NULL, first_day DATE NOT NULL, last_day DATE NOT NULL, times BLOB NOT NULL,
    returns BLOB NOT NULL, nth BIGINT NOT NULL);
"""


@dataclass(frozen=True, eq=False)
class Block:
    """The answers of one call."""

    quantiles_OAHQ: FloatArray  # noqa: N815 - axes in the name
    cpu_s: float
    words: str | None
    """What went wrong."""

    def with_cpu(self, cpu_s: float) -> "Block":
        """The same block at another cost."""
        return replace(self, cpu_s=cpu_s)


class Blocks:
    """The blocks of one run: one model with its settings on one panel and its origins."""

    def __init__(self, connection: "duckdb.DuckDBPyConnection", run: str) -> None:
        self._connection, self._run = connection, run

    def get(self, first: int, stop: int) -> Block | None:
        """The block of origins [first, stop), if it was made."""
        found = self._connection.execute(
            "SELECT shape, quantiles, cpu_s, words FROM blocks WHERE run = ? AND first = ? AND stop = ?",
            [self._run, first, stop],
        ).fetchone()
        if found is None:
            return None
        quantiles = np.frombuffer(found[1], "<f8").reshape(found[0]).astype(np.float64)
        return Block(quantiles, found[2], found[3])

    def put(self, first: int, stop: int, block: Block) -> None:
        """Keep it; once this returns, a kill doesn't lose it."""
        values = block.quantiles_OAHQ
        row = [
            self._run,
            first,
            stop,
            list(values.shape),
            values.astype("<f8").tobytes(),
            block.cpu_s,
            block.words,
        ]
        self._connection.execute("INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?)", row)


class Ledger:
    """An open ledger; use it in a `with` block, or call `close`."""

    def __init__(self, connection: "duckdb.DuckDBPyConnection", path: Path) -> None:
        self._connection, self.path = connection, path

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """The ledger of that folder; a new one where there is none.

        Raises
        ------
        ExternalError
            Another process has it open (retryable), or the disk fails.
        DataError
            The file is no ledger.
        """
        import duckdb

        path = Path(folder) / FILE
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = duckdb.connect(str(path))
            connection.execute(_TABLES)
        except (duckdb.IOException, duckdb.ConnectionException, OSError) as error:
            first = str(error).splitlines()[0]
            if "not a valid" in first.lower():
                raise DataError(str(path), f"is no ledger: {first}") from error
            raise ExternalError(
                str(path), first, retryable=True, remedy="another process may have it open: wait for it"
            ) from error
        return cls(connection, path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def blocks(self, run: str) -> Blocks:
        """The blocks under that key; see `run_key`."""
        return Blocks(self._connection, run)

    def add_trial(
        self, kind: str, config: dict[str, Any], returns: ArrayLike, *, times: ArrayLike, data: str = ""
    ) -> str:
        """Count one back-tested strategy and keep its returns; its key.

        Parameters
        ----------
        kind
            What was tried: `momentum`, `long_short:rw_garch_t`, ...
        config
            Its settings, JSON values. Equal kind, config, data, times and code are one trial, whenever it is run again.
        returns
            Net return of each bar, shape (T,), fractions; NaN = not invested.
        times
            Opens of those bars, datetime64, strictly rising, shape (T,).
        data
            Digest of the panel.

        Raises
        ------
        InputError
            No bar, other lengths, times that don't rise, or a config that JSON can't hold.
        """
        values = np.asarray(returns, np.float64)
        moments = np.asarray(times, "datetime64[us]")
        if values.ndim != 1 or values.shape != moments.shape or not len(values):
            raise InputError(
                "returns", f"must be one number a bar, as times {moments.shape}", value=values.shape
            )
        if (np.diff(moments.astype(np.int64)) <= 0).any() or np.isnat(moments).any():
            raise InputError("times", "must be known and rise")
        said, code = _json(config), code_version()
        stamps = moments.astype("<i8").tobytes()
        key = _hash("trial", kind, said, data, code, hashlib.sha256(stamps).hexdigest())
        days = [moments[0].astype("datetime64[D]").item(), moments[-1].astype("datetime64[D]").item()]
        row = [key, kind, said, data, code, *days, stamps, values.astype("<f8").tobytes()]
        self._connection.execute(
            "INSERT INTO trials SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, count(*) FROM trials ON CONFLICT DO NOTHING",
            row,
        )
        return key

    def n_trials(self, period: tuple[date, date] | None = None) -> int:
        """Strategies ever tried on a period that meets [first day, last day]; None: at all. Only rises."""
        first, last = period or (date.min, date.max)
        found = self._connection.execute(
            "SELECT count(*) FROM trials WHERE first_day <= ? AND last_day >= ?", [last, first]
        ).fetchone()
        return int(found[0]) if found else 0

    def trials(self) -> pl.DataFrame:
        """Every trial in the order of its making: trial, kind, config, data, code, first_day, last_day, n_bars."""
        columns = "trial, kind, config, data, code, first_day, last_day"
        found = self._connection.execute(
            f"SELECT {columns}, octet_length(returns) // 8 FROM trials ORDER BY nth"
        ).fetchall()
        schema: dict[str, Any] = dict.fromkeys(columns.split(", "), pl.String)
        schema |= {"first_day": pl.Date, "last_day": pl.Date, "n_bars": pl.Int64}
        return pl.DataFrame(found, schema=schema, orient="row")

    def returns(self, trial: str) -> tuple[NDArray[np.datetime64], FloatArray]:
        """Times and net returns of that trial, shape (T,) each; an unknown key is an `InputError`."""
        found = self._connection.execute(
            "SELECT times, returns FROM trials WHERE trial = ?", [trial]
        ).fetchone()
        if found is None:
            raise InputError("trial", "is not in the ledger", value=trial)
        times = np.frombuffer(found[0], "<i8").astype(np.int64).view("datetime64[us]")
        return times, np.frombuffer(found[1], "<f8").astype(np.float64)


def run_key(
    digest: str, origins: Origins, model: Forecaster, *, levels: Sequence[float], refit_every: int, rng: int
) -> str:
    """The key of a model's blocks: equal only for equal bars, origins, settings, seed and code."""
    asked = [origins.stops.tolist(), list(origins.horizons), [float(q) for q in levels], refit_every, rng]
    kind = f"{type(model).__module__}.{type(model).__qualname__}"
    reads = [model.context_length, model.min_bars]
    return _hash(
        digest, _json(asked), model.name, kind, _json(reads), _json(model.config), code_version(model)
    )


def code_version(model: object | None = None) -> str:
    """Version and a hash of the source that can change a result: of `market`'s top and bench, and the model's own room."""
    root = Path(market.__file__).parent
    files = [*root.glob("*.py"), *root.glob("bench/*.py")]
    if model is not None:
        own = Path(inspect.getfile(type(model)))
        files += own.parent.glob("*.py") if root in own.parents else [own]
    said = hashlib.sha256(__version__.encode())
    for path in sorted(set(files)):
        said.update(path.read_bytes())
    return f"{__version__}+{said.hexdigest()[:12]}"


def _json(value: Any) -> str:
    try:
        return json.dumps(value, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError("config", f"must hold JSON values only: {error}") from error


def _hash(*texts: str) -> str:
    said = hashlib.sha256()
    for text in texts:
        said.update(f"{len(text)}:{text}".encode())
    return said.hexdigest()
