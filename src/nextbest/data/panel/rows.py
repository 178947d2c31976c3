"""One chunk of a source as rows of a panel: ids, month, packed products, typed attributes; the rest to quarantine.

A row is refused when it can't be placed (no readable id or month) or its products can't be known
(neither 0 nor 1, or missing where that isn't usual). A bad attribute costs the attribute, not the row:
a hole in a client's history would read as a departure and hide what was added.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.cleaning.raw import as_json
from nextbest.data.panel.gaps import MissingSets
from nextbest.data.panel.masks import UInt32Array
from nextbest.data.panel.repairs import (
    ColumnCounts,
    Decoded,
    DistinctReader,
    NumberReader,
    attribute_parser,
    month_parser,
    product_parser,
    read_ids,
)
from nextbest.data.panel.schema import CUSTOMER_ID, MONTH, CodeNames, PanelSchema
from nextbest.data.sources.base import REJECTED_SCHEMA, Chunk

HELD = "held"


@dataclass(frozen=True)
class ReadRows:
    """What became of a chunk."""

    table: pl.DataFrame
    """`customer_id, month, held` and the attributes."""
    rejected: pl.DataFrame
    """`row, reason, raw`."""
    n_read: int


class RowReader:
    """Reads chunks of all sources of one ingest by a schema and counts what it repairs."""

    def __init__(self, schema: PanelSchema) -> None:
        self.schema = schema
        self.counts: dict[str, ColumnCounts] = {
            name: ColumnCounts()
            for name in (
                schema.id_column,
                schema.month_column,
                *schema.attribute_names,
                *schema.product_columns,
            )
        }
        self.missing_sets = MissingSets()
        self._months = DistinctReader(month_parser(schema), pl.Date())
        self._products = [DistinctReader(product_parser(p), pl.Boolean()) for p in schema.products]
        self._attributes = [
            NumberReader(a) if a.kind == "number" else DistinctReader(attribute_parser(a), a.dtype)
            for a in schema.attributes
        ]
        self._pairs = [_PairReader(pair) for pair in schema.code_names]

    def read(self, chunk: Chunk, columns: Mapping[str, str]) -> ReadRows:
        """Rows of a chunk; `columns` says which of the source's columns is which of the schema's."""
        n_read = len(chunk.table) + len(chunk.rejected)
        if not len(chunk.table):
            return ReadRows(pl.DataFrame(), chunk.rejected, n_read)
        table = chunk.table.select(pl.col(theirs).alias(ours) for ours, theirs in columns.items())
        rows, rejected = chunk.rows, [chunk.rejected]
        reasons = self._refused(table)
        if reasons is not None:
            bad = reasons.is_not_null()
            raw = as_json(chunk.table.filter(bad))
            rejected.append(
                pl.DataFrame(
                    {"row": rows.filter(bad), "reason": reasons.filter(bad), "raw": raw},
                    schema=REJECTED_SCHEMA,
                )
            )
            table = table.filter(~bad)
        return ReadRows(self._typed(table), pl.concat(rejected), n_read)

    def _refused(self, table: pl.DataFrame) -> pl.Series | None:
        """Why each row is refused, null for a good one; None when all are good."""
        ids = read_ids(table[self.schema.id_column], self.schema.id_dtype, ColumnCounts())
        no_id = ids.is_null().to_numpy()
        month = self._months.decode(table[self.schema.month_column])
        no_month = self._months.lookup(lambda p: p.value is None)[month.place_N]
        unknown = np.zeros(len(table), dtype=bool)
        absent = np.zeros(len(table), dtype=bool)
        for product, reader in zip(self.schema.products, self._products, strict=True):
            decoded = reader.decode(table[product.column])
            lost_V = reader.lookup(lambda p: p.value is None)
            if (decoded.n_V[lost_V] > 0).any():
                missing_V = reader.lookup(lambda p: p.repair == "missing")
                absent |= missing_V[decoded.place_N]
                unknown |= (lost_V & ~missing_V)[decoded.place_N]
        if not (no_id.any() or no_month.any() or unknown.any() or absent.any()):
            return None
        reasons = pl.Series("reason", [None] * len(table), dtype=pl.String)
        for is_so, reason in (
            (absent, "missing_product"),
            (unknown, "bad_product_value"),
            (no_month, "bad_month"),
            (no_id, "bad_id"),
        ):
            reasons = reasons.set(pl.Series(is_so), reason)
        return reasons

    def _typed(self, table: pl.DataFrame) -> pl.DataFrame:
        """Good rows in their types, repairs counted."""
        schema, missing = self.schema, dict[str, NDArray[np.bool_]]()
        ids = read_ids(table[schema.id_column], schema.id_dtype, self.counts[schema.id_column])
        decoded = self._counted(self._months, table[schema.month_column])
        months = self._months.typed(decoded)
        held: UInt32Array = np.zeros(len(table), dtype=np.uint32)
        for bit, (product, reader) in enumerate(zip(schema.products, self._products, strict=True)):
            decoded = self._counted(reader, table[product.column])
            one_V = reader.lookup(lambda p: p.value is True).astype(np.uint32) << np.uint32(bit)
            held |= one_V.take(decoded.place_N)
            _note_missing(missing, product.column, reader, decoded)
        columns: dict[str, pl.Series] = {}
        for attribute, reader_of in zip(schema.attributes, self._attributes, strict=True):
            column = table[attribute.name]
            if isinstance(reader_of, NumberReader):
                columns[attribute.name], was_missing = reader_of.read(column, self.counts[attribute.name])
                missing[attribute.name] = was_missing
            else:
                decoded = self._counted(reader_of, column)
                columns[attribute.name] = reader_of.typed(decoded)
                _note_missing(missing, attribute.name, reader_of, decoded)
        for pair in self._pairs:
            pair.agree(columns, self.counts[pair.pair.code])
        self.missing_sets.see(missing, len(table))
        return pl.DataFrame(
            [
                ids.alias(CUSTOMER_ID),
                months.alias(MONTH),
                pl.Series(HELD, held),
                *(values.alias(name) for name, values in columns.items()),
            ]
        )

    def _counted(self, reader: DistinctReader, column: pl.Series) -> Decoded:
        decoded = reader.decode(column)
        reader.count(decoded, self.counts[column.name])
        return decoded


def _note_missing(
    missing: dict[str, NDArray[np.bool_]], name: str, reader: DistinctReader, decoded: Decoded
) -> None:
    missing_V = reader.lookup(lambda p: p.repair in ("missing", "missing_as_zero"))
    if (decoded.n_V[missing_V] > 0).any():
        missing[name] = missing_V[decoded.place_N]


class _PairReader:
    """Checks a code against its name, and fills the code from the name where it is missing."""

    def __init__(self, pair: CodeNames) -> None:
        self.pair = pair
        self._code_of = {folded(name): code for code, name in pair.names.items()}

    def agree(self, columns: dict[str, pl.Series], counts: ColumnCounts) -> None:
        """Change `columns` in place where a code can be filled; count the rest."""
        codes, names = columns[self.pair.code], columns[self.pair.name]
        told = _mapped(
            names, {n: self._code_of.get(folded(n)) for n in names.drop_nulls().unique().to_list()}
        )
        told = told.cast(codes.dtype)
        fillable = codes.is_null() & told.is_not_null()
        counts.add("filled", int(fillable.sum()))
        differs = (codes != told).fill_null(value=False)
        if n_differs := int(differs.sum()):
            first = pl.DataFrame([codes.alias("c"), names.alias("n")]).filter(differs).unique().head(5)
            counts.add("contradicts", n_differs, *sorted(f"{c} {n}" for c, n in first.iter_rows()))
        if fillable.any():
            columns[self.pair.code] = codes.zip_with(~fillable, told)


def _mapped(names: pl.Series, code_of: Mapping[str, str | None]) -> pl.Series:
    """Each name's code as text; null for a name without one."""
    known = {name: code for name, code in code_of.items() if code is not None}
    texts = names.cast(pl.String)
    return (
        texts.replace_strict(known, default=None, return_dtype=pl.String)
        if known
        else pl.Series([None] * len(texts), dtype=pl.String)
    )


def folded(text: str) -> str:
    """A name without case, accents and marks, for comparing.

    >>> folded("Coruña, A"), folded("CORUNA A")
    ('CORUNAA', 'CORUNAA')
    """
    plain = unicodedata.normalize("NFKD", text)
    return "".join(c for c in plain if c.isalnum()).upper()
