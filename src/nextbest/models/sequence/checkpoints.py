"""Checkpoints of a training: after every epoch a folder that it can be continued from exactly.

`epoch-00007/state.safetensors` holds tensors (weights, the optimiser's state, the best weights),
`epoch-00007/checkpoint.json` all the rest with the tensors' digest. Written under a temporary name and
renamed; the newest two are kept. Random states need no place in it: each epoch draws from a seed made of
the training's and the epoch's number. Nothing is pickled.
"""

import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from nextbest.errors import ArtifactError, ExternalError
from nextbest.version import __version__

log = logging.getLogger(__name__)
FORMAT = 1
"""Layout of a checkpoint; a reader refuses any other."""
STATE, RECORD = "state.safetensors", "checkpoint.json"
KEPT = 2
_NAME = re.compile(r"epoch-(\d{5,})")
_REMEDY = "name another folder to start anew, or go on with the settings it was begun with"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """State of a training after an epoch."""

    epoch: int
    """Epochs done."""
    tensors: Mapping[str, Tensor]
    """On the CPU."""
    record: Mapping[str, Any]
    """Everything else, in JSON's own types."""


class CheckpointFolder:
    """The checkpoints of one training.

    Parameters
    ----------
    folder
        Made when the first one is written. Other things in it are left alone.
    identity
        What makes a training this one, in JSON's own types: settings, names and shapes of weights, seed.
        A checkpoint of another identity is refused.
    """

    def __init__(self, folder: Path, *, identity: Mapping[str, Any]) -> None:
        self.folder = Path(folder)
        self._identity: dict[str, Any] = json.loads(json.dumps(identity))

    def write(self, checkpoint: Checkpoint) -> Path:
        """Write one and drop all but the newest `KEPT`; where it is.

        Raises
        ------
        ExternalError
            The disk refused; older checkpoints are still there.
        """
        path = self.folder / f"epoch-{checkpoint.epoch:05d}"
        temporary = self.folder / f".{path.name}.tmp"
        try:
            shutil.rmtree(temporary, ignore_errors=True)  # of a process that was killed while it wrote
            temporary.mkdir(parents=True)
            save_file(_own_storage(checkpoint.tensors), temporary / STATE)
            record = {
                "format": FORMAT,
                "versions": {"nextbest": __version__, "torch": str(torch.__version__)},
                "epoch": checkpoint.epoch,
                "identity": self._identity,
                "identity_digest": _digest(self._identity),
                "sha256": _sha256(temporary / STATE),
                "record": checkpoint.record,
            }
            (temporary / RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")
            for file in (temporary / STATE, temporary / RECORD):
                _to_disk(file)
            shutil.rmtree(path, ignore_errors=True)  # a damaged one that was passed over
            temporary.rename(path)
            for old in self._paths()[KEPT:]:
                shutil.rmtree(old)
        except (OSError, SafetensorError) as error:
            raise ExternalError("disk", f"could not write {path}: {error}", retryable=True) from error
        return path

    def newest(self) -> Checkpoint | None:
        """The newest one that can be read, None if there is none; a damaged one is passed over with a warning.

        Raises
        ------
        ArtifactError
            It belongs to another training, or there are some and none can be read.
        """
        paths = self._paths()
        for path in paths:
            try:
                record = _read_record(path)
                self._check_identity(path, record)
                tensors = _read_tensors(path, record)
                return Checkpoint(int(record["epoch"]), tensors, record["record"])
            except _DamagedError as damage:
                log.warning("checkpoint %s is passed over: %s", path, damage)
        if paths:
            raise ArtifactError(
                self.folder, f"none of its {len(paths)} checkpoint(s) can be read", remedy=_REMEDY
            )
        return None

    def last_epoch(self) -> int:
        """Epochs done as the newest checkpoint's name says, 0 without one; nothing is read."""
        paths = self._paths()
        return _epoch(paths[0]) if paths else 0

    def _paths(self) -> list[Path]:
        """Folders of checkpoints, newest first."""
        if not self.folder.is_dir():
            return []
        found = [path for path in self.folder.iterdir() if _NAME.fullmatch(path.name) and path.is_dir()]
        return sorted(found, key=_epoch, reverse=True)

    def _check_identity(self, path: Path, record: Mapping[str, Any]) -> None:
        theirs = record["identity"]
        if record["identity_digest"] == _digest(self._identity):
            return
        differences = list(_differences(theirs, self._identity))
        more = f" and {len(differences) - 5} more" if len(differences) > 5 else ""
        raise ArtifactError(
            path, f"is of another training: {'; '.join(differences[:5])}{more}", remedy=_REMEDY
        )


def state_tensors(network: nn.Module) -> dict[str, Tensor]:
    """Weights and buffers that a network keeps, each once, by name: the tensors themselves, no copies."""
    kept: dict[int, tuple[str, Tensor]] = {}
    for name, tensor in network.state_dict(keep_vars=True).items():
        if isinstance(tensor, Tensor):
            kept.setdefault(id(tensor), (name, tensor))
    return dict(kept.values())


def put_state(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy tensors of `state_tensors` into the network, in place: optimisers keep hold of the weights."""
    with torch.no_grad():
        for name, tensor in state_tensors(network).items():
            tensor.copy_(tensors[name])


def to_cpu(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies on the CPU."""
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors as `prefix/name`."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def unprefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those named `prefix/name`, by name."""
    start = f"{prefix}/"
    return {name.removeprefix(start): t for name, t in tensors.items() if name.startswith(start)}


class _DamagedError(Exception):
    """A checkpoint can't be read; an older one may."""


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads((path / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _DamagedError(f"{RECORD} is not readable JSON ({error})") from error
    if not isinstance(record, dict) or "format" not in record:
        raise _DamagedError(f"{RECORD} holds no checkpoint")
    if record["format"] != FORMAT:
        raise ArtifactError(
            path, f"has layout {record['format']!r}, this version reads {FORMAT}", remedy=_REMEDY
        )
    wanted = {"epoch": int, "identity": dict, "identity_digest": str, "sha256": str, "record": dict}
    if broken := [name for name, kind in wanted.items() if not isinstance(record.get(name), kind)]:
        raise _DamagedError(f"field(s) {broken} of {RECORD} missing or malformed")
    return record


def _read_tensors(path: Path, record: Mapping[str, Any]) -> dict[str, Tensor]:
    try:
        if _sha256(path / STATE) != record["sha256"]:
            raise _DamagedError(f"{STATE} has changed since it was written")
        return dict(load_file(path / STATE))
    except (OSError, SafetensorError) as error:
        raise _DamagedError(f"{STATE} is not readable ({error})") from error


def _own_storage(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """On the CPU, each in memory of its own, as safetensors wants them."""
    own = {}
    for name, tensor in tensors.items():
        one = tensor.detach().cpu().contiguous()
        shared = one.untyped_storage().nbytes() != one.numel() * one.element_size()
        own[name] = one.clone() if shared else one
    return own


def _differences(theirs: Any, ours: Any, name: str = "") -> list[str]:
    """In words, the deepest fields that differ."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return [
            words
            for key in dict.fromkeys([*theirs, *ours])
            for words in _differences(theirs.get(key), ours.get(key), key)
        ]
    return [] if theirs == ours else [f"{name} was {theirs!r}, is {ours!r}"]


def _epoch(path: Path) -> int:
    return int(path.name.removeprefix("epoch-"))


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _to_disk(path: Path) -> None:
    """Wait until the disk has it: a rename may be kept in a power cut that loses what it renamed."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
