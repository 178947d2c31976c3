"""Did fine-tuning help, and was it the pretraining? The same questions to each variant, after the past that taught them.

Every variant has the same taught and calibrating questions, the same number of steps, and is judged once, on origins that
nothing was chosen by. Axes: N questions, C classes, D dates.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nextbest.data.prices.panel import PricePanel
from nextbest.errors import InputError
from nextbest.evaluation.forecast.hac import overlap
from nextbest.market.llm import baselines
from nextbest.market.llm.config import LLMConfig, Window
from nextbest.market.llm.judging import PERSISTENCE, PRIOR, REGRESSION, Judge, Row
from nextbest.market.llm.lesson import Lesson, Rows, known_rows, prompts_of
from nextbest.market.llm.taught import TaughtLLM

FloatArray = NDArray[np.float64]
Base = Literal["pretrained", "scratch", "shuffled"]


@dataclass(frozen=True)
class Variant:
    """A language model as it is asked."""

    window: Window
    base: Base = "pretrained"
    is_taught: bool = True

    @property
    def name(self) -> str:
        """Its row."""
        how = {"pretrained": "", "scratch": "from scratch, ", "shuffled": "shuffled weights + "}[self.base]
        lora = "zero-shot" if not self.is_taught else "all weights" if self.base == "scratch" else "LoRA"
        return f"{how}{lora}, {self.window}"


def variants_of(window: Window) -> tuple[Variant, ...]:
    """All that the chosen window's answer has to be held against, the chosen one second."""
    every: tuple[Window, ...] = ("text", "tokens", "patches")
    asked_raw: Window = "tokens" if window == "patches" else window
    return (
        Variant(asked_raw, is_taught=False),
        Variant(window),
        Variant(window, "shuffled"),
        Variant(window, "scratch"),
        *(Variant(other) for other in every if other != window),
    )


@dataclass(frozen=True)
class Comparison:
    """All rows, and what they say."""

    rows: tuple[Row, ...]
    chosen: str
    """The variant that the question was about, named before any was judged."""
    seen_until: date | None
    """Of the checkpoint; a question asked by then may have been seen."""
    first: str
    last: str
    """Opens of the newest bars known at the first and last origin."""
    overlapping: int
    """Origins that share bars of one label."""
    dates: tuple[str, ...]
    """Days of the origins."""
    is_seen: tuple[bool, ...]
    """Of each date: the checkpoint may have read of it."""
    loss: dict[str, tuple[float, ...]]
    """Log-loss of each row by date, mean over assets."""
    failures: dict[str, str]
    """Variants that could not be asked, and why."""
    config: dict[str, Any]
    source: str

    def document(self) -> dict[str, Any]:
        """In JSON's own types, with the sentences."""
        from nextbest.market.llm.wording import sentences

        told = asdict(self)
        told["seen_until"] = None if self.seen_until is None else self.seen_until.isoformat()
        return {**told, "rows": [asdict(row) for row in self.rows], "texts": sentences(self)}


def compare(
    panel: PricePanel,
    checkpoint: Any,
    config: LLMConfig,
    *,
    start: date,
    variants: Sequence[Variant] | None = None,
    every: int | None = None,
    assets: Sequence[str] | None = None,
    rng: int = 0,
    progress: bool = False,
    on_row: Callable[[Row], None] = lambda _: None,
    on_comparison: Callable[["Comparison"], None] = lambda _: None,
    taught: TaughtLLM | None = None,
) -> Comparison:
    """Teach each variant on what is known before `start`, and judge all on the same later origins.

    Parameters
    ----------
    panel
        Bars before and after `start`.
    checkpoint
        `models.language.checkpoint.Checkpoint` without an adapter.
    start
        Origins' newest bars open then or later; no taught or calibrating label reaches beyond the bar before.
    variants
        None: `variants_of` the config's window. The first taught one with pretrained weights is what is asked about.
    every
        Bars between two origins; None: the horizon, so that labels don't overlap.
    assets
        Asked about; None: all. Taught are all of the panel.
    on_row
        Called with each row as it is known: a long comparison can be read while it runs.
    on_comparison
        Called with all that is known so far, after each variant.
    taught
        The chosen variant where it has been taught already, on the same past and settings.

    Raises
    ------
    InputError
        No origin fits, or no variant is taught.
    DataError
        The past is too short.
    """
    every = config.horizon if every is None else every
    chosen_variants = tuple(variants or variants_of(config.window))
    chosen = next((v for v in chosen_variants if v.is_taught and v.base == "pretrained"), None)
    if chosen is None:
        raise InputError("variants", "one must be taught on pretrained weights")
    stop = panel.n_bars - panel.period(start).n_bars
    history = panel.until(stop)
    lesson = Lesson.of(history, config, np.random.default_rng(rng))
    asked = _asked(panel, lesson, config, stop=stop, every=every, assets=assets)
    judge = Judge(panel, asked, overlap(config.horizon, every), checkpoint.seen_until, rng)
    rows: list[Row] = []
    failures: dict[str, str] = {}

    def add(name: str, p_NC: FloatArray, **costs: Any) -> None:
        judge.p[name] = p_NC
        for row in judge.rows(name, **costs):
            rows.append(row)
            on_row(row)

    def so_far() -> Comparison:
        dates = panel.time_T[asked.bar_N]
        return Comparison(
            tuple(rows),
            chosen.name,
            checkpoint.seen_until,
            str(dates.min()),
            str(dates.max()),
            judge.overlapping,
            tuple(str(day) for day in judge.days_D),
            tuple(bool(seen) for seen in judge.is_seen_D),
            {name: tuple(judge.log_loss(name).tolist()) for name in judge.p},
            dict(failures),
            {**config.model_dump(mode="json"), "every": every, "start": start.isoformat()},
            checkpoint.source,
        )

    learned = known_rows(history, lesson.labels.ahead_of(history), config)
    add(PRIOR, np.tile(lesson.prior_C, (len(asked), 1)))
    add(PERSISTENCE, baselines.last_class(lesson.labels, panel, learned, asked, lesson.prior_C))
    add(REGRESSION, baselines.regression(lesson.labels, panel, learned, asked, lesson.prior_C))
    for variant in chosen_variants:
        own = config.model_copy(
            update={"window": variant.window, **({} if variant.is_taught else {"steps": 0})}
        )
        before = time.process_time()
        try:
            if taught is not None and variant == chosen:
                model = taught
            else:
                model = TaughtLLM.of(
                    base_of(checkpoint, variant.base, rng),
                    history,
                    own,
                    lesson,
                    rng=rng,
                    all_weights=variant.base == "scratch",
                    progress=progress,
                )
            prompts, has_N = prompts_of(panel, asked, model.reader, context=own.n_bars + 1)
            score_NC = np.full((len(asked), lesson.labels.n_classes), np.nan)
            score_NC[has_N] = model.scores(prompts)
        except InputError as error:
            # the other windows are asked beside the chosen one: their prompts may be too long for this model
            if variant == chosen:
                raise
            failures[variant.name] = str(error)
            continue
        add(
            variant.name,
            np.where(has_N[:, None], model.calibration(score_NC), lesson.prior_C),
            raw_NC=score_NC,
            calibration=model.calibration,
            cpu_s=time.process_time() - before + (model.cpu_s if model is taught else 0.0),
            n_tokens=model.n_tokens,
        )
        on_comparison(so_far())
    return so_far()


def base_of(checkpoint: Any, base: Base, rng: int) -> Any:
    """The weights that a variant begins with."""
    from nextbest.models.language.controls import from_scratch, shuffled

    return {"pretrained": lambda c, _: c, "scratch": from_scratch, "shuffled": shuffled}[base](
        checkpoint, rng
    )


def _asked(
    panel: PricePanel,
    lesson: Lesson,
    config: LLMConfig,
    *,
    stop: int,
    every: int,
    assets: Sequence[str] | None,
) -> Rows:
    """Questions of the test: origins from the newest with a known outcome backwards."""
    if every < 1:
        raise InputError("every", "must be 1 or more", value=every)
    newest = panel.n_bars - 1 - config.horizon
    origins = np.arange(newest, stop - 1, -every)
    rows = known_rows(panel, lesson.labels.ahead_of(panel), config)
    keep_N = np.isin(rows.bar_N, origins)
    if assets is not None:
        keep_N &= np.isin(rows.asset_N, [panel.asset_ids.index(a) for a in panel.select(assets).asset_ids])
    asked = rows.take(keep_N)
    if not len(asked):
        raise InputError(
            "start",
            f"leaves no origin with {config.horizon} bars after it",
            remedy="an earlier start, or a shorter horizon",
        )
    return asked
