"""A sequence model as a recommender: a history's vector is the encoder's last state, a score its product with the item's.

Answers by ONNX Runtime or torch, learns by torch, and imports neither until it must. Axes: B histories,
L places, D dims, I items.
"""

import json
from abc import abstractmethod
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel

from nextbest.data.event_log import to_time_us
from nextbest.data.ids import IdIndex, OutsideId
from nextbest.data.interactions import Histories, Interactions
from nextbest.data.item_features import ItemCoder, ItemFeatures
from nextbest.errors import InputError
from nextbest.models.base import FloatArray, How, Rng
from nextbest.models.factors import FactorModel
from nextbest.models.histories import renumbered, up_to
from nextbest.models.sequence.batches import question_batches
from nextbest.models.sequence.config import SequenceConfig
from nextbest.models.sequence.needs import need_torch
from nextbest.models.sequence.renewal import appended, encoded, new_days
from nextbest.models.sequence.shards import InMemory, Shards
from nextbest.models.sequence.validation import Questions

if TYPE_CHECKING:
    from nextbest.models.sequence.encoders.base import Encoder
    from nextbest.models.sequence.encoding import Encode
    from nextbest.models.sequence.learning import Learned

GRAPH, WEIGHTS, CODER = "encoder.onnx", "weights.safetensors", "item_features.json"
_QUESTION_EVENTS = 2048
"""Places of a block of histories that are encoded at once: few, so that a block is padded little and stays near the
processor."""
_EVENTS_ALONE = 20
"""Newest events whose part in a score is worked out one by one."""
_PREFIXES_AT_ONCE = 1024


class SequenceModel(FactorModel):
    """What GRU4Rec, SASRec, BERT4Rec and the LSTM share; each adds a config and an encoder.

    Score: product of the state after the newest `max_len` events with the item's vector, plus the item's bias
    where there is one. Order counts; times and weights don't. Events of items without evidence are skipped.
    """

    Config: ClassVar[type[BaseModel]] = SequenceConfig
    config: SequenceConfig

    input_vectors_: FloatArray
    """What the encoder reads: rows of the items, then `pad` (0) and `mask`. Shape (I + 2, D)."""
    graph_: bytes
    """The encoder as ONNX."""
    weights_: bytes
    """Everything learned, as safetensors."""
    trained_: dict[str, Any]
    """How training went: curve, best epoch, why it stopped; empty after `load`."""
    item_coder_: ItemCoder | None
    """How the catalogue was read, to read later rows of it alike; None: the fit had no item features."""
    _encode: "Encode"

    # --- what each model writes -------------------------------------------------------------
    @abstractmethod
    def _encoder(self) -> "Encoder":
        """A new encoder for this config, its weights not learned yet."""

    @property
    def _mask_share(self) -> float | None:
        """Share of events that training hides and asks for; a mask then asks the question. None: each next event."""
        return None

    # --- what every sequence model gets -----------------------------------------------------
    def _fit(self, interactions: Interactions, *, rng: np.random.Generator) -> None:
        shards = InMemory(interactions.histories, interactions.n_items) if interactions.n_items else None
        self._learn(shards, interactions.item_features, rng=rng, how=self._how)

    def fit_shards(
        self,
        shards: Shards,
        *,
        item_ids: IdIndex,
        item_features: ItemFeatures | None = None,
        questions: Questions | None = None,
        rng: Rng = 0,
        checkpoints: Path | None = None,
        progress: bool = False,
    ) -> Self:
        """`fit` for a log that needn't fit into memory, for several processes, or with questions of one's own.

        Parameters
        ----------
        shards
            `shards.ParquetShards.open(folder)` reads a shard at a time; under `torchrun` each process opens its
            own share (`rank`, `world`).
        item_ids
            Whose row number is which in the shards.
        item_features
            What a catalogue says of these items.
        questions
            Histories with the item that came next, to stop training by; then nothing is held out of the shards.
        checkpoints
            Folder to write to after each epoch, and to go on from.

        Raises
        ------
        InputError
            The shards are of another number of items, or a setting breaks its rule.
        ArtifactError
            A shard is gone or damaged, or the checkpoints are of another training.
        """
        if len(item_ids) != shards.n_items:
            raise InputError(
                "item_ids", f"must hold the {shards.n_items} items of the shards", value=len(item_ids)
            )
        self.item_ids_, self.segment_ids_ = item_ids, None
        try:
            self._learn(
                shards,
                item_features,
                rng=np.random.default_rng(rng),
                how=How(progress=progress, checkpoints=checkpoints),
                questions=questions,
            )
        except BaseException:
            del self.item_ids_, self.segment_ids_  # half a model must not answer
            raise
        return self

    def _learn(
        self,
        shards: Shards | None,
        features: ItemFeatures | None,
        *,
        rng: np.random.Generator,
        how: How,
        questions: Questions | None = None,
    ) -> None:
        need_torch(self.kind)
        from nextbest.models.sequence.learning import learn

        learned = learn(
            shards,
            n_items=len(self.item_ids_),
            features=features,
            encoder=self._encoder,
            mask_share=self._mask_share,
            config=self.config,
            rng=rng,
            questions=questions,
            checkpoints=how.checkpoints,
            progress=how.progress,
        )
        self._take(learned)
        self.item_coder_ = None if features is None or not features.x_IF.shape[1] else features.coder

    # --- live -------------------------------------------------------------------------------
    def with_items(self, item_ids: pl.Series | Iterable[OutsideId], catalog: pl.DataFrame) -> Self:
        """A new model with more items, known by what the catalogue says of them; nothing is learned anew.

        Row numbers and vectors of the old items stay what they are, so their scores do, too (to the rounding of a
        product of another size).

        Parameters
        ----------
        item_ids
            Of the new items; they get the rows after the old ones, in this order.
        catalog
            `item_id` and the columns that the fit read, with a row for each new item; other rows and columns are
            passed over. An item of which every column is null gets no score.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        InputError
            The fit had no item features, or an id has a row already, comes twice or is of another type.
        DataError
            The catalogue lacks a column or an item, or holds an item twice.
        """
        self._check_fitted()
        if self.item_coder_ is None:
            raise InputError(
                "with_items",
                "this model was fitted without item features, so that it knows items by their events only",
                remedy="fit it with item features, or teach it the new items' events (fit_more)",
            )
        ids = appended(self.item_ids_, item_ids)
        new_ids = IdIndex(ids.ids[self.n_items :])
        x_MF = encoded(self.item_coder_, catalog, new_ids)
        need_torch(self.kind)
        from nextbest.models.sequence.renewing import grown

        more = grown(self.weights_, x_MF, n_items=self.n_items, encoder=self._encoder, config=self.config)
        model = type(self)(self.config)
        model.item_ids_, model.segment_ids_, model.item_coder_ = ids, self.segment_ids_, self.item_coder_
        own = more.vectors_MD if more.bias_M1 is None else np.hstack([more.vectors_MD, more.bias_M1])
        model.item_vectors_ = np.concatenate([self.item_vectors_, own])
        vectors, special = self.input_vectors_[:-2], self.input_vectors_[-2:]
        model.input_vectors_ = np.concatenate([vectors, more.vectors_MD, special])
        model.known_items_ = np.append(self.known_items_, ~np.isnan(x_MF).all(axis=1))
        model.weights_, model.trained_ = more.weights, self.trained_
        model._take_graph(self.graph_)
        return model

    def fit_more(
        self,
        interactions: Interactions,
        *,
        since: datetime,
        catalog: pl.DataFrame | None = None,
        rng: Rng = 0,
        progress: bool = False,
    ) -> Self:
        """Go on learning from new days without forgetting the old ones, and return the model itself.

        New events are learned together with older ones of the same log, drawn anew each epoch; how many, how fast
        and how long stands in `config.renewal`. Training stops by new events of some users that are held out; if
        none of its epochs is better for these than the model was before, weights stay as they were. Items that the
        model doesn't know yet get rows after the old ones.

        Parameters
        ----------
        interactions
            New events with the older ones that led to them. Of users who are left out, or of old events that are,
            nothing can be repeated: then the model forgets. Not changed.
        since
            Events at or after it are new; with time zone. What came before was learned before.
        catalog
            What is said of the new items, for a model with item features; without it, or where it is silent, an
            item starts from the mean vector of the known items around its first events.
        rng
            Seed or Generator; the same model, log and `rng` give the same model on a CPU.
        progress
            Show a bar.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        InputError
            `since` lies after all events or has no time zone, a catalogue is given to a model without item features,
            ids are of another type, or the loss isn't finite. The model stays as it was, then and after any error.
        DataError
            The catalogue lacks a column or holds an item twice.
        """
        self._check_fitted()
        since_us = to_time_us("since", since)
        if catalog is not None and self.item_coder_ is None:
            raise InputError("catalog", "this model was fitted without item features", remedy="leave it out")
        generator = np.random.default_rng(rng)
        there = interactions.item_ids.ids.filter(pl.Series(interactions.item_counts > 0))
        strange = there.filter(pl.Series(self.item_ids_.encode(there) < 0))
        ids = appended(self.item_ids_, strange) if len(strange) else self.item_ids_
        new_ids = IdIndex(ids.ids[self.n_items :])
        histories = interactions.histories
        if interactions.item_ids != ids:
            histories = renumbered(histories, ids.encode(interactions.item_ids.ids))
        days = new_days(
            histories,
            since_us=since_us,
            is_cloze=self._mask_share is not None,
            max_len=self.config.max_len,
            max_questions=self.config.training.validation_users,
            config=self.config.renewal,
            rng=generator,
        )
        if self.item_coder_ is None:
            x_MF = np.empty((len(new_ids), 0), np.float32)
        elif catalog is None:
            x_MF = np.full((len(new_ids), len(self.item_coder_.names)), np.nan, np.float32)
        else:
            x_MF = self.item_coder_.encode(catalog, new_ids)
        need_torch(self.kind)
        from nextbest.models.sequence.renewing import renewed

        learned = renewed(
            self.weights_,
            days,
            known_items_I=self.known_items_,
            features_MF=x_MF,
            item_counts_I=np.bincount(histories.item_idx, minlength=len(ids)),
            encoder=self._encoder,
            mask_share=self._mask_share,
            config=self.config,
            rng=generator,
            progress=progress,
        )
        self.item_ids_ = ids
        self._take(learned)
        return self

    def _take(self, learned: "Learned") -> None:
        self.item_vectors_, self.known_items_ = learned.item_vectors_ID, learned.known_items_I
        self.input_vectors_ = learned.input_vectors_ID
        self.weights_, self.trained_ = learned.weights, learned.trained
        self._take_graph(learned.graph)

    # --- answers ----------------------------------------------------------------------------
    def _user_vectors(self, histories: Histories) -> FloatArray:
        if not self.known_items_.all():
            rows = np.where(self.known_items_, np.arange(self.n_items), -1).astype(np.int32)
            histories = renumbered(histories, rows)
        vectors_BD = np.zeros((len(histories), self.item_vectors_.shape[1]), np.float32)
        dim = self.input_vectors_.shape[1]
        vectors_BD[:, dim:] = 1  # meets the column of item biases
        if histories.n_events:
            vectors_BD[:, :dim] = self._last_states(histories)
        return vectors_BD

    def _last_states(self, histories: Histories) -> FloatArray:
        """The state that answers each history, shape (B, D); histories hold known items only."""
        h_BD = np.zeros((len(histories), self.input_vectors_.shape[1]), np.float32)
        asked = question_batches(
            histories,
            n_items=self.n_items,
            max_len=self.config.max_len,
            batch_events=_QUESTION_EVENTS,
            append_mask=self._mask_share is not None,
        )
        for rows_B, batch in asked:
            h_BD[rows_B] = self._encode(self.input_vectors_[batch.input_BL], batch.length_B)
        return h_BD

    def _contributions(self, histories: Histories, item_idx: NDArray[np.int32]) -> FloatArray:
        """What each event changed: the score after it less the score before it, nothing known counting 0.

        Only the newest events are looked at one by one; what is older shares its part equally.
        """
        parts = np.zeros((histories.n_events, item_idx.shape[1]), np.float32)
        alone_B = np.minimum(histories.lengths, _EVENTS_ALONE)
        places = np.repeat(histories.indptr[1:] - alone_B, alone_B)
        places = places + np.arange(len(places)) - np.repeat(np.cumsum(alone_B) - alone_B, alone_B)
        user_N = np.repeat(np.arange(len(histories)), alone_B)
        known_I = np.append(self.known_items_, False)
        score_NK = np.empty((len(places), item_idx.shape[1]), np.float32)
        for start in range(0, len(places), _PREFIXES_AT_ONCE):
            rows = slice(start, start + _PREFIXES_AT_ONCE)
            vectors = self.user_vectors(
                up_to(histories, user_N[rows], places[rows], max_len=self.config.max_len)
            )
            score_NK[rows] = np.einsum("nd,nkd->nk", vectors, self.item_vectors_[item_idx[user_N[rows]]])
        score_NK[~known_I[item_idx[user_N]]] = np.nan
        parts[places] = score_NK
        has_older = alone_B[user_N] < histories.lengths[user_N]
        is_first = np.append(True, user_N[1:] != user_N[:-1])[: len(user_N)]
        later = np.flatnonzero(~is_first)
        parts[places[later]] -= score_NK[later - 1]
        for at in np.flatnonzero(is_first & has_older):
            older = slice(histories.indptr[user_N[at]], places[at] + 1)
            parts[older] = score_NK[at] / (older.stop - older.start)
        return parts

    def _taste_vectors(self) -> FloatArray:
        return self.item_vectors_[:, : self.input_vectors_.shape[1]]

    # --- keep -------------------------------------------------------------------------------
    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {**super()._arrays(), "input_vectors": self.input_vectors_}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        super()._restore(arrays)
        self.input_vectors_ = arrays["input_vectors"]
        if self.input_vectors_.ndim != 2 or len(self.input_vectors_) != self.n_items + 2:
            raise ValueError(f"input_vectors has shape {self.input_vectors_.shape}")
        if self.item_vectors_.shape[1] - self.input_vectors_.shape[1] not in (0, 1):
            raise ValueError("item_vectors don't fit input_vectors")

    def _files(self) -> dict[str, bytes]:
        files = {GRAPH: self.graph_, WEIGHTS: self.weights_}
        if self.item_coder_ is not None:
            files[CODER] = json.dumps(self.item_coder_.to_json()).encode()
        return files

    def _restore_files(self, files: dict[str, bytes]) -> None:
        self.weights_, self.trained_ = files[WEIGHTS], {}
        try:
            self.item_coder_ = ItemCoder.from_json(json.loads(files[CODER])) if CODER in files else None
        except TypeError as error:
            raise ValueError(f"{CODER}: {error}") from error
        self._take_graph(files[GRAPH])

    def _take_graph(self, graph: bytes) -> None:
        """Answer by ONNX Runtime, fitted or loaded, so that both say the same to the bit."""
        from nextbest.models.sequence.encoding import OnnxEncoder

        self.graph_ = graph
        self._encode = OnnxEncoder(graph)
