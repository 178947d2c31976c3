"""The catalogue in row numbers: which items there are, their titles, and masks for conditions on columns.

Items of the models come first, so their row numbers are the models' own; items that only the catalogue
knows follow. Columns are encoded on first use; a mask, once made, is kept. Knows no user and no score.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from typing import Any, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.event_log import to_time_us
from nextbest.data.ids import IdIndex
from nextbest.errors import DataError, InputError
from nextbest.pipeline.query import Lang
from nextbest.tables import CATALOG, ITEM_ID

Mask = NDArray[np.bool_]


class LruCache:
    """A small map that forgets what was used longest ago; bounded by the bytes of its arrays."""

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes, self._bytes = max_bytes, 0
        self._kept: OrderedDict[Any, NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Any) -> NDArray[Any] | None:
        """The array kept for `key`, None if there is none."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def put(self, key: Any, value: NDArray[Any]) -> None:
        """Keep `value`, at the cost of the oldest ones."""
        with self._lock:
            old = self._kept.pop(key, None)
            self._bytes += value.nbytes - (0 if old is None else old.nbytes)
            self._kept[key] = value
            while self._bytes > self._max_bytes and len(self._kept) > 1:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes

    def __len__(self) -> int:
        return len(self._kept)


def _hashable(value: Any) -> Any:
    """A key for a condition's value: type included, so that 1, 1.0, True and "1" stay apart."""
    if isinstance(value, Mapping):
        return ("range", *sorted((str(k), _hashable(v)) for k, v in value.items()))
    if isinstance(value, list | tuple | set | frozenset):
        return ("any", *sorted((_hashable(v) for v in value), key=repr))
    return (type(value).__name__, value)


def conditions_key(conditions: Mapping[str, Any]) -> tuple[Any, ...]:
    """Equal for equal conditions, whatever their order."""
    return tuple((column, _hashable(conditions[column])) for column in sorted(conditions))


class TableColumns:
    """Columns of one table, rows already in row-number order, that answer conditions with masks.

    >>> columns = TableColumns("catalog", pl.DataFrame({"kind": ["a", "b", None], "price": [1.0, 5.0, 9.0]}))
    >>> columns.mask({"kind": ["a", "b"], "price": {"min": 2}}).tolist()
    [False, True, False]
    """

    def __init__(self, name: str, table: pl.DataFrame) -> None:
        self.name, self._table = name, table
        self._text: dict[str, tuple[NDArray[np.int32], NDArray[np.int64], dict[Any, int]]] = {}

    def __len__(self) -> int:
        return len(self._table)

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Column -> type."""
        return dict(self._table.schema)

    def column(self, column: str) -> pl.Series:
        """One column.

        Raises
        ------
        InputError
            There is none of this name.
        """
        if column not in self._table.columns:
            raise InputError(
                "where",
                f"no such column in {self.name}",
                value=column,
                remedy=f"it has {self._table.columns}",
            )
        return self._table[column]

    def rows(self, numbers: NDArray[np.int64]) -> list[dict[str, Any]]:
        """Whole rows by their numbers, column -> cell; an empty cell is None."""
        return self._table[numbers].to_dicts()

    def codes(self, column: str) -> tuple[NDArray[np.int32], NDArray[np.int64], dict[Any, int]]:
        """Values of a column as small numbers: (code, row of that code, value -> code).

        A column of lists gives several codes a row, an empty cell gives none.
        """
        found = self._text.get(column)
        if found is None:
            values = self.column(column)
            rows = pl.Series("row", np.arange(len(values)))
            table = pl.DataFrame({"value": values, "row": rows})
            if isinstance(values.dtype, pl.List):
                table = table.explode("value")
            table = table.drop_nulls("value")
            unique = table["value"].unique(maintain_order=True)
            lookup = pl.DataFrame({"value": unique, "code": np.arange(len(unique), dtype=np.int32)})
            table = table.join(lookup, on="value", how="left", maintain_order="left")
            found = (
                table["code"].to_numpy(),
                table["row"].to_numpy(),
                {v: i for i, v in enumerate(unique.to_list())},
            )
            self._text[column] = found
        return found

    def has_value(self, column: str) -> Mask:
        """Rows whose cell in this column isn't empty."""
        return np.asarray(self.column(column).is_not_null().to_numpy(), dtype=np.bool_)

    def mask(self, conditions: Mapping[str, Any]) -> Mask:
        """Rows for which every condition holds, shape (n_rows,); an empty cell fulfils none.

        Raises
        ------
        InputError
            Unknown column, or a value that can't be compared with the column.
        """
        result = np.ones(len(self), np.bool_)
        for column, wanted in conditions.items():
            result &= (
                self._range(column, wanted) if isinstance(wanted, Mapping) else self._any(column, wanted)
            )
        return result

    def _any(self, column: str, wanted: Any) -> Mask:
        values = list(wanted) if isinstance(wanted, list | tuple | set | frozenset) else [wanted]
        dtype = self.column(column).dtype
        inner = dtype.inner if isinstance(dtype, pl.List) else dtype
        codes, rows, lookup = self.codes(column)
        hits = np.zeros(len(lookup), np.bool_)
        for value in values:
            if not _comparable(value, inner):
                raise InputError(
                    "where", f"{self.name}.{column} holds {inner}, not {type(value).__name__}", value=value
                )
            code = lookup.get(value)
            if code is not None:
                hits[code] = True
        result = np.zeros(len(self), np.bool_)
        result[rows[hits[codes]]] = True
        return result

    def _range(self, column: str, wanted: Mapping[str, Any]) -> Mask:
        series = self.column(column)
        if not wanted or not set(wanted) <= {"min", "max"}:
            raise InputError("where", f'{column}: a range is {{"min": x, "max": y}}', value=dict(wanted))
        result = series.is_not_null()
        for end, value in wanted.items():
            if not (series.dtype.is_numeric() or series.dtype.is_temporal()) or not _comparable(
                value, series.dtype
            ):
                raise InputError(
                    "where",
                    f"{self.name}.{column} holds {series.dtype}, can't be compared with {type(value).__name__}",
                    value=value,
                )
            result &= ((series >= value) if end == "min" else (series <= value)).fill_null(value=False)
        return np.asarray(result.to_numpy(), dtype=np.bool_)


def _comparable(value: object, dtype: Any) -> bool:
    """Whether a value can be equal to one of a column of this type."""
    if isinstance(value, bool):
        return bool(dtype == pl.Boolean)
    if isinstance(value, int | float):
        return bool(dtype.is_numeric())
    if isinstance(value, str):
        return dtype in (pl.String, pl.Categorical, pl.Enum)
    return isinstance(value, datetime) and isinstance(dtype, pl.Datetime)


class ItemSpace:
    """All items an answer may hold: the models' items, then those that only the catalogue knows."""

    def __init__(self, model_ids: IdIndex, catalog: pl.DataFrame | None) -> None:
        self.model_ids, self.catalog = model_ids, catalog
        self.n_model_items = len(model_ids)
        if catalog is None:
            self.ids = model_ids
            table = pl.DataFrame({ITEM_ID: model_ids.ids})
        else:
            table, self.ids = self._align(catalog)
        self.columns = TableColumns("catalog", table)
        self._out: list[int | str] = self.ids.ids.to_list()
        self._titles: dict[Lang, list[str | None]] = {
            lang: _titles(table, lang).to_list() for lang in get_args(Lang)
        }
        self._masks = LruCache(max_bytes=32 * 2**20)
        self.catalog_order = self._catalog_order()
        """Every row number once: the catalogue's rows from the top, then items it doesn't hold."""

    def _catalog_order(self) -> NDArray[np.int64]:
        everything = np.arange(len(self.ids))
        if self.catalog is None:
            return everything
        first = self.ids.encode(self.catalog[ITEM_ID].cast(self.ids.ids.dtype)).astype(np.int64)
        return np.concatenate([first, np.setdiff1d(everything, first)])

    def _align(self, catalog: pl.DataFrame) -> tuple[pl.DataFrame, IdIndex]:
        catalog = CATALOG.check(catalog)
        if catalog[ITEM_ID].n_unique() != len(catalog):
            twice = catalog[ITEM_ID].filter(catalog[ITEM_ID].is_duplicated())
            raise DataError(
                "catalog",
                "item_id must be unique",
                n_bad=len(twice),
                examples=twice.unique().sort().head(5).to_list(),
            )
        known = self.model_ids.ids.alias(ITEM_ID)
        if catalog[ITEM_ID].dtype != known.dtype:
            if known.dtype != pl.String:
                raise DataError(
                    "catalog",
                    f"item_id must be {known.dtype} as in the journal, is {catalog[ITEM_ID].dtype}",
                )
            catalog = catalog.with_columns(pl.col(ITEM_ID).cast(pl.String))
        new = catalog.filter(~pl.col(ITEM_ID).is_in(known.implode()))[ITEM_ID]
        ids = pl.concat([known, new])
        table = ids.to_frame().join(catalog, on=ITEM_ID, how="left", maintain_order="left")
        return table, self.model_ids if not len(new) else IdIndex(ids)

    def __len__(self) -> int:
        return len(self.ids)

    def id_of(self, item_idx: int) -> int | str:
        """The outside id at a row number."""
        return self._out[item_idx]

    def title_of(self, item_idx: int, *, lang: Lang) -> str | None:
        """The title in this language (`title_en`, `title_ru`), else `title`, else None."""
        return self._titles[lang][item_idx]

    def name_of(self, item_idx: int, *, lang: Lang = "en") -> str:
        """The title, or the id as text for an item without one."""
        return self._titles[lang][item_idx] or str(self._out[item_idx])

    def mask(self, conditions: Mapping[str, Any]) -> Mask:
        """Items for which all conditions hold, shape (n_items,). Kept: don't write into it.

        Raises
        ------
        InputError
            Unknown column, or a value that can't be compared with the column.
        """
        try:
            key = conditions_key(conditions)
            hash(key)
        except TypeError:
            raise InputError(
                "where", "holds a value that no column can have", value=dict(conditions)
            ) from None
        found = self._masks.get(key)
        if found is None:
            found = self.columns.mask(conditions)
            found.flags.writeable = False
            self._masks.put(key, found)
        return found

    def encode(self, item_ids: Any) -> NDArray[np.int64]:
        """Row numbers of those ids that are here; the others are passed over."""
        find = self.ids.find
        found = [idx for idx in map(find, item_ids) if idx >= 0]
        return np.array(found, dtype=np.int64)

    def times_us(self, column: str) -> NDArray[np.int64] | None:
        """A column of moments in microseconds UTC, its empty cells the smallest int64; None without it.

        Raises
        ------
        DataError
            The column is there and holds no UTC moments.
        """
        if self.catalog is None or column not in self.catalog.columns:
            return None
        series = self.columns.column(column)
        if not isinstance(series.dtype, pl.Datetime) or series.dtype.time_zone is None:
            raise DataError("catalog", f"{column} must be moments with a time zone, is {series.dtype}")
        moments = series.cast(pl.Datetime("us", "UTC")).to_physical().fill_null(np.iinfo(np.int64).min)
        return np.asarray(moments.to_numpy(), dtype=np.int64)


def moment_us(moment: datetime | None) -> int | None:
    """Microseconds UTC of a config's moment."""
    return None if moment is None else to_time_us("time", moment)


def _titles(table: pl.DataFrame, lang: Lang) -> pl.Series:
    """Titles in one language: the column of that language, filled up from `title`."""
    columns = [c for c in (f"title_{lang}", "title") if c in table.columns]
    if not columns:
        return pl.Series([None] * len(table), dtype=pl.String)
    return table.select(pl.coalesce(pl.col(columns).cast(pl.String))).to_series()
