"""What cleaning does, step by step: one frozen model with a switch and a rule for each step."""

from typing import Literal, get_args

from pydantic import AwareDatetime, BaseModel, Field, NonNegativeFloat, PositiveFloat

Step = Literal[
    "structure",
    "types",
    "text",
    "missing",
    "time_range",
    "currency",
    "exact_duplicates",
    "near_duplicates",
    "refunds",
    "outliers",
]

STEPS: tuple[Step, ...] = get_args(Step)
"""Names of the steps in the order they run; the first five look at one row, the last four at a user's history."""


class Rate(BaseModel, frozen=True, extra="forbid"):
    """Price of one unit of `currency` in the base currency, valid from a moment on."""

    currency: str
    """ISO 4217 code."""
    time: AwareDatetime
    """First moment at which the rate holds."""
    rate: PositiveFloat
    """Units of the base currency for one unit of `currency`."""


class CleaningConfig(BaseModel, frozen=True, extra="forbid"):
    """Rules of `ingest`. The defaults change no purchase: they only reject what can't be read or is a copy."""

    # types
    time_zone: str = "UTC"
    """IANA zone of times that name none."""
    time_format: str | None = None
    """strptime format of text times; None tries ISO 8601 and the usual day-month-year forms."""
    day_first: bool | None = None
    """Whether 01/02/2024 is the 1st of February; None decides by the file, and refuses when it can't."""
    decimal: Literal["auto", ".", ","] = "auto"
    """Decimal sign of numbers written as text."""
    unreadable: Literal["quarantine", "null"] = "quarantine"
    """What happens to a row whose optional number or time can't be read: rejected, or kept without it."""

    # text
    text: bool = True
    """Normalise `text_columns`: Unicode NFKC, no control characters, single spaces, no space at the ends."""
    text_columns: tuple[str, ...] = ("text", "merchant", "kind", "title", "category")
    """Columns that are prose; ids are never touched beyond spaces at their ends."""
    text_case: Literal["keep", "lower", "upper"] = "keep"

    # missing
    missing: bool = True
    """Reject rows without a user, an item, a time, or one of `require`. Off is for files known to be whole:
    a missing id or time is then an error, because the journal can't hold it."""
    require: tuple[str, ...] = ()
    """Optional columns that must not be null, such as `amount`."""

    # time_range
    now: AwareDatetime | None = None
    """The moment after which a time is in the future; None skips the check (the library reads no clock)."""
    future_tolerance_s: NonNegativeFloat = 0.0
    """Seconds past `now` that still pass: clocks differ."""
    earliest: AwareDatetime | None = None
    """Times before this moment are rejected: 1900-01-01 usually means unknown."""

    # currency
    base_currency: str | None = None
    """Convert amounts to this ISO 4217 code by `rates`; None keeps every row's own currency."""
    rates: tuple[Rate, ...] = ()
    """The rate in force at the row's time is used (the latest not after it)."""

    # duplicates
    exact_duplicates: bool = True
    """Reject the second and later rows that agree in every column. Off: true copies are kept, and told
    apart by their place among their equals, so that a second run still adds nothing."""
    near_duplicates_s: NonNegativeFloat = 0.0
    """Reject a row with the user, item and amount of a kept one at most this many seconds older. 0 (off) is
    the default: two coffees in a minute are two coffees; terminals that post twice need 1 or 2."""

    # refunds
    refunds: bool = True
    """Net a return (negative quantity or amount, or a `kind` of `refund_kinds`) against the latest earlier
    purchase of that user and item that has as much left."""
    refund_kinds: tuple[str, ...] = ("refund", "return", "cancel", "cancellation", "reversal", "chargeback")
    """Values of `kind`, in any case, that mark a return."""

    # outliers
    outliers: Literal["off", "quarantine", "clip"] = "off"
    """What happens to an amount further than `outlier_mads` from the median of its currency, on a log scale."""
    outlier_mads: float = Field(default=8.0, gt=0)
    """Distance in median absolute deviations (scaled by 1.4826, so they read like standard deviations)."""

    @property
    def enabled(self) -> dict[str, bool]:
        """Which steps run under these rules, by name."""
        steps: dict[str, bool] = dict.fromkeys(STEPS, True)
        return steps | {
            "text": self.text,
            "missing": self.missing,
            "time_range": self.now is not None or self.earliest is not None,
            "currency": self.base_currency is not None,
            "exact_duplicates": self.exact_duplicates,
            "near_duplicates": self.near_duplicates_s > 0,
            "refunds": self.refunds,
            "outliers": self.outliers != "off",
        }
