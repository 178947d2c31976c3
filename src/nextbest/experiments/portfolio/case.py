"""A worked example without its expected value, and what our functions made of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Case:
    """An example without its expected value."""

    name: str
    topic: str
    inputs: Mapping[str, Any]
    """Its own, or those of the example that its `see` names, with its own on top."""
    folder: Path
    """Where the paths in `inputs` start."""
    refers: bool = False
    """Whether `see` gave the inputs."""


@dataclass(frozen=True)
class Answered:
    """What came out, and of which function."""

    values: tuple[float | None, ...]
    """As many as the function has to say; None = no such number."""
    function: str
