"""Clients of equal income in the same region, taken as one household.

In Santander's panel incomes are to the cent and go with addresses: 216,682 clients share theirs
with one to five others. Axes: N clients asked for, H clients with a known key.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.panel.masks import count_products
from nextbest.data.panel.schema import PanelSchema
from nextbest.models.products.features.encoding import FEW, category_codes, numbers
from nextbest.models.products.features.parts import Chunk, Column, Floats

MAX_SIZE = 6
"""More clients of one income than this are a coincidence (a rounded figure, a filled-in mean), no household."""
_NO_KEY = np.uint64(2**64 - 1)


@dataclass(frozen=True, eq=False)
class Households:
    """Who shares an income and a region with whom in one month, found by both."""

    income: str
    region: str
    """Columns of the attributes."""
    regions: Mapping[str, float]
    """Number of each region; only for telling them apart."""
    key_H: NDArray[np.uint64]
    """Region and income of each client who has both, ascending."""
    row_H: NDArray[np.int32]
    """Row of that client in the panel."""
    held_H: NDArray[np.uint32]
    """Products of that client."""

    @classmethod
    def from_month(
        cls,
        attributes: pl.DataFrame,
        row_H: NDArray[np.int32],
        held_C: NDArray[np.uint32],
        *,
        schema: PanelSchema,
    ) -> "Households":
        """Households of a month.

        Parameters
        ----------
        attributes
            The clients present: the attributes in the roles `income` and `region`, which the schema must have.
        row_H
            Their rows in the panel.
        held_C
            Products of every client of the panel in that month. Shape (C,).
        schema
            Names the two attributes.
        """
        income, region = schema.roles["income"], schema.roles["region"]
        names = attributes[region].cast(pl.String).unique().drop_nulls().sort().to_list()
        regions = {name: float(number) for number, name in enumerate(names)}
        keys = _keys(attributes, income, region, regions)
        order = np.argsort(keys, kind="stable")
        order = order[: np.searchsorted(keys, _NO_KEY, sorter=order)]
        row_H = row_H[order]
        return cls(income, region, regions, keys[order], row_H, held_C[row_H])

    def of(self, attributes: pl.DataFrame, rows_N: NDArray[np.integer[Any]]) -> pl.DataFrame:
        """The household of each client, without the client: the frame of `FeatureInput.household`.

        Parameters
        ----------
        attributes
            The clients' own income and region, N rows; they need not be those of the households' month.
        rows_N
            Their rows in the panel, -1 for a client who isn't in it. Shape (N,).
        """
        key_N = _keys(attributes, self.income, self.region, self.regions)
        first_N = np.searchsorted(self.key_H, key_N, side="left")
        n_found_N = np.searchsorted(self.key_H, key_N, side="right") - first_N
        n_others_N = np.zeros(len(key_N), np.int32)
        others_held_N = np.zeros(len(key_N), np.uint32)
        breadth_N = np.zeros(len(key_N), np.float32)
        for member in range(MAX_SIZE):  # with the client that is MAX_SIZE, without one more: too many
            asked = np.flatnonzero(n_found_N > member)
            if not len(asked):
                break
            at = first_N[asked] + member
            other = self.row_H[at] != rows_N[asked]
            asked, held = asked[other], self.held_H[at[other]]
            n_others_N[asked] += 1
            others_held_N[asked] |= held
            breadth_N[asked] += count_products(held)
        none_N = (key_N == _NO_KEY) | (n_found_N > MAX_SIZE) | (n_others_N >= MAX_SIZE)
        alone_N = none_N | (n_others_N == 0)
        size = pl.Series("size", n_others_N + 1, dtype=pl.Int32)
        others_held = pl.Series("others_held", others_held_N, dtype=pl.UInt32)
        breadth = pl.Series("others_breadth", breadth_N / np.maximum(n_others_N, 1), dtype=pl.Float32)
        return pl.DataFrame(
            [_null_where(size, none_N), _null_where(others_held, alone_N), _null_where(breadth, alone_N)]
        )


class Household:
    """What the others of a household have."""

    columns: tuple[Column, ...] = (
        Column("household.size", "household"),
        Column("household.others_breadth", "household"),
        Column("household.n_others_only", "household"),
    )

    def fill(self, chunk: Chunk, out_FN: Floats) -> None:
        """See `Part`; the last column counts products that another member holds and the client doesn't."""
        household = chunk.inputs.household
        if household is None:
            out_FN[:] = np.nan
            return
        out_FN[0] = numbers(household["size"])
        out_FN[1] = numbers(household["others_breadth"])
        own_N, is_here_N = chunk.months_back(1)
        others_N = np.nan_to_num(household["others_held"].to_numpy()).astype(np.uint32)  # NaN where null
        is_known_N = is_here_N & ~np.isnan(out_FN[1])
        out_FN[2] = np.where(is_known_N, count_products(others_N & ~own_N), np.nan)


def _keys(
    attributes: pl.DataFrame, income: str, region: str, regions: Mapping[str, float]
) -> NDArray[np.uint64]:
    """Region and income as one number; _NO_KEY where either is missing or the region unknown."""
    incomes = numbers(attributes[income])
    numbers_N = category_codes(attributes[region], regions)
    is_known = ~np.isnan(incomes) & ~np.isnan(numbers_N)
    keys = np.where(is_known, numbers_N, 0).astype(np.uint64) << np.uint64(32)
    keys |= incomes.view(np.uint32).astype(np.uint64)
    return np.where(is_known, keys, _NO_KEY)


def _null_where(column: pl.Series, is_null: NDArray[np.bool_]) -> pl.Series:
    """The column with nulls; without a query where few are asked for, because a query costs more than they do."""
    if len(column) > FEW:
        return column.set(pl.Series(is_null), None)
    values = zip(column.to_list(), is_null.tolist(), strict=True)
    return pl.Series(column.name, [None if hidden else value for value, hidden in values], dtype=column.dtype)
