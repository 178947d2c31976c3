"""Catalog and clients: one row per id, the newest; the others go to quarantine."""

import polars as pl

from nextbest.data.cleaning.config import CleaningConfig
from nextbest.data.cleaning.context import ColumnTypes, as_schema, common_type
from nextbest.data.cleaning.rows import ROW, RowCleaner
from nextbest.data.report import TableReport, Tally
from nextbest.data.sources.base import Input
from nextbest.data.writing import QuarantineWriter
from nextbest.tables import TableSpec


def store_companion(
    spec: TableSpec,
    items: tuple[Input, ...],
    stored: pl.DataFrame | None,
    *,
    config: CleaningConfig,
    quarantine: QuarantineWriter,
) -> tuple[pl.DataFrame, TableReport]:
    """Read a companion table over the stored one: a row replaces the stored row of its id.

    Of several rows with one id in the input the last counts; the earlier ones are quarantined as
    `duplicate_id`.
    """
    key = spec.order[0]
    tables, types, n_read, n_rejected = [], ColumnTypes(), 0, 0
    raws: list[pl.Series] = []
    for number, item in enumerate(items):
        cleaner = RowCleaner(item, config, Tally(), spec=spec)
        for chunk in item.source.chunks():
            rows = cleaner.clean(chunk)
            n_read += rows.n_read
            n_rejected += len(rows.rejected)
            quarantine.add(item.source.name, rows.rejected)
            tables.append(rows.kept.with_columns(pl.lit(number, dtype=pl.Int32).alias("_source")))
            raws.append(cleaner.raw_values.rebuilt(rows.kept, rows.raw))
        for name, dtype in cleaner.types.dtypes.items():
            types.dtypes[name] = common_type(types.dtypes.get(name), dtype)
    schema = {name: dtype or pl.String() for name, dtype in types.dtypes.items()}
    if stored is not None:
        schema = {
            name: common_type(stored.schema.get(name), schema.get(name)) or pl.String()
            for name in [*stored.columns, *(c for c in schema if c not in stored.columns)]
        }
    if not tables:
        return (stored if stored is not None else pl.DataFrame(schema={key: pl.Int64})), TableReport(
            read=n_read, stored=0, quarantined=n_rejected
        )
    new = pl.concat([as_schema(t, schema) for t in tables], how="diagonal").with_columns(
        pl.concat(raws).alias("_raw")
    )
    last = new[key].is_last_distinct()
    for (number,), group in new.filter(~last).group_by("_source"):
        quarantine.add(
            items[int(str(number))].source.name,
            group.select(
                pl.col(ROW).alias("row"), pl.lit("duplicate_id").alias("reason"), pl.col("_raw").alias("raw")
            ),
        )
    n_repeated = int((~last).sum())
    fresh = new.filter(last).select(list(schema))
    if stored is not None:
        old = as_schema(stored, schema).join(fresh.select(key), on=key, how="anti")
        fresh = pl.concat([old, fresh])
    return fresh.sort(key), TableReport(
        read=n_read, stored=n_read - n_rejected - n_repeated, quarantined=n_rejected + n_repeated
    )
