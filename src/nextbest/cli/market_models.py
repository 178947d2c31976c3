"""What `--models` and `--model` of the market's commands may name: a forecaster, a folder, or a chat's language model."""

import argparse
from collections import Counter
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from nextbest.cli.output import a_day
from nextbest.errors import InputError

if TYPE_CHECKING:
    from nextbest.assistant.providers.protocol import ChatProvider
    from nextbest.market.base import Forecaster

LLM = "llm:"
"""Before the name of a provider, as `nextbest chat --provider` takes it."""
_MAX_TOKENS, _TIMEOUT_S, _TEMPERATURE = 1_500, 120.0, 1.0


def add_seen_until(parser: argparse.ArgumentParser) -> None:
    """The flag that says what a language model may have read."""
    parser.add_argument(
        "--llm-seen-until",
        type=a_day,
        metavar="YYYY-MM-DD",
        help="last day that the models of llm:... were trained on, as their makers say; without it every origin is flagged",
    )


def model_of(name: str, *, seen_until: date | None = None) -> "Forecaster":
    """A forecaster by name, one that was kept in a folder, or `llm:PROVIDER`.

    Raises
    ------
    InputError
        There is no such model, or no such provider.
    ArtifactError
        The folder holds another kind of model.
    """
    from nextbest.market.base import make_forecaster
    from nextbest.market.kept import KeptForecaster

    if name.startswith(LLM):
        return _asked_in_words(name.removeprefix(LLM), seen_until)
    return KeptForecaster(name) if Path(name).is_dir() else make_forecaster(name)


def _asked_in_words(told: str, seen_until: date | None) -> "Forecaster":
    from nextbest.assistant.providers.settings import make_provider
    from nextbest.market.base import make_forecaster

    provider = make_provider(told)
    if provider is None:
        raise InputError("--models", "names no provider", value=LLM + told, remedy="llm:openai:MODEL@URL")
    return make_forecaster(
        "text_llm", complete=_Continuations(provider), model=provider.name, seen_until=seen_until
    )


class _Continuations:
    """A provider as `TextLLM` asks it: the same question again is another draw, and the same one in the next run."""

    def __init__(self, provider: "ChatProvider") -> None:
        self._provider = provider
        self._n_asked: Counter[str] = Counter()

    def __call__(self, prompt: str) -> str:
        from nextbest.assistant.providers.protocol import ChatRequest, Message

        self._n_asked[prompt] += 1
        request = ChatRequest(
            (Message("user", prompt),),
            max_tokens=_MAX_TOKENS,
            temperature=_TEMPERATURE,
            timeout_s=_TIMEOUT_S,
            seed=self._n_asked[prompt],
        )
        return self._provider.complete(request).text
