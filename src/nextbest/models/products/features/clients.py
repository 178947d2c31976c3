"""From a panel, with posted profiles over it or not, to `FeatureInput`; everything of a panel is read through an `AsOf`.

Axes: N rows asked for, L months back, C clients of the panel.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.ids import UNKNOWN
from nextbest.data.panel.as_of import AsOf
from nextbest.data.panel.schema import ROW, Kind, PanelSchema
from nextbest.errors import InputError
from nextbest.models.products.features.household import Households
from nextbest.models.products.features.tables import FeatureInput
from nextbest.models.products.features.words import MAX_MONTHS

CHANGING_ROLES = ("relation", "status", "segment")
"""Roles whose attributes are compared with the month before."""
Rows = NDArray[np.integer[Any]]


class _Month:
    """Attributes of one month, found by the row of a client in the panel."""

    def __init__(self, frame: pl.DataFrame, n_customers: int) -> None:
        self.row_H = frame[ROW].to_numpy()
        self.frame = frame.drop(ROW)
        self.place_C = np.full(n_customers, UNKNOWN, np.int32)
        self.place_C[self.row_H] = np.arange(len(frame), dtype=np.int32)
        self._nobody = self.frame.clear(1)

    def of(self, rows: Rows) -> pl.DataFrame:
        """Attributes of these clients; a row of nulls for one who isn't in the month."""
        place_N = np.where(rows == UNKNOWN, UNKNOWN, self.place_C[rows])
        if len(place_N) == 1:  # a slice costs a hundredth of a query
            return self._nobody if place_N[0] == UNKNOWN else self.frame[int(place_N[0])]
        n_here = len(self.frame)
        if len(place_N) == n_here and np.array_equal(place_N, np.arange(n_here)):
            return self.frame
        found = pl.Series(np.where(place_N == UNKNOWN, n_here, place_N).astype(np.uint32))
        return self.frame.select(pl.all().gather(found, null_on_oob=True))


class StoredClients:
    """A panel's clients as of one target month, ready for many questions: batches, and single requests fast.

    Holds the attributes of two months in memory and leaves the masks memory-mapped; changes nothing
    afterwards, so that several threads may ask.
    """

    def __init__(
        self,
        as_of: AsOf,
        *,
        columns: Sequence[str] | None = None,
        before: Sequence[str] | None = None,
        max_months: int = MAX_MONTHS,
        activity: bool = True,
        household: bool = True,
    ) -> None:
        """Read what the steps need.

        Parameters
        ----------
        as_of
            The panel as of the target month.
        columns
            Attributes wanted; None: all of the schema.
        before
            Attributes wanted of the month before that; None: those in `CHANGING_ROLES`, empty: none.
        max_months
            Months back.
        activity
            Whether the months with activity are read; only where the schema has that role, as a flag.
        household
            Whether households are looked up; only where the schema has the roles `income` and `region`.
        """
        self.as_of, self.schema, self.target = as_of, as_of.schema, as_of.target
        schema = self.schema
        months = _months_back(as_of, max_months)
        self._n_months = len(months)
        stored = [(lag, place) for lag, place in enumerate(months) if place is not None]
        self._lags = np.array(stored, dtype=np.intp).reshape(-1, 2).T
        self._held_MC, self._present_MC = np.asarray(as_of.held_MC), np.asarray(as_of.present_MC)
        self._now = _Month(as_of.attributes(columns=columns), as_of.n_customers)
        self._before = self._read_before(before)
        self._active_MC = self._read_activity() if activity and _is(schema, "activity", "flag") else None
        self._households = self._read_households() if household and _has_households(schema) else None

    def _read_before(self, columns: Sequence[str] | None) -> _Month | None:
        month = self.schema.month_before(self.as_of.attributes_month)
        if columns is None:
            columns = [self.schema.roles[role] for role in CHANGING_ROLES if role in self.schema.roles]
        if not columns or month not in self.as_of.months:
            return None
        return _Month(self.as_of.attributes(month, columns), self.as_of.n_customers)

    def _read_activity(self) -> NDArray[np.bool_]:
        """The flag of every client and month looked at; rows as in `_lags`."""
        name = self.schema.roles["activity"]
        active_MC = np.zeros((self._lags.shape[1], self.as_of.n_customers), np.bool_)
        for row_C, place in zip(active_MC, self._lags[1], strict=True):
            frame = self.as_of.attributes(self.as_of.months[place], [name])
            row_C[frame[ROW].to_numpy()] = frame[name].fill_null(value=False).to_numpy()
        return active_MC

    def _read_households(self) -> Households:
        """Of the month whose products are the newest known, in both modes."""
        wanted = [self.schema.roles["income"], self.schema.roles["region"]]
        month = self.as_of.products_month
        now, month_rows = self._now.frame, self._now.row_H
        if month != self.as_of.attributes_month or not set(wanted) <= set(now.columns):
            now = self.as_of.attributes(month, wanted)
            month_rows = now[ROW].to_numpy()
        return Households.from_month(now, month_rows, self.as_of.held(month), schema=self.schema)

    def present(self) -> NDArray[np.int32]:
        """Rows of the clients in the bank the month before the target, whose attributes are known; ascending."""
        is_here = self.as_of.present(self.as_of.products_month) & (self._now.place_C != UNKNOWN)
        return np.flatnonzero(is_here).astype(np.int32)

    def inputs(self, rows: Rows, *, attributes: pl.DataFrame | None = None) -> FeatureInput:
        """Clients by their rows in the panel.

        Parameters
        ----------
        rows
            Rows in the panel, -1 = a client who isn't in it. Shape (N,).
        attributes
            What is known of them now instead of the stored attributes (posted profiles, in the types of
            `Panel.attributes`; text will do for categories), N rows. None: the stored ones, nulls for a client
            who isn't in the newest month.

        Raises
        ------
        InputError
            A row number isn't one of the panel's.
        """
        rows = np.asarray(rows)
        if len(rows) and (rows.min() < UNKNOWN or rows.max() >= self.as_of.n_customers):
            wrong = rows[(rows < UNKNOWN) | (rows >= self.as_of.n_customers)]
            raise InputError(
                "rows", f"must lie in -1..{self.as_of.n_customers - 1}", value=wrong[:5].tolist()
            )
        held_NL, present_NL, active_NL = self._history(rows)
        if attributes is None:
            attributes = self._now.of(rows)
        before = None if self._before is None else self._before.of(rows)
        household = None if self._households is None else self._households.of(attributes, rows)
        return FeatureInput(self.target, held_NL, present_NL, attributes, before, active_NL, household)

    def _history(self, rows: Rows) -> tuple[NDArray[np.uint32], NDArray[np.bool_], NDArray[np.bool_] | None]:
        """Masks, presence and activity, newest month first; the arrays lie month by month in memory."""
        lags, places = self._lags
        held_LN = np.zeros((self._n_months, len(rows)), np.uint32)
        present_LN = np.zeros((self._n_months, len(rows)), np.bool_)
        # row -1 reads the last client, who is then blotted out: one gather for known and unknown alike
        is_known = rows != UNKNOWN
        held_LN[lags] = np.where(is_known, self._held_MC[places[:, None], rows], np.uint32(0))
        present_LN[lags] = self._present_MC[places[:, None], rows] & is_known
        if self._active_MC is None:
            return held_LN.T, present_LN.T, None
        active_LN = np.zeros_like(present_LN)
        active_LN[lags] = self._active_MC[:, rows] & is_known
        return held_LN.T, present_LN.T, active_LN.T


def inputs_from_panel(as_of: AsOf, rows: Rows) -> FeatureInput:
    """Clients of a panel as of a month, with all attributes, by their rows in it (-1 = not in it).

    For several questions of one month keep a `StoredClients`; for a fitted model ask `FeatureSteps.inputs`, which
    knows which attributes and which mode it was fitted on.

    Raises
    ------
    InputError
        A row number isn't one of the panel's.
    LeakError
        Never by itself: it reads what `as_of` allows.
    """
    return StoredClients(as_of).inputs(rows)


def _months_back(as_of: AsOf, max_months: int) -> list[int | None]:
    """Place in the panel of each month before the target, newest first; None where it has none."""
    places = {month: place for place, month in enumerate(as_of.months)}
    wanted = (as_of.schema.month_before(as_of.target, n=lag) for lag in range(1, max_months + 1))
    return [places.get(month) for month in wanted if month >= as_of.months[0]]


def _has_households(schema: PanelSchema) -> bool:
    return _is(schema, "income", "number") and _is(schema, "region", "category")


def _is(schema: PanelSchema, role: str, kind: Kind) -> bool:
    return role in schema.roles and schema.attribute(schema.roles[role]).kind == kind
