"""Where this user's machine keeps what can be made again."""

import os
from pathlib import Path


def cache_folder(name: str) -> Path:
    """`$XDG_CACHE_HOME/nextbest/<name>`, or `~/.cache` in place of the variable; need not be there."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "nextbest" / name
