"""Columns of a catalogue as numbers for models that read item features: categories, prices, text vectors.

Fitted on the catalogue of a training log, kept with the model, so that an item that comes later is read in the
same way. Knows no model. Axes: I items, F features.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.ids import IdIndex
from nextbest.errors import DataError
from nextbest.tables import ITEM_ID

FloatArray = NDArray[np.float32]
Kind = Literal["words", "number", "vector"]
_SEPARATOR = "|"
"""A text such as `Action|Comedy` is two words."""


@dataclass(frozen=True)
class _Column:
    """One column as features."""

    name: str
    kind: Kind
    words: tuple[str, ...] = ()
    """Of `words`: those with a feature of their own, sorted."""
    is_log: bool = False
    """Of `number`: all were positive and are read by their logarithm."""
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    """Of `number` (one) and `vector` (one for each dimension): what is taken off, and what it is divided by."""

    @property
    def features(self) -> tuple[str, ...]:
        if self.kind == "words":
            return tuple(f"{self.name}={word}" for word in self.words)
        if self.kind == "number":
            return (self.name,)
        return tuple(f"{self.name}[{at}]" for at in range(len(self.mean)))


@dataclass(frozen=True)
class ItemCoder:
    """From columns of a catalogue to a row of numbers for each item; `fit` decides, `encode` only reads.

    - Text and lists of text: one 0/1 feature for each word that enough items have; `a|b` is two words.
    - Numbers and booleans: less the mean, by the standard deviation; by logarithm where all are positive.
    - Lists or arrays of numbers of one length (vectors of text or pictures): the same, each dimension.
    """

    columns: tuple[_Column, ...]

    @classmethod
    def fit(
        cls, catalog: pl.DataFrame, columns: Sequence[str], *, min_count: int = 5, max_words: int = 256
    ) -> Self:
        """Read what the columns hold.

        Parameters
        ----------
        catalog
            `item_id` and the columns; items of the training log only, so that nothing of later ones is learned.
        columns
            Those that become features.
        min_count
            Items that a word needs for a feature of its own.
        max_words
            The commonest words of a column that get one.

        Raises
        ------
        DataError
            A column is missing, of a type that can't be read, or has vectors of several lengths.
        """
        if missing := [c for c in columns if c not in catalog.columns]:
            raise DataError(
                "catalog", f"column(s) {missing} missing", remedy=f"it has {catalog.columns[:20]}"
            )
        found = []
        for name in dict.fromkeys(columns):
            values = catalog[name]
            kind = _kind(values)
            if kind == "words":
                counts = _words(values).drop_nulls().value_counts(sort=True)
                some = counts.filter(pl.col("count") >= min_count).head(max_words)
                found.append(_Column(name, kind, words=tuple(sorted(some[name].to_list()))))
            else:
                x_NF = _numbers(name, values, kind, width=None)
                is_log = kind == "number" and bool((x_NF[~np.isnan(x_NF)] > 0).all()) and x_NF.size > 0
                x_NF = np.log(x_NF) if is_log else x_NF
                known = ~np.isnan(x_NF).all(axis=0)
                mean = np.where(known, np.nanmean(np.where(known, x_NF, 0), axis=0), 0)
                scale = np.where(known, np.nanstd(np.where(known, x_NF, 0), axis=0), 1)
                scale[scale == 0] = 1
                found.append(_Column(name, kind, (), is_log, tuple(mean.tolist()), tuple(scale.tolist())))
        return cls(tuple(found))

    @property
    def names(self) -> tuple[str, ...]:
        """What each feature says. Length F."""
        return tuple(name for column in self.columns for name in column.features)

    def encode(self, catalog: pl.DataFrame, item_ids: IdIndex) -> FloatArray:
        """A row for each item of `item_ids`, shape (I, F), float32; NaN where the catalogue says nothing.

        Words that `fit` didn't keep are 0 like all that an item doesn't have.

        Raises
        ------
        DataError
            A column is missing, has another type than in `fit`, or the catalogue holds an item twice.
        """
        if missing := [c.name for c in self.columns if c.name not in catalog.columns]:
            raise DataError(
                "catalog", f"column(s) {missing} missing", remedy=f"it has {catalog.columns[:20]}"
            )
        row_N = item_ids.encode(catalog[ITEM_ID])
        catalog, row_N = catalog.filter(pl.Series(row_N >= 0)), row_N[row_N >= 0]
        if len(np.unique(row_N)) < len(row_N):
            raise DataError("catalog", "must hold each item once", n_bad=len(row_N) - len(np.unique(row_N)))
        x_IF = np.full((len(item_ids), len(self.names)), np.nan, np.float32)
        start = 0
        for column in self.columns:
            width = len(column.features)
            x_IF[row_N, start : start + width] = _encoded(column, catalog[column.name])
            start += width
        return x_IF

    def to_json(self) -> list[dict[str, Any]]:
        """Plain JSON that `from_json` reads."""
        return [
            {
                "name": c.name,
                "kind": c.kind,
                "words": list(c.words),
                "is_log": c.is_log,
                "mean": list(c.mean),
                "scale": list(c.scale),
            }
            for c in self.columns
        ]

    @classmethod
    def from_json(cls, columns: Sequence[Mapping[str, Any]]) -> Self:
        """The coder that `to_json` described. KeyError or TypeError when a field is missing or unknown."""
        sequences = ("words", "mean", "scale")
        return cls(tuple(_Column(**{**c, **{name: tuple(c[name]) for name in sequences}}) for c in columns))


@dataclass(frozen=True, eq=False)
class ItemFeatures:
    """Features of the items of a log, with the coder that reads those of later items."""

    coder: ItemCoder
    x_IF: FloatArray
    """In row-number order; NaN = unknown. Shape (I, F)."""

    @classmethod
    def of(cls, catalog: pl.DataFrame, columns: Sequence[str], item_ids: IdIndex) -> Self:
        """Fit on the rows of these items and encode them; see `ItemCoder`."""
        own = catalog.filter(pl.Series(item_ids.encode(catalog[ITEM_ID]) >= 0))
        coder = ItemCoder.fit(own, columns)
        return cls(coder, coder.encode(own, item_ids))


def _kind(values: pl.Series) -> Kind:
    dtype = values.dtype
    if isinstance(dtype, pl.List | pl.Array):
        return "words" if isinstance(dtype.inner, pl.String | pl.Categorical | pl.Enum) else "vector"
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return "words"
    if dtype.is_numeric() or dtype == pl.Boolean:
        return "number"
    raise DataError(
        "catalog", f"column {values.name!r} of type {dtype} is no feature", remedy="text, numbers or lists"
    )


def _word_lists(values: pl.Series) -> pl.Series:
    """The words of each item, as a list; null where there is no value."""
    if isinstance(values.dtype, pl.Array):
        values = values.arr.to_list()
    if isinstance(values.dtype, pl.List):
        return values.cast(pl.List(pl.String))
    return values.cast(pl.String).str.split(_SEPARATOR)


def _words(values: pl.Series) -> pl.Series:
    return _word_lists(values).list.unique().explode().alias(values.name)


def _numbers(name: str, values: pl.Series, kind: Kind, *, width: int | None) -> NDArray[np.float64]:
    """Values as numbers, NaN = null or infinite. Shape (N, 1), or (N, width) for vectors."""
    if kind == "number":
        x_NF = values.cast(pl.Float64).fill_null(np.nan).to_numpy()[:, None].copy()
    else:
        lists = values.arr.to_list() if isinstance(values.dtype, pl.Array) else values
        lengths = lists.list.len().drop_nulls().unique()
        if len(lengths) > 1 or (width is not None and len(lengths) and lengths[0] != width):
            raise DataError(
                "catalog",
                f"column {name!r} must hold vectors of one length{'' if width is None else f', {width}'}",
                examples=lengths.sort().head(5).to_list(),
            )
        size = int(lengths[0]) if len(lengths) else (width or 0)
        x_NF = np.full((len(lists), size), np.nan)
        there = lists.is_not_null().to_numpy()
        if there.any() and size:
            flat = lists.filter(pl.Series(there)).explode().cast(pl.Float64).fill_null(np.nan)
            x_NF[there] = flat.to_numpy().reshape(-1, size)
    x_NF[~np.isfinite(x_NF)] = np.nan
    return x_NF


def _encoded(column: _Column, values: pl.Series) -> NDArray[np.float64]:
    """The features of one column. Shape (N, width)."""
    if _kind(values) != column.kind and values.null_count() < len(values):
        raise DataError(
            "catalog", f"column {column.name!r} of type {values.dtype} was read as {column.kind} before"
        )
    if values.null_count() == len(values):
        return np.full((len(values), len(column.features)), np.nan)
    if column.kind == "words":
        lists = _word_lists(values)
        return np.column_stack(
            [lists.list.contains(word).cast(pl.Float64).fill_null(np.nan).to_numpy() for word in column.words]
            or [np.empty((len(values), 0))]
        )
    x_NF = _numbers(column.name, values, column.kind, width=len(column.mean))
    if column.is_log:
        x_NF = np.log(np.where(x_NF > 0, x_NF, np.nan))
    return np.asarray((x_NF - np.array(column.mean)) / np.array(column.scale))
