"""Training: epochs, early stopping, checkpoints, resume, one process or several. Knows no model.

A network is a module with `loss(batch, generator) -> (mean, n_targets)`; batches come as a stream for each
epoch; quality is a number that somebody else measures. What one step does is in `steps.py`.
"""

import itertools
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from nextbest.errors import InputError
from nextbest.models.sequence import devices
from nextbest.models.sequence.batches import Batch
from nextbest.models.sequence.checkpoints import (
    Checkpoint,
    CheckpointFolder,
    prefixed,
    put_state,
    state_tensors,
    to_cpu,
    unprefixed,
)
from nextbest.models.sequence.config import TrainConfig
from nextbest.models.sequence.distributed import World, joined, own_device
from nextbest.models.sequence.optimizers import Optimizer, learning_rate
from nextbest.models.sequence.steps import CHECK_EVERY, Stepper, Where
from nextbest.models.sequence.trained import Asked, Epoch, Progress, Trained, Why

log = logging.getLogger(__name__)

_MAY_CHANGE = {"n_epochs", "seconds", "patience", "n_threads", "device", "precision"}
"""Settings that a resumed training may change: they say when it ends and where it runs, not its steps.
(`n_epochs` bends the cosine, and then may not; the precision that was chosen is compared instead.)"""


def train(
    network: nn.Module,
    batches: Callable[[int], Iterator[Batch]],
    *,
    config: TrainConfig,
    validate: Callable[[], float] | None = None,
    n_questions: int = 1,
    checkpoints: Path | None = None,
    about: Mapping[str, Any] | None = None,
    rng: int = 0,
    progress: bool = False,
) -> Trained:
    """Train `network` in place; it ends on the training's device with the weights of the best epoch.

    Parameters
    ----------
    network
        A module with `loss(batch, generator) -> (mean, n_targets)`: mean loss over the batch's targets, a scalar
        with a gradient, and their number. What it draws beside dropout it draws from `generator`, which lives
        on the training's device.
    batches
        `batches(epoch)`, first epoch = 0: that epoch's batches (`batches.Batch`), the same ones whenever asked. In
        several processes each gives its own share, as uneven as it comes.
    config
        `validation*` and `batch_events` are for whoever makes `validate` and `batches`.
    validate
        Quality now, higher is better; asked in eval mode without gradients. None: all epochs are run. In several
        processes each may have its own questions, or None.
    n_questions
        How many questions `validate` is the mean of; by these numbers the means of several processes are put together.
    checkpoints
        Folder to write to after every epoch and to go on from, if it holds a checkpoint. None: neither.
    about
        What the trainer can't see and a resumed training must agree in, in JSON's own types: the model's settings,
        digests of what it learns from. In several processes that of the first one counts.
    rng
        Seed of dropout and of `generator`. The same network, batches, settings and seed give the same weights,
        bit by bit, on the same kind of CPU with the same number of threads, whether or not it was
        interrupted; another number of threads adds in another order. A GPU's sums come in any order.
    progress
        Show a bar.

    Returns
    -------
    Trained
        Curve, cost, and why it ended.

    Raises
    ------
    InputError
        Loss or gradient isn't finite (the network keeps the weights before that step, the last checkpoint stays),
        memory doesn't hold one window, `validate` gives NaN, `rng` < 0, or the device isn't there.
    ArtifactError
        The folder holds checkpoints of another training, or only damaged ones.
    ExternalError
        A checkpoint couldn't be written.

    Notes
    -----
    Steps are down the mean loss over all targets of `accumulate` batches and all processes. Where memory
    doesn't hold a batch it is split, with a warning; the step stays the same as far as the loss is a mean of
    independent targets (dropout, and negatives drawn or taken from the batch, are each part's own). On a GPU
    bad numbers are found up to ten batches late, but from the first on no weight changes.

    Started by `torchrun`, processes are joined here (see `distributed.py`): each validates by its own questions, the
    first one writes checkpoints and decides by the mean over all questions; all end with equal weights.
    """
    if rng < 0:
        raise InputError("rng", "must be 0 or more", value=rng)
    if n_questions < 1:
        raise InputError("n_questions", "must be 1 or more", value=n_questions)
    device = own_device(devices.choose_device(config.device))
    precision = devices.choose_precision(config.precision, device)
    was_training = network.training
    gpus = [device.index or 0] if device.type == "cuda" else []
    with (
        devices.threads(config.n_threads),
        torch.random.fork_rng(gpus),
        joined(device) as world,
    ):
        training = _Training(
            network.to(device),
            config,
            world,
            precision,
            checkpoints=checkpoints,
            about=about or {},
            rng=rng,
        )
        bar = tqdm(unit="batch", disable=not (progress and world.is_first))
        try:
            return training.run(batches, Asked(validate, n_questions), bar)
        except KeyboardInterrupt as interrupt:
            how = training.how_to_resume()
            log.warning("training interrupted: %s", how)
            interrupt.add_note(how)
            raise
        finally:
            bar.close()
            network.train(was_training)


class _Training:
    def __init__(
        self,
        network: nn.Module,
        config: TrainConfig,
        world: World,
        precision: torch.dtype,
        *,
        checkpoints: Path | None,
        about: Mapping[str, Any],
        rng: int,
    ) -> None:
        self._about = about
        self._network, self._config, self._world, self._rng = network, config, world, rng
        self._precision = str(precision).removeprefix("torch.")
        self._optimizer = Optimizer(network, config)
        self._generator = torch.Generator(device=world.device)
        self._stepper = Stepper(
            network,
            self._optimizer,
            world=world,
            generator=self._generator,
            precision=precision,
            clip_norm=config.clip_norm,
            deferred=world.device.type == "cuda" and world.size == 1 and self._optimizer.can_stay,
        )
        self._state = Progress()
        self._best: dict[str, Tensor] = {}
        self._folder = (
            CheckpointFolder(checkpoints, identity=self._identity()) if checkpoints is not None else None
        )
        self._clock = 0.0

    def run(self, batches: Callable[[int], Iterator[Batch]], asked: Asked, bar: Any) -> Trained:
        """All epochs."""
        devices.forget_peak(self._world.device)
        self._resume()
        resumed_after = self._state.epoch
        (n_asking,) = self._world.sums(asked.validate is not None)
        self._clock = devices.seconds(self._world.device)
        while (why := self._why_stop()) is None:
            self._epoch(batches(self._state.epoch), bar)
            self._close_epoch(asked if n_asking else None, bar)
        if self._best and self._world.is_first:
            put_state(self._network, self._best)
        self._same_weights()
        state = self._state
        return Trained(
            curve=state.curve,
            best_epoch=state.best_epoch,
            best_validation=state.best_validation,
            stopped_why=why,
            n_parameters=sum(p.numel() for p in self._network.parameters() if p.requires_grad),
            device=str(self._world.device),
            precision=self._precision,
            peak_memory_bytes=devices.peak_memory_bytes(self._world.device),
            resumed_after=resumed_after,
        )

    def how_to_resume(self) -> str:
        """What to do after an interruption."""
        if self._folder is None:
            return "no checkpoints folder was given, so it can only be begun anew"
        if not (done := self._folder.last_epoch()):
            return f"no epoch was finished, so {self._folder.folder} holds no checkpoint yet; begin anew"
        return (
            f"{done} epoch(s) are kept in {self._folder.folder}; "
            "call again with the same settings and folder to go on from there"
        )

    def _why_stop(self) -> Why | None:
        state, config = self._state, self._config
        if state.curve and np.isnan(state.curve[-1]["loss"]):
            return "no targets"
        if state.n_worse >= config.patience:
            return "patience"
        if config.seconds is not None and state.cost >= config.seconds:
            return "seconds"
        return "epochs" if state.epoch >= config.n_epochs else None

    def _epoch(self, batches: Iterator[Batch], bar: Any) -> None:
        state, stepper = self._state, self._stepper
        self._network.train()
        self._seed()
        stepper.new_sums()
        bar.reset(total=state.steps_per_epoch * self._config.accumulate or None)
        bar.set_description(f"epoch {state.epoch + 1}/{self._config.n_epochs}")
        began = devices.seconds(self._world.device)
        done = first = 0
        try:
            while True:
                group = list(itertools.islice(batches, self._config.accumulate))
                if not group and self._world.size == 1:
                    break
                rate = learning_rate(self._config, step=state.steps, progress=self._share(done))
                where = Where.of(group, epoch=state.epoch + 1, batch=first + 1, rate=rate)
                if not stepper.step(group, where):
                    break
                state.steps += 1
                done += 1
                first += len(group)
                if not bar.disable:
                    bar.update(len(group))
                    if done % CHECK_EVERY == 0:
                        self._show(bar, devices.seconds(self._world.device) - began)
            stepper.look()
        except InputError as error:
            if self._folder is None or error.name != "training":
                raise
            raise InputError(
                error.name, f"{error.rule}; {self.how_to_resume()}", remedy=error.remedy
            ) from error
        state.steps_per_epoch = done

    def _close_epoch(self, asked: Asked | None, bar: Any) -> None:
        """Count and validate, all together; decide and write: the first process, which tells the others."""
        state, sums = self._state, self._stepper.sums
        state.epoch += 1
        spent, n_events = self._world.sums(self._lap(), sums.n_events)
        state.cost += spent
        loss = sums.loss / sums.n_targets if sums.n_targets else float("nan")
        if not sums.n_targets:
            log.warning("epoch %d has no target: nothing can be learned from these histories", state.epoch)
        quality = self._validated(asked, last=not sums.n_targets)
        state.cost += self._world.sums(self._lap())[0]
        if self._world.is_first:
            state.curve.append(
                Epoch(
                    epoch=state.epoch, loss=loss, validation=quality, cpu_s=state.cost, events=int(n_events)
                )
            )
            state.largest = self._stepper.largest
            if not bar.disable:
                bar.set_postfix(_postfix(loss, state), refresh=True)
            log.info("epoch %d: loss %.4f, validation %s, %.1f CPU-s", state.epoch, loss, quality, state.cost)
        self._state = Progress(**self._world.from_first(asdict(state)))
        if self._folder is not None and self._world.is_first:
            self._folder.write(self._checkpoint())

    def _validated(self, asked: Asked | None, *, last: bool) -> float | None:
        """Quality by all processes' questions, where it is due; the first puts the best weights aside.

        All come here with the same state, so that all ask or none does.
        """
        state, config = self._state, self._config
        if asked is None:
            state.best_epoch = state.epoch
            return None
        last = last or state.epoch >= config.n_epochs
        last = last or (config.seconds is not None and state.cost >= config.seconds)
        if state.epoch % config.validate_every and not last:
            return None
        self._network.eval()
        with torch.no_grad():
            total, n_questions = self._world.sums(*asked.sums())
        quality = total / n_questions
        if np.isnan(quality):
            raise InputError("validate", "must give a number", value=quality, remedy="are there questions?")
        if state.best_validation is None or quality > state.best_validation:
            state.best_validation, state.best_epoch, state.n_worse = quality, state.epoch, 0
            self._best = to_cpu(state_tensors(self._network)) if self._world.is_first else {}
        else:
            state.n_worse += 1
        return quality

    def _seed(self) -> None:
        """Each epoch and process draws its own, whatever was drawn before: nothing of it need be kept."""
        words = np.random.SeedSequence([self._rng, self._state.epoch, self._world.rank]).generate_state(2)
        torch.manual_seed(int(words[0]))
        self._generator.manual_seed(int(words[1]))

    def _share(self, done: int) -> float:
        """How far the training is, 0-1; the first epoch, of unknown length, stands still."""
        inside = min(done / self._state.steps_per_epoch, 1.0) if self._state.steps_per_epoch else 0.0
        return (self._state.epoch + inside) / self._config.n_epochs

    def _lap(self) -> float:
        """Seconds since the last call."""
        before, self._clock = self._clock, devices.seconds(self._world.device)
        return self._clock - before

    def _show(self, bar: Any, spent: float) -> None:
        sums = self._stepper.sums
        if sums.n_targets:
            shown = _postfix(sums.loss / sums.n_targets, self._state)
            bar.set_postfix({**shown, "events/s": f"{sums.n_events / max(spent, 1e-9):,.0f}"}, refresh=False)

    def _identity(self) -> dict[str, Any]:
        """What a checkpoint must agree in."""
        free = _MAY_CHANGE - ({"n_epochs"} if self._config.schedule == "cosine" else set())
        return {
            "config": self._config.model_dump(mode="json", exclude=free),
            "precision": self._precision,
            "network": {
                name: f"{str(t.dtype).removeprefix('torch.')} {tuple(t.shape)}"
                for name, t in state_tensors(self._network).items()
            },
            "rng": self._rng,
            "processes": self._world.size,
            "about": self._about,
        }

    def _checkpoint(self) -> Checkpoint:
        network = state_tensors(self._network)
        # the best weights are often those of this epoch, and then stored once
        best = self._best if self._state.best_epoch != self._state.epoch else {}
        tensors = {
            **prefixed("network", network),
            **prefixed("optimizer", self._optimizer.tensors(self._network)),
            **prefixed("best", best),
        }
        return Checkpoint(self._state.epoch, tensors, asdict(self._state))

    def _resume(self) -> None:
        """Take up the newest checkpoint, if there is one, in all processes."""
        found: Checkpoint | None = None
        if self._folder is not None and self._world.is_first:
            found = self._folder.newest()
        words: Mapping[str, Any] = {} if found is None else found.record
        words = self._world.from_first(words)
        if words:
            tensors = self._world.tensors_from_first({} if found is None else found.tensors)
            put_state(self._network, unprefixed("network", tensors))
            self._optimizer.put(self._network, unprefixed("optimizer", tensors))
            self._state = Progress(**words)
            self._stepper.largest = self._state.largest
            if self._world.is_first and self._state.best_validation is not None:
                best = unprefixed("best", tensors) or unprefixed("network", tensors)
                self._best = to_cpu(best)
            log.info("training goes on after epoch %d", self._state.epoch)
        self._same_weights()

    def _same_weights(self) -> None:
        """Every process has the first one's weights."""
        if self._world.size > 1:
            put_state(self._network, self._world.tensors_from_first(state_tensors(self._network)))


def _postfix(loss: float, state: Progress) -> dict[str, str]:
    """What stands behind the bar."""
    shown = {"loss": f"{loss:.4f}"}
    with suppress(StopIteration):
        last = next(line["validation"] for line in reversed(state.curve) if line["validation"] is not None)
        shown["validation"] = f"{last:.4f}"
    return shown
