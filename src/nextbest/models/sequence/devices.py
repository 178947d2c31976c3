"""Where a training runs and what it costs: device, precision, threads, clock, peak memory. Knows no model."""

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

import torch

from nextbest.errors import InputError
from nextbest.models.sequence.config import Device, Precision

_BFLOAT16_CAPABILITY = 8
"""CUDA's compute capability from which bfloat16 is calculated by the hardware (Ampere)."""


def choose_device(wanted: Device) -> torch.device:
    """The device to train on; `auto` is the current GPU where there is one.

    Raises
    ------
    InputError
        A GPU is wanted and there is none.
    """
    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise InputError("device", "torch sees no GPU", value=wanted, remedy="use 'auto' or 'cpu'")
    return torch.device("cuda", torch.cuda.current_device())


def choose_precision(wanted: Precision, device: torch.device) -> torch.dtype:
    """What matrix products are calculated in; weights and their gradients are always as they come.

    Raises
    ------
    InputError
        bfloat16 is wanted of a device that doesn't calculate in it.
    """
    able = _calculates_bfloat16(device)
    if wanted == "bfloat16" and not able:
        raise InputError(
            "precision", f"{device.type} doesn't calculate in it", value=wanted, remedy="use 'auto'"
        )
    wide = wanted == "float32" or (wanted == "auto" and device.type == "cpu")
    return torch.float32 if wide or not able else torch.bfloat16


def _calculates_bfloat16(device: torch.device) -> bool:
    """Whether the hardware multiplies it; where it is only imitated it is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= _BFLOAT16_CAPABILITY
    # absent from older torch: float32 then
    told: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(told.get("avx512_bf16") or told.get("amx_bf16"))


def autocast(device: torch.device, precision: torch.dtype) -> AbstractContextManager[object]:
    """Products inside are calculated in `precision`; nothing for float32."""
    return nullcontext() if precision is torch.float32 else torch.autocast(device.type, dtype=precision)


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Calculate on `n` threads inside (0: as many as now); the number is put back after."""
    before = torch.get_num_threads()
    if n:
        torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def seconds(device: torch.device) -> float:
    """A clock to take differences of: CPU-seconds of all threads, on a GPU seconds of the wall."""
    return time.perf_counter() if device.type == "cuda" else time.process_time()


def peak_memory_bytes(device: torch.device) -> int:
    """On a GPU the most that its tensors held since `forget_peak`; on a CPU the process' peak so far."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def forget_peak(device: torch.device) -> None:
    """Begin to measure the GPU's peak; the CPU's is left alone, others measure by it."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: torch has a class for GPUs only, on CPUs its text tells."""
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and (
        "not enough memory" in text or "DefaultCPUAllocator" in text or "CUDA out of memory" in text
    )
