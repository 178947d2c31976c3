"""The leak audit: does anything that isn't known yet reach the features?

`AsOf` refuses reads past the cutoff one by one; this looks at the outcome. Everything at and after
the cutoff is replaced by noise, and not one feature of one client may change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.panel.as_of import LeakError
from nextbest.data.panel.panel import Panel
from nextbest.data.panel.schema import ROW
from nextbest.errors import InputError
from nextbest.models.products.features.steps import FeatureSteps

Rng = int | np.random.Generator


@dataclass(frozen=True)
class LeakAudit:
    """What an audit looked at, for a run's record; a leak is no outcome but a `LeakError`."""

    target: date
    n_clients: int
    n_features: int
    latest: dict[str, date]
    """Newest month that was read of each thing; see `AsOf.latest`."""
    scrambled: tuple[date, ...]
    """Months of which something was replaced by noise."""
    is_refitted: bool
    """Was the fit repeated on the scrambled panel too; never where training months reach past the target."""


def audit_leaks(
    steps: FeatureSteps,
    panel: Panel,
    month: date,
    *,
    rng: Rng = 0,
    max_clients: int = 20_000,
    refit: bool = True,
) -> LeakAudit:
    """Check that features of a target month, and what was fitted before it, don't depend on the future.

    Products and presence from the target month on, and attributes past what the steps' mode allows, are
    replaced by noise. Features must stay the same bit for bit, and so must a fit on months before the target.

    Parameters
    ----------
    steps
        Fitted.
    panel
        Must hold the target month: without a future there is nothing to leak.
    month
        The target.
    rng
        Seed or Generator of the noise and of the choice of clients.
    max_clients
        At most so many clients are compared, drawn at random.
    refit
        Repeat the fit too, where all its months lie before the target.

    Raises
    ------
    LeakError
        A feature changed: the message names the features, with the number of clients.
    InputError
        The panel doesn't hold the month or the one before, or nobody is there.
    """
    gen = np.random.default_rng(rng)
    target = panel.schema.month_of(month)
    panel.index(target)
    clients = steps.clients(panel, target)
    rows = clients.present()
    if not len(rows):
        raise InputError("month", "must have clients in the month before", value=str(month))
    rows = np.sort(gen.choice(rows, min(max_clients, len(rows)), replace=False))
    latest = clients.as_of.latest()
    noisy = _Scrambled(panel, target, clients.as_of.attributes_month, gen)
    _compare(steps, panel, noisy, target, rows)
    is_refitted = refit and max(steps.months_) < target
    if is_refitted:
        again = type(steps)(steps.config).fit(noisy, steps.months_)
        if again.state() != steps.state():
            raise LeakError(
                "fit of the features",
                f"depends on what isn't known before {target:%Y-%m}",
                examples=_differing(steps.state(), again.state()),
                remedy="fit medians and vocabularies on what was known in the training months",
            )
    return LeakAudit(target, len(rows), steps.n_features, latest, noisy.scrambled, is_refitted)


def _compare(steps: FeatureSteps, panel: Panel, noisy: Panel, target: date, rows: NDArray[np.int32]) -> None:
    real = steps.transform(steps.inputs(panel, target, rows))
    other = steps.transform(steps.inputs(noisy, target, rows))
    differs_NF = real.x_NF.view(np.uint32) != other.x_NF.view(np.uint32)
    differs_NF &= ~(np.isnan(real.x_NF) & np.isnan(other.x_NF))
    n_clients_F = differs_NF.sum(axis=0)
    leaking = [f"{real.names[f]} ({n_clients_F[f]} clients)" for f in np.flatnonzero(n_clients_F)]
    if leaking:
        raise LeakError(
            f"{len(leaking)} feature(s)",
            f"depend on what isn't known before {target:%Y-%m}",
            examples=leaking,
            remedy="read the panel through Panel.as_of only",
        )


class _Scrambled(Panel):
    """A panel with noise for a future; nothing on disk is touched."""

    def __init__(self, panel: Panel, target: date, attributes_month: date, gen: np.random.Generator) -> None:
        """Copy the masks; attributes are made noisy when they are read."""
        self.folder, self.manifest, self.schema = panel.folder, panel.manifest, panel.schema
        self.months, self.ids, self.report = panel.months, panel.ids, panel.report
        self._panel, self._attributes_month = panel, attributes_month
        self._seed = int(gen.integers(2**32))
        first = panel.index(target)
        self.scrambled = panel.months[first:]
        self.held_MC, self.present_MC = panel.held_MC.copy(), panel.present_MC.copy()
        future = self.held_MC[first:].shape
        is_here = gen.random(future) < 0.5
        self.present_MC[first:] = is_here
        noise = gen.integers(0, 1 << len(panel.schema.products), future, dtype=np.uint32)
        self.held_MC[first:] = np.where(is_here, noise, 0)

    def attributes(self, month: date, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """The panel's own up to the newest known month; past it other clients' values, or none, for everybody."""
        real = self._panel.attributes(month, columns)
        if self.schema.month_of(month) <= self._attributes_month:
            return real
        gen = np.random.default_rng([self._seed, self.index(month)])
        rows = pl.Series(ROW, self.rows(month))
        shuffled = {
            name: real[name]
            .gather(pl.Series(gen.integers(0, max(len(real), 1), len(rows))), null_on_oob=True)
            .set(pl.Series(gen.random(len(rows)) < 0.3), None)
            for name in real.columns
            if name != ROW
        }
        return pl.DataFrame([rows, *(values.alias(name) for name, values in shuffled.items())])


def _differing(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Names of what differs in two states, two levels deep."""
    names: list[str] = []
    for key, value in one.items():
        if value == other[key]:
            continue
        if isinstance(value, dict):
            names.extend(f"{key}.{name}" for name in value if value[name] != other[key].get(name))
        else:
            names.append(key)
    return names
