"""A player's history and a question -> a prompt for any model, of any catalogue; and its answer back to ids that exist.

The prompt generator of `POST /games/ask`: what it needs is in the arguments, nothing is looked up. A model's ids are only
kept where the catalogue that was shown has them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nextbest.assistant.base import Language
from nextbest.assistant.prompts.prompts import Prompt, render
from nextbest.data.ids import OutsideId
from nextbest.errors import InputError

_HOURS: Mapping[Language, str] = {"en": "h", "ru": "ч"}
_RATING: Mapping[Language, str] = {"en": "rated", "ru": "оценка"}
_NONE: Mapping[Language, str] = {"en": "nothing played yet", "ru": "ещё ни во что не играл"}
MAX_HISTORY = 20
MAX_QUESTION = 500
"""Characters."""


@dataclass(frozen=True, slots=True)
class Played:
    """One game of a player's history."""

    title: str
    hours: float | None = None
    """None: not known; 0 = bought, never started."""
    rating: float | None = None
    """As the shop rates; None: not rated."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One game that may be chosen."""

    item_id: OutsideId
    title: str
    about: str = ""
    """Genre, tags, a line of description."""


@dataclass(frozen=True, slots=True)
class GamesPrompt:
    """A prompt, the schema of its answer, and which ids the numbers in it stand for."""

    prompt: Prompt
    schema: Mapping[str, Any]
    shown: tuple[Candidate, ...]

    def chosen(self, document: Mapping[str, Any]) -> tuple[Candidate, ...]:
        """The games of an answer, each once, in its order; numbers that were never shown are left out."""
        numbers = [n for n in document.get("items", ()) if isinstance(n, int) and 1 <= n <= len(self.shown)]
        return tuple(self.shown[n - 1] for n in dict.fromkeys(numbers))


def games_prompt(
    question: str,
    history: Sequence[Played],
    candidates: Sequence[Candidate],
    *,
    language: Language,
    k: int = 5,
    budget: int | None = None,
) -> GamesPrompt:
    """A prompt that asks a model to choose at most `k` of the candidates for this player.

    Parameters
    ----------
    history
        In any order; the games most played stand first, twenty at most.
    candidates
        Best first: the last ones are left out where the budget has no room.
    budget
        Tokens of the whole prompt; None: the file's own.

    Raises
    ------
    InputError
        An empty question, no candidates, `k` below 1, or hours below 0.
    """
    if not question.strip():
        raise InputError("question", "must not be empty")
    if not candidates:
        raise InputError("candidates", "must not be empty")
    if k < 1:
        raise InputError("k", "must be 1 or more", value=k)
    if wrong := [game.title for game in history if game.hours is not None and not game.hours >= 0]:
        raise InputError("history", f"hours must be 0 or more; {len(wrong)} aren't", value=wrong[:5])
    most = sorted(history, key=lambda game: -1.0 if game.hours is None else game.hours, reverse=True)
    rows = [
        f"{n}: {game.title}{f' ({game.about})' if game.about else ''}"
        for n, game in enumerate(candidates, start=1)
    ]
    prompt = render(
        "games",
        {
            "question": question[:MAX_QUESTION],
            "history": [_line(game, language) for game in most[:MAX_HISTORY]] or _NONE[language],
            "candidates": rows,
        },
        language=language,
        budget=budget,
    )
    shown = tuple(candidates[: len(candidates) - prompt.n_left_out])
    return GamesPrompt(prompt, _schema(len(shown), k), shown)


def _line(game: Played, language: Language) -> str:
    parts = [game.title]
    if game.hours is not None:
        parts.append(f"{game.hours:g} {_HOURS[language]}")
    if game.rating is not None:
        parts.append(f"{_RATING[language]} {game.rating:g}")
    return ", ".join(parts)


def _schema(n: int, k: int) -> dict[str, Any]:
    """Numbers rather than ids: short, the same for whole and text ids, and easy to check."""
    return {
        "type": "object",
        "properties": {
            "items": {
                "type": "array",
                "items": {"type": "integer", "minimum": 1, "maximum": n},
                "maxItems": k,
            },
            "answer": {"type": "string", "maxLength": 600},
        },
        "required": ["items", "answer"],
        "additionalProperties": False,
    }
