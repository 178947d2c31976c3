"""Offers for every client of a month, as a folder that is there whole or not at all.

::

    OUT/2016-05_2016-06-0f3a9c21b7/      as-of month and model version
        offers/part-00000.parquet        one row an offer: rank, probability, score, source, reasons
        decisions/part-00000.parquet     one row an offer and one for each client without: filters that fired, odds
        policy.json                      the rules that held
        filters.parquet                  how often each filter fired, by product
        summary.json                     what was asked, counts, seconds

A second run of the same month and model finds the folder and does nothing; a killed one leaves
nothing but a hidden folder, which the next run sweeps away.
"""

import hashlib
import json
import logging
import os
import secrets
import shutil
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from nextbest.data.locking import new_folder, writer_lock
from nextbest.data.manifest import disk_errors, sync_folder
from nextbest.data.panel.panel import Panel
from nextbest.errors import ArtifactError, InputError
from nextbest.pipeline.decisions.audit import Head
from nextbest.pipeline.decisions.decision_log import DecisionLog
from nextbest.pipeline.decisions.decisions import Decisions
from nextbest.pipeline.products.advisor import ProductAdvisor
from nextbest.pipeline.products.batch_summary import BatchTally, ContactTally, summary_in_words
from nextbest.version import __version__

log = logging.getLogger(__name__)

CHUNK = 32_768
"""Clients decided at once."""
SUMMARY = "summary.json"
_WORDS = {
    "policy_digest": "policy",
    "contacts": "history of contacts",
    "decided_at": "moment of decision",
    "panel": "state of the panel",
}
"""Key of a summary -> what it stands for, where that isn't its name."""


@dataclass(frozen=True)
class BatchResult:
    """What a run of the batch did."""

    folder: Path
    status: Literal["written", "unchanged"]
    """`unchanged`: the folder of this month and model was there already."""
    summary: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {"folder": str(self.folder), "status": self.status, **self.summary}

    def to_text(self) -> str:
        """For people."""
        s = self.summary
        if self.status == "unchanged":
            return f"{self.folder} holds the offers of {s['as_of']} by model {s['model']} already; nothing was done"
        return summary_in_words(s, self.folder)


def batch(
    advisor: ProductAdvisor,
    out: str | Path,
    *,
    month: date | None = None,
    channel: str | None = None,
    contacts: pl.DataFrame | None = None,
    decided_at: datetime | None = None,
    replace: bool = False,
    decision_log: DecisionLog | None = None,
    progress: bool = False,
) -> BatchResult:
    """Decide for every client present in a month and write a folder below `out`.

    Parameters
    ----------
    advisor
        Model, panel and policy.
    out
        Folder of all batches; made where it isn't there.
    month
        Newest month known; offers are for the month after. None: the newest of the panel.
    channel, contacts
        See `decide`.
    decided_at
        Contacts at or after it are not read; None: the first moment of the target month, UTC.
    replace
        Write a folder anew that is there already.
    decision_log
        Keeps every decision too, before the folder is there; a batch that it holds isn't kept twice. The summary
        notes the end of its chain.
    progress
        Show a bar.

    Returns
    -------
    BatchResult
        `unchanged` where the folder of this month and model was there, made by the same policy, channel, contacts
        and rows of the panel, those of earlier months included.

    Raises
    ------
    InputError
        There is no panel or no such month; or the folder is there, made by another policy or of other data or
        without a decision log where one is asked for, and `replace` is False.
    DataError
        The decision log is broken.
    ArtifactError
        What is there is no batch, or files of the panel are gone.
    ExternalError
        Another batch is writing below `out`, or the disk refused; what was there still is.
    """
    panel = advisor.panel
    if contacts is not None and decided_at is None and panel is not None and panel.months:
        target = panel.schema.month_before(panel.months[-1] if month is None else month, n=-1)
        decided_at = datetime(target.year, target.month, 1, tzinfo=UTC)
    if panel is not None and panel.months:
        advisor = advisor.for_month(panel.months[-1 if month is None else panel.index(month)])
    asked = _asked(advisor, month, channel, contacts, decided_at)
    out = Path(out)
    final = out / f"{asked['as_of']}_{asked['model']}"
    with disk_errors(out), new_folder(out), writer_lock(out):
        for left in out.glob(".batch-*"):
            shutil.rmtree(left)
        if final.exists() and not replace:
            return _unchanged(final, asked, is_logged=decision_log is not None)
        fresh = out / f".batch-{secrets.token_hex(4)}"
        try:
            summary = _write(
                advisor,
                fresh,
                asked,
                month,
                channel,
                contacts,
                decided_at,
                decision_log=decision_log,
                progress=progress,
            )
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        if final.exists():
            final.rename(out / f".batch-{secrets.token_hex(4)}-old")
        fresh.rename(final)
        sync_folder(out)
        for left in out.glob(".batch-*"):
            shutil.rmtree(left)
    return BatchResult(final, "written", summary)


def _asked(
    advisor: ProductAdvisor,
    month: date | None,
    channel: str | None,
    contacts: pl.DataFrame | None,
    decided_at: datetime | None,
) -> dict[str, Any]:
    """All that decides what a batch holds, in JSON's own types."""
    panel = advisor.panel
    if panel is None or not panel.months:
        raise InputError("panel", "must be there: a batch is of stored clients")
    as_of = panel.months[-1 if month is None else panel.index(month)]
    target = panel.schema.month_before(as_of, n=-1)
    policy = advisor.rules.policy
    return {
        "as_of": f"{as_of:%Y-%m}",
        "target": f"{target:%Y-%m}",
        "model": advisor.version,
        "policy": policy.version,
        "policy_digest": advisor.rules.digest,
        "channel": policy.default_channel if channel is None else channel,
        "contacts": None if contacts is None else _digest(contacts),
        "decided_at": None if decided_at is None else decided_at.astimezone(UTC).isoformat(),
        "panel": _rows_digest(panel, target if advisor.history.reads_target else as_of),
    }


def _rows_digest(panel: Panel, last: date) -> str:
    """Of the rows that answers are made from: all months to the last one read, for lags reach back.

    By content: files of a store that was made anew have the old names.
    """
    digest = hashlib.sha256()
    for part in panel.manifest.months:
        if part.month <= last:
            try:
                with (panel.folder / part.file).open("rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
            except OSError as error:
                raise ArtifactError(panel.folder / part.file, f"can't be read: {error}") from error
    return digest.hexdigest()[:16]


def _unchanged(final: Path, asked: dict[str, Any], *, is_logged: bool) -> BatchResult:
    try:
        summary = json.loads((final / SUMMARY).read_text(encoding="utf-8"))
        differs = sorted({_WORDS.get(k, k) for k, value in asked.items() if summary.get(k) != value})
    except (OSError, ValueError, AttributeError) as error:
        raise ArtifactError(
            final, f"is no batch ({error})", remedy="move it away or run with --replace (replace=True)"
        ) from error
    if differs:
        raise InputError(
            "out",
            f"{final.name} is there, made with another {', '.join(differs)}",
            remedy="write into another folder or run with --replace (replace=True)",
        )
    if is_logged and summary.get("decision_log") is None:
        raise InputError(
            "decision_log",
            f"can't have what was decided before: {final.name} is there, made without one",
            remedy="run with --replace (replace=True): the same decisions are made again and kept",
        )
    log.info("batch unchanged", extra={"folder": final.name})
    return BatchResult(final, "unchanged", summary)


def _write(
    advisor: ProductAdvisor,
    fresh: Path,
    asked: dict[str, Any],
    month: date | None,
    channel: str | None,
    contacts: pl.DataFrame | None,
    decided_at: datetime | None,
    *,
    decision_log: DecisionLog | None,
    progress: bool,
) -> dict[str, Any]:
    """Everything into a folder that nobody looks at yet; its summary."""
    from tqdm import tqdm

    assert advisor.panel is not None
    started, cpu = time.perf_counter(), time.process_time()
    as_of = advisor.panel.months[-1 if month is None else advisor.panel.index(month)]
    clients = advisor.history.clients(as_of)
    assert clients is not None
    rows = clients.present()
    for kind in ("offers", "decisions"):
        (fresh / kind).mkdir(parents=True)
    tally = BatchTally(advisor.rules.policy, np.zeros(len(advisor.schema.products), np.int64))
    history: ContactTally | None = None
    if contacts is not None and decided_at is not None:
        ids = advisor.panel.ids.decode(rows)
        history = ContactTally.of(contacts, ids, advisor.rules, at=decided_at, channel=asked["channel"])
    counts: pl.DataFrame | None = None
    head: Head | None = None
    starts = range(0, len(rows), CHUNK)
    for part, start in enumerate(tqdm(starts, desc="offers", unit="part", disable=not progress)):
        own = rows[start : start + CHUNK]
        ids = advisor.panel.ids.decode(own)
        decisions, _ = advisor.offers(
            clients.inputs(own), ids, channel=channel, contacts=contacts, decided_at=decided_at
        )
        _write_part(fresh, part, decisions)
        head = None if decision_log is None else decision_log.append(decisions, as_file=True)
        tally.add(decisions)
        if history is not None:
            history.add(decisions, slice(start, start + len(own)))
        own_counts = decisions.counts()
        counts = own_counts if counts is None else _added(counts, own_counts)
    _write_text(fresh / "policy.json", advisor.rules.policy.to_json())
    if counts is not None:
        _flushed(counts, fresh / "filters.parquet")
    summary = asked | {
        "n_clients": len(rows),
        **tally.to_dict(advisor.schema.product_columns),
        "contact_history": None if history is None else history.to_dict(),
        "decision_log": None if head is None else head._asdict(),
        "version": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.perf_counter() - started, 3),
        "cpu_seconds": round(time.process_time() - cpu, 3),
    }
    _write_text(fresh / SUMMARY, json.dumps(summary, ensure_ascii=False, indent=1))
    sync_folder(fresh)
    return summary


def _write_part(fresh: Path, part: int, decisions: Decisions) -> None:
    _flushed(decisions.to_frame(), fresh / "offers" / f"part-{part:05d}.parquet")
    _flushed(decisions.to_log(), fresh / "decisions" / f"part-{part:05d}.parquet")


def _write_text(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _flushed(table: pl.DataFrame, path: Path) -> None:
    with path.open("wb") as file:
        table.write_parquet(file, compression="zstd", compression_level=1)
        file.flush()
        os.fsync(file.fileno())


def _added(counts: pl.DataFrame, more: pl.DataFrame) -> pl.DataFrame:
    """Both tables' numbers; their rows are the same filters in the same order."""
    numbers = [name for name, dtype in counts.schema.items() if dtype.is_numeric()]
    return counts.with_columns(counts[name] + more[name] for name in numbers)


def _digest(table: pl.DataFrame) -> str:
    """Of a table's content, whatever the order of its rows."""
    ordered = table.select(sorted(table.columns)).sort(sorted(table.columns))
    return hashlib.sha256(ordered.write_csv().encode()).hexdigest()[:16]
