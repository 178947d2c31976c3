"""Models to compare a language model with: its weights shuffled, and its shape with new weights. Knows no task."""

import copy
import hashlib
from dataclasses import replace

import numpy as np
import torch

from nextbest.errors import InputError
from nextbest.models.language.checkpoint import Checkpoint

_MATRIX = 2
"""Axes from which on weights are a matrix."""


def shuffled(checkpoint: Checkpoint, rng: int | np.random.Generator) -> Checkpoint:
    """The same numbers in each matrix at other places; vectors stay. What was learned is gone, its scale isn't.

    Raises
    ------
    InputError
        The checkpoint has an adapter, or is held in four bits.
    """
    seed = _seed(checkpoint, rng)
    generator = torch.Generator().manual_seed(seed)
    model = copy.deepcopy(checkpoint.model)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim >= _MATRIX:
                order = torch.randperm(weight.numel(), generator=generator).to(weight.device)
                weight.copy_(weight.flatten()[order].view_as(weight))
    return replace(checkpoint, model=model, digest=_digest(checkpoint, "shuffled", seed))


def from_scratch(checkpoint: Checkpoint, rng: int | np.random.Generator) -> Checkpoint:
    """A model of the same shape, weights new as its makers begin; it has seen nothing (`seen_until` None).

    Raises
    ------
    InputError
        The checkpoint has an adapter, or is held in four bits.
    """
    seed = _seed(checkpoint, rng)
    config = copy.deepcopy(checkpoint.model.config)
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        model = type(checkpoint.model)(config)
    model = model.to(checkpoint.model.device, torch.float32).requires_grad_(requires_grad=False).eval()
    return replace(checkpoint, model=model, digest=_digest(checkpoint, "new", seed), seen_until=None)


def _seed(checkpoint: Checkpoint, rng: int | np.random.Generator) -> int:
    if checkpoint.adapter is not None or checkpoint.quantize is not None:
        raise InputError("checkpoint", "must be a plain base: no adapter, no four bits")
    return int(np.random.default_rng(rng).integers(2**63))


def _digest(checkpoint: Checkpoint, what: str, seed: int) -> str:
    return hashlib.sha256(f"{checkpoint.digest} {what} {seed}".encode()).hexdigest()
