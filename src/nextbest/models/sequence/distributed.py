"""One training in several processes, started by `torchrun`: each reads its shards, all take the same steps.

Gradients of sums are added over processes and divided by the number of all targets, so a process counts
by its targets, and one that is out of batches joins with nothing until all are: uneven shares neither hang
nor bias. Knows no model.
"""

import itertools
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import PrefixStore, Store  # type: ignore[attr-defined]  # public, but not listed
from torch.distributed.rendezvous import rendezvous

from nextbest.errors import ExternalError, InputError
from nextbest.models.sequence.ranks import rank_and_world

_PATIENCE = timedelta(days=1)
"""How long a process waits for what the first one does alone: reading a log, writing. One that died is
noticed at once, by its closed connection."""
_PARTED = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "Timed out", "timed out")

_MET: dict[tuple[str, ...], tuple[Store, Iterator[int]]] = {}
"""Stores by address and port, each with a count of meetings."""


class World:
    """The processes of one training, as one of them sees them; alone, all that it does is nothing."""

    def __init__(self, device: torch.device, *, rank: int = 0, size: int = 1) -> None:
        self.device, self.rank, self.size = device, rank, size
        self._flat: Tensor | None = None

    @property
    def is_first(self) -> bool:
        """Whether this process writes and decides."""
        return self.rank == 0

    def sum_gradients(
        self, weights: list[nn.Parameter], *, n_targets: int, loss_sum: float, active: bool
    ) -> tuple[float, float, bool]:
        """Add gradients over processes, in place; the sums of `n_targets` and `loss_sum`, and any `active`.

        A weight has no gradient after only if it had none anywhere. All travels in one message, numbers
        as float32 at least: targets are counted exactly up to 16 million a step.
        """
        if self.size == 1:
            return n_targets, loss_sum, active
        sizes = [w.numel() for w in weights]
        if self._flat is None:
            wide = torch.float64 if any(w.dtype == torch.float64 for w in weights) else torch.float32
            self._flat = torch.empty(sum(sizes) + len(sizes) + 3, dtype=wide, device=self.device)
        parts = list(torch.split(self._flat, [*sizes, len(sizes) + 3]))
        views, tail = [part.view_as(w) for part, w in zip(parts, weights, strict=False)], parts[-1]
        for view, weight in zip(views, weights, strict=True):
            view.zero_() if weight.grad is None else view.copy_(weight.grad)
        present = [float(w.grad is not None) for w in weights]
        tail.copy_(torch.tensor([*present, n_targets, loss_sum, active], dtype=tail.dtype))
        dist.all_reduce(self._flat)
        *present, n_all, loss_all, active_all = tail.tolist()
        for view, weight, there in zip(views, weights, present, strict=True):
            if not there:
                weight.grad = None
            elif weight.grad is None:
                weight.grad = view.to(weight.dtype, copy=True)
            else:
                weight.grad.copy_(view)
        return n_all, loss_all, active_all > 0

    def sums(self, *numbers: float) -> list[float]:
        """Each number added over processes."""
        if self.size == 1:
            return list(numbers)
        packed = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        dist.all_reduce(packed)
        return [float(x) for x in packed.tolist()]

    def from_first(self, words: Mapping[str, Any]) -> dict[str, Any]:
        """What the first process says here, in JSON's own types; what others say is not heard."""
        if self.size == 1:
            return dict(words)
        text = torch.frombuffer(bytearray(json.dumps(words).encode()), dtype=torch.uint8).to(self.device)
        length = torch.tensor([len(text)], device=self.device)
        dist.broadcast(length, src=0)
        if not self.is_first:
            text = torch.empty(int(length), dtype=torch.uint8, device=self.device)
        dist.broadcast(text, src=0)
        said: dict[str, Any] = json.loads(bytes(text.tolist()))
        return said

    def tensors_from_first(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The first process' tensors, by name; others may come with none or with other ones."""
        if self.size == 1:
            return dict(tensors)
        shapes = {name: [str(t.dtype).removeprefix("torch."), *t.shape] for name, t in tensors.items()}
        said = self.from_first(shapes)
        received = {}
        for name, (dtype, *shape) in said.items():
            if self.is_first:
                tensor = tensors[name].detach().to(self.device).contiguous()
            else:
                tensor = torch.empty(shape, dtype=getattr(torch, dtype), device=self.device)
            dist.broadcast(tensor, src=0)
            received[name] = tensor
        return received


def own_device(device: torch.device) -> torch.device:
    """The GPU that is this process' own among several on a machine; a CPU is everybody's.

    Raises
    ------
    InputError
        There are more processes on this machine than GPUs.
    """
    if device.type == "cuda" and "LOCAL_RANK" in os.environ and rank_and_world()[1] > 1:
        number, n_gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if number >= n_gpus:
            raise InputError(
                "processes",
                f"must be at most the {n_gpus} GPU(s) of a machine, one each",
                value=number + 1,
                remedy="start fewer, or train on device = 'cpu'",
            )
        device = torch.device("cuda", number)
        torch.cuda.set_device(device)
    return device


@contextmanager
def joined(device: torch.device) -> Iterator[World]:
    """Meet the other processes of the environment, if it names any; part again at the end.

    gloo carries what CPUs say, nccl what GPUs do. A process group that is there already is used and left.
    """
    rank, size = rank_and_world()
    if size == 1:
        yield World(device)
        return
    with _group("nccl" if device.type == "cuda" else "gloo", rank=rank, size=size):
        yield World(device, rank=rank, size=size)


@contextmanager
def gathered() -> Iterator[World]:
    """Meet the other processes for a whole command, which may train many times; this world speaks by CPU.

    Raises
    ------
    ExternalError
        Another process is gone, and this one waited for it.
    """
    rank, size = rank_and_world()
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    try:
        with _group(backend, rank=rank, size=size):
            yield World(torch.device("cpu"), rank=rank, size=size)
    except RuntimeError as error:
        if not any(words in str(error) for words in _PARTED):
            raise
        raise ExternalError(
            "processes", f"process {rank} of {size} waited for one that is gone ({error})", retryable=True
        ) from error


@contextmanager
def _group(backend: str, *, rank: int, size: int) -> Iterator[None]:
    ours = not dist.is_initialized()
    if ours:
        store = _meeting_place(rank=rank, size=size)
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=_PATIENCE)
    try:
        yield
    finally:
        if ours:
            dist.destroy_process_group()


def _meeting_place(*, rank: int, size: int) -> Store:
    """Where the processes find each other; a page of its own for every time that they meet, or the second time each
    would read where the others were the first time, and wait for ever."""
    place = tuple(os.environ.get(name, "") for name in ("MASTER_ADDR", "MASTER_PORT"))
    if not all(place):
        raise InputError(
            "MASTER_ADDR",
            f"and MASTER_PORT must be set when WORLD_SIZE is {size}",
            remedy="start with torchrun",
        )
    if place not in _MET:
        store, _, _ = next(rendezvous("env://", rank, size, timeout=_PATIENCE))
        _MET[place] = store, itertools.count()
    store, times = _MET[place]
    return PrefixStore(f"nextbest-{next(times)}", store)
