"""An encoder and a head of classes taught together; torch is imported when it begins.

Axes: N texts, C classes, D columns.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from nextbest.errors import InputError
from nextbest.models.language.classifier import Floats, TextClassifier, open_encoder, pooled

if TYPE_CHECKING:
    pass


class ClassifierConfig(BaseModel, frozen=True, extra="forbid"):
    """How a classifier is taught."""

    epochs: PositiveInt = 3
    """At most."""
    patience: PositiveInt = 1
    """Epochs without a better validation after which teaching ends."""
    batch_size: PositiveInt = 32
    learning_rate: PositiveFloat = 1e-4
    """Of the encoder, at the end of the warm-up; it falls to 0 from there."""
    head_learning_rate: PositiveFloat = 2e-3
    """Of the head, which begins at random."""
    warmup: NonNegativeFloat = 0.1
    """Share of all steps."""
    weight_decay: NonNegativeFloat = 0.01
    label_smoothing: NonNegativeFloat = 0.1
    """Share of a label that all classes have together: without it the encoder is soon sure of what it mistakes."""
    clip_norm: PositiveFloat = 1.0
    max_length: PositiveInt = 64
    """Tokens of a text; what is longer is cut."""
    adapter_rank: PositiveInt | None = None
    """Teach an adapter of this rank beside every matrix of the encoder (LoRA, Hu et al. 2022), its product counted twice; None: all weights."""
    seconds: PositiveFloat | None = None
    """Budget of CPU-seconds; the epoch that passes it is the last."""
    n_threads: NonNegativeInt = 1
    """0 = torch's own choice."""
    seed: NonNegativeInt = 0


@dataclass(frozen=True, eq=False)
class Fitted:
    """A taught classifier, and what its validation said."""

    classifier: TextClassifier
    """An adapter is merged into its weights."""
    validation_NC: Floats  # noqa: N815 - axes in the name
    """Logits of the validation texts, by the epoch that was kept; no rows without a validation."""
    curve: list[dict[str, float]]
    """Each epoch: `loss` (train), `cpu_s` so far; with a validation `validation` (mean log-loss) and `accuracy`."""
    adapter: dict[str, Floats] = field(default_factory=dict)
    """Matrices A (r, n_in) and B (n_out, r) of each module taught, as `<module>.a` and `<module>.b`; the weights grew by B A."""


def fit_classifier(
    source: str | Path,
    texts: Sequence[str],
    label_N: NDArray[np.int64],
    *,
    n_classes: int,
    validation: tuple[Sequence[str], NDArray[np.int64]] | None,
    weight_N: NDArray[np.float64] | None = None,
    config: ClassifierConfig | None = None,
    progress: bool = False,
) -> Fitted:
    """Teach an encoder and a head on it; the epoch whose validation was best is kept.

    Parameters
    ----------
    source
        As `open_encoder`; it isn't changed.
    texts, label_N
        To learn from; labels 0 to `n_classes` - 1. Each class counts alike, however many texts it has.
    validation
        Texts and labels that decide when to stop; None: all epochs are run, and the last is kept.
    weight_N
        Of each text beside that of its class, above 0; None: 1.
    progress
        Show a bar.

    Raises
    ------
    InputError
        As `open_encoder`; no text; a label that isn't one; a loss that isn't finite; or texts longer than the encoder takes.
    ArtifactError
        As `open_encoder`.
    """
    config = config or ClassifierConfig()
    held, held_N = validation or ((), np.zeros(0, np.int64))
    if not len(texts) or (validation is not None and not len(held)):
        raise InputError("texts", "must be one or more, in the validation too")
    every_N = np.concatenate([label_N, held_N])
    if (
        len(texts) != len(label_N)
        or len(held) != len(held_N)
        or every_N.min() < 0
        or every_N.max() >= n_classes
    ):
        raise InputError("labels", f"must be one for each text, 0 to {n_classes - 1}")
    model, tokenizer = open_encoder(source)
    longest = getattr(model.config, "max_position_embeddings", None)
    # RoBERTa's kind counts places from behind the padding token
    if longest is not None and config.max_length > longest - 2:
        raise InputError(
            "max_length", f"this encoder reads {longest - 2} tokens at most", value=config.max_length
        )
    import torch

    from nextbest.models.sequence.devices import threads

    with threads(config.n_threads), _seeded(config.seed, torch):
        head = torch.nn.Linear(model.config.hidden_size, n_classes).to(model.device)
        if config.adapter_rank is not None:
            model = _with_adapter(model, config.adapter_rank)
        classifier = TextClassifier(model, tokenizer, *_arrays(head), max_length=config.max_length)
        counts_C = np.maximum(np.bincount(label_N, minlength=n_classes), 1)
        share_N = (1.0 if weight_N is None else weight_N) / counts_C[label_N]
        share_N = (share_N / share_N.mean()).astype(np.float32)
        fitted = _fit(classifier, head, texts, label_N, share_N, held, held_N, config, progress=progress)
    if config.adapter_rank is not None:
        fitted.adapter.update(_adapter_of(model))
        classifier.model = model.merge_and_unload()
    return fitted


def _with_adapter(model: Any, rank: int) -> Any:
    """The encoder with an adapter beside every matrix; nothing else of it learns."""
    from peft import LoraConfig

    from nextbest.models.language.lora import with_adapter

    about = LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.05, target_modules="all-linear")
    return with_adapter(model, about)


def _adapter_of(model: Any) -> dict[str, Floats]:
    """A and B of each module, what B A counts put into B."""
    found: dict[str, Floats] = {}
    for name, module in model.base_model.model.named_modules():
        if hasattr(module, "lora_A"):
            (which,) = module.lora_A
            found[f"{name}.a"] = module.lora_A[which].weight.detach().cpu().numpy().copy()
            found[f"{name}.b"] = (
                module.lora_B[which].weight.detach().cpu().numpy() * module.scaling[which]
            ).astype(np.float32)
    return found


def _fit(
    classifier: TextClassifier,
    head: Any,
    texts: Sequence[str],
    label_N: NDArray[np.int64],
    share_N: Floats,
    held: Sequence[str],
    held_N: NDArray[np.int64],
    config: ClassifierConfig,
    *,
    progress: bool,
) -> Fitted:
    import torch
    from torch.nn import functional
    from tqdm import tqdm

    from nextbest.models.sequence.devices import seconds

    model, device = classifier.model, classifier.model.device
    learned = [value for value in model.parameters() if value.requires_grad]
    optimiser = torch.optim.AdamW(
        [
            {"params": learned, "lr": config.learning_rate},
            {"params": list(head.parameters()), "lr": config.head_learning_rate},
        ],
        weight_decay=config.weight_decay,
    )
    n_steps = config.epochs * -(-len(texts) // config.batch_size)
    n_warm = int(config.warmup * n_steps)

    def rate(step: int) -> float:
        return (
            (step + 1) / (n_warm + 1)
            if step < n_warm
            else max(0.0, (n_steps - step) / max(n_steps - n_warm, 1))
        )

    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, rate)
    rng = np.random.default_rng(config.seed)
    begun, curve = seconds(device), []
    best: tuple[float, dict[str, Any], tuple[Floats, Floats], Floats] | None = None
    since = 0
    with tqdm(total=n_steps, desc="intents", unit="batch", disable=not progress) as bar:
        for _ in range(config.epochs):
            model.train()
            total = 0.0
            for rows in _batches([len(text) for text in texts], config.batch_size, rng):
                batch = classifier.batch_of([texts[row] for row in rows])
                loss_N = functional.cross_entropy(
                    head(pooled(model, batch)),
                    torch.as_tensor(label_N[rows], device=device),
                    reduction="none",
                    label_smoothing=config.label_smoothing,
                )
                loss = (loss_N * torch.as_tensor(share_N[rows], device=device)).mean()
                if not torch.isfinite(loss):
                    raise InputError(
                        "learning_rate",
                        "the loss isn't finite any more",
                        value=config.learning_rate,
                        remedy="lower it",
                    )
                optimiser.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]  # torch's
                torch.nn.utils.clip_grad_norm_([*learned, *head.parameters()], config.clip_norm)
                optimiser.step()
                schedule.step()
                total += loss.item() * len(rows)
                bar.update()
                bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
            model.eval()
            classifier.weight_DC, classifier.bias_C = _arrays(head)
            spent = seconds(device) - begun
            curve.append({"loss": total / len(texts), "cpu_s": spent})
            is_spent = config.seconds is not None and spent > config.seconds
            if not len(held):
                if is_spent:
                    break
                continue
            held_NC = classifier.logits(held)
            score = _log_loss(held_NC, held_N)
            curve[-1] |= {"validation": score, "accuracy": float((held_NC.argmax(1) == held_N).mean())}
            bar.set_postfix(validation=f"{score:.3f}")
            if best is None or score < best[0]:
                best, since = (score, _learned_state(model), _arrays(head), held_NC), 0
            else:
                since += 1
            if since >= config.patience or is_spent:
                break
    if best is None:
        return Fitted(classifier, np.zeros((0, head.out_features), np.float32), curve)
    model.load_state_dict(best[1], strict=False)
    classifier.weight_DC, classifier.bias_C = best[2]
    return Fitted(classifier, best[3], curve)


def _learned_state(model: Any) -> dict[str, Any]:
    """What learns, and what a model counts along, copied."""
    fixed = {name for name, value in model.named_parameters() if not value.requires_grad}
    return {name: value.detach().clone() for name, value in model.state_dict().items() if name not in fixed}


def _batches(lengths: Sequence[int], size: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Rows in a new order, those of a batch alike in length: padding costs as much as text."""
    order = rng.permutation(len(lengths))
    at_once = size * 32
    found = []
    for start in range(0, len(order), at_once):
        some = sorted(order[start : start + at_once].tolist(), key=lambda row: lengths[row])
        found += [np.array(some[i : i + size], np.int64) for i in range(0, len(some), size)]
    for place in rng.permutation(len(found)):
        yield found[place]


def _log_loss(logits_NC: Floats, label_N: NDArray[np.int64]) -> float:
    raised_NC = logits_NC - logits_NC.max(axis=1, keepdims=True)
    told_N = raised_NC[np.arange(len(label_N)), label_N] - np.log(np.exp(raised_NC).sum(axis=1))
    return -float(told_N.mean())


def _arrays(head: Any) -> tuple[Floats, Floats]:
    """The head's weight (D, C) and bias (C,), copied."""
    return head.weight.detach().cpu().numpy().T.copy(), head.bias.detach().cpu().numpy().copy()


@contextmanager
def _seeded(seed: int, torch: Any) -> Iterator[None]:
    """The same dropout and first weights by the same seed; what others draw isn't touched."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
