"""The causal layer: offers made at random to a simulated panel's customers, and what each really did.

The log is a bank's own: who was contacted when, how and about what, who is kept out for good, what was
added. The truth beside it holds both potential outcomes. The panel itself is the world without offers:
an offered product's outcome without the offer is the panel's own addition of that month, and what an
offer adds or prevents stands in the log only, never in the panel's files.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, Field, PositiveFloat, model_validator

from nextbest.data.panel.schema import SANTANDER
from nextbest.simulate.panel import facts
from nextbest.simulate.panel.attributes import uniform
from nextbest.simulate.panel.dynamics import Run
from nextbest.simulate.panel.people import TOP, UNIV, People
from nextbest.tables import TIME, TIME_DTYPE

if TYPE_CHECKING:
    from nextbest.simulate.panel.panel import SimulatedPanel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

OFFERED = (
    *("cco", "cno", "ctma", "ctpp", "dela", "ecue", "fond", "plan", "reca", "tjcr", "valo"),
    *("nom_pens", "recibo"),
)
"""Products that are offered: those that are for sale all the time and take a client's decision."""
OPEN = np.array([facts.PRODUCT[name] for name in OFFERED])
"""Their bits."""
OPEN_COLUMNS = tuple(SANTANDER.product_columns[bit] for bit in OPEN)
_LIKING = np.sqrt(facts.ADDITIONS.mean(axis=0))[OPEN]
CHANNELS = ("app", "email", "call", "branch")
_CHANNEL_SHARES = (0.45, 0.30, 0.15, 0.10)
"""A contact's channel is drawn apart from its product and changes no effect."""
DAYS_OF_FATIGUE = 30
MOST_CONTACTS = 6
"""In one month."""
CHOICE_MONTHS = 4
_HOUR_US = 3_600_000_000


class OfferConfig(BaseModel, frozen=True, extra="forbid"):
    """How offers are made and what they do. Effects are differences of probabilities."""

    contacts: PositiveFloat = 0.2
    """Contacts a month of the median active customer; a third of it for others."""
    spread: float = Field(default=1.2, ge=0)
    """Standard deviation of its log between customers."""
    control: float = Field(default=0.10, gt=0, lt=1)
    """Share of customers drawn once to get no offer, ever."""
    effect_low: float = Field(default=0.002, ge=0, le=1)
    effect_high: float = Field(default=0.008, ge=0, le=1)
    """Range of the effect on P(add) in the month of the contact."""
    sleeping_dogs: float = Field(default=0.05, ge=0, le=1)
    """Share of customers whom any offer puts off: theirs is the same range, negative, as far as P(add) goes."""
    fatigue_after: int = Field(default=3, ge=1)
    """Contacts within 30 days from which on a good effect is `fatigue` of what it was."""
    fatigue: float = Field(default=0.2, ge=0, le=1)

    @model_validator(mode="after")
    def _range_is_one(self) -> "OfferConfig":
        if self.effect_low > self.effect_high:
            raise ValueError("effect_low must not be above effect_high")
        return self


@dataclass(frozen=True, eq=False)
class Offers:
    """Contacts that the policy drew, ordered by moment; `log` and `truth` have the same rows."""

    log: pl.DataFrame
    """`customer_id, month, time, product` (column of the panel)`, channel, is_control` (the customer is kept out:
    the contact was drawn and not made)`, propensity` (P(this product | a contact is drawn))`, contacts_30d`
    (drawn for the customer in the 30 days before, at most `fatigue_after`)`, outcome` (`taken`, `shown`, or
    `not_delivered`)`, added` (the product was added in that month). A contact history as decisions read it."""
    truth: pl.DataFrame
    """`p_without, p_with` (P(added) without and with the contact)`, tau` (their difference)`, y0, y1` (both
    outcomes; `added` is `y0` for control and `y1` for the others)`, group` (of the customer: `persuadable` or
    `sleeping_dog`)`, is_tired`."""
    choices: pl.DataFrame
    """What else could have been offered, in the last months: `offer` (row of the log) and for each product
    `chance_PRODUCT` (its propensity, 0 where it couldn't be offered) and `p_with_PRODUCT` (P(added) if it had
    been, 0 where it couldn't). The true value of any policy follows from it."""


def simulate_offers(
    panel: "SimulatedPanel", *, config: OfferConfig | None = None, choice_months: int = CHOICE_MONTHS
) -> Offers:
    """Offers to a panel's adult customers in every month but the first, in the same draw of the panel.

    Parameters
    ----------
    panel
        From `simulate_panel`; not changed.
    config
        None: the defaults.
    choice_months
        Last months of which `choices` tells.

    Notes
    -----
    In each month a customer gets a Poisson number of contacts (its rate the customer's own), each about another
    product that wasn't held the month before, drawn with chances in proportion to the square root of how
    often it is added. Both outcomes are coupled: a contact with `tau >= 0` takes nothing away (y1 >= y0, with
    P(y1 = 1 | y0 = 0) = tau / (1 - P0)), one with `tau < 0` only prevents.

    Examples
    --------
    >>> from nextbest.simulate.panel.panel import simulate_panel
    >>> offers = simulate_offers(simulate_panel(scale=0.001, rng=0, months=3))
    >>> offers.log.columns[:4], offers.truth.height == offers.log.height
    (['customer_id', 'month', 'time', 'product'], True)
    """
    return draw_offers(
        panel._run,
        n_blocks=panel.n_blocks,
        n_months=len(panel.months_),
        seed=panel.seed,
        config=config or OfferConfig(),
        choice_months=choice_months,
    )


def draw_offers(
    runs: Callable[[int], tuple[Run, np.random.Generator]],
    *,
    n_blocks: int,
    n_months: int,
    seed: int,
    config: OfferConfig,
    choice_months: int = CHOICE_MONTHS,
) -> Offers:
    """As `simulate_offers`, a block of customers at a time; `runs` starts a block's history anew."""
    months: list[_Month] = []
    for number in range(n_blocks):
        run, rng = runs(number)
        own = np.random.default_rng([seed, 5, number])
        customers = _Customers(run.people, config, own, seed=seed)
        for m in range(1, n_months):
            chances = run.chances(m)
            before, active = run.state.held.copy(), run.state.active.copy()
            marginal = run.marginal(chances)
            run.step(m, chances, rng)
            added = run.state.held & ~before
            keeps = m >= n_months - choice_months
            months.append(customers.month(m, before, added, active, marginal, own, keeps_choices=keeps))
    if not months:
        months.append(_nothing())
    log = pl.concat([one.log for one in months])
    order = log.with_row_index("i").sort(TIME, "customer_id", maintain_order=True)["i"]
    starts = np.concatenate([[0], np.cumsum([len(one.log) for one in months])])[:-1]
    place = np.empty(len(log), dtype=np.uint32)
    place[order.to_numpy()] = np.arange(len(log), dtype=np.uint32)
    choices = [
        one.choices.with_columns(pl.Series("offer", place[start : start + len(one.choices)]))
        for one, start in zip(months, starts.tolist(), strict=True)
        if len(one.choices)
    ]
    return Offers(
        log[order],
        pl.concat([one.truth for one in months])[order],
        (pl.concat(choices) if choices else _nothing().choices).sort("offer"),
    )


@dataclass(frozen=True, eq=False)
class _Month:
    log: pl.DataFrame
    truth: pl.DataFrame
    choices: pl.DataFrame


class _Customers:
    """What of a block's customers decides on offers and their effects."""

    def __init__(self, people: People, config: OfferConfig, rng: np.random.Generator, *, seed: int) -> None:
        n = len(people)
        self.people, self.config = people, config
        self.rate = config.contacts * np.exp(config.spread * rng.normal(size=n))
        self.is_dog = rng.random(n) < config.sleeping_dogs
        self.is_control = uniform(people.customer_id, seed=seed, month=0, what=40) < config.control
        self.taste = 0.7 * rng.normal(size=(n, len(OPEN)))
        self.last_us = np.full((n, config.fatigue_after), -(2**62), dtype=np.int64)
        """Moments of the last contacts, newest first."""
        self.lean = (
            0.8 * (people.age < 40)
            - 0.6 * (people.age >= 65)
            + 0.5 * (people.segment == TOP)
            - 0.2 * (people.segment == UNIV)
            - 0.5
        )

    def month(
        self,
        m: int,
        before: Bools,
        added: Bools,
        active: Bools,
        marginal: NDArray[np.float32],
        rng: np.random.Generator,
        *,
        keeps_choices: bool,
    ) -> _Month:
        """Contacts of month `m`, their effects and outcomes."""
        people = self.people
        there = (people.first < m) & (people.last >= m) & (people.age + m / 12 >= 18)
        n_drawn = rng.poisson(np.where(active, 1.0, 1 / 3) * self.rate) * there
        row = np.repeat(np.arange(len(people)), np.minimum(n_drawn, MOST_CONTACTS))
        end_us = np.datetime64(facts.MONTHS[m], "us").astype(np.int64)
        day = rng.integers(0, 28, size=len(row))
        time_us = (
            end_us - day * 24 * _HOUR_US + (rng.uniform(9, 20, size=len(row)) * _HOUR_US).astype(np.int64)
        )
        order = np.lexsort((time_us, row))
        row, time_us = row[order], time_us[order]
        chance_KO, place = self._products(row, before, rng)
        fits = place >= 0
        row, time_us, chance_KO, place = row[fits], time_us[fits], chance_KO[fits], place[fits]
        is_tired, recent = self._tired(row, time_us)
        p0_KO = marginal[row][:, OPEN].astype(np.float64)
        p1_KO = np.clip(p0_KO + self._effects(row, active, is_tired), 0, 1)
        at = np.arange(len(row)), place
        p0, p1, y0 = p0_KO[at], p1_KO[at], added[row, OPEN[place]]
        u = rng.random(len(row))
        more = u < (p1 - p0) / np.maximum(1 - p0, 1e-12)
        stays = u < p1 / np.maximum(p0, 1e-12)
        y1 = np.where(p1 >= p0, y0 | more, y0 & stays)
        control = self.is_control[row]
        outcome = np.where(control, y0, y1)
        channel = rng.choice(len(CHANNELS), size=len(row), p=_CHANNEL_SHARES)
        words = np.where(control, 2, outcome.astype(np.int64))
        log = pl.DataFrame(
            {
                "customer_id": people.customer_id[row],
                "month": pl.repeat(facts.MONTHS[m], len(row), dtype=pl.Date, eager=True),
                TIME: pl.Series(time_us, dtype=pl.Int64).cast(TIME_DTYPE),
                "product": _words(OPEN_COLUMNS, place),
                "channel": _words(CHANNELS, channel),
                "is_control": control,
                "propensity": chance_KO[at].astype(np.float32),
                "contacts_30d": recent.astype(np.int8),
                "outcome": _words(("shown", "taken", "not_delivered"), words),
                "added": outcome,
            }
        )
        truth = pl.DataFrame(
            {
                "p_without": p0,
                "p_with": p1,
                "tau": p1 - p0,
                "y0": y0,
                "y1": y1,
                "group": _words(("persuadable", "sleeping_dog"), self.is_dog[row].astype(np.int64)),
                "is_tired": is_tired,
            }
        )
        kept = slice(None) if keeps_choices else slice(0, 0)
        p_with_KO = np.where(chance_KO > 0, p1_KO, 0)
        return _Month(log, truth, _choices(chance_KO[kept], p_with_KO[kept]))

    def _products(self, row: Ints, before: Bools, rng: np.random.Generator) -> tuple[Floats, Ints]:
        """Chances of every product for each contact and the one drawn, -1 where none is left.

        The n-th contacts of all customers are drawn at once; a product once offered is out for the month.
        """
        chance_KO = np.zeros((len(row), len(OPEN)))
        place = np.full(len(row), -1, dtype=np.int64)
        is_free = ~before[:, OPEN]
        for turn in _in_turn(row):
            mine = turn[is_free[row[turn]].any(axis=1)]
            weight = _LIKING * is_free[row[mine]]
            edges = np.cumsum(weight, axis=1)
            drawn = (edges <= rng.random((len(mine), 1)) * edges[:, -1:]).sum(axis=1)
            chance_KO[mine] = weight / edges[:, -1:]
            place[mine] = drawn
            is_free[row[mine], drawn] = False
        return chance_KO, place

    def _effects(self, row: Ints, active: Bools, is_tired: Bools) -> Floats:
        """What each contact would add to P(add) of every product offered, before what P(add) allows."""
        config = self.config
        lean = (self.lean[row] + 0.9 * active[row])[:, None] + self.taste[row]
        size = config.effect_low + (config.effect_high - config.effect_low) / (1 + np.exp(-2 * lean))
        dog = self.is_dog[row]
        size[is_tired & ~dog] *= config.fatigue
        return np.asarray(np.where(dog[:, None], -size, size))

    def _tired(self, row: Ints, time_us: Ints) -> tuple[Bools, Ints]:
        """Contacts in the 30 days before each, counted to `fatigue_after`; the new ones are remembered.

        Those of control customers count as if made: their rows say what a contact would have done.
        """
        recent = np.zeros(len(row), dtype=np.int64)
        for mine in _in_turn(row):
            last = self.last_us[row[mine]]
            recent[mine] = (time_us[mine, None] - last <= DAYS_OF_FATIGUE * 24 * _HOUR_US).sum(axis=1)
            self.last_us[row[mine]] = np.column_stack([time_us[mine], last[:, :-1]])
        return recent >= self.config.fatigue_after, recent


def _in_turn(row: Ints) -> list[Ints]:
    """Places of the first contact of every customer, of the second, ...; `row` is sorted."""
    nth = np.arange(len(row)) - np.searchsorted(row, row, side="left")
    return [np.flatnonzero(nth == n) for n in range(int(nth.max(initial=-1)) + 1)]


def _words(words: tuple[str, ...], code: Ints) -> pl.Series:
    return pl.Series(words, dtype=pl.String).gather(pl.Series(code, dtype=pl.UInt32))


def _choices(chance_KO: Floats, p_with_KO: Floats) -> pl.DataFrame:
    columns = {"offer": np.zeros(len(chance_KO), dtype=np.uint32)}
    for name, values in (("chance", chance_KO), ("p_with", p_with_KO)):
        for o, column in enumerate(OPEN_COLUMNS):
            columns[f"{name}_{column}"] = values[:, o].astype(np.float32)
    return pl.DataFrame(columns)


def _nothing() -> _Month:
    """A month without contacts, for the tables' types."""
    log: dict[str, pl.DataType] = {
        "customer_id": pl.Int64(),
        "month": pl.Date(),
        TIME: TIME_DTYPE,
        "product": pl.String(),
        "channel": pl.String(),
        "is_control": pl.Boolean(),
        "propensity": pl.Float32(),
        "contacts_30d": pl.Int8(),
        "outcome": pl.String(),
        "added": pl.Boolean(),
    }
    truth: dict[str, pl.DataType] = {
        "p_without": pl.Float64(),
        "p_with": pl.Float64(),
        "tau": pl.Float64(),
        "y0": pl.Boolean(),
        "y1": pl.Boolean(),
        "group": pl.String(),
        "is_tired": pl.Boolean(),
    }
    none = np.zeros((0, len(OPEN)))
    return _Month(pl.DataFrame(schema=log), pl.DataFrame(schema=truth), _choices(none, none))
