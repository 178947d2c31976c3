"""How products are taken, dropped and taken again: one `ProductLaw` each, and arrays made of them.

What of this is fitted to published figures and what is assumed stands in docs/rooms/simulate.md.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nextbest.simulate.panel.facts import PRODUCT

Floats = NDArray[np.float64]
N_PRODUCTS = len(PRODUCT)
TRAITS = (
    "one",
    "univ",
    "top",
    "teen",  # under 18
    "young",  # 18-25
    "adult",  # 26-35
    "elder",  # 51-65
    "senior",  # over 65
    "income",  # standardised log income, as it really is
    "male",
    "foreign",
    "recent",  # joined 6-24 months ago
    "old",  # joined over 10 years ago
    "engaged",  # latent, standard normal, constant
    "active",  # in the month before
    "awake",  # became active in the month before
    "pull",  # latent client effect on every addition, standard normal
)
"""What a client's hazards depend on."""
STABLE, INTERRUPTED, FLICKER = range(3)
"""Kinds of owner: rarely stops; stops now and then and soon comes back; on and off."""
N_KINDS = 3


@dataclass(frozen=True)
class ProductLaw:
    """One product's law. Hazards are monthly probabilities before the month's calibration."""

    start: float = 1.0
    """Owners in the first month over their mean over all months."""
    kinds: tuple[float, float, float] = (1.0, 0.0, 0.0)
    """Shares of stable, interrupted and flickering among those who use the product at all."""
    drop: tuple[float, float, float] = (0.01, 0.1, 0.4)
    """Hazard of dropping, by kind."""
    again: tuple[float, float, float] = (0.0, 0.4, 0.4)
    """Hazard of taking it again in the month after the drop, by kind."""
    fade: float = 3.0
    """Months in which that hazard falls by e; a flickering client's doesn't fall."""
    adopt: float = 1.0
    """Share of the product's additions that come from clients without a past with it."""
    reach: float = 0.3
    """Hazard of a newcomer who came for it (see `AIMS`), in the first month; falls by e in six."""
    entry: float = 0.0
    """Share of newcomers who hold it when first seen."""
    likes: Mapping[str, float] = field(default_factory=dict)
    """Trait -> log weight, on owning at the start and on adopting."""


LAWS: Mapping[str, ProductLaw] = {
    "ahor": ProductLaw(likes={"elder": 0.5}),
    "aval": ProductLaw(likes={"top": 1.5}),
    "cco": ProductLaw(
        start=0.94,
        kinds=(0.984, 0.010, 0.006),
        drop=(0.003, 0.15, 0.40),
        again=(0.03, 0.50, 0.42),
        adopt=0.10,
        reach=0.65,
        entry=0.5,
        likes={"univ": 1.1, "senior": -0.4, "top": -0.6, "active": 0.3, "awake": 2.0, "young": 0.4},
    ),
    "cder": ProductLaw(likes={"top": 2.0, "income": 0.5, "elder": 0.4}),
    "cno": ProductLaw(
        start=0.97,
        kinds=(0.94, 0.04, 0.02),
        drop=(0.008, 0.12, 0.34),
        again=(0.05, 0.50, 0.42),
        adopt=0.24,
        reach=0.45,
        entry=0.02,
        likes={
            "univ": -1.2,
            "adult": 0.8,
            "elder": -0.4,
            "senior": -2.0,
            "teen": -6.0,
            "young": -0.2,
            "engaged": 1.4,
            "active": 1.6,
            "awake": 2.5,
        },
    ),
    "ctju": ProductLaw(start=1.06, likes={"teen": 8.0}),
    "ctma": ProductLaw(
        start=0.6,
        drop=(0.04, 0.1, 0.4),
        adopt=0.55,
        reach=0.35,
        entry=0.005,
        likes={"univ": -1.0, "recent": 1.0, "elder": 0.6, "active": 0.8, "engaged": 0.4, "teen": -3.0},
    ),
    "ctop": ProductLaw(
        start=1.03,
        kinds=(0.992, 0.006, 0.002),
        drop=(0.002, 0.15, 0.35),
        adopt=0.5,
        likes={
            "univ": -3.0,
            "old": 1.4,
            "senior": 0.9,
            "elder": 0.6,
            "engaged": 0.3,
            "top": 0.2,
            "teen": -5.0,
        },
    ),
    "ctpp": ProductLaw(
        start=1.04,
        kinds=(0.99, 0.005, 0.005),
        drop=(0.003, 0.15, 0.35),
        adopt=0.5,
        likes={
            "univ": -3.0,
            "old": 1.2,
            "top": 1.6,
            "senior": 0.6,
            "elder": 0.4,
            "engaged": 0.4,
            "teen": -5.0,
        },
    ),
    "deco": ProductLaw(start=1.2, drop=(0.13, 0.1, 0.4), likes={"elder": 1.0, "senior": 1.0, "univ": -3.0}),
    "deme": ProductLaw(start=1.1, likes={"elder": 1.0, "senior": 1.0, "univ": -3.0}),
    "dela": ProductLaw(
        start=1.05,
        drop=(0.02, 0.1, 0.4),
        likes={
            "elder": 1.0,
            "senior": 1.5,
            "univ": -3.5,
            "top": 1.2,
            "income": 0.2,
            "active": 0.5,
            "teen": -4.0,
        },
    ),
    "ecue": ProductLaw(
        start=0.97,
        kinds=(0.98, 0.012, 0.008),
        drop=(0.018, 0.1, 0.35),
        again=(0.0, 0.4, 0.3),
        adopt=0.33,
        reach=0.45,
        entry=0.02,
        likes={
            "univ": -0.5,
            "top": 0.6,
            "adult": 0.6,
            "senior": -1.0,
            "engaged": 1.1,
            "active": 1.4,
            "awake": 2.5,
            "old": -0.7,
            "teen": -5.0,
        },
    ),
    "fond": ProductLaw(
        start=1.05,
        likes={
            "top": 2.4,
            "income": 0.4,
            "elder": 0.5,
            "univ": -3.5,
            "active": 0.7,
            "engaged": 0.5,
            "teen": -4.0,
        },
    ),
    "hip": ProductLaw(
        start=1.03, likes={"adult": 0.4, "univ": -3.0, "active": 0.8, "senior": -1.5, "teen": -9.0}
    ),
    "plan": ProductLaw(
        start=1.0,
        likes={"top": 1.8, "elder": 1.0, "univ": -3.0, "income": 0.4, "senior": -0.5, "teen": -9.0},
    ),
    "pres": ProductLaw(start=1.02, likes={"univ": -2.0, "active": 1.2, "foreign": 0.4, "teen": -9.0}),
    "reca": ProductLaw(
        start=0.97,
        drop=(0.012, 0.1, 0.4),
        likes={
            "top": 0.8,
            "elder": 0.8,
            "income": 0.3,
            "univ": -2.5,
            "engaged": 0.8,
            "active": 1.6,
            "senior": -0.3,
            "teen": -6.0,
        },
    ),
    "tjcr": ProductLaw(
        start=1.0,
        kinds=(0.46, 0.22, 0.32),
        drop=(0.03, 0.11, 0.28),
        again=(0.20, 0.45, 0.36),
        adopt=0.09,
        likes={
            "univ": -2.2,
            "top": 1.2,
            "engaged": 2.1,
            "active": 2.2,
            "old": 0.5,
            "senior": -0.8,
            "income": 0.2,
            "teen": -9.0,
        },
    ),
    "valo": ProductLaw(
        start=1.0,
        drop=(0.012, 0.15, 0.3),
        kinds=(0.975, 0.015, 0.01),
        adopt=0.9,
        likes={
            "top": 2.2,
            "income": 0.4,
            "elder": 0.8,
            "univ": -3.0,
            "active": 0.7,
            "old": 0.6,
            "teen": -3.0,
        },
    ),
    "viv": ProductLaw(start=1.02, likes={"univ": -2.0, "old": 1.0, "active": 0.6, "teen": -5.0}),
    "nomina": ProductLaw(start=0.97),
    "nom_pens": ProductLaw(
        start=0.97,
        kinds=(0.68, 0.25, 0.07),
        drop=(0.06, 0.10, 0.36),
        again=(0.30, 0.55, 0.38),
        adopt=0.06,
        reach=0.4,
        likes={
            "univ": -1.6,
            "engaged": 2.0,
            "active": 2.4,
            "teen": -9.0,
            "young": -0.5,
            "adult": 0.8,
            "elder": -0.6,
            "awake": 2.0,
        },
    ),
    "recibo": ProductLaw(
        start=0.93,
        kinds=(0.62, 0.26, 0.12),
        drop=(0.022, 0.09, 0.32),
        again=(0.22, 0.55, 0.46),
        adopt=0.15,
        reach=0.35,
        entry=0.01,
        likes={
            "univ": -1.8,
            "engaged": 1.9,
            "active": 2.3,
            "teen": -6.0,
            "elder": 0.4,
            "senior": 0.3,
            "awake": 2.5,
        },
    ),
}
"""Laws by the short name of the product. Numbers are assumptions, chosen so that the published figures come out."""

AIMS: Mapping[str, Mapping[str, float]] = {
    "univ": {"cco": 0.65, "ecue": 0.04, "cno": 0.02},
    "KHQ": {"ecue": 0.45, "cco": 0.10},
    "KHE": {"cco": 0.50, "ecue": 0.08},
    "KFC": {"cno": 0.32, "cco": 0.06, "recibo": 0.10},
    "KAT": {"ctma": 0.55, "cco": 0.10},
    "KFA": {"recibo": 0.35, "cno": 0.10},
    "other": {"ctma": 0.40, "cno": 0.15, "nom_pens": 0.08},
}
"""What newcomers come for: probabilities by segment (students) and channel; the rest come for nothing more."""


@dataclass(frozen=True)
class Link:
    """What happens to one product makes something happen to another."""

    source: str
    event: Literal["add", "drop"]
    target: str
    effect: Literal["add", "drop"]
    hazard: float
    """Probability of the effect, in each month of the window."""
    first: int = 0
    last: int = 0
    """Months after the event in which it can follow; 0 = the same month."""


LINKS: tuple[Link, ...] = (
    Link("cno", "add", "nom_pens", "add", 0.75),
    Link("cno", "add", "cco", "drop", 0.50),
    Link("cno", "drop", "cco", "add", 0.35),
    Link("ctma", "add", "cco", "add", 0.22),
    Link("cno", "drop", "nom_pens", "drop", 0.70),
    Link("cno", "drop", "cco", "add", 0.75, 1, 1),
    Link("cno", "drop", "cco", "add", 0.40, 2, 2),
    Link("ctju", "drop", "cco", "add", 0.30, 1, 2),
    Link("ctju", "drop", "ctma", "add", 0.25, 1, 2),
    Link("nom_pens", "drop", "cno", "drop", 0.50, 2, 4),
    Link("cno", "add", "nom_pens", "add", 0.30, 1, 3),
    Link("nom_pens", "add", "cno", "add", 0.12, 1, 3),
    Link("cno", "add", "recibo", "add", 0.10, 1, 4),
    Link("cno", "add", "tjcr", "add", 0.04, 1, 4),
    Link("cco", "add", "ecue", "add", 0.05, 1, 3),
    Link("ecue", "add", "recibo", "add", 0.05, 1, 3),
)
"""Links between products, same-month ones in the order in which they act."""
HELD_WITH = {("cno", "nom_pens"): 3.0, ("cno", "cco"): -2.5}
"""Log-odds of using the second at first sight if the first is held."""


@dataclass(frozen=True)
class LawArrays:
    """`LAWS` as arrays; axes: P products (bit order), K kinds, F traits."""

    kinds_PK: Floats
    drop_PK: Floats
    again_PK: Floats
    fade_PK: Floats
    reach_P: Floats
    entry_P: Floats
    adopt_P: Floats
    likes_FP: Floats


def law_arrays(laws: Mapping[str, ProductLaw] = LAWS) -> LawArrays:
    """The laws as arrays in bit order."""
    ordered = [laws[name] for name in PRODUCT]
    fade = np.array([[law.fade, law.fade, np.inf] for law in ordered])
    likes = np.zeros((len(TRAITS), N_PRODUCTS))
    for p, law in enumerate(ordered):
        for trait, weight in law.likes.items():
            likes[TRAITS.index(trait), p] = weight
    return LawArrays(
        kinds_PK=np.array([law.kinds for law in ordered]),
        drop_PK=np.array([law.drop for law in ordered]),
        again_PK=np.array([law.again for law in ordered]),
        fade_PK=fade,
        reach_P=np.array([law.reach for law in ordered]),
        entry_P=np.array([law.entry for law in ordered]),
        adopt_P=np.array([law.adopt for law in ordered]),
        likes_FP=likes,
    )
