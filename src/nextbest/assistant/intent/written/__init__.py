"""What the classifier of intents is taught beside templates: questions written one by one, as people of many kinds would ask.

JSON lines beside this file: {"text", "language", "intent"}. Their writers saw neither templates nor `../questions`; what
comes close to a question all the same is left out when the corpus is made (`nearness`).
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import orjson

from nextbest.assistant.base import Intent, Language


@dataclass(frozen=True, slots=True)
class Written:
    """One question with its intent."""

    id: str
    """File and place in it: what folds of a validation are split by."""
    text: str
    language: Language
    intent: Intent


@cache
def load_written() -> tuple[Written, ...]:
    """Every written question, by file, in the order of the files."""
    folder = files(__package__)
    names = sorted(path.name for path in folder.iterdir() if path.name.endswith(".jsonl"))
    found = []
    for name in names:
        lines = (folder / name).read_bytes().splitlines()
        found += [
            Written(f"written/{name.removesuffix('.jsonl')}/{place}", **orjson.loads(line))
            for place, line in enumerate(lines)
        ]
    return tuple(found)
