"""Losses of class probabilities by date, against the prior, the last class and a regression; what may have been seen apart.

Axes: N questions, C classes, D dates.
"""

from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nextbest.data.prices.panel import PricePanel
from nextbest.evaluation.forecast.block_bootstrap import MIN_DATES, date_interval
from nextbest.evaluation.forecast.dm import DM, diebold_mariano
from nextbest.market.llm.calibration import Calibration
from nextbest.market.llm.lesson import Rows

FloatArray = NDArray[np.float64]
PRIOR, PERSISTENCE, REGRESSION = "class prior", "last class", "volatility regression"
BASELINES = (PRIOR, PERSISTENCE, REGRESSION)
Period = Literal["after the cut-off", "may have been seen"]
AFTER: Period = "after the cut-off"
SEEN: Period = "may have been seen"


@dataclass(frozen=True)
class Row:
    """How one variant, or one of what must be beaten, did in a period."""

    name: str
    period: Period
    log_loss: float
    """Mean over dates of the mean over assets; nats."""
    brier: float
    """Sum over classes of squared differences, mean like `log_loss`; 0 to 2."""
    accuracy: float
    log_loss_raw: float | None
    """Of the class words' own probabilities, normalised, before calibration."""
    sharpness: float | None
    """Of the calibration; 0: it was told to say nothing but the prior."""
    n_dates: int
    n_questions: int
    against_prior: DM | None
    """Of log-loss by date; negative: better."""
    against_last_class: DM | None
    against_regression: DM | None
    interval: tuple[float, float] | None
    """95 % of the log-loss above the class prior's, by blocks of dates; below 0: better."""
    cpu_s: float
    n_tokens: int
    """Read in training."""


class Judge:
    """Losses of the same questions, by date."""

    def __init__(
        self, panel: PricePanel, asked: Rows, overlapping: int, seen_until: date | None, rng: int
    ) -> None:
        self.p: dict[str, FloatArray] = {}
        """Probabilities of every question's classes, shape (N, C), by row; the baselines' first."""
        self._asked, self.overlapping, self._rng = asked, overlapping, rng
        bars, self._date_N = np.unique(asked.bar_N, return_inverse=True)
        self.days_D = panel.time_T[bars].astype("datetime64[D]")
        """Of the origins."""
        self.is_seen_D = np.zeros(len(bars), bool)
        """Whether the weights may have been made of what was written on that day or later."""
        if seen_until is not None:
            self.is_seen_D = self.days_D <= np.datetime64(seen_until, "D")
        self._periods: list[tuple[Period, NDArray[np.bool_]]] = [
            (AFTER, ~self.is_seen_D),
            (SEEN, self.is_seen_D),
        ]

    def rows(
        self,
        name: str,
        *,
        raw_NC: FloatArray | None = None,
        calibration: Calibration | None = None,
        cpu_s: float = 0.0,
        n_tokens: int = 0,
    ) -> list[Row]:
        """How the probabilities `p[name]` did, a row a period that has dates."""
        found = []
        class_N, own = self._asked.class_N, self.p[name]
        hit_N = (own.argmax(1) == class_N).astype(np.float64)
        truth_NC = np.eye(own.shape[1])[class_N]
        raw_D = None
        if raw_NC is not None:
            norm_N = np.logaddexp.reduce(raw_NC, axis=1)
            raw_D = self._by_date(norm_N - raw_NC[np.arange(len(class_N)), class_N])
        for period, is_in_D in self._periods:
            if not is_in_D.any():
                continue
            loss_D = {other: self.log_loss(other)[is_in_D] for other in {name, *BASELINES} & set(self.p)}
            mine = loss_D[name]
            told_raw_D = None if raw_D is None else raw_D[is_in_D][np.isfinite(raw_D[is_in_D])]
            prior, last, regressed = (
                None if name == other or other not in loss_D else self.against(mine, loss_D[other])
                for other in BASELINES
            )
            found.append(
                Row(
                    name=name,
                    period=period,
                    log_loss=float(mine.mean()),
                    brier=float(self._by_date(((own - truth_NC) ** 2).sum(1))[is_in_D].mean()),
                    accuracy=float(self._by_date(hit_N)[is_in_D].mean()),
                    log_loss_raw=None
                    if told_raw_D is None or not len(told_raw_D)
                    else float(told_raw_D.mean()),
                    sharpness=None if calibration is None else calibration.sharpness,
                    n_dates=int(is_in_D.sum()),
                    n_questions=int(is_in_D[self._date_N].sum()),
                    against_prior=prior,
                    against_last_class=last,
                    against_regression=regressed,
                    interval=None if name == PRIOR else self._interval(mine - loss_D[PRIOR]),
                    cpu_s=cpu_s,
                    n_tokens=n_tokens,
                )
            )
        return found

    def against(self, one_D: FloatArray, other_D: FloatArray) -> DM:
        """Whether two losses have the same mean; negative: `one` is better."""
        return diebold_mariano(one_D, other_D, self.overlapping)

    def log_loss(self, name: str) -> FloatArray:
        """Of a row by date, mean over assets; nats."""
        p_N = self.p[name][np.arange(len(self._asked)), self._asked.class_N]
        return self._by_date(-np.log(np.maximum(p_N, 1e-12)))

    def _by_date(self, value_N: FloatArray) -> FloatArray:
        there_N = np.isfinite(value_N)
        total_D = np.bincount(self._date_N, weights=np.where(there_N, value_N, 0.0))
        count_D = np.bincount(self._date_N, weights=there_N.astype(float))
        return np.where(count_D > 0, total_D / np.maximum(count_D, 1), np.nan)

    def _interval(self, difference_D: FloatArray) -> tuple[float, float] | None:
        if len(difference_D) < MIN_DATES:
            return None
        found = date_interval(
            difference_D, np.ones(len(difference_D)), overlap=self.overlapping, rng=self._rng
        )
        return (found.ci_low, found.ci_high)
