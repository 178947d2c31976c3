"""Where rows come from: general readers, and one adapter per known format."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nextbest.data.sources.base import Input
from nextbest.data.sources.opening import Readable, open_sources
from nextbest.errors import InputError
from nextbest.tables import TimeKind


@dataclass(frozen=True)
class Job:
    """What one ingest reads."""

    journal: tuple[Input, ...]
    catalog: tuple[Input, ...] = ()
    clients: tuple[Input, ...] = ()
    time_kind: TimeKind = "real"


ADAPTERS: dict[str, str] = {}


def plan(
    inputs: Readable | Sequence[Readable],
    *,
    mapping: Mapping[str, str] | None = None,
    source: str | None = None,
    catalog: Readable | None = None,
    clients: Readable | None = None,
    catalog_mapping: Mapping[str, str] | None = None,
    clients_mapping: Mapping[str, str] | None = None,
) -> Job:
    """Open everything an ingest reads."""
    if source is not None:
        raise InputError("source", "unknown", value=source)
    return Job(
        journal=tuple(Input(s, mapping) for s in open_sources(inputs)),
        catalog=() if catalog is None else tuple(Input(s, catalog_mapping) for s in open_sources(catalog)),
        clients=() if clients is None else tuple(Input(s, clients_mapping) for s in open_sources(clients)),
    )
