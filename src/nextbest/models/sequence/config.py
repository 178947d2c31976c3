"""Settings that every sequence model shares: loss, training, sizes. Knows no torch."""

from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
)

LossKind = Literal["softmax", "sampled_softmax", "in_batch", "bce", "gbce", "bpr_max", "top1_max"]
Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "float32", "bfloat16"]


def _none(value: object) -> object:
    return None if isinstance(value, str) and value == "none" else value


OrNone = BeforeValidator(_none)
"""A recipe writes None as "none": TOML has no null."""


class LossConfig(BaseModel, frozen=True, extra="forbid"):
    """What a state is punished for. Sources stand in `losses.py`."""

    kind: LossKind = "softmax"
    """`softmax`: all items compete. `sampled_softmax`: the target and drawn items. `in_batch`: the batch's other
    targets. `bce`, `gbce`: yes for the target, no for drawn items. `bpr_max`, `top1_max`: the target above the
    strongest drawn items."""
    n_negatives: PositiveInt = 256
    """Items drawn for a batch and shared by its places; those of the catalogue at most."""
    popularity_power: float = Field(default=0.5, ge=0, le=1)
    """An item is drawn with a chance like its count to this power: 0 = all alike, 1 = as often as it occurs."""
    logq: bool = True
    """Take the log of that chance off the logits of `sampled_softmax` and `in_batch`, so that popular items aren't
    punished for being drawn often."""
    calibration: float = Field(default=0.75, ge=0, le=1)
    """gBCE's t: 0 = plain BCE, 1 = probabilities as with all items."""
    bpr_regularization: NonNegativeFloat = 1.0
    """Weight of the squared negative scores in `bpr_max`."""
    temperature: PositiveFloat = 1.0
    """Logits are divided by it."""


class TrainConfig(BaseModel, frozen=True, extra="forbid"):
    """How long, how fast, on what, and when to stop."""

    n_epochs: PositiveInt = 100
    """At most; early stopping ends sooner."""
    batch_events: PositiveInt = 8192
    """Places of a batch, padding counted; a window longer than that is a batch alone."""
    learning_rate: PositiveFloat = 1e-3
    optimizer: Literal["adam", "adamw", "adagrad"] = "adamw"
    weight_decay: NonNegativeFloat = 0.0
    warmup_steps: NonNegativeInt = 0
    """Steps over which the rate grows from 0."""
    schedule: Literal["constant", "cosine"] = "constant"
    """`cosine`: the rate falls to a hundredth over `n_epochs`."""
    clip_norm: Annotated[PositiveFloat | None, OrNone] = 1.0
    """Gradients longer than that are shortened to it; None (in a recipe "none"): never."""
    accumulate: PositiveInt = 1
    """Batches whose gradients make one step."""
    validation: Annotated[Literal["last", "time"] | None, OrNone] = "last"
    """What is held out of the log to stop by: `last`: the newest event of some users; `time`: the first event of each
    user after the moment that leaves `validation_fraction` of the events behind it, and everything after it. None
    (in a recipe "none"): nothing, all epochs are run."""
    validation_users: PositiveInt = 2_000
    """Users asked at most; with `last` also at most a tenth of those who have two events or more, or as many as make
    a hundredth of the events, whichever is more."""
    validation_fraction: float = Field(default=0.05, gt=0, lt=1)
    patience: PositiveInt = 5
    """Validations without a better NDCG@10 after which training ends; the best state is kept."""
    validate_every: PositiveInt = 1
    """Epochs between validations."""
    seconds: PositiveFloat | None = None
    """Budget of CPU-seconds (of seconds on a GPU); the epoch that passes it is the last. None: none."""
    device: Device = "auto"
    """`auto`: the GPU where there is one."""
    precision: Precision = "auto"
    """Of matrix products. `auto`: bfloat16 on a GPU that has it, float32 elsewhere. `bfloat16` on a CPU (AVX-512 BF16 or
    AMX) pays from about 128 dims on; another machine then comes to slightly other weights."""
    n_threads: NonNegativeInt = 0
    """Of the CPU; 0 = torch's own choice."""


class RenewalConfig(BaseModel, frozen=True, extra="forbid"):
    """How `fit_more` goes on learning when new days have come; all else is as in training."""

    n_epochs: PositiveInt = 5
    """Times that the new events are read, at most."""
    rate: float = Field(default=0.5, gt=0, le=1)
    """Learning rate, as a share of `training.learning_rate`."""
    batch_events: PositiveInt = 2048
    """Places of a batch, as in training; fewer, because a week is a small part of a log and must still make enough
    steps."""
    replay: float = Field(default=0.5, ge=0, lt=1)
    """Share of an epoch's targets that are older events, drawn anew each time, so that what was learned before isn't
    forgotten (experience replay)."""
    held_out: float = Field(default=0.1, ge=0, lt=1)
    """Share of the users with new events whose new ones are asked for instead of learned, to stop by; 0: none."""
    min_users: PositiveInt = 50
    """With fewer held-out users than that nothing is held out and all epochs are run: one user's events are alike, so
    that a handful of users says nothing of an epoch."""
    patience: PositiveInt = 1


class SequenceConfig(BaseModel, frozen=True, extra="forbid"):
    """What every sequence model has."""

    embedding_dim: PositiveInt = 64
    max_len: PositiveInt = 100
    """Newest events of a history that are read; unit: events."""
    every_window: bool = True
    """Train on older stretches of a long history too; False: on its newest `max_len` + 1 events only."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    id_dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of items read by their features alone in a training step, so that new items can be; without features
    it has no meaning."""
    item_bias: bool = False
    """An own number for each item beside the product of vectors."""
    loss: LossConfig = LossConfig()
    training: TrainConfig = TrainConfig()
    renewal: RenewalConfig = RenewalConfig()
