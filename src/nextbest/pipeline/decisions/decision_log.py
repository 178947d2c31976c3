"""Every decision kept: tables that off-policy estimates read, in a chain that shows any change.

A folder: `chain.jsonl` (`AuditLog`), `parts/*.parquet` for batches, `policies/<digest>.json`. A small batch
lies in the chain itself. Never rewrites anything.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from nextbest.data.manifest import disk_errors, sync_folder
from nextbest.errors import DataError
from nextbest.pipeline.decisions.audit import AuditLog, Head
from nextbest.pipeline.decisions.decisions import DECISION_LOG, LOG_COLUMNS, Decisions
from nextbest.pipeline.decisions.hashing import id_hash
from nextbest.tables import TIME_DTYPE

CHAIN, PARTS, POLICIES = "chain.jsonl", "parts", "policies"
INLINE_CLIENTS = 64
"""Batches of up to so many clients are written into the chain, larger ones as a Parquet file."""


class DecisionLog:
    """Decisions of one folder.

    Parameters
    ----------
    folder
        Made with the first decision.
    key
        See `AuditLog`.
    """

    def __init__(self, folder: str | Path, *, key: bytes | None = None) -> None:
        self.folder = Path(folder)
        self.chain = AuditLog(self.folder / CHAIN, key=key)

    def append(self, decisions: Decisions, *, as_file: bool = False) -> Head:
        """Keep a batch with its policy. A batch that the log holds already, bit for bit, isn't written again.

        Only batches that have a file of their own are recognised: a request that comes twice was answered twice.

        Parameters
        ----------
        as_file
            Write a file however small the batch is, so that it is recognised when it comes again.

        Raises
        ------
        DataError
            The chain is broken.
        ExternalError
            The disk refused.
        """
        if len(decisions) <= INLINE_CLIENTS and not as_file:
            return self.append_answers([decisions])
        table, body = DECISION_LOG.check(decisions.to_log()), _about(decisions)
        with disk_errors(self.folder):
            self._keep_policy(decisions)
            content = _content(decisions)
            path = self.folder / PARTS / f"{decisions.month:%Y-%m}-{content[:16]}.parquet"
            # the file comes before its record: without one there is no record to look for
            if path.is_file() and any(past.get("content") == content for past in self.chain.read()):
                return self.chain.head()
            _write(path, table)
            body |= {"file": f"{PARTS}/{path.name}", "sha256": _digest(path), "content": content}
            return self.chain.append([body])

    def append_answers(self, answers: Sequence[Decisions]) -> Head:
        """Keep small batches in the chain itself, a record each, all with one flush to the disk.

        Raises
        ------
        DataError
            The end of the chain is broken.
        ExternalError
            The disk refused; none of them is kept.
        """
        bodies = []
        with disk_errors(self.folder):
            for decisions in answers:
                self._keep_policy(decisions)
                table = DECISION_LOG.check(decisions.to_log())
                bodies.append(_about(decisions) | {"rows": table.to_dicts()})
            return self.chain.append(bodies)

    def read(self, *, month: date | None = None, model_version: str | None = None) -> pl.DataFrame:
        """The decisions as the `DECISION_LOG` table, oldest batch first.

        Parameters
        ----------
        month
            Only of this target month.
        model_version
            Only of this model.

        Raises
        ------
        DataError
            The chain is broken, or a file is missing or changed.
        """
        tables = []
        for body in self.chain.read():
            if body.get("event") != "decisions":
                continue
            if month is not None and body["month"] != month.isoformat():
                continue
            if model_version is not None and body["model_version"] != model_version:
                continue
            tables.append(_from_rows(body["rows"]) if "rows" in body else self._part(body))
        if not tables:
            return pl.DataFrame(schema=_schema(pl.Int64()))
        return DECISION_LOG.check(pl.concat(tables))

    def verify(self, *, head: Head | None = None) -> Head:
        """Check the chain, every file that it names, and every policy; see `AuditLog.verify`.

        Raises
        ------
        DataError
            Something was changed, removed, added or moved.
        """
        for body in self.chain.read():
            if body.get("event") != "decisions":
                continue
            if "file" in body:
                self._check_part(body)
            policy = self.folder / POLICIES / f"{body['policy_digest']}.json"
            if not policy.is_file() or _digest(policy)[:12] != body["policy_digest"]:
                raise DataError("decision log", f"policy {policy} is missing or was changed")
        return self.chain.verify(head=head)

    def _keep_policy(self, decisions: Decisions) -> None:
        path = self.folder / POLICIES / f"{decisions.rules.digest}.json"
        if not path.is_file():
            _write(path, decisions.rules.policy.to_json().encode())

    def _check_part(self, body: dict[str, Any]) -> Path:
        path = self.folder / str(body["file"])
        if not path.is_file() or _digest(path) != body["sha256"]:
            raise DataError("decision log", f"file {path} is missing or was changed")
        return path

    def _part(self, body: dict[str, Any]) -> pl.DataFrame:
        return pl.read_parquet(self._check_part(body), glob=False)


def _about(decisions: Decisions) -> dict[str, Any]:
    """A record's body but for its rows."""
    return {
        "event": "decisions",
        "month": decisions.month.isoformat(),
        "channel": decisions.channel,
        "model_version": decisions.model_version,
        "policy_version": decisions.rules.policy.version,
        "policy_digest": decisions.rules.digest,
        "n_clients": len(decisions),
        "n_offers": int(decisions.n_offers_N.sum()),
        "n_control": int(decisions.is_control_N.sum()),
    }


def _schema(id_dtype: pl.DataType) -> dict[str, pl.DataType]:
    columns = {**DECISION_LOG.required, **DECISION_LOG.optional}
    return {name: columns[name] or id_dtype for name in LOG_COLUMNS}


def _from_rows(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows of a chain record as a table; JSON knows neither dates nor moments."""
    id_dtype = pl.String() if isinstance(rows[0]["customer_id"], str) else pl.Int64()
    schema = _schema(id_dtype)
    texts: dict[str, pl.DataType] = {"month": pl.String(), "decided_at": pl.String()}
    return (
        pl.DataFrame(rows, schema=schema | texts)
        .with_columns(
            pl.col("month").str.to_date(),
            pl.col("decided_at").str.to_datetime(time_unit="us", time_zone="UTC").cast(TIME_DTYPE),
        )
        .select(LOG_COLUMNS)
    )


def _content(decisions: Decisions) -> str:
    """SHA-256 of what was decided for whom, whatever file format or library wrote it."""
    d = decisions
    told = [
        d.month.isoformat(),
        None if d.decided_at is None else d.decided_at.isoformat(),
        d.channel,
        d.model_version,
        d.rules.digest,
        d.rng,
        d.product_NK.shape,
    ]
    digest = hashlib.sha256(json.dumps(told).encode())
    for array in (
        id_hash(d.client_ids),
        d.product_NK,
        d.propensity_NK,
        d.score_NK,
        d.probability_NK,
        d.source_NK,
        d.fired_NP,
        d.possible_N,
        d.is_control_N,
        d.reasons.code_NKR,
    ):
        digest.update(array.tobytes())
    return digest.hexdigest()


def _write(path: Path, content: pl.DataFrame | bytes) -> None:
    """A new file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    with draft.open("wb") as file:
        if isinstance(content, bytes):
            file.write(content)
        else:
            content.write_parquet(file, compression="zstd", compression_level=3)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
