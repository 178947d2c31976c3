"""Raw values of a panel made typed by the schema's contract, each distinct value looked at once, every repair counted.

A column of 13 million rows holds a few hundred distinct texts: they are parsed one by one in plain
Python and spread over the rows as codes. Only ids and incomes are parsed row by row.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.panel.schema import Attribute, PanelSchema, Product

Repair = Literal[
    "padded", "missing", "variant", "sentinel", "out_of_domain", "out_of_range", "unreadable",
    "missing_as_zero", "filled", "contradicts",
]  # fmt: skip
"""What was done to a value: spaces around it taken off; missing as read; another spelling of an allowed
value (`1.0` for `1`); a stand-in for missing; not in the domain, outside the range, or no number or date
at all (all three: missing from now on); a product's missing value taken for "not held"; a code filled from
its name; a code that says another thing than its name (the code stays)."""
REPAIRS: tuple[Repair, ...] = (
    "padded", "missing", "variant", "sentinel", "out_of_domain", "out_of_range", "unreadable",
    "missing_as_zero", "filled", "contradicts",
)  # fmt: skip
VIOLATIONS: tuple[Repair, ...] = ("out_of_domain", "out_of_range", "unreadable", "contradicts")
"""Repairs that say the data broke its contract; the others are the format's ways."""
_NULL_WORDS = frozenset({"", "NA", "N/A", "<NA>", "NAN", "NAT", "NULL", "NONE", "\\N"})
_TRUTHS = {"0": "0", "1": "1", "FALSE": "0", "TRUE": "1"}
_YEARS = range(1900, 2101)
_N_EXAMPLES = 5
MOST_NUMBER = float(np.finfo(np.float32).max)
"""Largest size of a `number`: what is larger would be stored as infinite."""
MOST_INTEGER = 2**31 - 1
"""Largest size of an `integer`."""

Scalar = str | int | float | bool | date


class Parsed(NamedTuple):
    """A raw text as a typed value, None for missing, and what had to be done."""

    value: Scalar | None
    repair: Repair | None = None


@dataclass
class ColumnCounts:
    """Repairs of one column, with the first distinct values that broke the contract."""

    repairs: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, repair: Repair, n: int, *examples: str) -> None:
        """`n` values were repaired this way."""
        if n:
            self.repairs[repair] += n
            if repair in VIOLATIONS:
                kept = self.examples.setdefault(repair, [])
                kept.extend(e for e in dict.fromkeys(examples) if e not in kept and len(kept) < _N_EXAMPLES)


class Decoded(NamedTuple):
    """A column as places in its reader's list of parsed values."""

    place_N: NDArray[np.uint32]
    n_V: NDArray[np.int64]
    """Rows at each place. Shape (n_values,)."""


class DistinctReader:
    """Reads a column by its distinct texts; place 0 is a null as the source gave it."""

    def __init__(self, parse: Callable[[str], Parsed], dtype: pl.DataType) -> None:
        self._parse, self.dtype = parse, dtype
        self.texts: list[str] = [""]
        self.parsed: list[Parsed] = [parse("")]
        self._place: dict[str, int] = {}
        self._typed: pl.Series | None = None

    def decode(self, column: pl.Series) -> Decoded:
        """Places of the column's values, new ones parsed."""
        code_N, texts = _coded(column)
        place_of_code = np.zeros(max(texts, default=0) + 1, dtype=np.uint32)
        for code, text in texts.items():
            place = self._place.get(text)
            if place is None:
                place = self._place[text] = len(self.parsed)
                self.texts.append(text)
                self.parsed.append(self._parse(text))
                self._typed = None
            place_of_code[code] = place
        n_V = np.zeros(len(self.parsed), dtype=np.int64)
        np.add.at(n_V, place_of_code, np.bincount(code_N, minlength=len(place_of_code)))
        return Decoded(place_of_code.take(code_N), n_V)

    def typed(self, decoded: Decoded) -> pl.Series:
        """The column's values in its type."""
        if self._typed is None:
            values = [parsed.value for parsed in self.parsed]
            self._typed = pl.Series(values, dtype=pl.String if self._is_category else self.dtype).cast(
                self.dtype
            )
        return self._typed.gather(pl.Series(decoded.place_N))

    @property
    def _is_category(self) -> bool:
        return self.dtype in (pl.Categorical, pl.Enum)

    def lookup(self, of: Callable[[Parsed], bool]) -> NDArray[np.bool_]:
        """Which places are so. Shape (n_values,)."""
        return np.array([of(parsed) for parsed in self.parsed], dtype=bool)

    def count(self, decoded: Decoded, counts: ColumnCounts) -> None:
        """Add the rows of each repaired value to the counts."""
        for place in np.flatnonzero(decoded.n_V).tolist():
            n, text = int(decoded.n_V[place]), self.texts[place]
            if text != text.strip():
                counts.add("padded", n)
            if (repair := self.parsed[place].repair) is not None:
                counts.add(repair, n, text)


def _coded(column: pl.Series) -> tuple[NDArray[np.int64], dict[int, str]]:
    """A code for each row, 0 for null, and the texts of the other codes."""
    column = as_text(column)
    if column.dtype != pl.Categorical:
        column = column.cast(pl.Categorical)
    distinct = column.drop_nulls().unique()
    texts = dict(zip((distinct.to_physical() + 1).to_list(), distinct.cast(pl.String).to_list(), strict=True))
    codes = column.to_physical().cast(pl.Int64) + 1
    return codes.fill_null(0).to_numpy(), texts


def as_text(column: pl.Series) -> pl.Series:
    """A column as the text a CSV file would hold: whole numbers without a point, truths 0 and 1, ISO dates."""
    dtype = column.dtype
    if dtype in (pl.String, pl.Categorical):
        return column
    if dtype == pl.Boolean:
        column = column.cast(pl.Int8)
    elif isinstance(dtype, pl.Datetime):
        column = column.dt.date()
    elif dtype.is_float() or dtype.is_decimal():
        column = column.cast(pl.Float64).fill_nan(None)
        whole = column.cast(pl.Int64, strict=False)
        if ((whole == column) | column.is_null()).all():
            column = whole
    elif dtype == pl.Binary:
        return column.cast(pl.String, strict=False)
    return column.cast(pl.String)


def attribute_parser(attribute: Attribute) -> Callable[[str], Parsed]:
    """How a raw text becomes a value of an attribute."""
    if attribute.kind == "date":
        return _parse_date
    if attribute.kind == "flag":
        return _parse_flag
    if attribute.kind in ("integer", "number"):
        return lambda text: _parse_number(text, attribute)
    domain = set(attribute.domain)
    return lambda text: _parse_category(text, domain)


def month_parser(schema: PanelSchema) -> Callable[[str], Parsed]:
    """How a raw date becomes the one that stands for its month; another day of the month is a `variant`."""

    def parse(text: str) -> Parsed:
        value, repair = _parse_date(text)
        if not isinstance(value, date):
            return Parsed(None, repair)
        month = schema.month_of(value)
        return Parsed(month, repair if month == value else "variant")

    return parse


def product_parser(product: Product) -> Callable[[str], Parsed]:
    """How a raw text becomes 0 or 1; a repair other than `variant` and `missing_as_zero` means it can't."""

    def parse(text: str) -> Parsed:
        parsed = _parse_flag(text)
        if parsed.repair == "missing" and product.may_be_missing:
            return Parsed(value=False, repair="missing_as_zero")
        return parsed

    return parse


def _parse_flag(text: str) -> Parsed:
    bare = text.strip().upper()
    if bare in _NULL_WORDS:
        return Parsed(None, "missing")
    plain = _TRUTHS.get(bare) or _TRUTHS.get(_plain_number(bare) or "")
    if plain is None:
        return Parsed(None, "out_of_domain")
    return Parsed(plain == "1", None if plain == bare else "variant")


def _parse_category(text: str, domain: set[str]) -> Parsed:
    bare = text.strip()
    if bare.upper() in _NULL_WORDS and bare not in domain:
        return Parsed(None, "missing")
    if not domain or bare in domain:
        return Parsed(bare)
    for other in (_plain_number(bare), bare.upper()):
        if other in domain:
            return Parsed(other, "variant")
    return Parsed(None, "out_of_domain")


def _parse_number(text: str, attribute: Attribute) -> Parsed:
    bare = text.strip()
    if bare.upper() in _NULL_WORDS:
        return Parsed(None, "missing")
    plain = _plain_number(bare)
    if (plain or bare) in attribute.sentinels:
        return Parsed(None, "sentinel")
    try:
        value = int(plain) if plain is not None else float(bare.replace("_", "?"))
    except ValueError:
        return Parsed(None, "unreadable")
    if plain is None and (attribute.kind == "integer" or not math.isfinite(value)):
        return Parsed(None, "unreadable")
    low = -math.inf if attribute.low is None else attribute.low
    high = math.inf if attribute.high is None else attribute.high
    most = MOST_INTEGER if attribute.kind == "integer" else MOST_NUMBER
    if not (low <= value <= high and abs(value) <= most):
        return Parsed(None, "out_of_range")
    return Parsed(value, None if plain == bare or plain is None else "variant")


def _parse_date(text: str) -> Parsed:
    bare = text.strip()
    if bare.upper() in _NULL_WORDS:
        return Parsed(None, "missing")
    day, _, clock = bare.replace("T", " ").partition(" ")
    try:
        value = date.fromisoformat(day)
    except ValueError:
        return Parsed(None, "unreadable")
    if value.year not in _YEARS:
        return Parsed(None, "out_of_range")
    return Parsed(value, "variant" if clock or day != value.isoformat() else None)


def _plain_number(text: str) -> str | None:
    """A whole number as its shortest text: `07`, `7.0` and `+7` are `7`; None for anything else."""
    if "_" in text:  # Python reads 1_000, nobody writes it
        return None
    try:
        return str(int(text))
    except ValueError:
        pass
    try:
        value = float(text)
    except ValueError:
        return None
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else None


class NumberReader:
    """Reads a column of many distinct numbers, row by row."""

    def __init__(self, attribute: Attribute) -> None:
        self.attribute = attribute

    def read(self, column: pl.Series, counts: ColumnCounts) -> tuple[pl.Series, NDArray[np.bool_]]:
        """Values in the attribute's type, and which were missing as read."""
        attribute = self.attribute
        text, missing, n_padded = strip_text(column)
        counts.add("padded", n_padded)
        counts.add("missing", int(missing.sum()))
        values = text.cast(pl.Float64, strict=False)
        unreadable = (values.is_null() | ~values.is_finite()) & ~missing
        counts.add("unreadable", int(unreadable.sum()), *_first(column, unreadable))
        values = values.set(unreadable | missing, None)
        if attribute.sentinels:
            told = values.is_in([float(s) for s in attribute.sentinels]).fill_null(value=False)
            counts.add("sentinel", int(told.sum()))
            values = values.set(told, None)
        low = -math.inf if attribute.low is None else attribute.low
        high = math.inf if attribute.high is None else attribute.high
        outside = ~(values.is_between(low, high) & (values.abs() <= MOST_NUMBER)).fill_null(value=True)
        counts.add("out_of_range", int(outside.sum()), *_first(column, outside))
        return values.set(outside, None).cast(attribute.dtype), missing.to_numpy()


def read_ids(column: pl.Series, dtype: pl.DataType, counts: ColumnCounts) -> pl.Series:
    """Client ids; null where there is none or it can't be read."""
    if column.dtype.is_integer() and dtype == pl.Int64:
        return column.cast(pl.Int64, strict=False)
    text, missing, n_padded = strip_text(column)
    counts.add("padded", n_padded)
    if dtype == pl.String:
        return text.set(missing, None)
    ids = text.cast(pl.Int64, strict=False)
    odd = ids.is_null() & ~missing
    if odd.any():
        number = text.cast(pl.Float64, strict=False)
        whole = odd & number.is_finite() & (number == number.floor()) & (number.abs() < 2**53)
        counts.add("variant", int(whole.sum()))
        ids = ids.zip_with(~whole.fill_null(value=False), number.cast(pl.Int64, strict=False))
    return ids


def strip_text(column: pl.Series) -> tuple[pl.Series, pl.Series, int]:
    """The texts without spaces around them, which are missing, and how many had such spaces."""
    text = as_text(column)
    if text.dtype == pl.Categorical:
        text = text.cast(pl.String)
    bare = text.str.strip_chars()
    n_padded = int((bare.str.len_bytes() != text.str.len_bytes()).sum())
    missing = bare.is_null() | bare.str.to_uppercase().is_in(sorted(_NULL_WORDS))
    return bare, missing.fill_null(value=True), n_padded


def _first(column: pl.Series, bad: pl.Series) -> Iterator[str]:
    return (str(value) for value in column.filter(bad).head(_N_EXAMPLES).to_list())
