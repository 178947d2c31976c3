"""What an ingest did: counts by step and reason, as a dict for programs and a table for people."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel


class StepReport(BaseModel, frozen=True, extra="forbid"):
    """One cleaning step: whether it ran, what it rejected and why, what it changed in place."""

    step: str
    enabled: bool
    quarantined: int = 0
    """Rows sent to quarantine by this step."""
    reasons: dict[str, int] = {}
    """Those rows by reason code."""
    changed: int = 0
    """Values changed in place (text normalised, amounts converted, clipped or netted)."""
    note: str = ""
    """What the step decided by itself, such as the decimal sign it found."""


class TableReport(BaseModel, frozen=True, extra="forbid"):
    """Counts for a companion table (catalog or clients); always `read == stored + quarantined`."""

    read: int
    stored: int
    quarantined: int


class IngestReport(BaseModel, frozen=True, extra="forbid"):
    """Counts of one ingest; always `read == stored + quarantined`.

    `stored` rows of the input are in the journal now, `added` of them were not there before.
    """

    read: int
    stored: int
    quarantined: int
    added: int
    steps: tuple[StepReport, ...]
    sources: tuple[str, ...] = ()
    time_kind: str = "real"
    n_rows_total: int = 0
    """Rows of the whole journal after this ingest."""
    n_netted_before: int = 0
    """Rows stored by earlier ingests that returns of this one cancelled; they are in quarantine now."""
    catalog: TableReport | None = None
    clients: TableReport | None = None

    @property
    def reasons(self) -> dict[str, int]:
        """Quarantined rows by reason code, most frequent first."""
        total: dict[str, int] = {}
        for step in self.steps:
            for reason, n in step.reasons.items():
                total[reason] = total.get(reason, 0) + n
        return dict(sorted(total.items(), key=lambda pair: (-pair[1], pair[0])))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: `read, stored, quarantined, added, steps` and the rest."""
        return self.model_dump(mode="json")

    def to_markdown(self) -> str:
        """The cleaning report as a Markdown table, a line of totals above it."""
        counts = f"read {self.read:,} = stored {self.stored:,} + quarantined {self.quarantined:,}"
        lines = [
            f"{counts}; added {self.added:,}; journal now {self.n_rows_total:,} rows",
            "",
            "| step | on | quarantined | changed | reasons and notes |",
            "|---|---|---:|---:|---|",
        ]
        for step in self.steps:
            detail = ", ".join(f"{reason} {n:,}" for reason, n in step.reasons.items())
            detail = "; ".join(part for part in (detail, step.note) if part)
            on = "yes" if step.enabled else "no"
            lines.append(f"| {step.step} | {on} | {step.quarantined:,} | {step.changed:,} | {detail} |")
        for name, table in (("catalog", self.catalog), ("clients", self.clients)):
            if table:
                lines.append(
                    f"| {name} | yes | {table.quarantined:,} | 0 | read {table.read:,}, stored {table.stored:,} |"
                )
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.to_markdown()


class Tally:
    """Counts while an ingest runs; becomes the step reports at its end."""

    def __init__(self) -> None:
        self.reasons: dict[str, dict[str, int]] = {}
        self.changed: dict[str, int] = {}
        self.notes: dict[str, list[str]] = {}

    def reject(self, step: str, reason: str, n: int) -> None:
        """`n` rows left by `step` for `reason`."""
        if n:
            counts = self.reasons.setdefault(step, {})
            counts[reason] = counts.get(reason, 0) + n

    def change(self, step: str, n: int) -> None:
        """`n` values changed in place by `step`."""
        if n:
            self.changed[step] = self.changed.get(step, 0) + n

    def note(self, step: str, text: str) -> None:
        """Remember a decision of `step`, once."""
        notes = self.notes.setdefault(step, [])
        if text not in notes:
            notes.append(text)

    def steps(self, enabled: Mapping[str, bool]) -> tuple[StepReport, ...]:
        """One report per step of `enabled`, in its order."""
        return tuple(
            StepReport(
                step=step,
                enabled=on,
                quarantined=sum(self.reasons.get(step, {}).values()),
                reasons=self.reasons.get(step, {}),
                changed=self.changed.get(step, 0),
                note="; ".join(self.notes.get(step, [])),
            )
            for step, on in enabled.items()
        )
