"""A client's profile as somebody posts it, read by the very rules that read a panel's files."""

import math
from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import polars as pl

from nextbest.data.ids import UNKNOWN
from nextbest.data.panel.repairs import Repair, attribute_parser
from nextbest.data.panel.schema import PanelSchema
from nextbest.errors import InputError
from nextbest.models.products.features.clients import StoredClients
from nextbest.models.products.features.tables import FeatureInput


class PostedProfile(NamedTuple):
    """A profile in the types of `Panel.attributes`."""

    attributes: pl.DataFrame
    """One row with all attributes of the schema; null = missing."""
    repairs: Mapping[str, Repair]
    """Attribute -> what was done to its value; see `data.panel.repairs.Repair`. Those of `VIOLATIONS` broke the
    contract and became missing."""


class ProfileReader:
    """Reads posted profiles of one schema; make one and keep it."""

    def __init__(self, schema: PanelSchema) -> None:
        """Prepare a parser for each attribute."""
        self._columns = [(a.name, attribute_parser(a), a.dtype) for a in schema.attributes]

    def read(self, profile: Mapping[str, object]) -> PostedProfile:
        """The attributes of one client from loosely typed fields: `"age": " 35"`, `35`, `35.0` and null all do.

        Parameters
        ----------
        profile
            Raw column -> text, number, truth, date or None. A field that isn't there is missing; fields that the
            schema doesn't name (the client's id, the month, products) are passed over.

        Raises
        ------
        InputError
            A field holds something else, for example a list; the message names it.
        """
        columns: list[pl.Series] = []
        repairs: dict[str, Repair] = {}
        for name, parse, dtype in self._columns:
            parsed = parse(_as_text(name, profile.get(name)))
            columns.append(pl.Series(name, [parsed.value], dtype=dtype))
            if parsed.repair is not None:
                repairs[name] = parsed.repair
        return PostedProfile(pl.DataFrame(columns), MappingProxyType(repairs))


def input_from_profile(
    attributes: pl.DataFrame,
    *,
    target: date,
    clients: StoredClients | None = None,
    row: int = UNKNOWN,
) -> FeatureInput:
    """One posted profile as input of `FeatureSteps.transform`.

    A known client (`row` in `clients`) keeps the stored history and household, only the attributes are the posted
    ones; posting what the panel holds gives the very features of training and batch.

    Parameters
    ----------
    attributes
        What `ProfileReader.read` gave.
    target
        Month whose additions are asked for; with `clients` it must be theirs.
    clients
        The panel as of `target`; None: nothing is stored.
    row
        The client's row in the panel, -1 = not in it: no history, but a household may be found.

    Raises
    ------
    InputError
        `target` isn't the month of `clients`, or the row isn't one of the panel's.
    """
    if clients is None:
        return FeatureInput(target, np.zeros((1, 0), np.uint32), np.zeros((1, 0), np.bool_), attributes)
    if clients.schema.month_of(target) != clients.target:
        raise InputError("target", f"must be the month of the clients, {clients.target}", value=str(target))
    return clients.inputs(np.array([row], np.int32), attributes=attributes)


def _as_text(name: str, value: object) -> str:
    """A value as the text that a CSV file would hold; the empty one for a missing value."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, date):
        return value.isoformat()
    raise InputError(name, "must be a text, a number, a truth, a date or null", value=value)
