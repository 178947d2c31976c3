"""Where a model is asked: the cutoffs of a test, and when it may learn again. Axis O: origins."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray

from nextbest.data.prices.panel import PricePanel
from nextbest.errors import InputError
from nextbest.market.base import check_request

HORIZONS = (1, 6, 24)
TEST_SHARE = 0.2
"""Of the bars, the newest: the test period unless told."""


@dataclass(frozen=True, eq=False)
class Origins:
    """Cutoffs in order, the horizons asked at each, and how often a model is fitted."""

    stops: NDArray[np.int64]
    """The first bar that is not known, shape (O,), rising; the last known bar is `stops - 1`."""
    horizons: tuple[int, ...]
    """Bars ahead, rising."""
    refit_every: int = 20
    """A model is fitted at the first origin and at each that many later."""

    def __post_init__(self) -> None:
        check_request(self.horizons, (0.5,))
        stops = np.array(self.stops, np.int64)
        stops.setflags(write=False)
        object.__setattr__(self, "stops", stops)
        object.__setattr__(self, "horizons", tuple(int(h) for h in self.horizons))
        if stops.ndim != 1 or not len(stops) or stops[0] < 1 or (np.diff(stops) < 1).any():
            raise InputError("stops", "must be bar numbers of 1 or more, rising", value=stops[:5].tolist())
        if self.refit_every < 1:
            raise InputError("refit_every", "must be 1 or more", value=self.refit_every)

    def __len__(self) -> int:
        return len(self.stops)

    @property
    def every(self) -> int:
        """Commonest distance of two origins, in bars; 1 of a single origin."""
        apart = np.diff(self.stops)
        return int(np.bincount(apart).argmax()) if len(apart) else 1


def origins_of(
    panel: PricePanel,
    *,
    horizons: Sequence[int] = HORIZONS,
    start: date | datetime | None = None,
    every: int = 1,
    refit_every: int = 20,
) -> Origins:
    """Origins from the newest that every horizon's outcome is known of, backwards, `every` bars apart, in order of time.

    Parameters
    ----------
    panel
        The bars.
    horizons
        Bars ahead, rising.
    start
        The last known bar of the first origin opens then or later; without it the test is the newest fifth.
    every
        Distance of origins, 1 or more; unit: bars.
    refit_every
        Origins between two fits.

    Raises
    ------
    InputError
        Not one origin fits: the panel is too short, `start` too late, or a number is below 1.
    """
    if every < 1:
        raise InputError("every", "must be 1 or more", value=every)
    h_H, _ = check_request(horizons, (0.5,))
    first = (
        int((1 - TEST_SHARE) * panel.n_bars) if start is None else panel.n_bars - panel.period(start).n_bars
    )
    newest = panel.n_bars - 1 - int(h_H[-1])
    last_known = np.arange(newest, max(first, 0) - 1, -every)[::-1]
    if not len(last_known):
        raise InputError(
            "horizons",
            f"{h_H[-1]} bars ahead don't fit into a test of {max(panel.n_bars - first, 0)} bars",
            value=list(horizons),
            remedy="shorter horizons, an earlier start, or more bars",
        )
    return Origins(last_known + 1, tuple(horizons), refit_every)


def outcomes_of(panel: PricePanel, origins: Origins) -> NDArray[np.float64]:
    """What came: log(close[t + h] / close[t]), shape (O, A, H); NaN where either bar is missing or lies ahead."""
    at_O = origins.stops - 1
    close_AT = np.log(panel.close_AT)
    found_OAH = np.full((len(origins), panel.n_assets, len(origins.horizons)), np.nan)
    for place, h in enumerate(origins.horizons):
        known = at_O + h < panel.n_bars
        found_OAH[known, :, place] = (close_AT[:, at_O[known] + h] - close_AT[:, at_O[known]]).T
    return found_OAH
