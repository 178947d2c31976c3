"""What can be refused of a folder in transformers' format by reading its small files. Knows no torch."""

import json
from pathlib import Path
from typing import Any

from nextbest.errors import InputError

_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_TOKENIZERS = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "spiece.model",
    "vocab.txt",
    "sentencepiece.bpe.model",
)
_CAUSAL = ("ForCausalLM", "LMHeadModel")
_LENGTHS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length")


def check_weights(folder: Path) -> None:
    """Nothing, if the folder holds a configuration and safetensors weights.

    Raises
    ------
    InputError
        It doesn't.
    """
    if not (folder / "config.json").is_file():
        raise InputError(
            "source", "holds no config.json: it isn't a model in transformers' format", value=str(folder)
        )
    if any(folder.glob("*.safetensors")):
        return
    pickled = sorted(path.name for pattern in _PICKLED for path in folder.glob(pattern))
    if pickled:
        raise InputError(
            "source",
            f"its weights are pickled ({', '.join(pickled[:5])}), and opening those can run code",
            value=str(folder),
            remedy="convert them to safetensors where you trust them, or get the safetensors version",
        )
    raise InputError("source", "holds no weights (*.safetensors)", value=str(folder))


def checked_config(folder: Path) -> dict[str, Any]:
    """The configuration of a causal model with a tokenizer beside it.

    Raises
    ------
    InputError
        It isn't readable, isn't a causal model's that transformers knows without foreign code, or there is no tokenizer.
    """
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as KNOWN

    config = _config(folder)
    kind = str(config["model_type"])
    named = [str(name) for name in config.get("architectures") or []]
    is_causal = kind in KNOWN and not config.get("is_encoder_decoder")
    if not is_causal or (named and not any(name.endswith(_CAUSAL) for name in named)):
        what = ", ".join(named) or kind
        more = "; it brings code of its own, which is never run" if "auto_map" in config else ""
        raise InputError(
            "source",
            f"is no causal language model that transformers knows ({what}){more}",
            value=str(folder),
            remedy="use one that continues text: Llama, Mistral, Gemma, Qwen, ...",
        )
    _check_tokenizer(folder)
    return config


def checked_encoder_config(folder: Path) -> dict[str, Any]:
    """The configuration of an encoder (BERT and its like: every token sees those before and after it), a tokenizer beside it.

    Raises
    ------
    InputError
        It isn't readable, continues text or translates, isn't known to transformers, or there is no tokenizer.
    """
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES as KNOWN

    config = _config(folder)
    kind = str(config["model_type"])
    if kind not in KNOWN or config.get("is_decoder") or config.get("is_encoder_decoder"):
        named = [str(name) for name in config.get("architectures") or []]
        raise InputError(
            "source",
            f"is no encoder that transformers knows ({', '.join(named) or kind})",
            value=str(folder),
            remedy="use one that reads whole texts: BERT, DistilBERT, XLM-R, RoBERTa, MiniLM, DeBERTa, ...",
        )
    _check_tokenizer(folder)
    return config


def _config(folder: Path) -> dict[str, Any]:
    """What config.json says, weights being there."""
    check_weights(folder)
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError("source", f"{path} is not readable JSON ({error})") from error
    if not isinstance(config, dict) or "model_type" not in config:
        raise InputError("source", "its config.json names no model_type", value=str(folder))
    return config


def _check_tokenizer(folder: Path) -> None:
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        raise InputError("source", f"holds no tokenizer (any of {', '.join(_TOKENIZERS)})", value=str(folder))


def context_length(config: dict[str, Any], folder: Path) -> int:
    """Tokens that the model was made for.

    Raises
    ------
    InputError
        The configuration doesn't say.
    """
    for name in _LENGTHS:
        if isinstance(config.get(name), int) and config[name] > 0:
            return int(config[name])
    raise InputError("source", f"its config.json has none of {', '.join(_LENGTHS)}", value=str(folder))
