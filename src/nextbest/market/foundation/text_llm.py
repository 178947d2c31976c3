"""A language model asked to continue a series written as text: paths of numbers, their quantiles, its nonsense counted.

Any callable `complete(prompt) -> str` answers: a provider of the assistant, a local model, a script in a test. The
prompt names no asset and no date and the last close is 100, so that a model which remembers the chart isn't told
which one it is. One draw of a language model is one sample: paths are asked for until there are enough, or until the
calls are used up. Knows no provider, no network and no torch. Axes as in `context.py`.
"""

import hashlib
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, PositiveFloat, PositiveInt

from nextbest.data.prices.panel import PricePanel
from nextbest.errors import ExternalError, InputError
from nextbest.market.base import LEVELS, check_request
from nextbest.market.foundation.context import (
    FloatArray,
    Tally,
    check_levels,
    contexts,
    sample_quantiles,
)
from nextbest.market.foundation.pretrained import checked_settings

PROMPT = """Below are the last {n_bars} values of a series, oldest first, one value each {step}. The last one is 100.

{values}

Continue it. Write {n_paths} different plausible continuations, as different from each other as the series is
uncertain. Each is one line of exactly {n_steps} numbers, separated by commas, with {decimals} decimals: the next
{n_steps} values in order. Write the lines only: no words, no numbering, nothing else."""

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?\Z")
_MAX_DECIMALS = 6


class TextLLMConfig(BaseModel, frozen=True, extra="forbid"):
    """How a language model is asked."""

    model: str
    """Its name, for the leaderboard and the ledger: what `complete` calls."""
    context_length: PositiveInt = 64
    """Bars written out."""
    n_paths: PositiveInt = 19
    """Valid paths that are enough; 9 are the fewest for levels .1 to .9."""
    paths_per_call: PositiveInt = 5
    """Lines asked for in one answer."""
    max_calls: PositiveInt = 8
    """Questions about one series at most; with fewer valid paths than the levels need there is no answer."""
    largest_step: PositiveFloat = 1.0
    """A continuation whose log moves by more than that within one bar is no price: invalid."""
    seen_until: date | None = None
    """Knowledge cut-off as its makers say; None = undocumented, so that it may have seen any day."""


@dataclass
class TextTally(Tally):
    """As for the others, with what the language model wrote."""

    n_calls: int = 0
    """Questions asked."""
    n_failed_calls: int = 0
    """Questions that its provider failed on, and that could be asked again."""
    n_paths: int = 0
    """Lines written."""
    n_wrong_length: int = 0
    """Lines with fewer or more numbers than asked for."""
    n_not_numbers: int = 0
    """Lines with something else than numbers."""
    n_implausible: int = 0
    """Lines with a value of zero or less, or a jump beyond `largest_step`."""


class TextLLM:
    """A language model as a `Forecaster`; made by `complete` and the fields of `TextLLMConfig` as keywords.

    The same question has the same answer for as long as the object lives: the harness asks some origins twice, and a
    language model would say something else each time.
    """

    min_bars = 16

    def __init__(self, complete: Callable[[str], str], **settings: Any) -> None:
        self.complete = complete
        self.settings = checked_settings(TextLLMConfig, "text_llm", settings)
        self.name = f"text_llm:{self.settings.model}"
        self.context_length = self.settings.context_length
        self.seen_until = self.settings.seen_until or date.max
        self.config: dict[str, Any] = {
            "kind": "text_llm",
            **self.settings.model_dump(mode="json", exclude={"seen_until"}),
            "prompt_sha256": hashlib.sha256(PROMPT.encode()).hexdigest(),
            "seen_until_documented": self.settings.seen_until is not None,
        }
        self.tally = TextTally()
        self._answered: dict[str, FloatArray] = {}

    def fit(self, history: PricePanel, *, horizons: Sequence[int], rng: np.random.Generator) -> None:
        """Nothing: the weights are what they are."""

    def forecast(
        self, histories: Sequence[PricePanel], *, horizons: Sequence[int], levels: Sequence[float] = LEVELS
    ) -> FloatArray:
        """Quantiles over the paths it wrote, shape (O, A, H, Q).

        NaN = no close at the cutoff, fewer than `min_bars` closes, or too few valid paths.

        Raises
        ------
        InputError
            A horizon below 1, or levels that `n_paths` have no quantile at.
        ExternalError
            The provider failed and says that asking again won't help.
        """
        horizon_H, _ = check_request(horizons, levels)
        n_paths = self.settings.n_paths
        check_levels(levels, (1 / (n_paths + 1), n_paths / (n_paths + 1)))
        n_assets = histories[0].n_assets if histories else 0
        out_OAHQ = np.full((len(histories), n_assets, len(horizon_H), len(levels)), np.nan)
        n_asked = 0
        for batch in contexts(
            histories,
            length=self.context_length,
            min_bars=self.min_bars,
            batch_size=1,
            scale="price",
            gaps="carry",
        ):
            origin, asset = int(batch.origin_B[0]), int(batch.asset_B[0])
            value_L = 100 * batch.value_BL[0].astype(np.float64)
            path_SH = self._asked(value_L, int(horizon_H.max()), _spoken(histories[origin]))
            out_OAHQ[origin, asset] = sample_quantiles(path_SH[:, horizon_H - 1], levels)
            self.tally.n_refused += int(np.isnan(out_OAHQ[origin, asset]).any(-1).sum())
            n_asked += 1
        self.tally.n_series += len(histories) * n_assets
        self.tally.n_no_context += len(histories) * n_assets - n_asked
        return out_OAHQ

    def _asked(self, value_L: FloatArray, n_steps: int, step: str) -> FloatArray:
        """Log-returns of the valid paths, `n_paths` at most, shape (S, H); asked once for each question."""
        settings = self.settings
        prompt = prompt_of(value_L, n_steps=n_steps, n_paths=settings.paths_per_call, step=step)
        if prompt in self._answered:
            return self._answered[prompt]
        found: list[FloatArray] = []
        for _ in range(settings.max_calls):
            self.tally.n_calls += 1
            try:
                answer = self.complete(prompt)
            except ExternalError as error:
                if not error.retryable:
                    raise
                self.tally.n_failed_calls += 1
                continue
            found += self._parsed(answer, n_steps)
            if len(found) >= settings.n_paths:
                break
        path_SH = np.array(found[: settings.n_paths]).reshape(-1, n_steps)
        self._answered[prompt] = path_SH
        return path_SH

    def _parsed(self, answer: str, n_steps: int) -> list[FloatArray]:
        """The valid paths of an answer; every other line that isn't empty is counted by what is wrong with it."""
        paths = []
        for line in filter(None, map(str.strip, answer.splitlines())):
            self.tally.n_paths += 1
            parts = [part.strip() for part in line.rstrip(",;").split(",")]
            if not all(_NUMBER.match(part) for part in parts):
                self.tally.n_not_numbers += 1
            elif len(parts) != n_steps:
                self.tally.n_wrong_length += 1
            else:
                path_H = _log_path(np.array(parts, np.float64))
                if path_H is None or np.abs(np.diff(path_H, prepend=0.0)).max() > self.settings.largest_step:
                    self.tally.n_implausible += 1
                else:
                    paths.append(path_H)
        return paths


def prompt_of(value_L: NDArray[np.float64], *, n_steps: int, n_paths: int, step: str) -> str:
    """The question about one series.

    Parameters
    ----------
    value_L
        Oldest first, the last one 100, no NaN.
    n_steps, n_paths
        Numbers a line, and lines.
    step
        Length of a bar in words.

    Returns
    -------
    str
        With as many decimals as tell two neighbouring values apart: the median change keeps two digits.

    Raises
    ------
    InputError
        Less than two values, or one isn't finite.
    """
    if len(value_L) < 2 or not np.isfinite(value_L).all():
        raise InputError("value_L", "must be two finite values or more", value=len(value_L))
    change = float(np.median(np.abs(np.diff(value_L))))
    decimals = min(max(1 - math.floor(math.log10(change)), 0), _MAX_DECIMALS) if change > 0 else 2
    return PROMPT.format(
        n_bars=len(value_L),
        step=step,
        values=", ".join(f"{value:.{decimals}f}" for value in value_L),
        n_paths=n_paths,
        n_steps=n_steps,
        decimals=decimals,
    )


def _log_path(value_H: FloatArray) -> FloatArray | None:
    if not (np.isfinite(value_H) & (value_H > 0)).all():
        return None
    log_H: FloatArray = np.log(value_H / 100)
    return log_H


def _spoken(history: PricePanel) -> str:
    seconds = history.step.total_seconds()
    for name, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds % length == 0:
            count = int(seconds // length)
            return name if count == 1 else f"{count} {name}s"
    return f"{seconds:g} seconds"
