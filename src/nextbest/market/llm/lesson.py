"""Which questions are taught, and which calibrate the answers: rows of the past, purged so that no label reaches into the other's.

Axes: N questions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from nextbest.data.prices.panel import PricePanel
from nextbest.errors import DataError
from nextbest.market.llm.config import LLMConfig
from nextbest.market.llm.labels import Labels
from nextbest.market.llm.windows import Prompt, Reader

Ints = NDArray[np.int64]
MIN_TAUGHT, MIN_CALIBRATION = 20, 20


@dataclass(frozen=True, eq=False)
class Rows:
    """Questions with known answers."""

    asset_N: Ints  # noqa: N815 - axes in the name
    bar_N: Ints  # noqa: N815
    """The newest bar that a question knows."""
    class_N: Ints  # noqa: N815

    def __len__(self) -> int:
        return len(self.bar_N)

    def take(self, rows: Ints | NDArray[np.bool_]) -> Self:
        """Some of them."""
        return type(self)(self.asset_N[rows], self.bar_N[rows], self.class_N[rows])


@dataclass(frozen=True, eq=False)
class Lesson:
    """The past, divided."""

    labels: Labels
    taught: Rows
    """Drawn; each label ends before the first calibrating question is asked."""
    calibration: Rows
    """Spread over the newest part; each label lies in the past."""
    prior_C: NDArray[np.float64]  # noqa: N815
    """Share of each class in the past, one added to each count."""

    @classmethod
    def of(cls, history: PricePanel, config: LLMConfig, rng: np.random.Generator) -> Self:
        """Divide a past.

        Raises
        ------
        DataError
            Too few questions to teach or to calibrate by.
        """
        first = history.n_bars - max(1, int(history.n_bars * config.calibration_share))
        # edges know nothing of the part that calibrates
        labels = Labels.fit(history.until(first), config)
        class_AT = labels.ahead_of(history)
        rows = known_rows(history, class_AT, config)
        taught = rows.take(rows.bar_N + config.horizon < first)
        calibration = rows.take(rows.bar_N >= first)
        for name, some, least in (
            ("teach", taught, MIN_TAUGHT),
            ("calibrate by", calibration, MIN_CALIBRATION),
        ):
            if len(some) < least:
                raise DataError(
                    "history",
                    f"{len(some)} questions to {name}, {least} needed",
                    remedy="more bars or assets, or fewer n_bars",
                )
        drawn = rng.permutation(len(taught))[: config.n_examples]
        spread = np.linspace(0, len(calibration) - 1, min(config.n_calibration, len(calibration)))
        counts = np.bincount(rows.class_N, minlength=labels.n_classes) + 1.0
        return cls(
            labels, taught.take(drawn), calibration.take(spread.round().astype(int)), counts / counts.sum()
        )


def known_rows(panel: PricePanel, class_AT: Ints, config: LLMConfig) -> Rows:
    """Every bar with a class behind it and a window's bars before it, by time."""
    is_known_TA = (class_AT >= 0).T.copy()
    is_known_TA[: config.n_bars] = False
    is_known_TA &= np.isfinite(panel.close_AT).T
    bar_N, asset_N = np.nonzero(is_known_TA)
    return Rows(asset_N, bar_N, class_AT[asset_N, bar_N])


def prompts_of(
    panel: PricePanel, rows: Rows, reader: Reader, *, context: int
) -> tuple[list[Prompt], NDArray[np.bool_]]:
    """The rows' questions, and which rows have one; each is made of a copy that ends at its bar."""
    prompts: list[Prompt | None] = [None] * len(rows)
    for bar, numbers in _by_bar(rows.bar_N):
        known = panel.until(bar + 1, length=context)
        asked = reader.prompts(known)
        for n in numbers:
            prompts[n] = asked[rows.asset_N[n]]
    return [p for p in prompts if p is not None], np.array([p is not None for p in prompts], bool)


def _by_bar(bar_N: Ints) -> Iterator[tuple[int, Sequence[int]]]:
    order = np.argsort(bar_N, kind="stable")
    if len(order):
        for group in np.split(order, np.nonzero(np.diff(bar_N[order]))[0] + 1):
            yield int(bar_N[group[0]]), group.tolist()
