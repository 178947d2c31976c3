"""A client's attributes as an outsider writes them, made into the types that a stored panel has.

The panel's own parsers read them: padded integers, `NA`, "1.0" for 1; and numbers may be text and
text numbers, and a missing code is filled from its name. What can be read but lies outside its
domain is missing, and said so; what can't be read at all is a wrong call.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import NoReturn

from nextbest.data.ids import OutsideId
from nextbest.data.panel.repairs import (
    MOST_INTEGER,
    MOST_NUMBER,
    Scalar,
    attribute_parser,
    month_parser,
)
from nextbest.data.panel.rows import folded
from nextbest.data.panel.schema import Attribute, PanelSchema
from nextbest.errors import InputError, refuse

MAX_TEXT = 200
"""Most characters of one value."""
YEARS_RULE = "must lie in the years 1900 to 2100"


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
    values: Mapping[str, Scalar | None]
    """Attribute -> value; None = missing. An attribute that wasn't named is not in it."""
    ignored: tuple[Ignored, ...] = ()
    """What was taken as missing, in the order of the schema."""


class ProfileForm:
    """How a posted client is read, for one schema; make one and keep it."""

    def __init__(self, schema: PanelSchema) -> None:
        self.schema = schema
        self._parse_month = month_parser(schema)
        self._fields = [(attribute, attribute_parser(attribute)) for attribute in schema.attributes]
        self._codes = [
            (pair.code, pair.name, {folded(name): code for code, name in pair.names.items()})
            for pair in schema.code_names
        ]

    def read(self, raw: Mapping[str, object], *, at: str = "") -> Profile:
        """The profile in `raw`, whose keys are the raw columns of the schema; other keys are passed over.

        Parameters
        ----------
        raw
            Column -> text, number, true, false or None. Only the id and the month must be there.
        at
            Where `raw` stands in its document, put before the field in errors ("/profiles/3/").

        Raises
        ------
        InputError
            The id or the month is missing; a value isn't of its kind, isn't finite, is no day of the
            calendar or is longer than 200 characters. Named by its field; several as `CombinedInputError`.
        """
        schema = self.schema
        wrong: list[InputError] = []
        try:
            customer_id = self.read_id(raw.get(schema.id_column), at=at + schema.id_column)
        except InputError as error:
            wrong.append(error)
        try:
            month = self._month(raw.get(schema.month_column), at + schema.month_column)
        except InputError as error:
            wrong.append(error)
        values: dict[str, Scalar | None] = {}
        ignored: list[Ignored] = []
        for attribute, parse in self._fields:
            name = attribute.name
            if name not in raw:
                continue
            try:
                text = _text(raw[name], at + name, attribute)
                if text is None:
                    values[name] = None
                    continue
                parsed = parse(text)
                if parsed.repair == "unreadable":
                    _refuse(at + name, _kind_rule(attribute), raw[name])
            except InputError as error:
                wrong.append(error)
                continue
            if parsed.repair in ("out_of_domain", "out_of_range"):
                ignored.append(Ignored(name, _domain_rule(attribute, text), _plain(raw[name])))
            values[name] = parsed.value
        refuse(wrong)
        for code, name, code_of in self._codes:
            if values.get(code) is None and (told := values.get(name)) is not None:
                values[code] = code_of.get(folded(str(told)))
        return Profile(customer_id, month, values, tuple(ignored))

    def read_id(self, raw: object, *, at: str) -> OutsideId:
        """A client's id alone, by the same rules.

        Raises
        ------
        InputError
            It is missing or can't be an id of this panel.
        """
        is_integer = self.schema.id_kind == "integer"
        if isinstance(raw, bool):
            _refuse(at, "must be an integer of 64 bits" if is_integer else "must be a text", raw)
        text = _text(raw, at)
        text = None if text is None else text.strip()
        if not text or text == "NA":
            raise InputError(at, f"is required: {'an integer' if is_integer else 'a text'}")
        if not is_integer:
            return text
        whole, point, rest = text.partition(".")
        digits = whole[1:] if whole[:1] in ("-", "+") else whole
        if not (digits.isascii() and digits.isdigit()) or rest.strip("0") or (point and not whole):
            _refuse(at, "must be an integer of 64 bits", raw)
        number = int(whole)
        if number.bit_length() > 63:
            _refuse(at, "must be an integer of 64 bits", raw)
        return number

    def _month(self, raw: object, name: str) -> date:
        text = _text(raw, name)
        parsed = self._parse_month("" if text is None else text)
        if parsed.repair == "missing":
            raise InputError(name, "is required: a date, YYYY-MM-DD")
        if parsed.repair == "out_of_range":
            _refuse(name, YEARS_RULE, raw)
        if isinstance(raw, bool) or not isinstance(parsed.value, date):
            _refuse(name, "must be a day of the calendar, YYYY-MM-DD", raw)
        return self.schema.month_of(parsed.value)


def _text(raw: object, name: str, attribute: Attribute | None = None) -> str | None:
    """A value as the text that a file would hold; None for null."""
    if raw is None:
        return None
    if isinstance(raw, str):
        if len(raw) > MAX_TEXT:
            raise InputError(name, f"must have at most {MAX_TEXT} characters", value=len(raw))
        return raw
    if isinstance(raw, bool):
        if attribute is not None and attribute.kind != "flag":
            _refuse(name, _kind_rule(attribute), raw)
        return "1" if raw else "0"
    if isinstance(raw, int):
        if raw.bit_length() > 63:
            raise InputError(name, "must be a number of 64 bits", value=f"{raw.bit_length()} bits")
        return str(raw)
    if isinstance(raw, float):
        if not math.isfinite(raw):
            raise InputError(name, "must be a finite number", value=str(raw))
        return str(int(raw)) if raw.is_integer() and abs(raw) < 2**63 else repr(raw)
    raise InputError(name, "must be a text, a number or null", value=type(raw).__name__)


def _plain(raw: object) -> str | int | float | bool:
    return raw if isinstance(raw, str | int | float) else str(raw)


def _refuse(name: str, rule: str, raw: object) -> NoReturn:
    raise InputError(name, rule, value=raw)


def _kind_rule(attribute: Attribute) -> str:
    return {
        "category": "must be a text or a number",
        "integer": "must be a whole number",
        "number": "must be a finite number",
        "flag": "must be 0 or 1",
        "date": "must be a day of the calendar, YYYY-MM-DD",
    }[attribute.kind]


def _domain_rule(attribute: Attribute, text: str) -> str:
    """What a value that can be read, but not used, must be to be used."""
    low, high, domain = attribute.low, attribute.high, attribute.domain
    if attribute.kind == "category":
        shown = str(list(domain)) if len(domain) <= 10 else f"{list(domain[:5])} and {len(domain) - 5} more"
        return f"must be one of {shown}"
    if attribute.kind == "flag":
        return "must be 0 or 1"
    if attribute.kind == "date":
        return YEARS_RULE
    if low is not None and high is not None:
        return f"must lie in {low:g} to {high:g}"
    is_too_large = abs(float(text)) > (MOST_INTEGER if attribute.kind == "integer" else MOST_NUMBER)
    if is_too_large or (low is None and high is None):
        return "must be a number of 32 bits"
    return f"must be {low:g} or more" if low is not None else f"must be {high:g} or less"
