"""A panel seen from before a month: the only way in which features read it.

Products reach to the month before the target, attributes as far as the mode says. Reading past
that raises, so a leak ends the run instead of raising its score; what was read stays on record.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import get_args

import polars as pl

from nextbest.data.ids import IdIndex
from nextbest.data.panel.masks import BoolArray, UInt32Array
from nextbest.data.panel.panel import AttributesKnown, Panel
from nextbest.data.panel.schema import PanelSchema
from nextbest.errors import DataError, InputError


class LeakError(DataError):
    """A feature read something that isn't known yet when the target month is scored."""


@dataclass(frozen=True)
class Read:
    """One thing that was read."""

    what: str
    """`held`, `present` or `attributes`."""
    month: date
    """The newest month that it showed."""
    columns: tuple[str, ...] = ()
    """Attributes, where not all of them."""


class AsOf:
    """The reads of a `Panel`, ending where knowledge ends; made by `Panel.as_of`."""

    def __init__(self, panel: Panel, target: date, *, attributes: AttributesKnown = "month_end") -> None:
        if attributes not in get_args(AttributesKnown):
            raise InputError(
                "attributes", f"must be one of {list(get_args(AttributesKnown))}", value=attributes
            )
        self._panel = panel
        self.mode: AttributesKnown = attributes
        """Which attributes are known."""
        self.target = panel.schema.month_of(target)
        """The month to predict."""
        self.products_month = panel.schema.month_before(self.target)
        """Newest month whose products and presence may be read."""
        self.attributes_month = self.target if attributes == "scoring_time" else self.products_month
        """Newest month whose attributes may be read."""
        self._n_visible = panel.index(self.products_month) + 1
        panel.index(self.attributes_month)
        self._reads: dict[Read, None] = {}

    def __repr__(self) -> str:
        return f"AsOf({self._panel!r}, target={self.target:%Y-%m}, attributes={self.mode!r})"

    @property
    def schema(self) -> PanelSchema:
        """The panel's schema."""
        return self._panel.schema

    @property
    def ids(self) -> IdIndex:
        """Client id <-> row."""
        return self._panel.ids

    @property
    def months(self) -> tuple[date, ...]:
        """Months whose products may be read, oldest first; the last is the month before the target."""
        return self._panel.months[: self._n_visible]

    @property
    def n_customers(self) -> int:
        """Clients of the panel, also those who appear later; who is known is `present_MC`'s to say."""
        return self._panel.n_customers

    @property
    def held_MC(self) -> UInt32Array:  # noqa: N802 - an array, named by its axes
        """Masks of the months in `months`. Shape (n_months, n_customers)."""
        self._note("held", self.products_month)
        return self._panel.held_MC[: self._n_visible]

    @property
    def present_MC(self) -> BoolArray:  # noqa: N802 - same
        """Presence in the months of `months`. Shape (n_months, n_customers)."""
        self._note("present", self.products_month)
        return self._panel.present_MC[: self._n_visible]

    def index(self, month: date) -> int:
        """Place of a month in `months`.

        Raises
        ------
        LeakError
            The month is the target or later.
        InputError
            The panel has no such month.
        """
        self._refuse_past(self.products_month, month, "products")
        return self._panel.index(month)

    def held(self, month: date) -> UInt32Array:
        """As `Panel.held`; LeakError for the target month and later."""
        place = self.index(month)
        self._note("held", self._panel.months[place])
        return self._panel.held(self._panel.months[place])

    def present(self, month: date) -> BoolArray:
        """As `Panel.present`; LeakError for the target month and later."""
        place = self.index(month)
        self._note("present", self._panel.months[place])
        return self._panel.present(self._panel.months[place])

    def attributes(self, month: date | None = None, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """As `Panel.attributes`; the newest month known where none is named.

        Raises
        ------
        LeakError
            The month's attributes aren't known when the target is scored.
        """
        month = self.attributes_month if month is None else month
        self._refuse_past(self.attributes_month, month, "attributes")
        self._note("attributes", self.schema.month_of(month), tuple(columns or ()))
        return self._panel.attributes(month, columns)

    @property
    def reads(self) -> tuple[Read, ...]:
        """What was read so far, each thing once, in the order of its first reading."""
        return tuple(self._reads)

    def latest(self) -> dict[str, date]:
        """Newest month read of each thing: the line that a run's record keeps of its leak audit."""
        newest: dict[str, date] = {}
        for read in self._reads:
            newest[read.what] = max(newest.get(read.what, read.month), read.month)
        return newest

    def _note(self, what: str, month: date, columns: tuple[str, ...] = ()) -> None:
        self._reads[Read(what, month, columns)] = None

    def _refuse_past(self, last: date, month: date, what: str) -> None:
        if self.schema.month_of(month) > last:
            raise LeakError(
                f"{what} of {month:%Y-%m}",
                f"aren't known when {self.target:%Y-%m} is scored: {what} end with {last:%Y-%m}",
                remedy="read an earlier month"
                + ("" if what == "products" or self.mode == "scoring_time" else " or say scoring_time"),
            )
