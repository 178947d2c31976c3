"""Tiny causal language models with a byte-level tokenizer, made where a test wants them: random weights, no network."""

from pathlib import Path
from typing import Any, Literal

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

Family = Literal["llama", "mistral", "gemma3"]
TEXT = (
    "the price went up and then down again",
    "цена выросла, а потом упала снова",
    "low middle high",
    "0123456789",
)
CONTEXT = 128


def language_folder(
    folder: Path, *, family: Family = "llama", seed: int = 0, hidden: int = 32, n_layers: int = 2
) -> Path:
    """A folder in transformers' format; `mistral` and `gemma3` look at a sliding window of 8 tokens.

    Every text can be written: the tokenizer knows all bytes, and a few merges of `TEXT`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = byte_tokenizer()
    tokenizer.save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = _model(family, len(tokenizer), hidden, n_layers)
    model.save_pretrained(folder)
    return folder


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """Bytes and a few merges, `<s>` before every text."""
    bare = Tokenizer(models.BPE())
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bare.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet, show_progress=False
    )
    bare.train_from_iterator(TEXT, trainer)
    bare.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(tokenizer_object=bare, bos_token="<s>", eos_token="</s>")


def _model(family: Family, n_tokens: int, hidden: int, n_layers: int) -> PreTrainedModel:
    shape: dict[str, Any] = {
        "vocab_size": n_tokens,
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": n_layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": CONTEXT,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": None,
    }
    if family == "llama":
        return LlamaForCausalLM(LlamaConfig(**shape))
    if family == "mistral":
        return MistralForCausalLM(MistralConfig(**shape, sliding_window=8))
    config = Gemma3TextConfig(**shape, head_dim=8, sliding_window=8, final_logit_softcapping=5.0)
    return Gemma3ForCausalLM(config)
