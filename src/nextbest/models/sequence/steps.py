"""One step of a training: gradients of some batches, guarded against bad numbers and full memory.

Knows no model: a network is a module with `loss(batch, generator) -> (mean, n_targets)`. Axes: B windows,
L places.
"""

import gc
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from nextbest.errors import InputError
from nextbest.models.sequence.batches import Batch
from nextbest.models.sequence.devices import autocast, is_out_of_memory
from nextbest.models.sequence.distributed import World
from nextbest.models.sequence.optimizers import Optimizer, gradient_norm, scale_gradients

log = logging.getLogger(__name__)
CHECK_EVERY = 10
"""Steps between two looks at a GPU's numbers: a look waits until it has calculated them."""


class Losing(Protocol):
    """What is asked of a network, beside being a module."""

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, int]:
        """Mean loss over the targets of a batch, and how many they are."""


@dataclass(frozen=True)
class Where:
    """The batches of one step, for whoever has to look for a bad one."""

    epoch: int
    """First epoch = 1, as the bar and the curve count."""
    batch: int
    """Number in the epoch of the step's first batch; first = 1."""
    shapes: tuple[tuple[int, int], ...]
    """(windows, places) of each."""
    lengths: tuple[int, ...]
    """Events of the first windows of the first batch."""
    rate: float

    @staticmethod
    def of(batches: Sequence[Batch], *, epoch: int, batch: int, rate: float) -> "Where":
        """Where a step stands."""
        shapes = tuple((b.input_BL.shape[0], b.input_BL.shape[1]) for b in batches)
        lengths = tuple(batches[0].length_B[:5].tolist()) if batches else ()
        return Where(epoch, batch, shapes, lengths, rate)

    def words(self, *, only: int | None = None) -> str:
        """As an error says it; `only`: the one batch of the step that it was."""
        count = len(self.shapes)
        first = self.batch if only is None else self.batch + only
        number = (
            f"batch {first}" if only is not None or count == 1 else f"batches {first}-{first + count - 1}"
        )
        shapes = self.shapes if only is None else self.shapes[only : only + 1]
        sizes = ", ".join(f"{b} windows x {n} places" for b, n in shapes[:5])
        lengths = f", first lengths {list(self.lengths)}" if not only else ""
        return f"epoch {self.epoch}, {number} ({sizes}{lengths}), learning rate {self.rate:.3g}"


@dataclass
class Sums:
    """Of an epoch so far."""

    loss: float = 0.0
    """Of all targets, not their mean."""
    n_targets: float = 0.0
    n_events: int = 0
    """Places with an event, of this process."""


class Stepper:
    """Takes steps with one network and its optimiser.

    Parameters
    ----------
    clip_norm
        Longest gradient; None: any.
    deferred
        True on a GPU: numbers are looked at every `CHECK_EVERY` steps only. From a bad one on, the optimiser
        changes nothing any more (its own switch for that is thrown on the device), so weights are those
        before the bad step then too. False: each step looks.
    largest
        Places (B x L) that memory was found to hold at once; None: not found to be too small yet.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: Optimizer,
        *,
        world: World,
        generator: torch.Generator,
        precision: torch.dtype,
        clip_norm: float | None,
        deferred: bool,
        largest: int | None = None,
    ) -> None:
        self._network, self._optimizer, self._world = cast(Losing, network), optimizer, world
        self._generator, self._precision = generator, precision
        self._clip_norm, self._deferred, self.largest = clip_norm, deferred, largest
        self._weights = [p for p in network.parameters() if p.requires_grad]
        self._bad = torch.zeros((), device=world.device)
        self._unseen: list[tuple[Where, Tensor, Tensor, int]] = []
        self.sums = Sums()

    def new_sums(self) -> None:
        """Begin to count anew."""
        self.sums = Sums()

    def step(self, batches: Sequence[Batch], where: Where) -> bool:
        """Step down the mean loss of all targets of `batches`, of all processes; False if nobody had any.

        Raises
        ------
        InputError
            Loss or gradient isn't finite, or memory doesn't hold one window.
        """
        found = self._gradients(batches)
        self.sums.n_events += sum(int(b.length_B.sum()) for b in batches)
        if self._deferred:
            if found.n_targets:
                self._step_unseen(found, where)
            return bool(batches)
        n_targets, loss_sum, anybody = self._world.sum_gradients(
            self._weights, n_targets=found.n_targets, loss_sum=float(found.loss), active=bool(batches)
        )
        if not math.isfinite(loss_sum):
            raise _not_finite("loss", loss_sum, self._blamed(where, found))
        if n_targets:
            self._step_seen(loss_sum, n_targets, where, found)
        return anybody

    def look(self) -> None:
        """Look at the numbers of the steps not looked at yet.

        Raises
        ------
        InputError
            Loss or gradient of one of them wasn't finite.
        """
        if not self._unseen:
            return
        unseen, self._unseen = self._unseen, []
        numbers = torch.stack([n for _, loss, bad, _ in unseen for n in (loss, bad)]).tolist()
        for (where, _, _, n_targets), loss, bad in zip(unseen, numbers[::2], numbers[1::2], strict=True):
            if bad:
                kind = "loss" if not math.isfinite(loss) else "gradient"
                raise _not_finite(kind, loss if kind == "loss" else None, where.words())
            self.sums.loss += loss
            self.sums.n_targets += n_targets

    def _step_seen(self, loss_sum: float, n_targets: float, where: Where, found: "_Found") -> None:
        factor = 1 / n_targets if found.are_sums else 1.0
        norm = factor * float(gradient_norm(self._weights))
        if not math.isfinite(norm):
            raise _not_finite("gradient", norm, self._blamed(where, found))
        if self._clip_norm is not None and norm > self._clip_norm:
            factor *= self._clip_norm / norm
        if factor != 1:
            scale_gradients(self._weights, factor)
        self._optimizer.step(where.rate)
        self.sums.loss += loss_sum
        self.sums.n_targets += n_targets

    def _blamed(self, where: Where, found: "_Found") -> str:
        """Which batch it was, as far as this process knows."""
        if found.bad is not None or self._world.size == 1:
            return where.words(only=found.bad)
        return f"epoch {where.epoch}, near batch {where.batch} of one of {self._world.size} processes"

    def _step_unseen(self, found: "_Found", where: Where) -> None:
        factor = 1 / found.n_targets if found.are_sums else 1.0
        loss, norm = torch.as_tensor(found.loss), gradient_norm(self._weights) * factor
        bad = ~(torch.isfinite(norm) & torch.isfinite(loss))
        self._bad = torch.maximum(self._bad, bad.to(self._bad.dtype))
        if self._clip_norm is not None:
            scale_gradients(self._weights, factor * (self._clip_norm / norm).clamp(max=1))
        elif factor != 1:
            scale_gradients(self._weights, factor)
        self._optimizer.step(where.rate, stay=self._bad)
        self._unseen.append((where, loss, self._bad, found.n_targets))
        if len(self._unseen) >= CHECK_EVERY:
            self.look()

    def _gradients(self, batches: Sequence[Batch]) -> "_Found":
        """Gradients of the batches, in parts that memory holds; the same as if it held all at once."""
        drawn = self._random_state() if batches else []
        while True:
            for weight in self._weights:
                weight.grad = None
            try:
                return self._attempt(batches)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            # not in the handler: there the error's traceback still holds what filled the memory
            self._halve()
            self._set_random_state(drawn)

    def _attempt(self, batches: Sequence[Batch]) -> "_Found":
        parts = [(number, part) for number, batch in enumerate(batches) for part in self._parts(batch)]
        are_sums = len(parts) > 1 or self._world.size > 1
        found = _Found(are_sums=are_sums)
        for number, part in parts:
            self._tried = part.input_BL.shape
            with autocast(self._world.device, self._precision):
                mean, count = self._network.loss(part, self._generator)
            n_targets = int(count)
            if not n_targets:
                continue
            found.n_targets += n_targets
            found.loss = found.loss + (mean.detach() if self._deferred else mean.item()) * n_targets
            if not self._deferred and not math.isfinite(found.loss):
                found.bad = number
                return found  # others wait for this process's sums, so it tells them before it stops
            (mean * n_targets if are_sums else mean).backward()  # type: ignore[no-untyped-call]  # torch's
        return found

    def _parts(self, batch: Batch) -> Iterator[Batch]:
        n_windows, n_places = batch.input_BL.shape
        if self.largest is None or n_windows * n_places <= self.largest:
            yield batch
            return
        size = max(1, self.largest // n_places)
        for start in range(0, n_windows, size):
            yield batch.windows(slice(start, start + size))

    def _halve(self) -> None:
        n_windows, n_places = self._tried
        if n_windows == 1:
            raise InputError(
                "max_len",
                f"memory doesn't hold one window of {n_places} places",
                remedy="lower max_len, the sizes of the network, or n_negatives",
            )
        self.largest = (n_windows + 1) // 2 * n_places
        if self._world.device.type == "cuda":
            gc.collect()  # else rings of objects keep tensors, and these their blocks
            torch.cuda.empty_cache()
        log.warning(
            "out of memory with %d windows x %d places: from now on at most %d places at once, "
            "the result stays the same; batch_events=%d would save the splitting",
            *(n_windows, n_places, self.largest, self.largest),
        )

    def _random_state(self) -> list[Tensor]:
        """Of all generators that a network may draw from, to draw the same again."""
        states = [self._generator.get_state(), torch.get_rng_state()]
        return [*states, torch.cuda.get_rng_state()] if self._world.device.type == "cuda" else states

    def _set_random_state(self, states: list[Tensor]) -> None:
        self._generator.set_state(states[0])
        torch.set_rng_state(states[1])
        if len(states) > 2:
            torch.cuda.set_rng_state(states[2])


@dataclass
class _Found:
    """What a forward and backward pass over a step's batches came to."""

    are_sums: bool
    """Gradients are of the sum over targets, not of their mean."""
    loss: Any = 0.0
    """Sum over targets: a number, on a GPU a scalar there."""
    n_targets: int = 0
    bad: int | None = None
    """Which of the step's batches had a loss that isn't finite."""


def _not_finite(what: str, value: float | None, where: str) -> InputError:
    got = "" if value is None else f", is {value}"
    return InputError(
        "training",
        f"{what} must be finite{got} in {where}; weights are those before that step",
        remedy="lower learning_rate, set clip_norm, or look for the cause in that batch",
    )
