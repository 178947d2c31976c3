"""An adapter as a GGUF file, for llama.cpp to put on the GGUF file that the base was made of. Knows no training."""

import uuid
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from gguf import MODEL_ARCH, GGUFType, GGUFWriter, Keys, get_tensor_name_map
from numpy.typing import NDArray
from peft import get_peft_model_state_dict

from nextbest.errors import ExternalError, InputError
from nextbest.models.language.checkpoint import Checkpoint

_ARCHES: Mapping[str, MODEL_ARCH] = {
    "gemma3_text": MODEL_ARCH.GEMMA3,
    "llama": MODEL_ARCH.LLAMA,
    "mistral": MODEL_ARCH.LLAMA,
    "qwen2": MODEL_ARCH.QWEN2,
    "qwen3": MODEL_ARCH.QWEN3,
}
_BEFORE, _A, _B = "base_model.model.", ".lora_A.weight", ".lora_B.weight"


def write_gguf_adapter(checkpoint: Checkpoint, file: Path, *, about: Mapping[str, int] | None = None) -> Path:
    """Write a checkpoint's adapter in float16; gives `file`.

    llama.cpp takes it beside the base's GGUF (`--lora FILE`, in xllamacpp `lora_adapters`), whatever that is quantised to.

    Parameters
    ----------
    about
        Whole numbers for the file's header, by key: what whoever opens it has to know; llama.cpp passes them over.

    Raises
    ------
    InputError
        There is no adapter, the family isn't one of those whose layout is known, or `file` is there.
    ExternalError
        The disk refused.
    """
    if checkpoint.adapter is None:
        raise InputError("checkpoint", "has no adapter to write")
    if checkpoint.family not in _ARCHES:
        raise InputError(
            "checkpoint",
            f"layout is known of {', '.join(_ARCHES)}",
            value=checkpoint.family,
            remedy="write base and adapter as one folder (adapters.merge) and convert that with llama.cpp",
        )
    file = Path(file)
    if file.exists():
        raise InputError("file", "is there already", value=str(file), remedy="choose a new name")
    arch = _ARCHES[checkpoint.family]
    temporary = file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        writer = GGUFWriter(temporary, _name(arch))
        writer.add_type(GGUFType.ADAPTER)
        writer.add_string(Keys.Adapter.TYPE, "lora")
        writer.add_float32(Keys.Adapter.LORA_ALPHA, float(checkpoint.model.peft_config["default"].lora_alpha))
        for key, value in (about or {}).items():
            writer.add_uint32(key, value)
        for name, array in sorted(_tensors(checkpoint, arch).items()):
            writer.add_tensor(name, array.astype(np.float16))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        temporary.rename(file)
    except OSError as error:
        raise ExternalError("disk", f"could not write {file}: {error}", retryable=True) from error
    finally:
        temporary.unlink(missing_ok=True)
    return file


def _tensors(checkpoint: Checkpoint, arch: MODEL_ARCH) -> dict[str, NDArray[np.float32]]:
    """Both factors of each matrix, under llama.cpp's names, shapes (rank, in) and (out, rank)."""
    config = checkpoint.model.config
    names = get_tensor_name_map(arch, config.num_hidden_layers)
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    found = {}
    for ours, tensor in get_peft_model_state_dict(checkpoint.model, save_embedding_layers=False).items():
        part = _A if ours.endswith(_A) else _B
        name = names.get_name(
            ours.removeprefix(_BEFORE).removesuffix(part) + ".weight", try_suffixes=(".weight",)
        )
        if name is None or not ours.endswith((_A, _B)):
            raise InputError(
                "checkpoint", "has an adapter that is no plain LoRA of known matrices", value=ours
            )
        array = tensor.detach().float().cpu().numpy()
        kind = name.split(".")[2]
        if arch is MODEL_ARCH.LLAMA and part == _B and kind in heads:
            array = _interleaved(array, heads[kind])
        found[f"{name}.lora_{'a' if part == _A else 'b'}"] = np.ascontiguousarray(array)
    return found


def _interleaved(rows: NDArray[np.float32], n_heads: int) -> NDArray[np.float32]:
    """Rows of queries and keys as llama.cpp turns them: the halves that rotate together side by side."""
    return rows.reshape(n_heads, 2, -1, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape)


def _name(arch: MODEL_ARCH) -> str:
    return {MODEL_ARCH.GEMMA3: "gemma3", MODEL_ARCH.QWEN2: "qwen2", MODEL_ARCH.QWEN3: "qwen3"}.get(
        arch, "llama"
    )
