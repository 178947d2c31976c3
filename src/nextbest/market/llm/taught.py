"""A language model with what it was taught, how it is asked, and how its answers become probabilities.

Torch is imported when one is made. Axes: N questions, C classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nextbest.data.prices.panel import PricePanel
from nextbest.market.llm.calibration import Calibration
from nextbest.market.llm.config import LLMConfig
from nextbest.market.llm.lesson import Lesson, prompts_of
from nextbest.market.llm.windows import Prompt, Reader


@dataclass(frozen=True, eq=False)
class TaughtLLM:
    """What answers."""

    checkpoint: Any
    """With its adapter, where it has one."""
    config: LLMConfig
    reader: Reader
    answers: tuple[str, ...]
    """Class words as the tokenizer has them."""
    calibration: Calibration
    extra: dict[str, Any] = field(default_factory=dict)
    """Modules beside the adapter: the map of patches."""
    tuned: Any = None
    """`lora.Tuned`, until it is kept; None of a model that wasn't taught or was read from a folder."""

    @classmethod
    def of(
        cls,
        checkpoint: Any,
        history: PricePanel,
        config: LLMConfig,
        lesson: Lesson,
        *,
        rng: int,
        all_weights: bool = False,
        checkpoints: Path | None = None,
        progress: bool = False,
    ) -> Self:
        """Fit the window on what is taught, teach, and calibrate on the past's newest part.

        Raises
        ------
        InputError
            The tokenizer lacks symbols, a prompt is too long, or as `lora.fit_lora`.
        DataError
            The past is too short, or doesn't move.
        """
        from nextbest.market.llm import learning

        stop = int(lesson.calibration.bar_N.min())
        made: dict[str, Any] = {}
        if config.window == "tokens":
            made["symbols"], made["between"] = learning.symbols_of(checkpoint, config.n_bins**2 + 1)
        reader = Reader.fit(history.until(stop), config, **made)
        answers = learning.answers_of(checkpoint, config.words)
        tuned, extra = None, {}
        if config.steps:
            prompts, has_N = prompts_of(history, lesson.taught, reader, context=config.n_bars + 1)
            tuned = learning.teach(
                checkpoint,
                prompts,
                lesson.taught.class_N[has_N],
                answers,
                config,
                seed=rng,
                all_weights=all_weights,
                checkpoints=checkpoints,
                progress=progress,
            )
            checkpoint, extra = tuned.checkpoint, dict(tuned.extra_modules)
        elif config.window == "patches":
            extra = {learning.PATCHES: learning.patch_map(checkpoint, config, seed=rng)}
        asked, has_N = prompts_of(history, lesson.calibration, reader, context=config.n_bars + 1)
        score_NC = learning.scores(checkpoint, asked, answers, config, extra)
        calibration = Calibration.fit(score_NC, lesson.calibration.class_N[has_N], lesson.prior_C)
        return cls(checkpoint, config, reader, answers, calibration, extra, tuned)

    @property
    def n_tokens(self) -> int:
        """Read in training."""
        return 0 if self.tuned is None else int(self.tuned.metrics()["tokens"])

    @property
    def cpu_s(self) -> float:
        """Spent on training."""
        return 0.0 if self.tuned is None else float(self.tuned.metrics()["cpu_s"])

    def scores(self, prompts: Sequence[Prompt]) -> NDArray[np.float64]:
        """Log-probability of each class word, shape (N, C)."""
        from nextbest.market.llm import learning

        return learning.scores(self.checkpoint, prompts, self.answers, self.config, self.extra)

    def probabilities(self, prompts: Sequence[Prompt]) -> NDArray[np.float64]:
        """Of each class, calibrated, shape (N, C)."""
        return self.calibration(self.scores(prompts))
