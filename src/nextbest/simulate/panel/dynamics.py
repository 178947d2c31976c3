"""How a block of customers takes and drops products, month by month.

One `Run` holds the state of a block. `chances` tells the probability of every addition and drop of
the next month; `step` draws from the same numbers, so the stated truth is the law that is drawn from.
Axes: N customers, P products, Q processes (the products, and pension payroll of pensioners apart), K kinds.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextbest.simulate.panel.facts import MONTHS, PRODUCT
from nextbest.simulate.panel.laws import (
    AIMS,
    FLICKER,
    HELD_WITH,
    INTERRUPTED,
    LINKS,
    N_KINDS,
    N_PRODUCTS,
    STABLE,
    TRAITS,
    LawArrays,
    Link,
)
from nextbest.simulate.panel.people import CHANNELS, DORMANT, ENTRANT, TOP, UNIV, People

Floats = NDArray[np.float64]
Reals = NDArray[np.float32]
Bools = NDArray[np.bool_]

N_PROCESSES = N_PRODUCTS + 1
PENSION = N_PRODUCTS
"""Process of pension payroll for pensioners, who have no wage; the product's own process is the workers'."""
NEVER = 127
SAME_MONTH = tuple(link for link in LINKS if not link.last)
NOMINA, NOM_PENS, CNO, CCO, CTJU, CTMA = (
    PRODUCT[name] for name in ("nomina", "nom_pens", "cno", "cco", "ctju", "ctma")
)
PENSION_AGE = 63.0
WITH_WAGE = 0.985
"""Share of workers' new pension payrolls that come with the payroll."""
SUREST = 0.9
ALONE_DROP, ALONE_AGAIN = 0.0035, 0.45
"""Monthly hazards of losing the payroll alone, and of getting it back."""
_PULL = 0.6
_FIRST = np.datetime64(MONTHS[0])


@dataclass(frozen=True)
class Calibration:
    """Constants that bring the published counts out; made by benchmarks/panel_calibration.py."""

    start_CQ: Floats
    """Log-odds of using a product at the first sight of a customer, by cohort."""
    adopt_Q: Floats
    """Log hazard of adopting."""
    add_MQ: Floats
    """Log-odds shift of additions, by month (row 0 = second month)."""
    drop_MQ: Floats
    """Log-odds shift of drops."""


@dataclass
class State:
    """What changes from month to month."""

    held: Bools
    off: NDArray[np.int8]
    """Months since the product was dropped; `NEVER` where held or never held."""
    on: NDArray[np.int8]
    """Months that the product has been held, this month counted."""
    active: Bools
    awake: Bools
    """Became active in the month before."""


@dataclass(frozen=True)
class Chances:
    """Probabilities of one month, before anything is drawn."""

    add_NP: Reals
    """P(add) of each product by its own process, couplings not counted; 0 where held."""
    drop_NP: Reals
    """P(drop); 0 where not held."""


class Run:
    """A block's state and its laws."""

    def __init__(
        self, people: People, laws: LawArrays, calibration: Calibration, rng: np.random.Generator
    ) -> None:
        self.people, self.laws, self.calibration = people, laws, calibration
        n = len(people)
        self.pensioner = people.age >= PENSION_AGE
        share = laws.kinds_PK[None, :, FLICKER] * np.exp(0.8 * people.restless - 0.32)[:, None]
        u = rng.random((n, N_PRODUCTS), dtype=np.float32)
        kind = np.where(
            u < share, FLICKER, np.where(u < share + laws.kinds_PK[:, INTERRUPTED], INTERRUPTED, STABLE)
        )
        self.kind = kind.astype(np.int8)
        self.aim = _aims(people, rng)
        self._fixed = _fixed_traits(people)
        level = 0.3 + 2.2 * people.engaged
        self._activity = np.where(people.cohort == DORMANT, 0.02, 1 / (1 + np.exp(-level)))
        self.state = self._start(rng)

    def _start(self, rng: np.random.Generator) -> State:
        """First sight of every customer; who comes later waits with it."""
        n = len(self.people)
        active = rng.random(n) < self._activity
        awake = np.zeros(n, dtype=bool)
        logit = self.start_logit(active)
        draw = rng.random(logit.shape, dtype=np.float32)
        stays = (
            rng.random(logit.shape, dtype=np.float32) < on_share(self.laws)[np.arange(N_PRODUCTS), self.kind]
        )
        for (source, target), weight in HELD_WITH.items():
            s, t = PRODUCT[source], PRODUCT[target]
            logit[:, t] += weight * ((draw[:, s] < 1 / (1 + np.exp(-logit[:, s]))) & stays[:, s])
        uses = draw < 1 / (1 + np.exp(-logit))
        held = uses & stays
        held[:, NOMINA] = held[:, NOM_PENS] & ~self.pensioner & (rng.random(n) < WITH_WAGE)
        gone = rng.geometric(0.4, size=uses.shape)
        off = np.where(uses & ~held, np.minimum(gone, 24), NEVER).astype(np.int8)
        off[:, NOMINA] = NEVER
        on = np.where(held, 24, 0).astype(np.int8)
        return State(held, off, on, active, awake)

    def start_logit(self, active: Bools) -> Reals:
        """Log-odds of using each product at first sight."""
        traits = self.traits(0, active, np.zeros(len(active), bool))
        base = self._by_client(self.calibration.start_CQ[self.people.cohort])
        logit = base + traits @ self.laws.likes_FP.astype(np.float32)
        logit[:, CTJU] = np.where(
            self.people.age < 18, self.calibration.start_CQ[self.people.cohort, CTJU], -30
        )
        return np.asarray(logit)

    def _by_client(self, values_NQ: Floats) -> Reals:
        """Processes -> products: pension payroll by the customer's own process."""
        out = values_NQ[..., :N_PRODUCTS].astype(np.float32)
        if out.ndim == 1:
            out = np.repeat(out[None], len(self.people), axis=0)
            pension = values_NQ[PENSION]
        else:
            pension = values_NQ[self.pensioner, PENSION]
        out[self.pensioner, NOM_PENS] = pension
        return np.asarray(out)

    def traits(self, month: int, active: Bools, awake: Bools) -> Reals:
        """Traits of every customer, (N, F)."""
        out = self._fixed.copy()
        now = (_FIRST.astype("datetime64[M]") + month).astype("datetime64[D]").astype(np.int64)
        seniority = (now - self.people.joined) / 30.44
        out[:, TRAITS.index("recent")] = (seniority >= 6) & (seniority < 24)
        out[:, TRAITS.index("old")] = seniority >= 120
        out[:, TRAITS.index("active")] = active
        out[:, TRAITS.index("awake")] = awake
        return out

    def adopting(self, month: int) -> Reals:
        """Hazard of adopting each product, (N, P): what attributes and the client effect give."""
        traits = self.traits(month, self.state.active, self.state.awake)
        log = traits @ self.laws.likes_FP.astype(np.float32) + self._by_client(self.calibration.adopt_Q)
        log += _PULL * self.people.pull[:, None]
        return np.asarray(np.exp(np.minimum(log, -0.3)))

    def grown(self, month: int) -> Bools:
        """Customers too old for a junior account in `month`."""
        return np.asarray(self.people.age + month / 12 >= 18)

    def raw_chances(self, month: int) -> Chances:
        """Probabilities of `month` (1..16) before the calibration's shifts, grown-ups' junior accounts apart."""
        state, laws = self.state, self.laws
        add = self.adopting(month)
        row, col = np.nonzero(state.off != NEVER)
        kind = self.kind[row, col]
        gone = state.off[row, col] - 1
        add[row, col] += laws.again_PK[col, kind] * np.exp(-gone / laws.fade_PK[col, kind])
        row = np.flatnonzero(self.aim >= 0)
        here = np.maximum(month - self.people.first[row], 1) - 1
        add[row, self.aim[row]] += laws.reach_P[self.aim[row]] * np.exp(-here / 6.0)
        for link in LINKS:
            if link.last and link.effect == "add":
                add[self._since(link), PRODUCT[link.target]] += link.hazard
        add[self.grown(month), CTJU] = 0
        add[:, NOMINA] = np.where(state.held[:, NOM_PENS] & ~self.pensioner, ALONE_AGAIN, 0)
        add[state.held] = 0
        np.clip(add, 0, SUREST, out=add)
        drop = np.zeros(add.shape, dtype=np.float32)
        row, col = np.nonzero(state.held)
        tenure = 1 + 0.5 * np.exp(-(state.on[row, col] - 1) / 2.0)
        drop[row, col] = np.minimum(laws.drop_PK[col, self.kind[row, col]] * tenure, SUREST)
        for link in LINKS:
            if link.last and link.effect == "drop":
                drop[self._since(link) & state.held[:, PRODUCT[link.target]], PRODUCT[link.target]] += (
                    link.hazard
                )
        drop[:, NOMINA] = np.where(state.held[:, NOMINA], ALONE_DROP, 0)
        drop[self.grown(month), CTJU] = 0
        return Chances(add, drop)

    def _since(self, link: Link) -> Bools:
        """Customers in the window after the link's event."""
        ago = (self.state.on if link.event == "add" else self.state.off)[:, PRODUCT[link.source]]
        return np.asarray((ago >= link.first) & (ago <= link.last))

    def chances(self, month: int) -> Chances:
        """Probabilities of `month` (1..16), calibrated. Customers absent now or then have none."""
        raw = self.raw_chances(month)
        there = (self.people.first < month) & (self.people.last >= month)
        add = shift(raw.add_NP, self._by_client(self.calibration.add_MQ[month - 1]))
        drop = shift(raw.drop_NP, self._by_client(self.calibration.drop_MQ[month - 1]))
        drop[self.grown(month) & self.state.held[:, CTJU], CTJU] = SUREST  # by law, not by choice
        add[~there] = 0
        drop[~there] = 0
        return Chances(add, drop)

    def step(self, month: int, chances: Chances, rng: np.random.Generator) -> Bools:
        """Draw the month, products first and activity after them; returns what was added, (N, P)."""
        state = self.state
        add = rng.random(chances.add_NP.shape, dtype=np.float32) < chances.add_NP
        drop = rng.random(chances.drop_NP.shape, dtype=np.float32) < chances.drop_NP
        drop &= state.held
        for link in SAME_MONTH:
            s, t = PRODUCT[link.source], PRODUCT[link.target]
            cause = (add if link.event == "add" else drop)[:, s]
            follows = cause & (rng.random(len(add)) < link.hazard)
            if link.effect == "add":
                add[:, t] |= follows & ~state.held[:, t]
            else:
                drop[:, t] |= follows & state.held[:, t]
        drop[:, NOMINA] |= drop[:, NOM_PENS] & state.held[:, NOMINA]
        wage = add[:, NOM_PENS] & ~self.pensioner & ~state.held[:, NOMINA]
        add[:, NOMINA] |= wage & (rng.random(len(add)) < WITH_WAGE)
        state.held = (state.held | add) & ~drop
        there = ((self.people.first < month) & (self.people.last >= month))[:, None]
        off = np.where(drop, 1, np.where(state.off == NEVER, NEVER, np.minimum(state.off + 1, 100)))
        state.off = np.where(there, np.where(state.held, NEVER, off), state.off).astype(np.int8)
        state.off[:, NOMINA] = NEVER
        on = np.where(state.held, np.minimum(state.on + 1, 100), 0)
        state.on = np.where(there, on, state.on).astype(np.int8)
        self._wake(rng)
        return np.asarray(add)

    def _wake(self, rng: np.random.Generator) -> None:
        """The month's activity, which next month's hazards see."""
        state = self.state
        redraw = rng.random(len(self.people)) < 0.10
        active = np.where(redraw, rng.random(len(self.people)) < self._activity, state.active)
        state.awake = active & ~state.active
        state.active = active

    def marginal(self, chances: Chances) -> Reals:
        """P(add) of each product with what comes together counted; 0 where held."""
        out = chances.add_NP.copy()
        held = self.state.held
        for link in SAME_MONTH:
            if link.effect == "add":
                s, t = PRODUCT[link.source], PRODUCT[link.target]
                cause = (out if link.event == "add" else chances.drop_NP)[:, s]
                together = 1 - (1 - out[:, t]) * (1 - link.hazard * cause)
                out[:, t] = np.where(held[:, t], 0, together)
        wage = np.where(self.pensioner, 0, WITH_WAGE) * out[:, NOM_PENS]
        out[:, NOMINA] = np.where(held[:, NOMINA], 0, 1 - (1 - out[:, NOMINA]) * (1 - wage))
        return np.asarray(out, dtype=np.float32)


def on_share(laws: LawArrays) -> Floats:
    """Share of the time that a user of each kind holds each product, (P, K)."""
    again = np.where(laws.again_PK > 0, laws.again_PK, 1.0)
    out = again / (again + laws.drop_PK)
    settled = laws.again_PK == 0
    out[settled] = 1.0
    out[:, STABLE] = np.maximum(out[:, STABLE], 0.97)
    assert out.shape[1] == N_KINDS
    return np.asarray(out)


def shift(probability: Reals, log_odds: Reals) -> Reals:
    """Probabilities with `log_odds` added to their log-odds; nothing is surer than `SUREST`."""
    factor = np.exp(log_odds)
    out = probability * factor / (1 - probability + probability * factor)
    return np.asarray(np.minimum(out, SUREST), dtype=np.float32)


def _fixed_traits(people: People) -> Reals:
    out = np.zeros((len(people), len(TRAITS)), dtype=np.float32)
    age = people.age
    columns = {
        "one": np.ones(len(people)),
        "univ": people.segment == UNIV,
        "top": people.segment == TOP,
        "teen": age < 18,
        "young": (age >= 18) & (age < 26),
        "adult": (age >= 26) & (age < 36),
        "elder": (age >= 51) & (age < 66),
        "senior": age >= 66,
        "income": (np.log(people.income) - 11.53) / 0.65,
        "male": people.male,
        "foreign": people.foreign,
        "engaged": people.engaged,
        "pull": np.zeros(len(people)),
    }
    for name, values in columns.items():
        out[:, TRAITS.index(name)] = values
    return out


def _aims(people: People, rng: np.random.Generator) -> NDArray[np.int8]:
    """Product that each newcomer came for; -1 = none."""
    out = np.full(len(people), -1, dtype=np.int8)
    u = rng.random(len(people))
    newcomer = people.cohort == ENTRANT
    student = people.segment == UNIV
    left = newcomer & ~student
    for name, aims in AIMS.items():
        mine = (
            newcomer & student
            if name == "univ"
            else left
            if name == "other"
            else left & (people.channel == CHANNELS.index(name))
        )
        left &= ~mine
        edges = np.cumsum(list(aims.values()))
        place = np.searchsorted(edges, u[mine], side="right")
        out[mine] = np.array([*(PRODUCT[p] for p in aims), -1], dtype=np.int8)[place]
    return out
