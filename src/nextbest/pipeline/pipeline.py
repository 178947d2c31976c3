"""The pipeline: queries in, answers with source and reason out; retrieve -> filter -> rank -> fill up.

Ties the room's modules together. Outside ids come in and go out here; between, only row numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
from tqdm import tqdm

from nextbest.data.event_log import Event, EventLog
from nextbest.data.ids import OutsideId
from nextbest.data.interactions import Histories, Interactions
from nextbest.errors import InputError
from nextbest.models.base import Recommender, Rng
from nextbest.pipeline.answers import Writer, like_places
from nextbest.pipeline.artifact import Parts, describe, model_loader, read_pipeline, write_pipeline
from nextbest.pipeline.config import PipelineConfig, PipelineInfo
from nextbest.pipeline.fallback import Fallback, named_chain
from nextbest.pipeline.filters import Clients, Filters
from nextbest.pipeline.following import LogFollower
from nextbest.pipeline.items import ItemSpace
from nextbest.pipeline.live import LiveHistories, pack
from nextbest.pipeline.query import Answer, Lang, Query, RecommendedItem
from nextbest.pipeline.ranker import Pick, Ranker
from nextbest.pipeline.resolve import Asked, Resolver
from nextbest.tables import USER_ID

__all__ = ["Pipeline", "PipelineConfig", "PipelineInfo"]

_BLOCK_FLOATS = 16_000_000
"""Scores held at once, 64 MB of them."""
_MAX_BLOCK = 256


class Pipeline:
    """A fitted model with filters, fallbacks and live histories.

    Any number of threads may ask while one adds events. Made by `fit` or `load`; the constructor takes
    models that are fitted already, all on the same items as `interactions`.

    Raises
    ------
    InputError
        A model was fitted on other items, or the config names a column that isn't there.
    DataError
        The catalogue or the clients table breaks its contract.
    """

    def __init__(
        self,
        model: Recommender,
        fallbacks: Sequence[Recommender] | Mapping[str, Recommender],
        interactions: Interactions,
        *,
        catalog: pl.DataFrame | None = None,
        clients: pl.DataFrame | None = None,
        config: PipelineConfig | None = None,
        info: PipelineInfo | None = None,
    ) -> None:
        config = PipelineConfig() if config is None else config
        chain = named_chain(fallbacks)
        for candidate in (model, *chain.values()):
            if candidate.item_ids_ != interactions.item_ids:
                raise InputError(
                    "model", "must be fitted on the items of `interactions`", value=candidate.kind
                )
        self.config = config
        info = PipelineInfo() if info is None else info
        self._parts = Parts(model, chain, interactions, catalog, clients, config, info)
        self._manifest = describe(self._parts)
        self._items = ItemSpace(interactions.item_ids, catalog)
        self._filters = Filters(self._items, config)
        self._clients = Clients(
            clients, rules=config.rules, segment=config.segment, segment_ids=interactions.segment_ids
        )
        n_segments = 0 if interactions.segment_ids is None else len(interactions.segment_ids)
        steps = [Fallback(m, name=name, n_segments=n_segments) for name, m in chain.items()]
        self._has_segments = n_segments > 0
        main = Fallback(model, name=model.kind, n_segments=n_segments)
        self._ranker = Ranker(main, steps, self._items, caps=config.caps)
        self._writer = Writer(self._items, main, steps)
        self._live = LiveHistories(interactions, config.live)
        self._resolver = Resolver(interactions, self._items, self._filters, self._clients, self._live, config)
        self._follower = LogFollower(self._live)
        self._block = max(1, min(_MAX_BLOCK, _BLOCK_FLOATS // max(1, len(self._items))))

    @classmethod
    def fit(
        cls,
        model: Recommender,
        fallbacks: Sequence[Recommender] | Mapping[str, Recommender],
        interactions: Interactions,
        *,
        catalog: pl.DataFrame | None = None,
        clients: pl.DataFrame | None = None,
        config: PipelineConfig | None = None,
        rng: Rng = 0,
        known: Interactions | None = None,
        info: PipelineInfo | None = None,
        progress: bool = False,
        checkpoints: Path | None = None,
    ) -> Self:
        """Fit the model and its fallbacks on one log, each with its own stream of `rng`.

        Parameters
        ----------
        model
            Retrieves and ranks.
        fallbacks
            Fill answers up, in this order, under their own names or those given; the catalogue's order comes
            after them by itself.
        interactions
            What the models may learn from.
        catalog, clients
            Tables of the items and the users: titles for reasons, columns for filters and rules.
        config
            Filters, rules, language; None: the defaults.
        rng
            Seed or Generator; the same one gives the same pipeline.
        known
            The histories to answer from, where they aren't those the models learn from (events after the
            fit, other users); items that `interactions` doesn't hold are left out. None: the same.
        info
            Name, recipe, cutoff and metrics for the manifest.
        progress
            Show a bar for a fit that takes epochs.
        checkpoints
            Folder that killed fits go on from; the model and each fallback have a folder of their own in it.
        """
        chain = named_chain(fallbacks)
        streams = np.random.default_rng(rng).spawn(1 + len(chain))
        folders = ("model", *(f"fallback-{place}" for place in range(len(chain))))
        for candidate, stream, name in zip((model, *chain.values()), streams, folders, strict=True):
            own = None if checkpoints is None else checkpoints / name
            candidate.fit(interactions, rng=stream, progress=progress, checkpoints=own)
        if known is not None:
            histories = model.histories_for(known)
            interactions = Interactions(
                known.user_ids, interactions.item_ids, histories, interactions.segment_ids
            )
        return cls(model, chain, interactions, catalog=catalog, clients=clients, config=config, info=info)

    # --- asking ---------------------------------------------------------------------------------
    def recommend(self, queries: Sequence[Query]) -> list[Answer]:
        """An answer for each query, in their order; the model scores a batch at once.

        Every answer holds k items whenever the filters leave k: what the model has no evidence for comes
        from the fallbacks, at last from the catalogue. An item never comes twice.

        Raises
        ------
        InputError
            A `where` names a column or a value that the catalogue can't have.
        """
        answers: list[Answer] = []
        for start in range(0, len(queries), self._block):
            batch = queries[start : start + self._block]
            asked, picks, histories = self._rank(batch)
            written = self._write(batch, asked, picks, histories)
            for query, one, items in zip(batch, asked, written, strict=True):
                answers.append(Answer(query.user_id, one.known, items))
        return answers

    def _rank(self, batch: Sequence[Query]) -> tuple[list[Asked], list[list[Pick]], Histories]:
        asked = [self._resolver.resolve(query) for query in batch]
        segment = None
        if self._has_segments:
            segment = np.array([a.wish.segment for a in asked], dtype=np.int32)
        histories = pack([a.row for a in asked], segment)
        return asked, self._ranker.rank(histories, [a.wish for a in asked]), histories

    def _write(
        self, batch: Sequence[Query], asked: list[Asked], picks: list[list[Pick]], histories: Histories
    ) -> list[list[RecommendedItem]]:
        return self._writer.write(
            picks,
            histories,
            [one.wish.segment for one in asked],
            langs=[query.lang or self.config.lang for query in batch],
            explain=[query.explain for query in batch],
        )

    def recommend_table(
        self,
        user_ids: pl.Series | Sequence[OutsideId] | None = None,
        *,
        k: int = 10,
        explain: bool = False,
        exclude_seen: bool | None = None,
        progress: bool = False,
    ) -> pl.DataFrame:
        """The same for many users, as the recommendations table.

        Parameters
        ----------
        user_ids
            Whom to answer, in this order, repeats once; None: every user of the journal.
        k
            Rows a user; fewer where the filters leave fewer items.
        explain
            Add the column `reason`.
        exclude_seen
            None: as the config says.
        progress
            Show a bar on standard error.

        Returns
        -------
        polars.DataFrame
            `user_id, item_id, rank, score, source` and, if asked for, `reason`.
        """
        users = self._parts.interactions.user_ids.ids if user_ids is None else pl.Series(USER_ID, user_ids)
        users = users.alias(USER_ID).unique(maintain_order=True)
        blocks = range(0, len(users), self._block)
        chunks = [self._writer.table(users[:0], [])]
        if explain:
            chunks[0] = chunks[0].with_columns(reason=pl.lit(None, dtype=pl.String))
        for start in tqdm(blocks, unit=f"x{self._block} users", disable=not progress):
            part = users[start : start + self._block]
            batch = [
                Query(user_id=u, k=k, explain=explain, exclude_seen=exclude_seen) for u in part.to_list()
            ]
            asked, picks, histories = self._rank(batch)
            table = self._writer.table(part, picks)
            if explain:
                written = self._write(batch, asked, picks, histories)
                reasons = [item.reason for row in written for item in row]
                table = table.with_columns(pl.Series("reason", reasons, dtype=pl.String))
            chunks.append(table)
        return pl.concat(chunks)

    def similar_items(
        self,
        item_id: OutsideId,
        *,
        k: int = 10,
        user_id: OutsideId | None = None,
        lang: Lang | None = None,
        at: datetime | None = None,
        nearest: Sequence[OutsideId] = (),
        trust: float = 0.5,
    ) -> list[RecommendedItem]:
        """At most k items like this one that may be shown to this client (None: to a stranger), best first; nothing is filled up.

        Parameters
        ----------
        nearest
            Items that something else finds like it, by their texts say, best first: both orders are joined by reciprocal
            ranks (Cormack et al. 2009), and so are scores. Unknown ids count for nothing.
        trust
            Weight of the model's order beside that of `nearest`, 0-1.

        Raises
        ------
        InputError
            Nobody knows the item, `k` < 1, or `trust` isn't 0-1.
        """
        item_idx = self._items.ids.find(item_id)
        if item_idx < 0:
            raise InputError("item_id", "is not in the journal or the catalogue", value=item_id)
        query = Query(user_id=user_id, k=k, lang=lang, at=at)
        is_known = item_idx < self._items.n_model_items
        if not is_known and not nearest:
            return []
        rule_bits = self._clients.rule_bits(self._clients.find(user_id))
        blocked = self._filters.blocked(at_us=self._resolver.at_us(query.at), rule_bits=rule_bits)
        model, near = self._parts.model if is_known else None, self._items.encode(nearest)
        places, scores = like_places(model, item_idx, near, blocked, trust=trust, k=k)
        return self._writer.write_similar(item_idx, places, scores, lang=lang or self.config.lang)

    # --- events -----------------------------------------------------------------------------------
    def add_events(self, events: Sequence[Event]) -> int:
        """Put events into their users' histories; the next answer knows them. The number that is new.

        Times may come in any order. Users may be new. Events of items that no model knows are kept and
        ignored until a newer pipeline adopts them. With an attached event log they are stored there first.
        """
        for event in events:
            if not isinstance(event, Event):
                raise InputError("events", "must hold Event objects", value=event)
        return self._follower.add(events)

    def attach(self, event_log: EventLog, *, after: int = 0) -> int:
        """Take events from this log, and store new ones there; the number it held that was new here.

        `after`: row number in the log from which on to read; what the journal of the training held
        already is recognised and passed over in any case.
        """
        return self._follower.attach(event_log, after=after)

    def sync(self) -> int:
        """Take over what other processes stored since the last call; costs microseconds if nothing."""
        return self._follower.sync()

    def adopt_live(self, other: "Pipeline") -> int:
        """Take over an older pipeline's posted events, of items that this one knows too; with a log `attach` does the same."""
        return self._live.adopt(other._live)

    # --- looking ----------------------------------------------------------------------------------
    @property
    def manifest(self) -> dict[str, Any]:
        """What it is and where it came from; JSON-ready. `digests` is filled by `save` and `load`."""
        return dict(self._manifest)

    @property
    def catalog_columns(self) -> dict[str, pl.DataType]:
        """Columns that `where` may name, with their types; only `item_id` without a catalogue."""
        return self._items.columns.schema

    @property
    def items(self) -> ItemSpace:
        """Ids, titles and columns of every item that an answer may hold."""
        return self._items

    @property
    def n_live_users(self) -> int:
        """Users with posted events in memory."""
        return self._live.n_live_users

    def is_known(self, user_id: OutsideId) -> bool:
        """Whether the user is in the journal, in the clients table, or has posted events."""
        return self._clients.find(user_id) >= 0 or self._live.is_known(user_id)

    # --- files ------------------------------------------------------------------------------------
    def save(
        self,
        folder: str | Path,
        *,
        recipe: str | dict[str, Any] | None = None,
        metrics: dict[str, Any] | None = None,
        created: datetime | None = None,
    ) -> dict[str, Any]:
        """Write the folder in one rename and return its manifest; posted events are not part of it.

        Parameters
        ----------
        folder
            A new or empty folder, or a pipeline's, which is then replaced.
        recipe, metrics
            For the manifest; None: those of `info`.
        created
            When it was trained; None: that of `info`, or now.

        Raises
        ------
        InputError
            `folder` is there and holds something else than a pipeline.
        ExternalError
            The disk refused; what stood there before still does.
        """
        news = {"recipe": recipe, "metrics": metrics, "created": created}
        info = self._parts.info.model_copy(update={n: v for n, v in news.items() if v is not None})
        self._parts = replace(self._parts, info=info)
        self._manifest = write_pipeline(folder, self._parts)
        return self.manifest

    @classmethod
    def load(
        cls,
        folder: str | Path,
        *,
        verify: bool = True,
        models: Mapping[str, type[Recommender]] | None = None,
    ) -> Self:
        """Read what `save` wrote.

        Parameters
        ----------
        folder
            The folder.
        verify
            Compare every file with its digest; a few hundred MB take a second.
        models
            Classes of kinds that this package doesn't have.

        Raises
        ------
        ArtifactError
            The folder is missing, incomplete, damaged or of another version.
        """
        parts, manifest = read_pipeline(folder, read_model=model_loader(models or {}), verify=verify)
        pipeline = cls(
            parts.model,
            parts.fallbacks,
            parts.interactions,
            catalog=parts.catalog,
            clients=parts.clients,
            config=parts.config,
            info=parts.info,
        )
        pipeline._manifest = manifest
        return pipeline
