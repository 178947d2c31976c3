"""Which column of the outside is which of ours: checked against what the file has, with near matches in the error."""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl
from pydantic import BaseModel

from nextbest.data.cleaning.config import CleaningConfig
from nextbest.errors import DataError, InputError
from nextbest.tables import TableSpec

_ALSO_KNOWN_AS: dict[str, tuple[str, ...]] = {
    "user_id": (
        "user",
        "userid",
        "customer",
        "customerid",
        "customer_id",
        "client",
        "client_id",
        "visitor",
        "card",
    ),
    "item_id": (
        "item",
        "itemid",
        "product",
        "productid",
        "product_id",
        "sku",
        "article",
        "article_id",
        "stockcode",
        "goods",
    ),
    "time": (
        "timestamp",
        "datetime",
        "date",
        "created_at",
        "ts",
        "t_dat",
        "invoicedate",
        "event_time",
        "moment",
    ),
    "amount": ("price", "sum", "total", "value", "unitprice"),
    "quantity": ("qty", "count", "pieces"),
    "title": ("name", "product_name", "item_name", "prod_name"),
}

_FLAGS = {"catalog": "--catalog-map", "clients": "--clients-map"}


def check_mapping(
    spec: TableSpec,
    columns: list[str],
    mapping: Mapping[str, str] | None,
    *,
    source: str,
    needed: Iterable[str],
) -> dict[str, str]:
    """Complete mapping our name -> their name for every column that `source` has, `mapping` first.

    Raises
    ------
    InputError
        The mapping names a column that the source lacks; the message lists what it has and near matches.
    DataError
        A needed column is neither mapped nor there under our name.
    """
    mapping = dict(mapping or {})
    for ours, theirs in mapping.items():
        if theirs not in columns:
            raise InputError(
                f"mapping of {spec.name}",
                f"{ours} = {theirs!r}, but {source} has no such column",
                remedy=_what_there_is(columns, [theirs, ours]),
            )
    taken = set(mapping.values())
    full = dict(mapping)
    for column in columns:
        if column not in taken and column not in full and not column.startswith("_"):
            full[column] = column
    if missing := [c for c in needed if c not in full]:
        raise DataError(
            source,
            f"column(s) {missing} of the {spec.name} missing",
            remedy=f"map them, e.g. {_FLAGS.get(spec.name, '--map')} "
            + ",".join(f"{c}={_guess(c, columns) or 'COLUMN'}" for c in missing)
            + "; "
            + _what_there_is(columns, missing),
        )
    return full


def _what_there_is(columns: list[str], wanted: list[str]) -> str:
    near = [guess for name in wanted if (guess := _guess(name, columns))]
    text = f"it has {columns[:30]}" + (f" and {len(columns) - 30} more" if len(columns) > 30 else "")
    return text + (f"; near: {list(dict.fromkeys(near))}" if near else "")


def _guess(wanted: str, columns: list[str]) -> str | None:
    """The column that most likely is `wanted`: a usual name for it, or the closest spelling."""
    folded = {c.lower().replace(" ", "_"): c for c in reversed(columns)}
    for alias in (wanted.lower(), *_ALSO_KNOWN_AS.get(wanted, ())):
        if alias in folded:
            return folded[alias]
    close = difflib.get_close_matches(wanted.lower(), list(folded), n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def apply_mapping(table: pl.DataFrame, full: Mapping[str, str]) -> pl.DataFrame:
    """The mapped columns under our names."""
    return table.select(table[theirs].alias(ours) for ours, theirs in full.items())


class IngestSettings(BaseModel, frozen=True, extra="forbid"):
    """The `[ingest]` part of nextbest.toml: mappings, source format and cleaning rules."""

    source: str | None = None
    map: dict[str, str] = {}
    catalog_map: dict[str, str] = {}
    clients_map: dict[str, str] = {}
    clean: CleaningConfig = CleaningConfig()


def load_ingest_settings(path: Path) -> IngestSettings:
    """Read `[ingest]`, `[ingest.map]`, `[ingest.catalog_map]`, `[ingest.clients_map]`, `[ingest.clean]`.

    Raises
    ------
    InputError
        The file isn't TOML, or holds a field that ingest doesn't know.
    """
    from pydantic import ValidationError

    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("ingest", {})
        return IngestSettings.model_validate(table)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise InputError(str(path), f"can't be read as TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path} [ingest]", f"{field}: {first['msg']}") from error
