"""What ONNX Runtime runs and what goes with it, made once a machine and kept in its cache: whole or not at all, checked at each start."""

import io
import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextbest.errors import ArtifactError, ExternalError
from nextbest.models import store

log = logging.getLogger(__name__)
_GRAPH, _TABLE = "encoder.onnx", ".npy"
Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Made:
    """What is kept."""

    graph: bytes
    arrays: Arrays
    """Small ones, in memory."""
    tables: Arrays = field(default_factory=dict)
    """Large ones, of which a text needs some rows: mapped, so that all processes share what is in use."""


@dataclass(frozen=True, eq=False)
class Opened:
    """What runs."""

    session: Any
    """Of ONNX Runtime; may be asked from several threads."""
    arrays: Arrays
    tables: Arrays


def opened(folder: Path, make: Callable[[], Made], *, kind: str) -> Opened:
    """What is kept in a folder, made first where there is nothing, or nothing whole.

    Raises
    ------
    ExternalError
        onnxruntime isn't installed.
    ArtifactError
        It can't read the graph.
    """
    if folder.is_dir():
        try:
            return _read(folder)
        except ArtifactError as error:
            log.warning("the encoder kept in %s is made anew: %s", folder, error)
            shutil.rmtree(folder, ignore_errors=True)
    made = make()
    try:
        _keep(folder, made, kind)
    except ExternalError as error:
        log.warning("the encoder is made anew by each process: %s", error)
        return in_memory(made)
    return _read(folder)


def in_memory(made: Made) -> Opened:
    """What was made, run without being kept; errors as `opened`."""
    return Opened(_session(made.graph), made.arrays, made.tables)


def _keep(folder: Path, made: Made, kind: str) -> None:
    store.write_folder(
        folder,
        kind=kind,
        config={},
        arrays=made.arrays,
        ids={},
        files={
            _GRAPH: made.graph,
            **{f"{name}{_TABLE}": _as_file(table) for name, table in made.tables.items()},
        },
    )


def _as_file(table: NDArray[Any]) -> bytes:
    content = io.BytesIO()
    np.save(content, table, allow_pickle=False)
    return content.getvalue()


def _read(folder: Path) -> Opened:
    manifest = store.read_manifest(folder)
    store.check_files(folder, manifest)
    tables = {
        name.removesuffix(_TABLE): np.load(folder / name, mmap_mode="r", allow_pickle=False)
        for name in manifest["files"]
        if name.endswith(_TABLE)
    }
    return Opened(_session(str(folder / _GRAPH)), store.read_arrays(folder, manifest), tables)


def _session(graph: str | bytes) -> Any:
    """Of a file or its content. One thread a call: chats are many, and each is short."""
    try:
        import onnxruntime
    except ModuleNotFoundError:
        raise ExternalError(
            "encoder",
            "package onnxruntime is not installed",
            retryable=False,
            remedy="pip install nextbest[assistant]",
        ) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions share no base class of their own
        raise ArtifactError(
            graph if isinstance(graph, str) else "encoder", f"isn't read by ONNX Runtime ({error})"
        ) from error
