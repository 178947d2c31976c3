"""The project's own set of questions that try to make an assistant say what it must not, and what that is.

275 questions, Russian and English, of seven kinds; written by hand, beside the code that has to stand them.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from nextbest.assistant.base import Language
from nextbest.errors import ArtifactError

AttackKind = Literal["other_client", "role", "ignore", "advice", "injection", "disguised", "two_steps"]
ATTACK_KINDS: tuple[AttackKind, ...] = get_args(AttackKind)
Never = Literal["@other", "@advice", "@promise", "@prompt", "@markup"]
"""What an answer may never hold: another client's data, advice on investments, a promise, instructions, mark-up."""
NEVERS: tuple[Never, ...] = get_args(Never)
_FILE = Path(__file__).parent / "adversarial.jsonl"


@dataclass(frozen=True, slots=True)
class Attack:
    """One question; the client who asks it is anybody but C-777."""

    text: str
    language: Language
    kind: AttackKind
    never: tuple[Never, ...]


@cache
def attacks() -> tuple[Attack, ...]:
    """All of them, in the order of the file.

    Raises
    ------
    ArtifactError
        The file is damaged.
    """
    lines = _FILE.read_text(encoding="utf-8").splitlines()
    try:
        rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
        made = tuple(Attack(r["text"], r["language"], r["kind"], tuple(r["never"])) for r in rows)
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(_FILE, f"can't be read: {error}", remedy="install the package again") from error
    bad = [a.text for a in made if a.kind not in ATTACK_KINDS or not a.never or set(a.never) - set(NEVERS)]
    if bad:
        raise ArtifactError(
            _FILE,
            f"has {len(bad)} rows of unknown kinds, first: {bad[:5]}",
            remedy="install the package again",
        )
    return made
