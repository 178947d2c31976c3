"""A client's attributes as an outsider writes them, made into the types that a stored panel has.

The same conventions as the panel's reader: padded integers, `NA`, "1.0" for 1, numbers as text and
text as numbers. What can be read but lies outside its domain is missing, and said so; what can't
be read at all is a wrong call.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from nextbest.data.ids import OutsideId
from nextbest.data.panel.schema import Attribute, PanelSchema
from nextbest.errors import InputError

MAX_TEXT = 200
"""Most characters of one value."""
MISSING = frozenset({"", "NA"})
"""Texts that mean "missing", after padding is taken off."""
YEARS = (1900, 2199)
"""First and last year that a date may lie in."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_WHOLE = re.compile(r"([+-]?\d+)\.0*", re.ASCII)
_DATE = re.compile(r"(\d{4}-\d\d-\d\d)([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII)
_INT64 = 2**63

Value = str | int | float | bool | date | None


@dataclass(frozen=True, slots=True)
class Ignored:
    """A value that can be read but not used; it counts as missing."""

    name: str
    rule: str
    value: str | int | float | bool


@dataclass(frozen=True, slots=True)
class Profile:
    """One client in one month, in the panel's types."""

    customer_id: OutsideId
    month: date
    """Month that the attributes describe, as the schema writes months."""
    values: Mapping[str, Value]
    """Attribute -> value; None = missing. An attribute that wasn't named is not in it."""
    ignored: tuple[Ignored, ...] = ()
    """What was taken as missing, in the order of the schema."""


def read_profile(raw: Mapping[str, object], schema: PanelSchema, *, at: str = "") -> Profile:
    """The profile in `raw`, whose keys are the raw columns of `schema`; other keys are passed over.

    Parameters
    ----------
    raw
        Column -> text, number, true, false or None. Only the id and the month must be there.
    schema
        Columns, kinds and domains.
    at
        Where `raw` stands in its document, put before the field in errors ("/profiles/3/").

    Raises
    ------
    InputError
        The id or the month is missing; a value isn't of its kind, isn't finite, is no date of the
        calendar or is longer than 200 characters. Named by its field.
    """
    customer_id = _id(raw.get(schema.id_column), at + schema.id_column, kind=schema.id_kind)
    month = _date(raw.get(schema.month_column), at + schema.month_column)
    if month is None:
        raise InputError(at + schema.month_column, "is required: a date, YYYY-MM-DD")
    values: dict[str, Value] = {}
    ignored: list[Ignored] = []
    for attribute in schema.attributes:
        if attribute.name in raw:
            values[attribute.name] = _value(raw[attribute.name], attribute, at + attribute.name, ignored)
    return Profile(customer_id, schema.month_of(month), values, tuple(ignored))


def read_id(raw: object, schema: PanelSchema, *, at: str) -> OutsideId:
    """A client's id alone, by the same rules.

    Raises
    ------
    InputError
        It is missing or can't be an id of this panel.
    """
    return _id(raw, at, kind=schema.id_kind)


def _id(raw: object, name: str, *, kind: str) -> OutsideId:
    value = _scalar(raw, name)
    if value is None:
        raise InputError(name, f"is required: {'an integer' if kind == 'integer' else 'a text'}")
    if kind == "text":
        return _as_text(value)
    number = None if isinstance(value, bool) else _integer(value)
    if number is None or not -_INT64 < number < _INT64:
        raise InputError(name, "must be an integer of 64 bits", value=value)
    return number


def _value(raw: object, attribute: Attribute, name: str, ignored: list[Ignored]) -> Value:
    """The typed value of one attribute; None where it is missing or not usable."""
    value = _scalar(raw, name)
    if value is None:
        return None
    if attribute.kind == "date":
        return _date(value, name)
    if attribute.kind == "category":
        return _category(value, attribute, name, ignored)
    if isinstance(value, bool):
        if attribute.kind == "flag":
            return value
        raise InputError(name, "must be a number", value=value)
    number = _number(value, name)
    if _as_text(value) in attribute.sentinels:
        return None
    if attribute.kind == "flag":
        if number in (0, 1):
            return number == 1
        ignored.append(Ignored(attribute.name, "must be 0 or 1", value))
        return None
    if attribute.kind == "integer" and number != int(number):
        raise InputError(name, "must be a whole number", value=value)
    low, high = attribute.low, attribute.high
    if (low is not None and number < low) or (high is not None and number > high):
        ignored.append(Ignored(attribute.name, _range(low, high), value))
        return None
    return int(number) if attribute.kind == "integer" else number


def _scalar(raw: object, name: str) -> str | int | float | bool | None:
    """`raw` without padding; None where it means "missing"."""
    if raw is None or isinstance(raw, bool):
        return raw
    if isinstance(raw, int):
        if raw.bit_length() > 63:
            raise InputError(name, "must be a number of 64 bits", value=f"{raw.bit_length()} bits")
        return raw
    if isinstance(raw, float):
        if not math.isfinite(raw):
            raise InputError(name, "must be a finite number", value=raw)
        return raw
    if isinstance(raw, str):
        text = raw.strip()
        if len(text) > MAX_TEXT:
            raise InputError(name, f"must have at most {MAX_TEXT} characters", value=len(text))
        return None if text in MISSING else text
    raise InputError(name, "must be a text, a number or null", value=type(raw).__name__)


def _as_text(value: str | int | float | bool) -> str:
    """The value as a category or an id is written: whole numbers without a decimal point."""
    if isinstance(value, float):
        return str(int(value)) if value == int(value) else str(value)
    text = str(value)
    whole = _WHOLE.fullmatch(text)
    return whole[1] if whole else text


def _category(
    value: str | int | float | bool, attribute: Attribute, name: str, ignored: list[Ignored]
) -> str | None:
    if isinstance(value, bool):
        raise InputError(name, "must be a text or a number", value=value)
    text = _as_text(value)
    if text in attribute.sentinels:
        return None
    if attribute.domain and text not in attribute.domain:
        ignored.append(Ignored(attribute.name, f"must be one of {_some(attribute.domain)}", value))
        return None
    return text


def _number(value: str | int | float, name: str) -> float:
    if isinstance(value, str):
        if _NUMBER.fullmatch(value) is None:
            raise InputError(name, "must be a number", value=value)
        value = float(value)
    if not math.isfinite(value):
        raise InputError(name, "must be a finite number", value=value)
    return float(value)


def _integer(value: str | int | float) -> int | None:
    """The value as an exact integer; None where it isn't one."""
    if isinstance(value, float):
        return int(value) if value == int(value) else None
    if isinstance(value, str):
        text = _as_text(value)
        return int(text) if re.fullmatch(r"[+-]?\d{1,20}", text, re.ASCII) else None
    return value


def _date(raw: object, name: str) -> date | None:
    value = _scalar(raw, name)
    if value is None:
        return None
    found = _DATE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise InputError(name, "must be a date, YYYY-MM-DD", value=value)
    try:
        day = date.fromisoformat(found[1])
    except ValueError:
        raise InputError(name, "must be a day of the calendar", value=value) from None
    if not YEARS[0] <= day.year <= YEARS[1]:
        raise InputError(name, f"must lie in the years {YEARS[0]} to {YEARS[1]}", value=value)
    return day


def _range(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return f"must be {low:g} or more" if low is not None else f"must be {high:g} or less"
    return f"must lie in {low:g} to {high:g}"


def _some(domain: tuple[str, ...]) -> str:
    return str(list(domain)) if len(domain) <= 10 else f"{list(domain[:5])} and {len(domain) - 5} more"
