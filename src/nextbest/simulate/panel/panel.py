"""The simulated panel: months of packed products and attributes, and the truth behind the additions."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.panel.panel import Panel
from nextbest.data.panel.store import PanelWriter
from nextbest.errors import InputError
from nextbest.simulate.panel import facts
from nextbest.simulate.panel.attributes import attributes_frame
from nextbest.simulate.panel.dynamics import Calibration, Chances, Run
from nextbest.simulate.panel.laws import N_PRODUCTS, law_arrays
from nextbest.simulate.panel.people import N_MONTHS, People, draw_people, join, n_blocks, n_customers

_BITS = (1 << np.arange(N_PRODUCTS)).astype(np.uint32)


@dataclass(frozen=True)
class PanelMonth:
    """One month of the panel: one row for each customer present, ordered by id."""

    month: date
    customer_ids: NDArray[np.int64]
    held: NDArray[np.uint32]
    """Products held, bit p = product p of `SANTANDER`."""
    attributes: pl.DataFrame
    """Columns `SANTANDER.attribute_names`; null = missing."""


class SimulatedPanel:
    """A whole panel: products of all months in memory, attributes made month by month.

    Memory: about 150 bytes a customer (145 MB at scale 1).
    """

    def __init__(self, *, scale: float, rng: int, months: int, progress: bool) -> None:
        """Draw the panel; see `simulate_panel`."""
        self.scale, self.seed = scale, rng
        self.months_: tuple[date, ...] = facts.MONTHS[:months]
        self.n_customers = n_customers(scale)
        self.n_blocks = n_blocks(self.n_customers)
        self.held_MC = np.zeros((months, self.n_customers), dtype=np.uint32)
        self.active_MC = np.zeros((months, self.n_customers), dtype=bool)
        parts = []
        for number in _blocks(self.n_blocks, progress):
            people, held, active = self.block(number)
            self.held_MC[:, number :: self.n_blocks] = held
            self.active_MC[:, number :: self.n_blocks] = active
            parts.append(people)
        self.people: People = join(parts)
        self.customer_ids = self.people.customer_id

    def present(self, month: date) -> NDArray[np.bool_]:
        """Customers that have a row in `month`, by place in `customer_ids`."""
        m = self._place(month)
        return np.asarray((self.people.first <= m) & (self.people.last >= m))

    def block(self, number: int) -> tuple[People, NDArray[np.uint32], NDArray[np.bool_]]:
        """Customers of a block, their masks and activity by month, (M, N); alone and always the same."""
        months = len(self.months_)
        run, rng = self._run(number)
        held = np.zeros((months, len(run.people)), dtype=np.uint32)
        active = np.zeros(held.shape, dtype=bool)
        for m in range(months):
            if m:
                run.step(m, run.chances(m), rng)
            there = (run.people.first <= m) & (run.people.last >= m)
            held[m] = np.where(there, run.state.held @ _BITS, 0)
            active[m] = run.state.active
        return run.people, held, active

    def months(self) -> Iterator[PanelMonth]:
        """Every month in order."""
        for month in self.months_:
            yield self.month(month)

    def month(self, month: date) -> PanelMonth:
        """One month.

        Raises
        ------
        InputError
            The month isn't in the panel.
        """
        m = self._place(month)
        rows = np.flatnonzero(self.present(month))
        people = self.people.take(rows)
        attributes = attributes_frame(people, m, active=self.active_MC[m, rows], seed=self.seed)
        return PanelMonth(month, people.customer_id, self.held_MC[m, rows], attributes)

    def to_panel(self, folder: str | Path) -> Panel:
        """The panel as a stored `Panel` in `folder`, as an ingest of its clean files would give."""
        with PanelWriter(folder) as writer:
            for one in self.months():
                writer.append_month(one.month, one.customer_ids, one.held, one.attributes)
            return writer.commit()

    def truth(self, month: date) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The generator's own probability of every addition in `month`, given the month before.

        Returns
        -------
        ids of shape (N,), P(add) of shape (N, 24)
            Customers present in `month` and the month before, ordered by id. 0 where the product is
            held. Products that come together are counted: P(payroll) includes that of its pension payroll.

        Raises
        ------
        InputError
            The month isn't in the panel, or is its first.
        """
        m = self._place(month)
        if m == 0:
            raise InputError("month", "must have a month before it in the panel", value=str(month))
        ids, probability = [], []
        for number in range(self.n_blocks):
            run, rng = self._run(number)
            for earlier in range(1, m):
                run.step(earlier, run.chances(earlier), rng)
            chances: Chances = run.chances(m)
            there = (run.people.first < m) & (run.people.last >= m)
            ids.append(run.people.customer_id[there])
            probability.append(run.marginal(chances)[there])
        order = np.argsort(np.concatenate(ids), kind="stable")
        return np.concatenate(ids)[order], np.concatenate(probability)[order]

    def _run(self, number: int) -> tuple[Run, np.random.Generator]:
        if not 0 <= number < self.n_blocks:
            raise InputError("number", f"must lie in 0..{self.n_blocks - 1}", value=number)
        rng = np.random.default_rng([self.seed, 2, number])
        people = draw_people(number, total=self.n_customers, seed=self.seed)
        return Run(people, law_arrays(), calibration(), rng), rng

    def _place(self, month: date) -> int:
        try:
            return self.months_.index(month)
        except ValueError:
            first, last = self.months_[0], self.months_[-1]
            raise InputError(
                "month", f"must be the 28th of a month in {first}..{last}", value=str(month)
            ) from None


def simulate_panel(
    *, scale: float, rng: int, months: int = N_MONTHS, progress: bool = False
) -> SimulatedPanel:
    """A panel like Santander's: 24 products and 22 attributes of up to 956,645 customers, by month.

    Parameters
    ----------
    scale
        Size over the real one, above 0 and at most 1.
    rng
        Seed, 0 or more; the same one gives the same panel.
    months
        Months from January 2015 on, 1..17.
    progress
        Show a progress bar.

    Raises
    ------
    InputError
        A number is out of range.

    Examples
    --------
    >>> panel = simulate_panel(scale=0.001, rng=0, months=3)
    >>> [m.month.isoformat() for m in panel.months()], panel.n_customers
    (['2015-01-28', '2015-02-28', '2015-03-28'], 957)
    """
    if not 0 < scale <= 1:
        raise InputError("scale", "must be above 0 and at most 1", value=scale)
    if not 1 <= months <= N_MONTHS:
        raise InputError("months", f"must lie in 1..{N_MONTHS}", value=months)
    if isinstance(rng, bool) or not isinstance(rng, int | np.integer) or rng < 0:
        raise InputError("rng", "must be a seed, an integer of 0 or more", value=rng)
    return SimulatedPanel(scale=scale, rng=int(rng), months=months, progress=progress)


@cache
def calibration() -> Calibration:
    """The constants that ship with the package."""
    text = resources.files("nextbest.simulate.panel").joinpath("calibration.json").read_text("utf-8")
    return Calibration(**{name: np.array(values) for name, values in json.loads(text).items()})


def _blocks(n: int, progress: bool) -> Iterator[int]:
    if not progress:
        return iter(range(n))
    from tqdm import tqdm

    return iter(tqdm(range(n), desc="simulate", unit="block"))
