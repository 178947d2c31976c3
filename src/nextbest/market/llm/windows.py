"""A panel that ends at the cutoff as one prompt an asset: in numbers, in symbols, or as arrays with words around them.

A prompt says no asset and no date, so that a model which remembers a chart isn't told which one it is. It is the same for
prices times ten. A missing bar is said (`gap`, a symbol of its own, a flag), never filled. Knows no model.
Axes: A assets, T bars, P patches, F facts of a patch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nextbest.data.prices.panel import PricePanel
from nextbest.data.prices.steps import step_name
from nextbest.errors import ArtifactError, DataError, InputError
from nextbest.market.llm.config import LLMConfig

FloatArray = NDArray[np.float64]
SYMBOLS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
"""Offered for bars; which of them are one token only a tokenizer knows (`learning.symbols_of`)."""
GAP = "gap"
LEVEL_EVERY = 4
"""Of `text`: every so many bars the price itself is said, the last one as 100."""
MIN_PRESENT = 0.5
"""Share of a window's bars that must be there."""
FACTS = 3
"""Of a bar in a patch: return, range, whether it is there; a patch adds the window's level of volatility."""
_MIN_BARS = 20
_DIGITS = 10
"""Of logs before they are put into bins: an edge may be a bar's own value, and in another currency the last bits differ."""
_QUESTION: dict[str, str] = {
    "volatility": "Volatility of the next {n}",
    "return": "Return over the next {n}, against its usual size",
    "direction": "Price after the next {n}",
}


@dataclass(frozen=True, eq=False)
class Prompt:
    """A question about one asset."""

    before: str
    """All of it, but for `patches`, where it is what stands before them."""
    patch_PF: FloatArray | None = None  # noqa: N815 - axes in the name
    """Shape (P, F), finite; None but for `patches`."""
    after: str = ""


@dataclass(frozen=True, eq=False)
class Reader:
    """Makes prompts; what it must know of the past it learned by `fit`."""

    window: str
    n_bars: int
    patch: int
    step: timedelta
    question: str
    """Its last words, with the answers that there are."""
    symbols: tuple[str, ...] = ()
    """Of `tokens`: one for each pair of bins (return first), and the last for a gap."""
    between: str = " "
    """Of `tokens`: stands before each symbol."""
    return_edges: tuple[float, ...] = ()
    """Of `tokens`: log-returns between bins, rising."""
    range_edges: tuple[float, ...] = ()
    """Of `tokens`: log ratios of high and low between bins, rising."""
    level: tuple[float, float] = (0.0, 1.0)
    """Of `patches`: mean and deviation of the log of a window's deviation."""

    @classmethod
    def fit(
        cls,
        history: PricePanel,
        config: LLMConfig,
        *,
        symbols: Sequence[str] = SYMBOLS,
        between: str = " ",
    ) -> Self:
        """Bins and levels from the history alone.

        Parameters
        ----------
        symbols
            Of `tokens`: one token each, more than `n_bins` squared.

        Raises
        ------
        DataError
            The history has too few moves, or too many equal ones, for bins.
        InputError
            Too few symbols, or one twice.
        """
        return_T = history.log_return_AT[~np.isnan(history.log_return_AT)]
        if len(return_T) < _MIN_BARS:
            raise DataError(
                "history", f"{len(return_T)} returns, {_MIN_BARS} needed", remedy="give more bars"
            )
        made: dict[str, Any] = {
            "window": config.window,
            "n_bars": config.n_bars,
            "patch": config.patch,
            "step": history.step,
            "question": _question(config, history.step),
        }
        if config.window == "tokens":
            n = config.n_bins**2 + 1
            if len(set(symbols[:n])) < n:
                raise InputError("symbols", f"must be {n} different ones", value=len(set(symbols)))
            made |= {
                "symbols": tuple(symbols[:n]),
                "between": between,
                "return_edges": _edges(return_T, config.n_bins),
                "range_edges": _edges(_range(history)[~np.isnan(_range(history))], config.n_bins),
            }
        if config.window == "patches":
            logs = np.log(_window_deviations(history, config.n_bars))
            logs = logs[np.isfinite(logs)]
            if not len(logs):
                raise DataError("history", "no window of it moves")
            made["level"] = (float(logs.mean()), max(float(logs.std()), 0.1))
        return cls(**made)

    def prompts(self, history: PricePanel) -> list[Prompt | None]:
        """A prompt for each asset from the newest `n_bars` bars of a panel that ends at the cutoff.

        None where the last bar, or half of the window's, isn't there, or nothing moved in `patches`.

        Raises
        ------
        InputError
            The panel's bars are of another length than those that were learned.
        """
        if history.step != self.step:
            raise InputError(
                "history",
                f"must have bars of {step_name(self.step)}, as were learned",
                value=step_name(history.step),
            )
        if not history.n_bars:
            return [None] * history.n_assets
        # one bar more: the first return shown needs the close before it
        newest = history.until(history.n_bars, length=self.n_bars + 1)
        return_AT, range_AT = newest.log_return_AT, _range(newest)
        missing = max(0, self.n_bars - (newest.n_bars - 1))
        pad = ((0, 0), (missing, 0))
        shown = [
            np.pad(a[:, newest.n_bars - self.n_bars + missing :], pad, constant_values=np.nan)
            for a in (return_AT, range_AT, np.log(newest.close_AT))
        ]
        found: list[Prompt | None] = []
        for return_T, range_T, close_T in zip(*shown, strict=True):
            enough = np.isfinite(return_T).mean() >= MIN_PRESENT and np.isfinite(close_T[-1])
            found.append(self._prompt(return_T, range_T, close_T) if enough else None)
        return found

    def _prompt(self, return_T: FloatArray, range_T: FloatArray, close_T: FloatArray) -> Prompt | None:
        if self.window == "text":
            return Prompt(self._text(return_T, close_T))
        if self.window == "tokens":
            return Prompt(self._symbols(return_T, range_T))
        return self._patches(return_T, range_T)

    def _text(self, return_T: FloatArray, close_T: FloatArray) -> str:
        price_T = 100 * np.exp(close_T - close_T[-1])
        prices = [_number(p, 1) for p in price_T[::-1][::LEVEL_EVERY][::-1]]
        returns = [_number(r * 1e4, 0) for r in return_T]
        return (
            f"Price every {LEVEL_EVERY} bars: {' '.join(prices)}\n"
            f"Return of each bar in basis points: {' '.join(returns)}\n{self.question}"
        )

    def _symbols(self, return_T: FloatArray, range_T: FloatArray) -> str:
        n = len(self.range_edges) + 1
        place_T = np.searchsorted(self.return_edges, np.round(return_T, _DIGITS), side="right") * n
        # where only closes are known, the size of the return stands for the range
        known_T = np.where(np.isnan(range_T), np.abs(return_T), range_T)
        place_T = place_T + np.searchsorted(self.range_edges, np.round(known_T, _DIGITS), side="right")
        place_T = np.where(np.isnan(return_T), len(self.symbols) - 1, place_T)
        bars = "".join(self.between + self.symbols[place] for place in place_T)
        return f"Bars, oldest first:{bars}\n{self.question}"

    def _patches(self, return_T: FloatArray, range_T: FloatArray) -> Prompt | None:
        there_T = np.isfinite(return_T)
        deviation = float(np.sqrt(np.mean(return_T[there_T] ** 2)))
        if deviation <= 0:
            return None
        mean, spread = self.level
        is_range = np.isfinite(range_T) & there_T
        facts_TF = np.stack(
            [
                np.clip(np.where(there_T, return_T, 0.0) / deviation, -5, 5),
                np.clip(np.where(is_range, range_T, 0.0) / deviation, 0, 10) - 1.5 * is_range,
                there_T.astype(np.float64),
            ],
            axis=-1,
        )
        patch_PF = facts_TF.reshape(self.n_bars // self.patch, self.patch * FACTS)
        level_P = np.full((len(patch_PF), 1), np.clip((np.log(deviation) - mean) / spread, -5, 5))
        return Prompt("Bars, oldest first:", np.concatenate([patch_PF, level_P], 1), f"\n{self.question}")

    def described(self) -> dict[str, Any]:
        """In JSON's own types."""
        return {**vars(self), "step": self.step.total_seconds()}

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> Self:
        """What `described` gave; `ArtifactError` where it isn't."""
        try:
            told = dict(described)
            told["step"] = timedelta(seconds=told["step"])
            for name in ("symbols", "return_edges", "range_edges", "level"):
                told[name] = tuple(told[name])
            return cls(**told)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError("windows", f"are not readable ({error!r})") from error


def n_facts(config: LLMConfig) -> int:
    """Numbers of a patch."""
    return config.patch * FACTS + 1


def _question(config: LLMConfig, step: timedelta) -> str:
    """Its bar's length in words, the answers that there are, and the place where one is due."""
    what = _QUESTION[config.target].format(n=f"{config.horizon} bars of {_spoken(step)}")
    return f"{what} ({', '.join(config.words)}):"


def _spoken(step: timedelta) -> str:
    for name, length in (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1))):  # fmt: skip
        if not step % length:
            return f"a {name}" if step == length else f"{step // length} {name}s"
    return f"{step.total_seconds():g} seconds"


def _number(value: float, digits: int) -> str:
    if not np.isfinite(value):
        return GAP
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def _range(panel: PricePanel) -> FloatArray:
    """log(high / low) of each bar, shape (A, T); NaN where either isn't known."""
    return np.log(panel.high_AT) - np.log(panel.low_AT)


def _edges(value: FloatArray, n_bins: int) -> tuple[float, ...]:
    """Between `n_bins` bins of equal shares; a source of closes only has no ranges, and one bin of them is used."""
    if len(value) < _MIN_BARS:
        return ()
    value = np.round(value, _DIGITS)
    edges = np.round(np.quantile(value, np.arange(1, n_bins) / n_bins), _DIGITS)
    if (np.diff(edges) <= 0).any() or value.min() >= edges[0]:
        raise DataError("history", f"too many equal moves for {n_bins} bins", remedy="fewer n_bins")
    return tuple(edges.tolist())


def _window_deviations(history: PricePanel, n_bars: int) -> FloatArray:
    """Root mean squared return of windows that follow each other; NaN of one without returns."""
    n = history.n_bars // n_bars * n_bars
    squared = history.log_return_AT[:, history.n_bars - n :].reshape(-1, n_bars) ** 2
    there = np.isfinite(squared)
    total = np.where(there, squared, 0.0).sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt(np.where(total > 0, total / there.sum(1), np.nan))
