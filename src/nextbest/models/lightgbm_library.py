"""LightGBM, found where it is needed; in a process of our own without the libraries that it would bring along.

`import lightgbm` imports pandas and scikit-learn where they are installed, for callers who hand it their tables: 130 MB
and a second of each process, of which nothing here makes use.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import ModuleType

_UNUSED = ("pandas", "sklearn", "matplotlib", "graphviz", "dask")
_ALONE = Event()


def process_is_ours() -> None:
    """Say that nobody but nextbest uses LightGBM in this process: it will be loaded alone.

    Not for a library's caller, whose own data frames LightGBM wouldn't take afterwards.
    """
    _ALONE.set()


def load_lightgbm() -> ModuleType:
    """The library.

    Raises
    ------
    ImportError
        It isn't installed.
    """
    if not _ALONE.is_set() or "lightgbm" in sys.modules:
        import lightgbm
    else:
        with _hidden(_UNUSED):
            import lightgbm
    module: ModuleType = lightgbm
    return module


@contextmanager
def _hidden(names: tuple[str, ...]) -> Iterator[None]:
    """Nobody finds these inside, unless they are loaded already; afterwards they are found as ever."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: "isn't there", to an import
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
