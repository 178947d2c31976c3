"""Who the customers are: cohorts and the attributes that never change, a block of customers at a time.

Customers are numbered in the order in which they joined. A block takes every `n_blocks`-th of them,
so each block is a sample of the whole, made from its own stream of random numbers.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from nextbest.simulate.panel import facts

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.int8]

BLOCK = 16_384
"""Customers drawn together."""
N_MONTHS = len(facts.MONTHS)
BASE, DORMANT, ENTRANT = range(3)
"""Cohorts: there from the first month; revealed in July 2015 with nothing; joined later."""
SEGMENTS = ("01 - TOP", "02 - PARTICULARES", "03 - UNIVERSITARIO")
TOP, PART, UNIV = range(3)
NO_SEGMENT = 3
EXITS = facts.CUSTOMERS - int(facts.ROWS[-1])
"""Customers who leave before the last month."""
ENTRIES = np.diff(facts.ROWS) + EXITS / (N_MONTHS - 1)
ENTRIES[facts.BREAK - 1] -= facts.BREAK_ROWS
_HEADS = ("KHE", "KAT", "KFC", "KHQ", "KFA")
_CODES = tuple(f"K{a}{b}" for a in "ABCDEFGH" for b in "ABCDEFGHIJKLMNOPQRSTU")
CHANNELS = (*_HEADS, "RED", "007", "004", "013", "025", *(c for c in _CODES if c not in _HEADS))[:162]
"""Codes of the channel through which a customer joined; the published heads first."""
_SENIORITY = ((0.0, 0.0), (0.194, 15.0), (0.46, 42.0), (0.73, 127.0), (0.9, 180.0), (1.0, 240.0))
"""Share of the customers of January 2015, newest first, and months since they joined."""
_CHANNEL_SHARES = {  # the five heads, then all others, then missing
    "univ": (0.74, 0.02, 0.03, 0.05, 0.02, 0.13, 0.012),
    "univ_new": (0.30, 0.01, 0.02, 0.50, 0.01, 0.15, 0.01),
    "part": (0.06, 0.37, 0.35, 0.005, 0.04, 0.165, 0.011),
    "part_new": (0.12, 0.10, 0.28, 0.15, 0.10, 0.23, 0.02),
}


@dataclass(frozen=True)
class People:
    """Constant attributes of N customers, ordered by id."""

    customer_id: Ints
    cohort: NDArray[np.int8]
    first: NDArray[np.int8]
    """Month (0..16) of the first row."""
    last: NDArray[np.int8]
    """Month of the last row."""
    joined: NDArray[np.int32]
    """Days since 1970."""
    age: NDArray[np.float32]
    """Years in January 2015."""
    segment: NDArray[np.int8]
    """Place in `SEGMENTS`, or `NO_SEGMENT`."""
    male: Bools
    province: NDArray[np.int8]
    """1..52; 0 = missing."""
    income: NDArray[np.float64]
    """Yearly household income, euro, two decimals; always known here."""
    income_known: Bools
    household: NDArray[np.int32]
    """Customers of a household share it and the income; -1 = alone."""
    channel: NDArray[np.int16]
    """Place in `CHANNELS`; -1 = missing."""
    foreign: Bools
    resident: Bools
    engaged: NDArray[np.float32]
    """Latent: how much the customer does with the bank; standard normal."""
    pull: NDArray[np.float32]
    """Latent: client effect on every addition; standard normal."""
    restless: NDArray[np.float32]
    """Latent: inclination to flicker; standard normal."""

    def __len__(self) -> int:
        return len(self.customer_id)

    def take(self, rows: Ints) -> "People":
        """Some of the customers, by place."""
        return People(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def n_customers(scale: float) -> int:
    """Customers ever seen at `scale`."""
    return max(1, round(facts.CUSTOMERS * scale))


def n_blocks(total: int) -> int:
    """Blocks that hold `total` customers."""
    return -(-total // BLOCK)


def draw_people(number: int, *, total: int, seed: int) -> People:
    """Customers of block `number` of a panel of `total` customers."""
    blocks = n_blocks(total)
    rng = np.random.default_rng([seed, 1, number])
    rank = np.arange(number, total, blocks)
    n = len(rank)
    step = (facts.LAST_ID - facts.FIRST_ID) / total
    jitter = rng.random(n) * max(0.0, 1 - 1 / step)  # ids stay in order and apart
    ids = facts.FIRST_ID + np.floor((rank + jitter) * step).astype(np.int64)
    cohort, first, last, months_ago = _cohorts(rank, total)
    days = np.round(months_ago * 30.44 - rng.random(n) * 5).astype(np.int64)
    joined = np.datetime64(facts.MONTHS[0]) - days
    seen, before = (np.array(facts.MONTHS, "datetime64[D]")[np.maximum(first - back, 0)] for back in (0, 1))
    joined = np.where(cohort == ENTRANT, np.clip(joined, before + 1, seen), np.minimum(joined, seen))
    segment = _segments(rng, cohort, first, months_ago)
    age = _ages(rng, segment, months_ago)
    male = rng.random(n) < np.array([0.640, 0.606, 0.437, 0.545])[segment]
    shares = np.array([rows for _, rows, _ in facts.PROVINCES], float)
    province = rng.choice(52, size=n, p=shares / shares.sum()) + 1
    household = _households(rng, n)
    lead = household[household]  # the household's first member speaks for all
    sizes = np.bincount(household, minlength=n)[household]
    province = province[lead]
    income = _incomes(rng, province, segment)[lead]
    known = rng.random(n) >= 1.27 * np.array([0.147, 0.181, 0.231, 0.55])[segment]
    known |= (sizes > 1) & (rng.random(n) < 0.9)
    missing = rng.random(n) < (93_591 - 27_734) / facts.ROWS.sum()
    together = 0.1 * rng.normal(size=n)[lead]
    return People(
        customer_id=ids,
        cohort=cohort,
        first=first,
        last=last,
        joined=joined.astype(np.int32),
        age=age.astype(np.float32),
        segment=segment.astype(np.int8),
        male=male,
        province=np.where(missing, 0, province).astype(np.int8),
        income=income,
        income_known=known,
        household=np.where(sizes > 1, household, -1).astype(np.int32),
        channel=_channels(rng, segment, cohort),
        foreign=rng.random(n) < 0.047,
        resident=rng.random(n) >= 65_864 / facts.ROWS.sum(),
        engaged=rng.normal(size=n).astype(np.float32),
        pull=(np.sqrt(0.99) * rng.normal(size=n) + together).astype(np.float32),
        restless=rng.normal(size=n).astype(np.float32),
    )


def join(parts: list[People]) -> People:
    """Blocks in their order back to one table ordered by id."""
    order = np.argsort(np.concatenate([p.customer_id for p in parts]), kind="stable")
    return People(
        **{f.name: np.concatenate([getattr(p, f.name) for p in parts])[order] for f in fields(People)}
    )


def _cohorts(rank: Ints, total: int) -> tuple[Codes, Codes, Codes, Floats]:
    """Cohort, first and last month, and months between joining and January 2015 (negative for entrants)."""
    place = (rank + 0.5) / total  # 0 = longest with the bank
    old = 1 - ENTRIES.sum() / facts.CUSTOMERS
    spread = (rank * 0.6180339887498949) % 1  # even at any scale, so that the counts come out
    other = (rank * 0.7548776662466927) % 1
    dormant = spread < facts.BREAK_ROWS / (facts.BREAK_ROWS + facts.ROWS[0])
    cohort = np.where(place >= old, ENTRANT, np.where(dormant, DORMANT, BASE))
    edges = np.concatenate([[old], old + np.cumsum(ENTRIES) / facts.CUSTOMERS])
    month = np.clip(np.searchsorted(edges, place, side="right"), 1, N_MONTHS - 1)
    first = np.where(cohort == ENTRANT, month, np.where(cohort == DORMANT, facts.BREAK, 0))
    share, months = np.array(_SENIORITY).T
    ago = np.interp(1 - place / old, share, months)
    within = (place - edges[month - 1]) / np.maximum(np.diff(edges)[month - 1], 1e-12)
    ago = np.where(cohort == ENTRANT, -(month - 1 + np.clip(within, 0, 1)), ago)
    leaving = EXITS / facts.ROWS[0]
    leaves = (cohort == BASE) & (other < leaving)
    last = np.where(leaves, np.minimum(other / leaving * (N_MONTHS - 1), N_MONTHS - 2), N_MONTHS - 1)
    return cohort.astype(np.int8), first.astype(np.int8), last.astype(np.int8), ago


def _segments(rng: np.random.Generator, cohort: Codes, first: Codes, months_ago: Floats) -> Ints:
    """Students joined in the last years and in the autumn; the rich long ago."""
    university = np.interp(
        months_ago, [-20, 3, 6, 45, 60, 110, 140, 240], [0.3, 0.3, 0.58, 0.58, 0.4, 0.2, 0.08, 0.05]
    )
    autumn = (cohort == ENTRANT) & (first >= 7) & (first <= 9)
    university = np.where(autumn, 0.70, university)
    top = np.interp(months_ago, [-20, 6, 60, 120, 240], [0.004, 0.006, 0.022, 0.08, 0.15])
    u = rng.random(len(cohort))
    none = np.where(cohort == DORMANT, 0.03, np.where(cohort == ENTRANT, 0.03, 0.007))
    return np.where(
        u < none,
        NO_SEGMENT,
        np.where(u < none + top, TOP, np.where(u < none + top + university, UNIV, PART)),
    )


def _ages(rng: np.random.Generator, segment: Ints, months_ago: Floats) -> Floats:
    """Years in January 2015; nobody joined before birth."""
    n = len(segment)
    part = rng.random(n)
    z = rng.normal(size=n)
    middle = 44.5 + 9.5 * z
    age = np.where(part < 0.74, middle, np.where(part < 0.935, 69 + 10 * z, rng.uniform(2, 18, n)))
    minor = (part >= 0.935) & (segment == PART) & (age * 12 > months_ago)
    age = np.where((part >= 0.935) & ~minor, middle, age)
    age = np.where(segment == UNIV, np.clip(23 + 3 * z, 17, 35), age)
    age = np.where(segment == TOP, 54 + 11 * z, age)
    age = np.where(minor, age, np.maximum(age, np.maximum(18, months_ago / 12 + 1)))
    odd = rng.random(n) < 20 / facts.CUSTOMERS
    return np.asarray(np.where(odd, rng.uniform(110, 164, n), np.clip(age, 2, 105)))


def _households(rng: np.random.Generator, n: int) -> Ints:
    """Place of the first member of each customer's household."""
    sizes = rng.choice([1, 2, 3, 4, 5, 6], size=n, p=_household_shares())
    starts = np.cumsum(sizes) - sizes
    starts = starts[starts < n]
    lead = np.zeros(n, dtype=np.int64)
    lead[starts] = 1
    return np.asarray(starts[np.cumsum(lead) - 1])


def _household_shares() -> Floats:
    """Shares of household sizes such that 22.6 % of customers live in one of two or more."""
    weights = np.array([0.704, 0.182, 0.069, 0.029, 0.015]) / 0.999
    people = weights @ np.arange(2, 7)
    several = 0.233 / people / (0.767 + 0.233 / people)  # a few members' incomes stay unknown
    return np.concatenate([[1 - several], several * weights / weights.sum()])


def _incomes(rng: np.random.Generator, province: Ints, segment: Ints) -> Floats:
    level = np.array([log for _, _, log in facts.PROVINCES])[province - 1]
    level = level + np.array([0.26, 0.03, -0.16, 0.0])[segment]
    tail = 0.17 * rng.standard_t(3, size=len(level))
    tail += np.where(rng.random(len(level)) < 0.08, rng.exponential(0.5, len(level)), 0)
    income = np.exp(level + 0.42 * rng.normal(size=len(level)) + tail)
    return np.asarray(np.round(np.clip(income, 1202.73, 28_894_396), 2))


def _channels(rng: np.random.Generator, segment: Ints, cohort: Codes) -> NDArray[np.int16]:
    u = rng.random(len(segment))
    other = np.minimum(rng.zipf(1.35, size=len(segment)) - 1, len(CHANNELS) - 6) + 5
    out = np.empty(len(segment), dtype=np.int16)
    for name, shares in _CHANNEL_SHARES.items():
        mine = ((segment == UNIV) == name.startswith("univ")) & ((cohort == ENTRANT) == name.endswith("new"))
        place = np.searchsorted(np.cumsum(shares), u[mine] * sum(shares), side="right")
        out[mine] = np.where(place < 5, place, np.where(place == 5, other[mine], -1))
    return out
