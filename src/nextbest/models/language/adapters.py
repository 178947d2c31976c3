"""Adapters on disk, and models made of a base and its adapter. Nothing is pickled. Knows no training."""

import copy
import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from peft import PeftConfig, PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from nextbest.errors import ArtifactError, InputError
from nextbest.models import store
from nextbest.models.language.checkpoint import Checkpoint
from nextbest.models.language.origin import write_weights

if TYPE_CHECKING:
    from nextbest.models.language.lora import Tuned

KIND = "language_adapter"
WEIGHTS, SETTINGS, EXTRA = "adapter_model.safetensors", "adapter_config.json", "extra.safetensors"


def save_adapter(
    tuned: "Tuned",
    folder: Path,
    *,
    seen_until: date | None = None,
    metrics: Mapping[str, Any] | None = None,
) -> None:
    """Write a trained adapter: peft's own two files, extra modules' weights, and a manifest that vouches for them.

    Parameters
    ----------
    seen_until
        Last day of the data it was taught by; None: no later than the base's.
    metrics
        What was measured of it, in JSON's own types; beside the training's own.

    Raises
    ------
    InputError
        All weights learned, so that there is no adapter (write the model by `save_model`); or `folder` holds
        something else.
    ExternalError
        The disk refused.
    """
    base, model = tuned.checkpoint, tuned.checkpoint.model
    if base.adapter is None:
        raise InputError(
            "tuned", "has no adapter: all its weights learned", remedy="write it by adapters.save_model"
        )
    with tempfile.TemporaryDirectory() as temporary:
        model.peft_config["default"].save_pretrained(temporary)
        settings = json.loads((Path(temporary) / SETTINGS).read_text(encoding="utf-8"))
    settings["base_model_name_or_path"] = base.source
    files = {
        WEIGHTS: save(_tensors(model)),
        SETTINGS: json.dumps(settings, indent=1, sort_keys=True).encode(),
    }
    if tuned.extra_modules:
        files[EXTRA] = save(nn.ModuleDict(dict(tuned.extra_modules)).state_dict())
    if base.notice:
        files["NOTICE"] = base.notice.encode()
    until = _later(base.seen_until, seen_until)
    store.write_folder(
        Path(folder),
        kind=KIND,
        config=tuned.config.model_dump(mode="json"),
        arrays={},
        ids={},
        files=files,
        about={
            "base": {"digest": base.digest, "source": base.source, "family": base.family},
            "seen_until": None if until is None else until.isoformat(),
            "data_digest": tuned.data_digest,
            "metrics": {"training": tuned.metrics(), **(metrics or {})},
            "library_versions": _versions(),
        },
    )


def check_adapter(folder: Path, base_digest: str) -> None:
    """Nothing, if the folder holds an adapter with safetensors weights, and not one of another base.

    Raises
    ------
    InputError
        It holds none, a pickled one, or another base's.
    ArtifactError
        Its manifest isn't readable.
    """
    if not (folder / WEIGHTS).is_file():
        pickled = (folder / "adapter_model.bin").is_file()
        raise InputError(
            "adapter",
            "its weights are pickled, and opening those can run code" if pickled else f"holds no {WEIGHTS}",
            value=str(folder),
            remedy="convert it to safetensors where you trust it" if pickled else None,
        )
    if not (folder / SETTINGS).is_file():
        raise InputError("adapter", f"holds no {SETTINGS}", value=str(folder))
    if not (folder / store.MANIFEST).is_file():
        return  # another's: it doesn't say for which weights; shapes are compared when it is put on
    theirs = _manifest(folder)["base"]
    if theirs.get("digest") != base_digest:
        raise InputError(
            "adapter",
            f"was taught on {theirs.get('source')} ({str(theirs.get('digest'))[:8]}), not on this base "
            f"({base_digest[:8]})",
            value=str(folder),
            remedy="open the base it was taught on",
        )


def load_adapter(
    checkpoint: Checkpoint, folder: Path, *, extra_modules: Mapping[str, nn.Module] | None = None
) -> Checkpoint:
    """The checkpoint with an adapter on it; the one given is unchanged and shares the base's weights.

    Parameters
    ----------
    extra_modules
        Modules of the same names and shapes as were saved with it; their weights are put in place.

    Raises
    ------
    InputError
        As `check_adapter`; the checkpoint has one already; `extra_modules` aren't those that were saved.
    ArtifactError
        It was changed since it was written, or doesn't fit the base.
    """
    from nextbest.models.language.lora import shared_copy, with_adapter

    folder = Path(folder)
    if checkpoint.adapter is not None:
        raise InputError("checkpoint", "has an adapter already", remedy="open the base alone")
    check_adapter(folder, checkpoint.digest)
    until, extra = checkpoint.seen_until, dict(extra_modules or {})
    if (folder / store.MANIFEST).is_file():
        manifest = _manifest(folder)
        files = store.read_files(folder, manifest)
        told = manifest.get("seen_until")
        until = _later(until, None if told is None else date.fromisoformat(told))
    else:
        files = {name: (folder / name).read_bytes() for name in (WEIGHTS, SETTINGS)}
    try:
        tensors = load(files[WEIGHTS])
        about = PeftConfig.from_pretrained(str(folder))
        about.inference_mode = True
        model = with_adapter(shared_copy(checkpoint.model), about)
        unexpected = list(cast(Any, set_peft_model_state_dict(model, tensors)).unexpected_keys)
    except (SafetensorError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(folder, f"doesn't fit the base: {str(error).splitlines()[0][:300]}") from error
    lacking = sorted(set(_names(model)) - set(tensors))
    if unexpected or lacking:
        named = [*unexpected, *lacking]
        raise ArtifactError(
            folder, f"doesn't fit the base: {len(named)} weight(s) differ, first: {named[:5]}"
        )
    _put_extra(extra, files.get(EXTRA), folder)
    model.requires_grad_(requires_grad=False).eval()
    return replace(checkpoint, model=model, adapter=adapter_digest(model), seen_until=until)


def merged(checkpoint: Checkpoint) -> Checkpoint:
    """One model without an adapter that answers as the two together; weights of its own.

    Raises
    ------
    InputError
        There is no adapter, or the base is held in four bits: what they lose would be kept for good.
    """
    if checkpoint.adapter is None:
        raise InputError("checkpoint", "has no adapter to merge")
    if checkpoint.quantize is not None:
        raise InputError(
            "checkpoint", "is held in four bits", remedy="open base and adapter without quantize"
        )
    model: PeftModel = copy.deepcopy(checkpoint.model)
    digest = hashlib.sha256(f"{checkpoint.digest} {checkpoint.adapter}".encode()).hexdigest()
    whole = model.merge_and_unload()
    return replace(
        checkpoint, model=whole.requires_grad_(requires_grad=False).eval(), digest=digest, adapter=None
    )


def merge(checkpoint: Checkpoint, folder: Path) -> Path:
    """Write base and adapter as one plain folder in transformers' format: for other programs, and for GGUF.

    Raises
    ------
    InputError
        As `merged` and `save_model`.
    """
    return save_model(merged(checkpoint), folder)


def save_model(checkpoint: Checkpoint, folder: Path) -> Path:
    """Write a model without an adapter as a plain folder, notice and cut-off beside it.

    Raises
    ------
    InputError
        There is an adapter, or `folder` isn't empty.
    ExternalError
        The disk refused.
    """
    if checkpoint.adapter is not None:
        raise InputError("checkpoint", "has an adapter", remedy="write it by save_adapter, or both by merge")

    def save(into: Path) -> None:
        checkpoint.model.save_pretrained(into)
        checkpoint.tokenizer.save_pretrained(into)

    return write_weights(Path(folder), save, seen_until=checkpoint.seen_until, notice=checkpoint.notice)


def adapter_digest(model: Any) -> str:
    """SHA-256 of an adapter's weights, names sorted."""
    total = hashlib.sha256()
    for name, tensor in sorted(_tensors(model).items()):
        total.update(name.encode())
        total.update(tensor.float().numpy().tobytes())
    return total.hexdigest()


def _tensors(model: Any) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = get_peft_model_state_dict(model, save_embedding_layers=False)
    return {name: tensor.detach().cpu().contiguous() for name, tensor in found.items()}


def _names(model: Any) -> list[str]:
    return list(get_peft_model_state_dict(model, save_embedding_layers=False))


def _manifest(folder: Path) -> dict[str, Any]:
    manifest = store.read_manifest(folder)
    if manifest["kind"] != KIND or not isinstance(manifest.get("base"), dict):
        raise InputError("adapter", f"is a {manifest['kind']!r}, not a {KIND!r}", value=str(folder))
    return manifest


def _put_extra(extra: Mapping[str, nn.Module], stored: bytes | None, folder: Path) -> None:
    if not extra and stored is None:
        return
    if not extra or stored is None:
        raise InputError(
            "extra_modules",
            "were saved with the adapter" if stored else "weren't saved with the adapter",
            value=str(folder),
        )
    try:
        nn.ModuleDict(dict(extra)).load_state_dict(load(stored))
    except (RuntimeError, SafetensorError) as error:
        raise InputError("extra_modules", f"aren't those that were saved: {error}") from error


def _later(base: date | None, data: date | None) -> date | None:
    known = [one for one in (base, data) if one is not None]
    return max(known) if known else None


def _versions() -> dict[str, str]:
    import peft
    import transformers

    return {
        "torch": str(torch.__version__),
        "transformers": transformers.__version__,
        "peft": peft.__version__,
    }
