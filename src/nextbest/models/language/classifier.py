"""Texts sorted into classes by a fine-tuned encoder: BERT, DistilBERT, XLM-R, MiniLM and their like.

A linear head over the mean of the last states, taught together with the encoder. Torch and transformers are imported
when a model is opened. Axes: N texts, C classes, D columns.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from nextbest.errors import ArtifactError, InputError
from nextbest.models.language.checkpoint import fetched, quiet
from nextbest.models.language.files import checked_encoder_config
from nextbest.models.language.needs import need_language_models

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float32]
BATCH = 64
"""Texts asked at once."""


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
    seconds: PositiveFloat | None = None
    """Budget of CPU-seconds; the epoch that passes it is the last."""
    n_threads: NonNegativeInt = 1
    """0 = torch's own choice."""
    seed: NonNegativeInt = 0


@dataclass(frozen=True)
class VocabularyFit:
    """How a tokenizer reads some texts."""

    unknown: float
    """Share of tokens that stand for "unknown"."""
    per_word: float
    """Tokens of a word; above four a word is read by its letters."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """A taught classifier, and what its validation said."""

    classifier: "TextClassifier"
    validation_NC: Floats  # noqa: N815 - axes in the name
    """Logits of the validation texts, by the epoch that was kept."""
    curve: list[dict[str, float]]
    """Each epoch: `loss` (train), `validation` (mean log-loss), `accuracy`, `cpu_s` so far."""


class TextClassifier:
    """An encoder with a head; may be asked by several threads.

    Parameters
    ----------
    model, tokenizer
        Of transformers.
    weight_DC, bias_C
        The head's.
    """

    def __init__(
        self, model: Any, tokenizer: Any, weight_DC: Floats, bias_C: Floats, *, max_length: int
    ) -> None:
        self.model, self.tokenizer, self.max_length = model, tokenizer, max_length
        self.weight_DC, self.bias_C = weight_DC, bias_C
        self._lock = threading.Lock()

    def logits(self, texts: Sequence[str]) -> Floats:
        """Shape (N, C), float32; texts of a batch don't change each other's beyond rounding."""
        import torch

        out_NC = np.zeros((len(texts), len(self.bias_C)), np.float32)
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        with torch.inference_mode():
            for start in range(0, len(order), BATCH):
                rows = order[start : start + BATCH]
                with self._lock:  # a tokenizer's padding isn't made for two threads
                    batch = self._batch([texts[row] for row in rows])
                out_NC[rows] = pooled(self.model, batch).float().cpu().numpy() @ self.weight_DC + self.bias_C
        return out_NC

    def fit_of(self, texts: Sequence[str]) -> VocabularyFit:
        """How the vocabulary fits these texts; no texts: nothing unknown, no tokens."""
        n_tokens = n_unknown = n_words = 0
        unknown = self.tokenizer.unk_token_id
        for text in texts:
            tokens = self.tokenizer(text, add_special_tokens=False)["input_ids"]
            n_tokens += len(tokens)
            n_unknown += sum(token == unknown for token in tokens)
            n_words += len(text.split())
        return VocabularyFit(n_unknown / max(n_tokens, 1), n_tokens / max(n_words, 1))

    def write(self, folder: Path) -> tuple[Path, ...]:
        """Encoder and tokenizer into a folder, safetensors and JSON; the paths written."""
        with quiet():
            self.model.save_pretrained(folder, safe_serialization=True)
            self.tokenizer.save_pretrained(folder)
        return tuple(sorted(path for path in folder.iterdir() if path.is_file()))

    @classmethod
    def read(cls, folder: Path, weight_DC: Floats, bias_C: Floats, *, max_length: int) -> "TextClassifier":
        """What `write` wrote, with its head.

        Raises
        ------
        InputError
            torch or transformers isn't installed, or the folder holds no encoder.
        ArtifactError
            Weights are damaged, or the head is another encoder's.
        """
        model, tokenizer = open_encoder(folder)
        if len(weight_DC) != model.config.hidden_size:
            raise ArtifactError(folder, "its head isn't this encoder's", remedy="teach it again")
        return cls(model, tokenizer, weight_DC, bias_C, max_length=max_length)

    def _batch(self, texts: Sequence[str]) -> "dict[str, Tensor]":
        found = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=self.max_length, return_tensors="pt"
        )
        device = self.model.device
        return {name: found[name].to(device) for name in ("input_ids", "attention_mask")}


def pooled(model: Any, batch: "dict[str, Tensor]") -> "Tensor":
    """The mean of a text's last states, its padding left out: (N, D)."""
    states_NLD = model(**batch).last_hidden_state
    mask_NL1 = batch["attention_mask"].unsqueeze(-1).to(states_NLD.dtype)
    mean_ND: Tensor = (states_NLD * mask_NL1).sum(1) / mask_NL1.sum(1).clamp(min=1.0)
    return mean_ND


def open_encoder(source: str | Path) -> tuple[Any, Any]:
    """An encoder and its tokenizer, on the GPU where torch sees one.

    Parameters
    ----------
    source
        A folder in transformers' format with safetensors weights, or `hub:OWNER/NAME`, fetched unless `HF_HUB_OFFLINE` is
        set.

    Raises
    ------
    InputError
        torch or transformers isn't installed; the source isn't there, has no configuration, tokenizer or readable weights,
        or is no encoder: it continues text or translates.
    ArtifactError
        Weights are damaged or incomplete.
    ExternalError
        The hub refused.
    """
    need_language_models("source", adapters=False)
    text = str(source)
    folder = fetched(text.removeprefix("hub:")) if text.startswith("hub:") else Path(text)
    if not folder.is_dir():
        raise InputError("source", "is no folder", value=text, remedy="or name hub:OWNER/NAME to fetch it")
    checked_encoder_config(folder)
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging as theirs

    said = theirs.get_verbosity()
    # a head for masked words, or a pooler, that isn't used is no news
    theirs.set_verbosity_error()  # type: ignore[no-untyped-call]  # transformers'
    try:
        with quiet(), torch.random.fork_rng():  # what a checkpoint lacks is drawn, and then not used
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model, info = AutoModel.from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
                dtype=torch.float32,
            )
    except (ValueError, KeyError, OSError, RuntimeError, SafetensorError, TypeError) as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        raise ArtifactError(folder, f"can't be opened: {why}", remedy="get the folder anew") from error
    finally:
        theirs.set_verbosity(said)
    if missing := sorted(name for name in info["missing_keys"] if not name.startswith("pooler")):
        raise ArtifactError(
            folder, f"lacks {len(missing)} weight(s), first: {missing[:5]}", remedy="get the folder anew"
        )
    if tokenizer.pad_token_id is None:
        raise InputError("source", "its tokenizer has no token to pad with", value=str(folder))
    if len(tokenizer) > model.get_input_embeddings().num_embeddings:
        raise ArtifactError(
            folder,
            "its tokenizer has more tokens than its weights",
            remedy="get model and tokenizer from one place",
        )
    if getattr(model, "pooler", None) is not None:
        model.pooler = None  # of the first token; ours is the mean
    if torch.cuda.is_available():
        model = model.to("cuda")
    model.eval()
    return model, tokenizer


def fit_classifier(
    source: str | Path,
    texts: Sequence[str],
    label_N: NDArray[np.int64],
    *,
    n_classes: int,
    validation: tuple[Sequence[str], NDArray[np.int64]],
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
        Texts and labels that decide when to stop.
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
    held, held_N = validation
    if not len(texts) or not len(held):
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
        classifier = TextClassifier(model, tokenizer, *_arrays(head), max_length=config.max_length)
        return _fit(classifier, head, texts, label_N, held, held_N, config, progress=progress)


def _fit(
    classifier: TextClassifier,
    head: Any,
    texts: Sequence[str],
    label_N: NDArray[np.int64],
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
    counts_C = np.maximum(np.bincount(label_N, minlength=head.out_features), 1)
    weight_C = torch.tensor(len(label_N) / (head.out_features * counts_C), dtype=torch.float32, device=device)
    optimiser = torch.optim.AdamW(
        [
            {"params": list(model.parameters()), "lr": config.learning_rate},
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
                batch = classifier._batch([texts[row] for row in rows])
                logits_NC = head(pooled(model, batch))
                loss = functional.cross_entropy(
                    logits_NC,
                    torch.as_tensor(label_N[rows], device=device),
                    weight=weight_C,
                    label_smoothing=config.label_smoothing,
                )
                if not torch.isfinite(loss):
                    raise InputError(
                        "learning_rate",
                        "the loss isn't finite any more",
                        value=config.learning_rate,
                        remedy="lower it",
                    )
                optimiser.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]  # torch's
                torch.nn.utils.clip_grad_norm_([*model.parameters(), *head.parameters()], config.clip_norm)
                optimiser.step()
                schedule.step()
                total += loss.item() * len(rows)
                bar.update()
            model.eval()
            classifier.weight_DC, classifier.bias_C = _arrays(head)
            held_NC = classifier.logits(held)
            score = _log_loss(held_NC, held_N)
            spent = seconds(device) - begun
            curve.append(
                {
                    "loss": total / len(texts),
                    "validation": score,
                    "accuracy": float((held_NC.argmax(1) == held_N).mean()),
                    "cpu_s": spent,
                }
            )
            bar.set_postfix(validation=f"{score:.3f}")
            if best is None or score < best[0]:
                state = {name: value.detach().clone() for name, value in model.state_dict().items()}
                best, since = (score, state, _arrays(head), held_NC), 0
            else:
                since += 1
            if since >= config.patience or (config.seconds is not None and spent > config.seconds):
                break
    assert best is not None
    model.load_state_dict(best[1])
    classifier.weight_DC, classifier.bias_C = best[2]
    return Fitted(classifier, best[3], curve)


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
