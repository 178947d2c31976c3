"""What a training came to, how far one is, and what it asks to stop by. Knows no torch."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypedDict

Why = Literal["epochs", "patience", "seconds", "no targets"]
"""What ended a training: all `n_epochs` were run; nothing better for `patience` validations; the budget; an
epoch without a single target, after which nothing can be learned."""


class Epoch(TypedDict):
    """One line of the curve."""

    epoch: int
    """First = 1."""
    loss: float
    """Mean over the targets of all processes."""
    validation: float | None
    """None where it wasn't measured."""
    cpu_s: float
    """CPU-seconds (on a GPU seconds) since the training began, of all processes, validation and resumed time
    counted."""
    events: int
    """Events read in this epoch by all processes, padding not counted."""


@dataclass(frozen=True)
class Trained:
    """What a training came to; the network holds the weights of `best_epoch`."""

    curve: list[Epoch]
    best_epoch: int
    """First = 1; the last one where nothing is validated; 0: no epoch was run."""
    best_validation: float | None
    stopped_why: Why
    n_parameters: int
    """That learn."""
    device: str
    precision: str
    peak_memory_bytes: int
    """On a GPU of its tensors during the training, on a CPU of the process so far; of the first process."""
    resumed_after: int
    """Epochs that a checkpoint saved; 0: none was there."""

    def described(self) -> dict[str, Any]:
        """All of it in JSON's own types."""
        return asdict(self)


@dataclass
class Progress:
    """State of a training but for tensors; the same in all processes after each epoch."""

    epoch: int = 0
    """Done."""
    steps: int = 0
    steps_per_epoch: int = 0
    """Of the last epoch; 0 = not known yet."""
    curve: list[Epoch] = field(default_factory=list)
    best_epoch: int = 0
    best_validation: float | None = None
    n_worse: int = 0
    """Validations since the best."""
    cost: float = 0.0
    """As `Epoch.cpu_s`."""
    largest: int | None = None
    """Places (B x L) that memory was found to hold at once, of the first process."""


@dataclass(frozen=True)
class Asked:
    """What one process can say of quality."""

    validate: Callable[[], float] | None
    """The mean over its own questions, higher is better; None: it has none."""
    n_questions: int

    def sums(self) -> tuple[float, float]:
        """Sum over its questions and their number, to be added over processes."""
        return (0.0, 0.0) if self.validate is None else (self.validate() * self.n_questions, self.n_questions)
