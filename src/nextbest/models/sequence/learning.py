"""From a log to a fitted network: shards, held-out questions, batches, training, export.

The only place where the parts of this package meet. Axes: B windows, L places, D dims, I items, N targets,
Q questions.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

import hashlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save as to_safetensors
from torch import Tensor, nn

from nextbest.data.interactions import Histories
from nextbest.data.item_features import ItemFeatures
from nextbest.models.base import FloatArray
from nextbest.models.sequence.batches import Batch, cloze_batches, next_item_batches, question_batches
from nextbest.models.sequence.config import SequenceConfig
from nextbest.models.sequence.encoders.base import Encoder
from nextbest.models.sequence.item_table import ItemTable
from nextbest.models.sequence.losses import loss
from nextbest.models.sequence.negatives import NegativeSampler
from nextbest.models.sequence.ranks import rank_and_world
from nextbest.models.sequence.shards import Shards
from nextbest.models.sequence.trainer import train
from nextbest.models.sequence.validation import Questions, held_out_of

log = logging.getLogger(__name__)
_NDCG_PLACES = 10
_QUESTION_EVENTS = 16_384


@dataclass(frozen=True, eq=False)
class Learned:
    """A fitted network in the forms that answering and keeping need."""

    item_vectors_ID: FloatArray
    """What scores are products with; one more column where items have a bias. Shape (I, D) or (I, D + 1)."""
    input_vectors_ID: FloatArray
    """Shape (I + 2, D); the last two are `pad` and `mask`."""
    known_items_I: NDArray[np.bool_]
    """Items with an event, or with features."""
    graph: bytes
    weights: bytes
    trained: dict[str, Any]


class Network(nn.Module):
    """Table, encoder and loss as one thing to train."""

    def __init__(
        self,
        table: ItemTable,
        encoder: Encoder,
        config: SequenceConfig,
        sampler: NegativeSampler | None,
    ) -> None:
        super().__init__()
        self.table, self.encoder = table, encoder
        self._config, self._sampler = config, sampler

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, int]:
        """Mean loss of a batch's targets, and how many there are."""
        device = self.table.device
        input_BL = torch.from_numpy(batch.input_BL).to(device)
        target_BL = torch.from_numpy(batch.target_BL).to(device)
        length_B = torch.from_numpy(batch.length_B).to(device)
        h_BLD = self.encoder(self.table.vectors(input_BL), length_B)
        asked_BL = target_BL >= 0
        targets_N = target_BL[asked_BL]
        value = loss(
            h_BLD[asked_BL],
            targets_N,
            self.table,
            config=self._config.loss,
            sampler=self._sampler,
            generator=generator,
        )
        return value, len(targets_N)


def learn(
    shards: Shards | None,
    *,
    n_items: int,
    features: ItemFeatures | None,
    encoder: Callable[[], Encoder],
    mask_share: float | None,
    config: SequenceConfig,
    rng: np.random.Generator,
    questions: Questions | None = None,
    checkpoints: Path | None = None,
    progress: bool = False,
) -> Learned:
    """Fit a network on a log; the same log, config and `rng` give the same network on a CPU.

    Parameters
    ----------
    shards
        The log; None where there are no items to learn of.
    n_items, features
        Of the catalogue; features may say something of items without events.
    encoder
        Makes a new one.
    mask_share
        Share of events that is hidden and asked for; None: each next event is.
    questions
        Stop by these and train on the whole log; None: hold out what `config.training.validation` says.
    checkpoints
        Folder to write to and to go on from; see `trainer.train`. Those of other settings or another log are refused.
    """
    torch_seed, epoch_seed, held_rng = int(rng.integers(2**31)), int(rng.integers(2**31)), rng.spawn(1)[0]
    training = config.training
    with torch.random.fork_rng():
        torch.manual_seed(torch_seed)
        table = _table(n_items, features, config)
        if shards is None:  # nothing to learn, and nothing to answer
            return exported(Network(table, encoder(), config, None), np.zeros(n_items, np.bool_), trained={})
        kept = shards
        if questions is None:
            kept, questions = held_out_of(
                shards,
                how=training.validation,
                users=-(-training.validation_users // rank_and_world()[1]),  # of all processes together
                fraction=training.validation_fraction,
                rng=held_rng,
            )
        network = Network(table, encoder(), config, sampler_of(shards.item_counts, config))
        trained = train(
            network,
            lambda epoch: _batches(kept, mask_share, config, np.random.default_rng([epoch_seed, epoch])),
            config=training,
            validate=validation_of(network, questions, config, append_mask=mask_share is not None),
            n_questions=max(1, len(questions)),
            checkpoints=checkpoints,
            about=None if checkpoints is None else _about(kept, features, questions, config),
            rng=torch_seed,
            progress=progress,
        )
    known_I = shards.item_counts > 0
    if table.features is not None and features is not None:
        table.forget_own(torch.from_numpy(np.flatnonzero(~known_I)).to(table.device))
        known_I |= ~np.isnan(features.x_IF).all(axis=1)
    return exported(network, known_I, trained=trained.described())


def _about(
    shards: Shards, features: ItemFeatures | None, questions: Questions, config: SequenceConfig
) -> dict[str, Any]:
    """What a resumed training must agree in beside its trainer's own: settings, and the log, read once for it."""
    return {
        "model": config.model_dump(mode="json", exclude={"training", "renewal"}),
        "n_events": shards.n_events,
        "item_counts": _digest(shards.item_counts),
        "order": _order(shards),
        "item_features": None if features is None else _digest(features.x_IF),
        "questions": _digest(questions.histories.item_idx, questions.target_idx),
    }


def _order(shards: Shards) -> str:
    """Of whose events come in which order; counts don't tell."""
    blocks = (shards.read(number) for number in range(shards.n_shards))
    parts = [_digest(block.indptr, block.item_idx) for block in blocks]
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:16]


def _digest(*arrays: NDArray[Any]) -> str:
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:16]


def _table(n_items: int, features: ItemFeatures | None, config: SequenceConfig) -> ItemTable:
    if features is None or not features.x_IF.shape[1]:
        return ItemTable(n_items, config.embedding_dim, bias=config.item_bias)
    return ItemTable(
        n_items,
        config.embedding_dim,
        features_IF=torch.from_numpy(features.x_IF),
        bias=config.item_bias,
        id_dropout=config.id_dropout,
    )


def _batches(
    shards: Shards, mask_share: float | None, config: SequenceConfig, rng: np.random.Generator
) -> Iterator[Batch]:
    for histories in shards.epoch(rng):
        yield from batches_of(histories, shards.n_items, config, rng, mask_share=mask_share)


def batches_of(
    histories: Histories,
    n_items: int,
    config: SequenceConfig,
    rng: np.random.Generator,
    *,
    mask_share: float | None,
    is_target: NDArray[np.bool_] | None = None,
) -> Iterator[Batch]:
    """Batches of hidden events, or with `mask_share` None of next events; see `batches.py`."""
    common: dict[str, Any] = {
        "n_items": n_items,
        "max_len": config.max_len,
        "batch_events": config.training.batch_events,
        "rng": rng,
        "every_window": config.every_window,
        "is_target": is_target,
    }
    if mask_share is None:
        return next_item_batches(histories, **common)
    return cloze_batches(histories, mask_share=mask_share, **common)


def sampler_of(item_counts_I: NDArray[np.int64], config: SequenceConfig) -> NegativeSampler | None:
    """Draws the items that a loss needs; None where all compete."""
    if config.loss.kind == "softmax":
        return None
    return NegativeSampler(item_counts_I, power=config.loss.popularity_power)


def validation_of(
    network: Network, questions: Questions, config: SequenceConfig, *, append_mask: bool
) -> Callable[[], float] | None:
    """NDCG@10 of held-out events among all items that the user hasn't had; None without questions."""
    if not len(questions.target_idx):
        return None

    def ndcg() -> float:
        was_training = network.training
        network.eval()
        try:
            with torch.inference_mode():
                return float(np.mean(_gains(network, questions, config.max_len, append_mask=append_mask)))
        finally:
            network.train(was_training)

    return ndcg


def _gains(network: Network, questions: Questions, max_len: int, *, append_mask: bool) -> NDArray[np.float64]:
    """1 / log2(place + 1) of each question's target if it is among the first ten, else 0. Shape (Q,)."""
    table, histories = network.table, questions.histories
    device = table.device
    vectors_ID, bias_I = table.all_vectors(), table.all_bias()
    gain_Q = np.zeros(len(histories))
    for rows_B, batch in question_batches(
        histories,
        n_items=len(vectors_ID),
        max_len=max_len,
        batch_events=_QUESTION_EVENTS,
        append_mask=append_mask,
    ):
        input_BL, length_B = (torch.from_numpy(a).to(device) for a in (batch.input_BL, batch.length_B))
        scores_BI = network.encoder.last(table.vectors(input_BL), length_B) @ vectors_ID.T
        if bias_I is not None:
            scores_BI = scores_BI + bias_I
        target_B = torch.from_numpy(questions.target_idx[rows_B].astype(np.int64)).to(device)
        own_B1 = scores_BI.gather(1, target_B[:, None]).clone()
        row_M, item_M = _seen(histories, rows_B)
        scores_BI[torch.from_numpy(row_M).to(device), torch.from_numpy(item_M).to(device)] = -torch.inf
        # ties count as losses, so that equal scores earn nothing; the target itself isn't above itself
        scores_BI.scatter_(1, target_B[:, None], -torch.inf)
        place_B = 1 + (scores_BI >= own_B1).sum(dim=1).cpu().numpy()
        gain_Q[rows_B] = np.where(place_B <= _NDCG_PLACES, 1 / np.log2(place_B + 1), 0)
    return gain_Q


def _seen(histories: Histories, rows_B: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Place in the block and item of every event of these histories."""
    some = histories.take(rows_B)
    return np.repeat(np.arange(len(some)), some.lengths), some.item_idx.astype(np.int64)


def exported(network: Network, known_I: NDArray[np.bool_], *, trained: dict[str, Any]) -> Learned:
    """The network as arrays, graph and weights; `known_I` are the items that get a score."""
    network.eval()
    table = network.table
    with torch.inference_mode():
        rows = torch.arange(len(known_I) + 2, device=table.device)
        input_ID = table.vectors(rows).float().cpu().numpy().copy()
        bias_I = table.all_bias()
    item_ID = input_ID[:-2]
    if bias_I is not None:
        item_ID = np.column_stack([item_ID, bias_I.detach().float().cpu().numpy()])
    return Learned(
        item_vectors_ID=np.ascontiguousarray(item_ID, np.float32),
        input_vectors_ID=input_ID,
        known_items_I=known_I,
        graph=network.encoder.onnx(),
        weights=as_safetensors(network),
        trained=trained,
    )


def as_safetensors(network: Network) -> bytes:
    """All weights, by name."""
    return to_safetensors(
        {name: value.detach().contiguous().cpu() for name, value in network.state_dict().items()}
    )
