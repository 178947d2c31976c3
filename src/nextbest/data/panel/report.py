"""What an ingest of a panel did and what its data is like: the data contract, as a dict and as Markdown."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from pydantic import BaseModel

from nextbest.data.panel.break_words import breaks_in_words
from nextbest.data.panel.breaks import Break
from nextbest.data.panel.gaps import JointGap
from nextbest.data.panel.repairs import REPAIRS, VIOLATIONS, ColumnCounts
from nextbest.data.panel.schema import Attribute, PanelSchema
from nextbest.data.report import StepReport


class ColumnReport(BaseModel, frozen=True, extra="forbid"):
    """One raw column: what it promises and what had to be done to keep the promise.

    Counts are of rows that weren't refused, repeated ones included.
    """

    column: str
    role: str
    """`id`, `month`, `product` or the kind of the attribute."""
    rule: str
    """Domain or range in words."""
    repairs: dict[str, int] = {}
    """Values by kind of repair (see `nextbest.data.panel.repairs.Repair`)."""
    examples: dict[str, tuple[str, ...]] = {}
    """First distinct raw values that broke the contract."""

    @property
    def missing(self) -> int:
        """Values missing as read."""
        return self.repairs.get("missing", 0) + self.repairs.get("missing_as_zero", 0)

    @property
    def violations(self) -> int:
        """Values that broke the contract."""
        return sum(self.repairs.get(kind, 0) for kind in VIOLATIONS)


class MonthReport(BaseModel, frozen=True, extra="forbid"):
    """One month of the whole panel, after this ingest."""

    month: date
    rows: int
    first_seen: int
    """Clients in no earlier month."""
    left: int
    """Clients of the month before who aren't here."""
    additions: int | None = None
    """Products taken by clients present in both months; None in the first month and after a gap."""
    drops: int | None = None


class PanelReport(BaseModel, frozen=True, extra="forbid"):
    """Counts of one ingest; always `read == stored + quarantined + merged`.

    `stored` rows of the input (one for each client and month) are in the panel now, `added` of them
    were not there before, `updated` were there with other values; `merged` repeat a client and month.
    """

    read: int
    stored: int
    quarantined: int
    merged: int
    conflicting: int = 0
    """Merged rows that said something else than the row that stayed: the last in source order."""
    added: int
    updated: int = 0
    steps: tuple[StepReport, ...]
    sources: tuple[str, ...] = ()
    source_schema: str = ""
    columns: tuple[ColumnReport, ...] = ()
    extra_columns: tuple[str, ...] = ()
    """Columns of the sources that the schema doesn't name; not stored."""
    joint_gaps: tuple[JointGap, ...] = ()
    """Columns that are missing in the same rows."""
    months: tuple[MonthReport, ...] = ()
    breaks: tuple[Break, ...] = ()
    n_rows_total: int = 0
    """Rows of the whole panel after this ingest."""
    n_customers: int = 0

    @property
    def reasons(self) -> dict[str, int]:
        """Quarantined rows by reason code, most frequent first."""
        total = {reason: n for step in self.steps for reason, n in step.reasons.items()}
        return dict(sorted(total.items(), key=lambda pair: (-pair[1], pair[0])))

    @property
    def violations(self) -> int:
        """Attribute values that broke the contract, over all columns."""
        return sum(column.violations for column in self.columns)

    def column(self, name: str) -> ColumnReport:
        """The report of one column."""
        return next(column for column in self.columns if column.column == name)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: `read, stored, quarantined, added, steps` and the rest."""
        return self.model_dump(mode="json")

    def to_markdown(self) -> str:
        """The data contract as Markdown: totals, steps, columns, joint gaps, months, breaks."""
        parts = [self._totals(), self._steps(), self._columns(), self._gaps(), self._months(), self._breaks()]
        return "\n".join("\n".join(part) for part in parts if part)

    def __str__(self) -> str:
        return self.to_markdown()

    def _totals(self) -> list[str]:
        counts = (
            f"read {self.read:,} = stored {self.stored:,} + quarantined {self.quarantined:,}"
            f" + merged {self.merged:,}"
        )
        changed = f"added {self.added:,}" + (f", updated {self.updated:,}" if self.updated else "")
        now = f"panel now {self.n_rows_total:,} rows of {self.n_customers:,} clients in {len(self.months)} months"
        lines = [f"{counts}; {changed}; {now}"]
        if self.conflicting:
            lines.append(
                f"{self.conflicting:,} merged rows differ from the one that stayed (the last in the source)"
            )
        if self.extra_columns:
            lines.append(f"columns that the schema doesn't name, not stored: {', '.join(self.extra_columns)}")
        return lines

    def _steps(self) -> list[str]:
        lines = ["", "| step | quarantined | changed | reasons and notes |", "|---|---:|---:|---|"]
        for step in self.steps:
            detail = ", ".join(f"{reason} {n:,}" for reason, n in step.reasons.items())
            detail = "; ".join(part for part in (detail, step.note) if part)
            lines.append(f"| {step.step} | {step.quarantined:,} | {step.changed:,} | {detail} |")
        return lines

    def _columns(self) -> list[str]:
        if not self.columns:
            return []
        shown = [column for column in self.columns if column.repairs]
        kinds = [kind for kind in REPAIRS if any(kind in column.repairs for column in shown)]
        lines = ["", f"| column | role | rule | {' | '.join(kinds)} | values refused |"]
        lines.append("|---|---|---|" + "---:|" * len(kinds) + "---|")
        for column in shown:
            counts = " | ".join(f"{column.repairs.get(kind, 0):,}" for kind in kinds)
            refused = ", ".join(dict.fromkeys(v for kind in column.examples.values() for v in kind))
            lines.append(
                f"| {column.column} | {column.role} | {column.rule} | {counts} | {refused.replace('|', '¦')} |"
            )
        clean = len(self.columns) - len(shown)
        return [*lines, "", f"{clean} column(s) needed no repair."] if clean else lines

    def _gaps(self) -> list[str]:
        if not self.joint_gaps:
            return []
        lines = ["", "| missing together | rows |", "|---|---:|"]
        return lines + [f"| {', '.join(gap.columns)} | {gap.rows:,} |" for gap in self.joint_gaps]

    def _months(self) -> list[str]:
        if not self.months:
            return []
        lines = [
            "",
            "| month | rows | first seen | left | additions | drops |",
            "|---|---:|---:|---:|---:|---:|",
        ]
        for m in self.months:
            moves = " | ".join("-" if n is None else f"{n:,}" for n in (m.additions, m.drops))
            lines.append(f"| {m.month:%Y-%m} | {m.rows:,} | {m.first_seen:,} | {m.left:,} | {moves} |")
        return lines

    def _breaks(self) -> list[str]:
        return ["", *(f"- {line}" for line in breaks_in_words(self.breaks))] if self.breaks else []


def column_reports(schema: PanelSchema, counts: Mapping[str, ColumnCounts]) -> tuple[ColumnReport, ...]:
    """Reports of all columns of a schema, in its order."""
    rules: dict[str, tuple[str, str]] = {
        schema.id_column: ("id", "a whole number" if schema.id_kind == "integer" else "any text"),
        schema.month_column: ("month", "a date"),
        **{a.name: (a.kind, _rule(a)) for a in schema.attributes},
        **{
            p.column: ("product", "0 or 1" + (", missing is 0" if p.may_be_missing else ""))
            for p in schema.products
        },
    }
    return tuple(
        ColumnReport(
            column=name,
            role=role,
            rule=rule,
            repairs={kind: n for kind in REPAIRS if (n := counts[name].repairs[kind])},
            examples={kind: tuple(found) for kind, found in counts[name].examples.items() if found},
        )
        for name, (role, rule) in rules.items()
    )


def _rule(attribute: Attribute) -> str:
    if attribute.kind == "category":
        domain = attribute.domain
        if not domain:
            return "any text"
        return (
            ", ".join(domain) if len(domain) <= 6 else f"{domain[0]} .. {domain[-1]} ({len(domain)} values)"
        )
    if attribute.kind in ("integer", "number"):
        ends = ["" if end is None else f"{end:g}" for end in (attribute.low, attribute.high)]
        if not ends[1]:
            return f"{ends[0]} or more" if ends[0] else "a number"
        return f"{ends[0]} .. {ends[1]}"
    return "0 or 1" if attribute.kind == "flag" else "a date"
