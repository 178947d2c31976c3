"""Texts sorted into classes by a fine-tuned encoder: BERT, DistilBERT, XLM-R, MiniLM and their like.

A linear head over the mean of the last states, taught together with the encoder (`classifier_fit`). Torch and transformers are imported
when a model is opened. Axes: N texts, C classes, D columns.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nextbest.errors import ArtifactError, InputError
from nextbest.models.language.checkpoint import fetched, quiet
from nextbest.models.language.files import checked_encoder_config
from nextbest.models.language.needs import need_language_models

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float32]
BATCH = 64
"""Texts asked at once."""


@dataclass(frozen=True)
class VocabularyFit:
    """How a tokenizer reads some texts."""

    unknown: float
    """Share of tokens that stand for "unknown"."""
    per_word: float
    """Tokens of a word; above four a word is read by its letters."""


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
                    batch = self.batch_of([texts[row] for row in rows])
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

    def batch_of(self, texts: Sequence[str]) -> "dict[str, Tensor]":
        """Tokens of texts, padded to the longest of them, where the encoder is."""
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
