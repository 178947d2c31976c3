"""Tiny causal language models with a byte-level tokenizer, made where a test wants them: random weights, no network."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from gguf import MODEL_ARCH, GGUFWriter, get_tensor_name_map
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertTokenizerFast,
    DistilBertConfig,
    DistilBertModel,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from nextbest.models.language.checkpoint import Checkpoint

Encoder = Literal["bert", "distilbert", "xlm-roberta"]
Family = Literal["llama", "mistral", "gemma3"]
TEXT = (
    "the price went up and then down again",
    "цена выросла, а потом упала снова",
    "low middle high",
    "0123456789",
)
CONTEXT = 128


def language_folder(
    folder: Path,
    *,
    family: Family = "llama",
    seed: int = 0,
    hidden: int = 32,
    n_layers: int = 2,
    context: int = CONTEXT,
) -> Path:
    """A folder in transformers' format; `mistral` and `gemma3` look at a sliding window of 8 tokens.

    Every text can be written: the tokenizer knows all bytes, and a few merges of `TEXT`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = byte_tokenizer()
    tokenizer.save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = _model(family, len(tokenizer), hidden, n_layers, context)
    model.save_pretrained(folder)
    return folder


def encoder_folder(
    folder: Path, texts: Sequence[str], *, kind: Encoder = "bert", seed: int = 0, n_tokens: int = 500
) -> Path:
    """A folder of a tiny encoder with random weights, its WordPiece vocabulary that of some texts.

    "bert" is saved with a head for masked words and without a pooler, as checkpoints to fine-tune mostly are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    bare = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    bare.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=n_tokens, special_tokens=special, show_progress=False)
    bare.train_from_iterator([text.lower() for text in texts], trainer)
    (folder / "vocab.txt").write_text("\n".join(sorted(bare.get_vocab(), key=bare.get_vocab().__getitem__)))
    tokenizer = BertTokenizerFast.from_pretrained(folder)
    tokenizer.save_pretrained(folder)
    n = len(tokenizer)
    shape: dict[str, Any] = {
        "vocab_size": n,
        "hidden_size": 32,
        "num_attention_heads": 4,
        "intermediate_size": 64,
    }
    shape |= {"num_hidden_layers": 2, "max_position_embeddings": 66, "pad_token_id": 0}
    small = {
        "vocab_size": n,
        "dim": 32,
        "n_heads": 4,
        "hidden_dim": 64,
        "n_layers": 2,
        "max_position_embeddings": 66,
    }
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made: dict[Encoder, Callable[[], PreTrainedModel]] = {
            "bert": lambda: BertForMaskedLM(BertConfig(**shape)),
            "distilbert": lambda: DistilBertModel(DistilBertConfig(**small, pad_token_id=0)),
            "xlm-roberta": lambda: XLMRobertaModel(XLMRobertaConfig(**shape)),
        }
        model = made[kind]()
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


def language_gguf(checkpoint: Checkpoint, path: Path) -> Path:
    """A llama checkpoint as a GGUF file of float32, as llama.cpp's converter writes it."""
    config, weights = checkpoint.model.config, checkpoint.model.state_dict()
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)
    bare = json.loads(checkpoint.tokenizer.backend_tokenizer.to_str())["model"]
    tokens = sorted(bare["vocab"], key=bare["vocab"].get)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3] + [1] * (len(tokens) - 2))
    writer.add_token_merges([" ".join(pair) for pair in bare["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_add_bos_token(value=True)
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    names = get_tensor_name_map(MODEL_ARCH.LLAMA, config.num_hidden_layers)
    for name, tensor in weights.items():
        theirs = names.get_name(name, try_suffixes=(".weight",))
        array = tensor.float().numpy()
        for part, n_heads in heads.items():
            if f".{part}." in theirs:  # its pairs of dimensions stand side by side
                halves = array.reshape(n_heads, 2, -1, array.shape[1])
                array = halves.swapaxes(1, 2).reshape(array.shape)
        writer.add_tensor(theirs, np.ascontiguousarray(array))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _model(family: Family, n_tokens: int, hidden: int, n_layers: int, context: int) -> PreTrainedModel:
    shape: dict[str, Any] = {
        "vocab_size": n_tokens,
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": n_layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": context,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": None,
        "initializer_range": 0.2,  # weights as wide as a taught model's, so that answers differ
    }
    if family == "llama":
        return LlamaForCausalLM(LlamaConfig(**shape))
    if family == "mistral":
        return MistralForCausalLM(MistralConfig(**shape, sliding_window=8))
    config = Gemma3TextConfig(**shape, head_dim=8, sliding_window=8, final_logit_softcapping=5.0)
    return Gemma3ForCausalLM(config)
