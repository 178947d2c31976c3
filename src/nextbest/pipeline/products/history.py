"""What is stored of the clients asked about, as of the month asked for: the panel, kept ready for single questions.

Knows the panel and how features take it, no model. Only one thread may ask.
"""

from collections import OrderedDict
from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.ids import UNKNOWN, OutsideId
from nextbest.data.panel.panel import AttributesKnown, Panel
from nextbest.data.panel.schema import PanelSchema
from nextbest.models.products.features.clients import StoredClients
from nextbest.models.products.features.tables import FeatureInput
from nextbest.pipeline.products.profile import Profile

KEPT_MONTHS = 3
"""Months whose clients stay in memory: the newest, and the last others asked for."""


class ClientHistory:
    """Stored clients by id and month; profiles put over them.

    Parameters
    ----------
    schema
        Of the model, and of the panel.
    panel
        With the clients; None: nobody is known.
    columns
        Attributes that model and policy read.
    fallback_month
        Newest month known where there is no panel and a question names none.
    attributes
        Newest attributes that the model was trained to see. With `scoring_time` those of the month foretold, where
        the panel has them; else those of the month before stand in, and posted values go over them.
    """

    def __init__(
        self,
        schema: PanelSchema,
        panel: Panel | None,
        *,
        columns: Sequence[str],
        fallback_month: date,
        attributes: AttributesKnown = "month_end",
    ) -> None:
        self.schema, self.panel = schema, panel
        self._attributes: AttributesKnown = attributes
        self.columns = tuple(name for name in schema.attribute_names if name in set(columns))
        # Categories as plain text: ten times faster to make for a few rows, and a text that somebody made up
        # doesn't stay in memory as a category of its own.
        self._dtypes = {
            name: pl.String() if attribute.kind == "category" else attribute.dtype
            for name, attribute in ((name, schema.attribute(name)) for name in self.columns)
        }
        self._newest = panel.months[-1] if panel is not None and panel.months else fallback_month
        self._kept: OrderedDict[date, StoredClients] = OrderedDict()
        self._ids = None
        if panel is not None and panel.ids.ids.dtype == pl.Int64:
            self._ids = panel.ids.ids.to_numpy()  # sorted: a search costs less memory than a dictionary

    @property
    def newest_month(self) -> date | None:
        """Newest month of the panel; None without one."""
        return None if self.panel is None else self._newest

    @property
    def reads_target(self) -> bool:
        """Whether attributes of the month foretold are read, where the panel has them."""
        return self._attributes == "scoring_time"

    def row(self, customer_id: OutsideId | None) -> int:
        """Row of a client in the panel, -1 for one who isn't in it."""
        if self.panel is None or customer_id is None:
            return UNKNOWN
        if self._ids is None:
            return self.panel.ids.find(customer_id)
        if not isinstance(customer_id, int):
            return UNKNOWN
        place = int(np.searchsorted(self._ids, customer_id))
        return place if place < len(self._ids) and self._ids[place] == customer_id else UNKNOWN

    def as_of(self, row: int, asked: date | None) -> date:
        """The newest month that is known for a question, its month before the one foretold.

        For a client of the panel: the newest month of the panel that isn't after the one asked for. For anybody
        else: the month asked for.
        """
        if asked is None:
            return self._newest
        if row == UNKNOWN or self.panel is None or asked < self.panel.months[0]:
            return asked
        return max(month for month in self.panel.months if month <= asked)

    def clients(self, as_of: date) -> StoredClients | None:
        """The panel's clients as of the end of a month; None where the panel doesn't have it."""
        if self.panel is None or as_of not in self.panel.months:
            return None
        kept = self._kept.get(as_of)
        if kept is None:
            target = self.schema.month_before(as_of, n=-1)
            known: AttributesKnown = self._attributes if target in self.panel.months else "month_end"
            kept = StoredClients(self.panel.as_of(target, attributes=known), columns=self.columns)
            self._kept[as_of] = kept
            if len(self._kept) > KEPT_MONTHS:
                oldest = next(month for month in self._kept if month != self._newest)
                del self._kept[oldest]
        self._kept.move_to_end(as_of)
        return kept

    def inputs(
        self, as_of: date, rows_N: NDArray[np.int32], profiles: Sequence[Profile | None]
    ) -> FeatureInput:
        """What model and policy need of clients as of the end of a month; posted values go before stored ones.

        Parameters
        ----------
        as_of
            Month known.
        rows_N
            Rows in the panel, -1 = not in it. Shape (N,).
        profiles
            What was posted of each; None: nothing.
        """
        clients = self.clients(as_of)
        if clients is None:
            none_N = np.zeros((len(rows_N), 0), np.uint32)
            posted = self._over(None, profiles)
            return FeatureInput(self.schema.month_before(as_of, n=-1), none_N, none_N > 0, posted)
        if all(profile is None for profile in profiles):
            return clients.inputs(rows_N)
        stored = clients.inputs(rows_N).attributes if (rows_N != UNKNOWN).any() else None
        return clients.inputs(rows_N, attributes=self._over(stored, profiles))

    def _over(self, stored: pl.DataFrame | None, profiles: Sequence[Profile | None]) -> pl.DataFrame:
        """Posted values where there are any, stored ones elsewhere."""
        rows = [dict.fromkeys(self.columns)] * len(profiles) if stored is None else stored.to_dicts()
        posted = ({} if profile is None else profile.values for profile in profiles)
        over = [
            {**row, **{name: values[name] for name in self.columns if values.get(name) is not None}}
            for row, values in zip(rows, posted, strict=True)
        ]
        return pl.from_dicts(over, schema=self._dtypes)
