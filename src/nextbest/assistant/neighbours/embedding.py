"""One call from a file of interactions with texts to vectors, neighbours, a measured report and a workspace."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from nextbest.assistant.neighbours.evaluation import Measured, evaluate_neighbours
from nextbest.assistant.neighbours.likeness import FOLDER, N_EVENTS, NEIGHBOURS
from nextbest.assistant.neighbours.reading import read_texts
from nextbest.assistant.neighbours.vectors import ItemVectors, embed_items
from nextbest.data.ingest import ingest
from nextbest.data.store import Workspace
from nextbest.errors import DataError
from nextbest.models.language.sentence.encoder import open_encoder
from nextbest.tables import ITEM_ID, TIME, USER_ID, TimeKind
from nextbest.text.encoder import Encoder

KEPT = 30
"""Neighbours of each item that are stored at least: prices and refusals leave some out when somebody asks."""


@dataclass(frozen=True)
class Embedded:
    """What one call made."""

    n_events: int
    n_users: int
    n_items: int
    n_quarantined: int
    time_kind: TimeKind
    encoder: str
    k: int
    measured: tuple[Measured, ...]

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    def to_markdown(self) -> str:
        """The report: what was read, and three models on warm and cold items."""
        k = self.k
        read = f"{self.n_events:,} events of {self.n_users:,} users and {self.n_items:,} items"
        lines = [
            "# Neighbours of meaning",
            "",
            f"{read}, {self.n_quarantined:,} rows refused; encoder `{self.encoder}`.",
        ]
        lines += ["", f"| items | model | users | HR@{k} | NDCG@{k} | coverage | diversity |"]
        lines += ["|---|---|---:|---:|---:|---:|---:|"]
        for one in self.measured:
            diversity = "-" if one.diversity is None else f"{one.diversity:.3f}"
            figures = f"{one.hr:.4f} | {one.ndcg:.4f} | {one.coverage:.3f} | {diversity}"
            lines.append(f"| {one.setting} | {one.model} | {one.n_users:,} | {figures} |")
        held = (
            "a tenth of the pairs, drawn, for the file has no time: figures say nothing about the future"
            if self.time_kind == "none"
            else "each user's last item"
        )
        lines += ["", f"Warm: all items are candidates, targets are {held}."]
        lines += [
            "Cold: a fifth of the items, drawn, of which only so many events are known, are the only candidates;"
        ]
        lines += ["`popularity, all events` beside them counts what nobody knows yet."]
        lines += [
            "Coverage: share of the candidates that any list holds. Diversity: mean 1 - cosine of a list's pairs."
        ]
        return "\n".join(lines)


def embed_file(
    files: Sequence[str | Path],
    *,
    workspace: Path,
    mapping: Mapping[str, str] | None = None,
    encoder: Encoder | None = None,
    k: int = 10,
    n_users: int = 1000,
    rng: int = 0,
    evaluate: bool = True,
) -> Embedded:
    """Read, store, embed, find neighbours, measure; the workspace then holds what `nextbest train` and `chat` need.

    Parameters
    ----------
    files, mapping
        As `read_texts`.
    workspace
        Folder; the log is added to what is there, vectors and neighbours are written anew under `vectors`.
    encoder
        None: the sentence encoder where it is installed, character n-grams else.
    k
        Length of lists; of each item's neighbours 30 are kept, or `k` where it is more.
    n_users
        Users that are measured, drawn.

    Raises
    ------
    InputError
        A mapping or a number breaks its rule.
    DataError
        The file has no row, no ids, or leaves nothing to measure.
    """
    texts = read_texts(files, mapping=mapping)
    encoder = encoder or open_encoder()
    report = ingest(workspace, texts.journal, catalog=texts.catalog, time_kind=texts.time_kind)
    store = Workspace(workspace)
    journal, catalog = store.journal([USER_ID, ITEM_ID, TIME]).collect(), store.catalog()
    if journal.is_empty() or catalog is None:
        raise DataError(
            "interactions",
            "every row was refused",
            n_bad=report.quarantined,
            remedy=f"reasons: {dict(report.reasons)}",
        )
    # each table of a workspace settles the type of its own column
    catalog = catalog.with_columns(pl.col(ITEM_ID).cast(journal[ITEM_ID].dtype)).sort(ITEM_ID)
    items: ItemVectors = embed_items(catalog, encoder=encoder)
    folder = workspace / FOLDER
    items.save(folder)
    counts = journal.group_by(ITEM_ID).agg(pl.len().alias(N_EVENTS))
    near = items.neighbours(k=max(k, KEPT)).join(counts, on=ITEM_ID, how="left", maintain_order="left")
    temporary = folder / f".{NEIGHBOURS}"
    near.with_columns(pl.col(N_EVENTS).fill_null(0)).write_parquet(temporary)
    temporary.replace(folder / NEIGHBOURS)  # a chat may be reading the old one
    measured: list[Measured] = []
    if evaluate:
        measured = evaluate_neighbours(
            journal, items, time_kind=texts.time_kind, k=k, n_users=n_users, rng=rng
        )
    return Embedded(
        n_events=len(journal),
        n_users=journal[USER_ID].n_unique(),
        n_items=len(catalog),
        n_quarantined=report.quarantined,
        time_kind=texts.time_kind,
        encoder=encoder.name,
        k=k,
        measured=tuple(measured),
    )
