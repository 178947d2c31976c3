"""`NAME=VALUE` flags."""

import re
from collections.abc import Iterable, Iterator

from nextbest.errors import InputError

_NEXT_PAIR = re.compile(r",(?=[^,])")


def pairs(texts: Iterable[str], *, name: str) -> Iterator[tuple[str, str]]:
    """Each `A=B,C=D` as (A, B), (C, D). A comma with nothing behind it, or one more comma, is a value.

    Raises
    ------
    InputError
        A part has no `=`, or nothing before it.
    """
    for text in texts:
        for part in _NEXT_PAIR.split(text):
            left, equals, right = part.partition("=")
            if not equals or not left.strip():
                raise InputError(name, "must look like NAME=VALUE, several by comma", value=part)
            yield left.strip(), right.strip()


def mapping(texts: Iterable[str], *, name: str) -> dict[str, str]:
    """The pairs as a mapping.

    Raises
    ------
    InputError
        A part is no pair, or one of our names is given twice with different columns.
    """
    found: dict[str, str] = {}
    for ours, theirs in pairs(texts, name=name):
        if found.setdefault(ours, theirs) != theirs:
            raise InputError(name, f"{ours} is given twice", value=f"{found[ours]}, {theirs}")
    return found
