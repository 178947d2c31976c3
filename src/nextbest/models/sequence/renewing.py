"""A fitted network takes up again: rebuilt from its weights, with more items, taught new days beside old ones.

Axes: I items, M new items, D dims, F features.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load as from_safetensors
from torch import Tensor

from nextbest.data.interactions import Histories
from nextbest.errors import ArtifactError
from nextbest.models.base import FloatArray
from nextbest.models.sequence.batches import Batch
from nextbest.models.sequence.config import SequenceConfig, TrainConfig
from nextbest.models.sequence.encoders.base import Encoder
from nextbest.models.sequence.item_table import ItemTable
from nextbest.models.sequence.learning import (
    Learned,
    Network,
    as_safetensors,
    batches_of,
    exported,
    sampler_of,
    validation_of,
)
from nextbest.models.sequence.renewal import NewDays, neighbours
from nextbest.models.sequence.trainer import train


@dataclass(frozen=True, eq=False)
class Grown:
    """What more items add to a model."""

    vectors_MD: FloatArray
    bias_M1: FloatArray | None
    weights: bytes


def grown(
    weights: bytes,
    features_MF: FloatArray,
    *,
    n_items: int,
    encoder: Callable[[], Encoder],
    config: SequenceConfig,
) -> Grown:
    """Rows of M new items that are known by their features, and all weights with them; old ones stay as they are."""
    table, network = restored(weights, n_items=n_items, encoder=encoder, config=config)
    table = table.with_items(torch.from_numpy(features_MF)).eval()
    rows = torch.arange(n_items, n_items + len(features_MF))
    with torch.inference_mode():
        vectors_MD, bias_M = table.vectors(rows).numpy().copy(), table.bias(rows)
    return Grown(
        vectors_MD,
        None if bias_M is None else bias_M.numpy().copy()[:, None],
        as_safetensors(Network(table, network, config, None)),
    )


def restored(
    weights: bytes, *, n_items: int, encoder: Callable[[], Encoder], config: SequenceConfig
) -> tuple[ItemTable, Encoder]:
    """Table and encoder as they were when `weights` were written, on the CPU.

    Raises
    ------
    ArtifactError
        The weights are unreadable or not of such a network.
    """
    try:
        state: dict[str, Tensor] = from_safetensors(weights)
        with torch.random.fork_rng(devices=[]):  # what is drawn here is written over
            table = _empty_table(state, n_items=n_items, config=config)
            network = Network(table, encoder(), config, None)
        network.load_state_dict(state)
    except (SafetensorError, KeyError, RuntimeError) as error:
        raise ArtifactError("weights", f"are not those of this model ({error})") from error
    return table, network.encoder


def _empty_table(state: dict[str, Tensor], *, n_items: int, config: SequenceConfig) -> ItemTable:
    """A table of the right sizes, its numbers not yet those of `state`."""
    if "table.projection.weight" not in state:
        return ItemTable(n_items, config.embedding_dim, bias=config.item_bias)
    has_unknown_F = state["table.features.has_unknown_F"]
    features_IF = torch.zeros(n_items, len(has_unknown_F))
    features_IF[:1, has_unknown_F] = torch.nan  # a table flags columns in which it met an unknown value
    return ItemTable(
        n_items,
        config.embedding_dim,
        features_IF=features_IF,
        bias=config.item_bias,
        id_dropout=config.id_dropout,
    )


def renewed(
    weights: bytes,
    days: NewDays,
    *,
    known_items_I: NDArray[np.bool_],
    features_MF: FloatArray,
    item_counts_I: NDArray[np.int64],
    encoder: Callable[[], Encoder],
    mask_share: float | None,
    config: SequenceConfig,
    rng: np.random.Generator,
    progress: bool = False,
) -> Learned:
    """The network of `weights`, with M more items, after some epochs over new days and a share of old ones.

    Parameters
    ----------
    known_items_I
        Items that the network has learned or read features of; the others, and all new ones whose features are
        unknown, start from the mean vector of the known ones around them. Shape (I,) without the new ones.
    features_MF
        Of the new items, NaN = unknown; F = 0 for a network without features.
    item_counts_I
        Events of each item in the log, the new ones among them. Shape (I + M,).

    Notes
    -----
    The weights of the epoch with the best NDCG@10 on held-out new events are kept; those from before the first
    epoch, if none was better (`best_epoch` 0).
    """
    torch_seed, epoch_seed = int(rng.integers(2**31)), int(rng.integers(2**31))
    n_old, n_new = len(known_items_I), len(features_MF)
    table, network = restored(weights, n_items=n_old, encoder=encoder, config=config)
    has_features_M = ~np.isnan(features_MF).all(axis=1)
    if n_new:
        table = (
            table.with_rows(n_new)
            if table.features is None
            else table.with_items(torch.from_numpy(features_MF))
        )
    known_I = np.append(known_items_I, has_features_M)
    place_strangers(table, days.learned, known_I=known_I, count_I=item_counts_I)
    # an item that this log doesn't hold was learned before; never drawn, its vector would drift to the top
    counts_I = np.maximum(item_counts_I, known_I)
    net = Network(table, network, config, sampler_of(counts_I, config))
    validate = validation_of(net, days.questions, config, append_mask=mask_share is not None)
    before = None if validate is None else validate()
    start = {name: value.clone() for name, value in net.state_dict().items()}

    def batches(epoch: int) -> Iterator[Batch]:
        draws = np.random.default_rng([epoch_seed, epoch])
        histories, is_target_N = days.epoch(replay=config.renewal.replay, rng=draws)
        settings = config.model_copy(update={"training": training})
        return batches_of(
            histories, len(counts_I), settings, draws, mask_share=mask_share, is_target=is_target_N
        )

    training = _training(config)
    trained = train(
        net,
        batches,
        config=training,
        validate=validate,
        n_questions=max(1, len(days.questions)),
        rng=torch_seed,
        progress=progress,
    )
    described: dict[str, Any] = {**trained.described(), "validation_before": before}
    if before is not None and trained.best_validation is not None and trained.best_validation < before:
        net.load_state_dict(start)
        described |= {"best_epoch": 0, "best_validation": before}
    return exported(net, counts_I > 0, trained=described)


def _training(config: SequenceConfig) -> TrainConfig:
    renewal = config.renewal
    return config.training.model_copy(
        update={
            "n_epochs": renewal.n_epochs,
            "learning_rate": config.training.learning_rate * renewal.rate,
            "batch_events": renewal.batch_events,
            "patience": renewal.patience,
            "validate_every": 1,
            "warmup_steps": 0,
            "schedule": "constant",
        }
    )


@torch.no_grad()
def place_strangers(
    table: ItemTable, histories: Histories, *, known_I: NDArray[np.bool_], count_I: NDArray[np.int64]
) -> None:
    """Give items that have events and nothing else the mean vector of the known items around them, in place.

    Where none are around, the mean of all known items.
    """
    stranger_I = (count_I > 0) & ~known_I
    if not stranger_I.any() or not known_I.any():
        return
    was_training = table.training
    vectors_ID = table.eval().all_vectors().clone()
    new, near = (
        torch.from_numpy(rows.astype(np.int64))
        for rows in neighbours(histories, is_new_I=stranger_I, is_known_I=known_I)
    )
    sums_ID = torch.zeros_like(vectors_ID).index_add_(0, new, vectors_ID[near])
    n_I1 = torch.bincount(new, minlength=len(vectors_ID))[:, None]
    mean_D = vectors_ID[torch.from_numpy(known_I)].mean(0)
    wanted_ID = torch.where(n_I1 > 0, sums_ID / n_I1.clamp(min=1), mean_D)
    rows = torch.from_numpy(np.flatnonzero(stranger_I))
    # the own vector is what the map of (unknown) features leaves to it
    table.own.weight[rows] += (wanted_ID - vectors_ID)[rows]
    table.train(was_training)
