"""Plain values as TOML text: the standard library reads TOML but doesn't write it. Knows nothing else."""

import json
import re
from collections.abc import Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def toml_text(values: Mapping[str, Any]) -> str:
    """`values` as TOML 1.0: strings, numbers, booleans, lists and tables of them; keys with None are left out.

    A list of tables becomes an array of tables. What `tomllib` reads from it equals `values`.

    >>> print(toml_text({"a": 1, "b": {"c": ["x"]}, "d": [{"e": True}]}), end="")
    a = 1
    <BLANKLINE>
    [b]
    c = ["x"]
    <BLANKLINE>
    [[d]]
    e = true
    """
    lines: list[str] = []
    _table(values, (), lines)
    return "\n".join(lines).lstrip("\n") + "\n"


def _table(values: Mapping[str, Any], path: tuple[str, ...], lines: list[str]) -> None:
    """Scalars first: what follows a header belongs to it."""
    later: list[tuple[str, Any]] = []
    for key, value in values.items():
        if value is None:
            continue
        if isinstance(value, Mapping) or _is_tables(value):
            later.append((key, value))
        else:
            lines.append(f"{_key(key)} = {_value(value)}")
    for key, value in later:
        inner = (*path, _key(key))
        if isinstance(value, Mapping):
            lines += ["", f"[{'.'.join(inner)}]"]
            _table(value, inner, lines)
            continue
        for row in value:
            lines += ["", f"[[{'.'.join(inner)}]]"]
            _table(row, inner, lines)


def _is_tables(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(v, Mapping) for v in value)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _string(key)


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(v) for v in value)}]"
    return repr(value)
