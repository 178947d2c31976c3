"""Teach a language model by an adapter (LoRA), or all its weights: the general loop, and one for text.

The loop itself - steps, resume, guards, early stopping - is `models/sequence/trainer.py`; here is what it needs to know
of language models. Knows no price and no chat. Axes: B windows, L places, V tokens, N targets.
"""

import copy
import itertools
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import numpy as np
import torch
from peft import LoraConfig, PeftConfig, get_peft_model, prepare_model_for_kbit_training
from pydantic import BaseModel, Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn

from nextbest.errors import InputError
from nextbest.models.language.batches import (
    Example,
    TokenBatch,
    examples_digest,
    text_batches,
    tokens_of,
)
from nextbest.models.language.checkpoint import Checkpoint
from nextbest.models.sequence.batches import NO_TARGET, Batch
from nextbest.models.sequence.config import TrainConfig
from nextbest.models.sequence.trained import Trained
from nextbest.models.sequence.trainer import train

log = logging.getLogger(__name__)
B = TypeVar("B", bound=Batch)


class LoRAConfig(BaseModel, frozen=True, extra="forbid"):
    """What is taught, how fast, how long (Hu et al. 2022)."""

    rank: PositiveInt = 16
    alpha: PositiveFloat = 32.0
    """The adapter's product counts alpha / rank."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """On what the adapter reads."""
    target: Literal["all-linear", "all-weights"] = "all-linear"
    """`all-linear`: an adapter beside every matrix but the output's; `all-weights`: no adapter, every weight learns
    (a model from scratch)."""
    learning_rate: PositiveFloat = 4e-4
    warmup_steps: NonNegativeInt = 10
    schedule: Literal["constant", "cosine"] = "constant"
    """`cosine`: the rate falls to a hundredth over the whole training."""
    steps: PositiveInt | None = None
    """Steps at most, passes over the data as often as that needs. None: `epochs` passes."""
    epochs: PositiveInt = 1
    validate_steps: PositiveInt = 50
    """With `steps`: steps between validations and checkpoints; without, both come after each pass."""
    patience: PositiveInt = 3
    """Validations without a better one after which training ends."""
    batch_size: PositiveInt = 8
    """Windows."""
    batch_tokens: PositiveInt | None = None
    """Places of a batch of text at most: long windows come in smaller batches. None: `batch_size` alone decides."""
    accumulate: PositiveInt = 1
    """Batches whose gradients make one step."""
    max_length: PositiveInt = 512
    """Tokens of prompt and completion; a longer example is an error."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of matrix products; weights and gradients are float32. bfloat16 pays where the hardware has it, and is refused
    where it is only imitated."""
    weight_decay: NonNegativeFloat = 0.0
    clip_norm: PositiveFloat | None = 1.0
    seconds: PositiveFloat | None = None
    """Budget of CPU-seconds; the round that passes it is the last."""
    n_threads: NonNegativeInt = 0
    """0 = torch's own choice."""
    seed: NonNegativeInt = 0


@dataclass(frozen=True, eq=False)
class Tuned:
    """A taught model. What it was made of is unchanged."""

    checkpoint: Checkpoint
    config: LoRAConfig
    trained: Trained
    """Curve, cost, why it ended; an epoch there is a round of `validate_steps` steps, or a pass."""
    data_digest: str | None = None
    """Of what was learned from."""
    extra_modules: Mapping[str, nn.Module] = field(default_factory=dict)

    def metrics(self) -> dict[str, Any]:
        """Tokens read, CPU-seconds, losses and the rest of `trained`, in JSON's own types."""
        curve = self.trained.curve
        spent = curve[-1]["cpu_s"] if curve else 0.0
        tokens = sum(line["events"] for line in curve)
        return {
            **asdict(self.trained),
            "tokens": tokens,
            "cpu_s": spent,
            "tokens_per_s": tokens / max(spent, 1e-9),
        }


def fit_lora(
    checkpoint: Checkpoint,
    batches: Callable[[int], Iterator[B]],
    loss: Callable[[Any, B], tuple[Tensor, int]],
    config: LoRAConfig,
    *,
    extra_modules: Mapping[str, nn.Module] | None = None,
    validate: Callable[[Any], float] | None = None,
    checkpoints: Path | None = None,
    about: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> Tuned:
    """A copy of the model with an adapter that has learned; base weights are shared, not copied and not changed.

    Parameters
    ----------
    batches
        `batches(epoch)`, first epoch = 0: that pass over the data, the same one whenever asked.
    loss
        `loss(model, batch) -> (mean, n)`: mean over the batch's n targets, a scalar with a gradient. `model` is peft's.
    extra_modules
        Learn too, in place, and are kept with the adapter: a projection into the embedding space, a head.
    validate
        `validate(model)`, higher is better (a negative loss); the best round's weights are kept.
    checkpoints
        Folder to write to after every round, and to go on from: a killed training gives the same weights as an
        unbroken one.
    about
        What a resumed training must agree in beside settings and weights' shapes: digests of the data.

    Raises
    ------
    InputError
        Loss or gradient isn't finite, memory doesn't hold one window, the checkpoint has an adapter already,
        four-bit weights were to learn themselves, or `validate` gives NaN.
    ArtifactError
        `checkpoints` belongs to another training.
    """
    if checkpoint.adapter is not None:
        raise InputError(
            "checkpoint", "has an adapter already", remedy="make one model of both by adapters.merge"
        )
    if checkpoint.quantize is not None and config.target == "all-weights":
        raise InputError("target", "four-bit weights don't learn themselves", value=config.target)
    devices = [0] if checkpoint.model.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(config.seed)
        model = _learning(checkpoint, config)
    network = _Network(
        model, dict(extra_modules or {}), cast(Callable[[Any, Batch], tuple[Tensor, int]], loss)
    )
    rounds = _Rounds(batches, config)
    trained = train(
        network,
        rounds if config.steps is not None else batches,
        config=_train_config(config, rounds.n, checkpoint.model.device.type),
        validate=None if validate is None else lambda: validate(model),
        checkpoints=checkpoints,
        about={"base": checkpoint.digest, "lora": config.model_dump(exclude=_FREE), **(about or {})},
        rng=config.seed,
        progress=progress,
    )
    model.requires_grad_(requires_grad=False).eval()
    for module in network.extra.values():
        module.eval()
    tuned = replace(checkpoint, model=model)
    if config.target == "all-linear":
        from nextbest.models.language.adapters import adapter_digest

        tuned = replace(tuned, adapter=adapter_digest(model))
    return Tuned(tuned, config, trained, extra_modules=dict(extra_modules or {}))


def fit_text(
    checkpoint: Checkpoint,
    examples: list[Example],
    config: LoRAConfig,
    *,
    validation: list[Example] | None = None,
    checkpoints: Path | None = None,
    progress: bool = False,
) -> Tuned:
    """Teach completions after their prompts; the loss is over the tokens of completions and their ends alone.

    Parameters
    ----------
    validation
        Examples to stop by: mean log-loss a token. None: all rounds are run.
    checkpoints, progress
        As in `fit_lora`.

    Raises
    ------
    InputError
        As `fit_lora` and `batches.tokens_of`, or `max_length` is more than the model's context.
    """
    if config.max_length > checkpoint.context_length:
        raise InputError(
            "max_length",
            f"the model reads {checkpoint.context_length} tokens at most",
            value=config.max_length,
        )
    learned = tokens_of(checkpoint, examples, max_length=config.max_length)
    held = tokens_of(checkpoint, validation, max_length=config.max_length) if validation else []

    def quality(model: Any) -> float:
        found = [
            completion_loss(model, b)
            for b in text_batches(
                held, batch_size=config.batch_size, rng=None, batch_tokens=config.batch_tokens
            )
        ]
        return -sum(float(mean) * n for mean, n in found) / sum(n for _, n in found)

    digest = examples_digest(examples)
    tuned = fit_lora(
        checkpoint,
        lambda epoch: text_batches(
            learned,
            batch_size=config.batch_size,
            batch_tokens=config.batch_tokens,
            rng=int(np.random.SeedSequence([config.seed, epoch]).generate_state(1)[0]),
        ),
        completion_loss,
        config,
        validate=quality if held else None,
        checkpoints=checkpoints,
        about={"examples": digest, "validation": examples_digest(validation or [])},
        progress=progress,
    )
    return replace(tuned, data_digest=digest)


def completion_loss(model: Any, batch: TokenBatch) -> tuple[Tensor, int]:
    """Mean log-loss over a batch's targets, each times its window's weight, and their number.

    The output layer is asked at places with a target only: with a large vocabulary most of a step is spent there.
    """
    device = model.device
    target_BL = torch.from_numpy(batch.target_BL).to(device)
    is_target_BL = target_BL != NO_TARGET
    logits_NV = logits_at(model, torch.from_numpy(batch.input_BL).to(device), is_target_BL)
    loss_N = nn.functional.cross_entropy(logits_NV.float(), target_BL[is_target_BL], reduction="none")
    n = int(is_target_BL.sum())
    weight_N = torch.from_numpy(batch.weight_B).to(device)[:, None].expand_as(target_BL)[is_target_BL]
    return (loss_N * weight_N).sum() / max(n, 1), n


def logits_at(model: Any, input_BL: Tensor | None, is_asked_BL: Tensor, **inputs: Tensor) -> Tensor:
    """What a causal model says at some places of right-padded windows, shape (N, V), places in reading order.

    `input_BL` None: give `inputs_embeds`. Whatever the family does with its logits (caps, scales) is done.
    """

    def only_asked(_: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (args[0][is_asked_BL], *args[1:])

    handle = model.get_output_embeddings().register_forward_pre_hook(only_asked)
    try:
        return cast(Tensor, model(input_ids=input_BL, use_cache=False, **inputs).logits)
    finally:
        handle.remove()


_FREE = {"seconds", "n_threads", "patience", "steps", "epochs"}
"""Settings that a resumed training may change; the trainer looks after what they mean for its schedule."""


class _Network(nn.Module):
    """What the trainer teaches: of its state only what learns is kept, not the base."""

    def __init__(
        self,
        model: nn.Module,
        extra: dict[str, nn.Module],
        loss: Callable[[Any, Batch], tuple[Tensor, int]],
    ) -> None:
        super().__init__()
        self.model, self.extra, self._loss = model, nn.ModuleDict(extra), loss

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, int]:
        """The caller's; dropout draws from torch's own generator, which the trainer seeds."""
        return self._loss(self.model, batch)

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]  # of one form
        """Weights that learn, and the extra modules' buffers."""
        named: dict[str, Tensor] = {n: p for n, p in self.named_parameters() if p.requires_grad}
        return named | {f"extra.{n}": b for n, b in self.extra.named_buffers()}


class _Rounds:
    """Passes over the data cut into rounds of as many steps; a round may span passes."""

    def __init__(self, batches: Callable[[int], Iterator[B]], config: LoRAConfig) -> None:
        self._batches, self._config = batches, config
        self.n = config.epochs if config.steps is None else -(-config.steps // config.validate_steps)
        self._next = -1
        self._stream: Iterator[Batch] = iter(())

    def __call__(self, number: int) -> Iterator[Batch]:
        """The batches of a round; rounds are mostly asked in order."""
        config, steps = self._config, self._config.steps or 0
        size = config.validate_steps * config.accumulate
        if number != self._next:
            self._stream = itertools.islice(self._endless(), number * size, None)
        self._next = number + 1
        left = (steps - number * config.validate_steps) * config.accumulate
        return itertools.islice(self._stream, max(0, min(size, left)))

    def _endless(self) -> Iterator[Batch]:
        for epoch in itertools.count():
            empty = True
            for batch in self._batches(epoch):
                empty = False
                yield batch
            if empty:
                raise InputError("batches", f"pass {epoch} over the data is empty")


def _learning(checkpoint: Checkpoint, config: LoRAConfig) -> nn.Module:
    """A model of its own that shares the frozen weights and has new ones that learn."""
    if config.target == "all-weights":
        return cast(nn.Module, copy.deepcopy(checkpoint.model)).requires_grad_(requires_grad=True)
    base = shared_copy(checkpoint.model)
    if checkpoint.quantize is not None:
        base = prepare_model_for_kbit_training(base)  # type: ignore[no-untyped-call]  # peft's
    about = LoraConfig(
        r=config.rank,
        lora_alpha=cast(int, config.alpha),
        lora_dropout=config.dropout,
        target_modules="all-linear",
        bias="none",
        task_type="CAUSAL_LM",
    )
    return cast(nn.Module, with_adapter(base, about))


def with_adapter(base: nn.Module, about: PeftConfig) -> Any:
    """peft's model of a base with a new adapter; the base's modules are changed."""
    with warnings.catch_warnings():
        # peft 0.21 still asks for a name that transformers 5.23 is giving up
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        # which base it is for is said by digest, not by the name of a folder
        warnings.filterwarnings("ignore", "The PEFT config's `base_model_name_or_path`", UserWarning)
        return get_peft_model(cast(Any, base), about)


def shared_copy(model: nn.Module) -> Any:
    """Other module objects around the same tensors: peft changes modules, and the caller's stay as they are."""
    tensors = itertools.chain(model.parameters(), model.buffers())
    return copy.deepcopy(model, {id(tensor): tensor for tensor in tensors})


def _train_config(config: LoRAConfig, n_rounds: int, device: str) -> TrainConfig:
    return TrainConfig(
        n_epochs=n_rounds,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        warmup_steps=config.warmup_steps,
        schedule=config.schedule,
        clip_norm=config.clip_norm,
        accumulate=config.accumulate,
        validation=None,
        patience=config.patience,
        seconds=config.seconds,
        device="cuda" if device == "cuda" else "cpu",
        precision=config.dtype,
        n_threads=config.n_threads,
    )
