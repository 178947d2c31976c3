"""One dictionary of Russian for the process: pymorphy3's, where it is installed.

Loading it takes about a second and 15 MB, so it is done when the first word is asked for, and kept.
"""

from functools import cache
from typing import Any


@cache
def dictionary() -> Any:
    """pymorphy3's analyzer; None without the extra `assistant`."""
    try:
        from pymorphy3 import MorphAnalyzer
    except ImportError:
        return None
    return MorphAnalyzer()
