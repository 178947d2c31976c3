"""One import: rows read, checked against the book, duplicates settled, written in one transaction."""

import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from nextbest.data.holdings import database
from nextbest.data.holdings.kinds import KINDS, Kind
from nextbest.data.holdings.positions import find_oversold
from nextbest.data.holdings.reading import AT, ROW, SOURCE, Rows, read_rows
from nextbest.data.holdings.references import Reference, check_references, count_jumps
from nextbest.data.holdings.report import BookReport
from nextbest.data.sources.opening import Readable

if TYPE_CHECKING:
    import duckdb

_MARKS = [SOURCE, ROW, AT]


def import_rows(
    connection: "duckdb.DuckDBPyConnection",
    kind: Kind,
    inputs: Readable | Sequence[Readable],
    *,
    name: str,
    base_currency: str,
    exchange_zone: str,
    max_rate_age_days: int,
    replace: bool,
    day_first: bool | None,
    now: date | None,
) -> BookReport:
    """Read `inputs` into the book; all of it or nothing. See `Book.add`."""
    with tempfile.TemporaryDirectory(prefix="nextbest-book-") as stage:
        rows = read_rows(
            kind, inputs, stage=Path(stage), exchange_zone=exchange_zone, day_first=day_first, now=now
        )
        with database.transaction(connection, name):
            reference = _reference(connection, base_currency, max_rate_age_days)
            check_references(kind, rows, reference)
            dropped = _settle_repeats(kind, rows)
            new, changed, same = _split_by_book(connection, kind, rows, replace=replace)
            if kind.name == "trades":
                new, changed = _check_positions(connection, kind, rows, new, changed, reference.splits)
            database.replace(connection, kind, changed.drop(_MARKS))
            database.insert(connection, kind, new.drop(_MARKS))
            _look_at_prices(connection, kind, rows, pl.concat([new, changed]))
            _look_at_positions(
                connection, kind, rows, pl.concat([new, changed]) if kind.name == "splits" else changed
            )
            refused = rows.rejections()
            _keep_quarantine(connection, kind, rows, refused)
    reasons = Counter(dict(refused["reason"].value_counts().iter_rows()))
    return BookReport(
        kind=kind.name,
        sources=tuple(rows.sources),
        read=rows.n_read,
        kept=new.height + changed.height + same,
        added=new.height,
        replaced=changed.height,
        dropped=dropped,
        repaired=dict(rows.repaired),
        quarantined=dict(sorted(reasons.items())),
        warnings=dict(rows.warnings),
        notes=tuple(rows.notes),
    )


def _reference(
    connection: "duckdb.DuckDBPyConnection", base_currency: str, max_rate_age_days: int
) -> Reference:
    return Reference(
        base_currency=base_currency,
        max_rate_age_days=max_rate_age_days,
        assets=database.frame(connection, "SELECT asset_id, currency AS asset_currency FROM assets"),
        clients=database.frame(connection, "SELECT client_id FROM investors"),
        rates=database.frame(connection, "SELECT currency, day FROM fx ORDER BY day"),
        first_prices=database.frame(
            connection,
            "SELECT asset_id, min(day) AS first_day FROM asset_prices JOIN assets USING (asset_idx) GROUP BY asset_id",
        ),
        splits=database.frame(connection, database.all_rows(KINDS["splits"])),
    )


def _settle_repeats(kind: Kind, rows: Rows) -> int:
    """Leave one row of each key: the same again is dropped and counted, another with that key is refused.

    Cash flows have no key of their own: the nth of several equal ones is told apart by that number, so that
    two equal deposits on one day are two, and the same file read again adds none.
    """
    if "nth" in kind.key:
        said = [c for c in kind.key if c != "nth"]
        rows.table = rows.table.with_columns(nth=pl.int_range(pl.len(), dtype=pl.Int32).over(said))
        return 0
    key = list(kind.key)
    first = rows.table.select(pl.struct(key).is_first_distinct()).to_series()
    if first.all():
        return 0
    others = [c for c in kind.columns if c not in kind.key]
    leading = rows.table.filter(first).select(*key, *(pl.col(c).alias(f"{c}_first") for c in others))
    both = rows.table.select(*key, *others).join(leading, on=key, how="left", maintain_order="left")
    same = both.select(_all_equal(others, "_first")).to_series()
    rows.reject(pl.select(pl.when(~same).then(pl.lit(kind.conflict))).to_series())
    again = (~first).filter(same)
    rows.table = rows.table.filter(~again)
    return int(again.sum())


def _all_equal(columns: list[str], suffix: str) -> pl.Expr:
    return pl.all_horizontal(
        pl.lit(value=True), *(pl.col(c).eq_missing(pl.col(f"{c}{suffix}")) for c in columns)
    )


def _split_by_book(
    connection: "duckdb.DuckDBPyConnection", kind: Kind, rows: Rows, *, replace: bool
) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """Rows that the book doesn't hold, those that replace one of it, and the number that it holds already."""
    key = list(kind.key)
    there = database.like_keys(connection, kind, rows.table.select(key))
    others = [c for c in kind.columns if c not in kind.key]
    there = there.select(*key, *(pl.col(c).alias(f"{c}_there") for c in others), is_there=pl.lit(value=True))
    both = rows.table.join(there, on=key, how="left", maintain_order="left", nulls_equal=True)
    is_there = both["is_there"].fill_null(value=False)
    same = is_there & both.select(_all_equal(others, "_there")).to_series()
    differs = is_there & ~same
    n_same = int(same.sum())
    changed = rows.table.filter(differs)
    new = rows.table.filter(~is_there)
    if not replace:
        rows.reject_where(kind.conflict, differs)
        changed = changed.clear()
    return new, changed, n_same


def _check_positions(
    connection: "duckdb.DuckDBPyConnection",
    kind: Kind,
    rows: Rows,
    new: pl.DataFrame,
    changed: pl.DataFrame,
    splits: pl.DataFrame,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Both without the sales of what isn't held."""
    both = pl.concat([new, changed])
    sold = both.filter(pl.col("quantity") < 0).select("client_id", "asset_id").unique()
    held = database.like_keys(connection, kind, sold)
    held = held.join(changed.select("trade_id"), on="trade_id", how="anti")
    bad = find_oversold(both, held, splits)
    refused = both.filter(bad)["trade_id"]
    rows.reject_where("sold_not_held", rows.table["trade_id"].is_in(refused.implode()))
    keep = ~pl.col("trade_id").is_in(refused.implode())
    return new.filter(keep), changed.filter(keep)


def _look_at_prices(
    connection: "duckdb.DuckDBPyConnection", kind: Kind, rows: Rows, written: pl.DataFrame
) -> None:
    """Count the new closes that jump as a split would, and name the first."""
    if kind.name != "asset_prices" or not written.height:
        return
    connection.register("written", written.select("asset_id").unique().to_arrow())
    prices = database.frame(
        connection,
        "SELECT asset_id, day, close FROM asset_prices JOIN assets USING (asset_idx) SEMI JOIN written USING (asset_id)",
    )
    connection.unregister("written")
    splits = database.frame(connection, database.all_rows(KINDS["splits"]))
    jumps = count_jumps(prices, splits).join(
        written, on=["asset_id", "day"], how="semi", maintain_order="left"
    )
    if jumps.height:
        rows.warnings["price_jump"] += jumps.height
        named = [
            f"{a} {d} x{f:.3g}" for a, d, f in jumps.select("asset_id", "day", "factor").head(5).iter_rows()
        ]
        rows.notes.append(f"closes jump as a split would, is one missing? first: {', '.join(named)}")


def _look_at_positions(
    connection: "duckdb.DuckDBPyConnection", kind: Kind, rows: Rows, written: pl.DataFrame
) -> None:
    """Count known sales that a new split, or a replaced trade, leaves without what they sell; none is taken out."""
    if kind.name not in ("splits", "trades") or not written.height:
        return
    touched = database.like_keys(connection, KINDS["trades"], written.select("asset_id"))
    splits = database.frame(connection, database.all_rows(KINDS["splits"]))
    short = touched.filter(find_oversold(touched, touched.clear(), splits))
    if short.height:
        rows.warnings["sold_not_held"] += short.height
        named = short.select("client_id", "asset_id", "day").head(5).rows()
        rows.notes.append(
            f"known trades sell more than is held now; first: {[(a, str(d)) for _, a, d in named]}"
        )


def _keep_quarantine(
    connection: "duckdb.DuckDBPyConnection", kind: Kind, rows: Rows, refused: pl.DataFrame
) -> None:
    """Refused rows instead of those that the same sources left before: what was put right since is gone.

    Tables in memory have no name of their own, so theirs are only added, each once.
    """
    named = [s for s in rows.sources if not s.startswith("memory")]
    if named:
        connection.execute(
            "DELETE FROM quarantine WHERE kind = ? AND list_contains(?, source)", [kind.name, named]
        )
    if refused.height:
        connection.register("refused", refused.with_columns(kind=pl.lit(kind.name)).to_arrow())
        connection.execute(
            'INSERT INTO quarantine SELECT DISTINCT kind, source, "row", reason, raw FROM refused '
            "EXCEPT SELECT * FROM quarantine"
        )
        connection.unregister("refused")
