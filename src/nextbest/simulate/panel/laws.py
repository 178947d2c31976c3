"""How products are taken, dropped and taken again: one `ProductLaw` each, and arrays made of them.

What of this is fitted to published figures and what is assumed stands in docs/rooms/simulate.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

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
    "active",  # this month
    "awake",  # became active this month
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
    goal: float = 0.0
    """Share of newcomers who come for it but don't have it yet."""
    reach: float = 0.3
    """Their hazard in the first month; falls by e in six."""
    entry: float = 0.0
    """Share of newcomers who hold it when first seen."""
    likes: Mapping[str, float] = field(default_factory=dict)
    """Trait -> log weight, on owning at the start and on adopting."""


LAWS: Mapping[str, ProductLaw] = {
    "ahor": ProductLaw(likes={"elder": 0.5}),
    "aval": ProductLaw(likes={"top": 1.5}),
    "cco": ProductLaw(
        start=0.94,
        kinds=(0.985, 0.011, 0.004),
        drop=(0.004, 0.12, 0.30),
        again=(0.10, 0.45, 0.40),
        adopt=0.25,
        goal=0.32,
        reach=0.5,
        entry=0.5,
        likes={"univ": 0.9, "senior": -0.4, "top": -0.6, "active": 0.6, "awake": 1.0, "young": 0.4},
    ),
    "cder": ProductLaw(likes={"top": 2.0, "income": 0.5, "elder": 0.4}),
    "cno": ProductLaw(
        start=0.97,
        kinds=(0.92, 0.05, 0.03),
        drop=(0.02, 0.12, 0.35),
        again=(0.25, 0.45, 0.40),
        adopt=0.40,
        goal=0.10,
        reach=0.35,
        entry=0.02,
        likes={
            "univ": -1.0,
            "adult": 0.6,
            "senior": -1.5,
            "teen": -4.0,
            "young": -0.4,
            "engaged": 0.8,
            "active": 1.5,
            "awake": 1.0,
        },
    ),
    "ctju": ProductLaw(start=1.02, likes={"teen": 12.0, "one": 0.0}),
    "ctma": ProductLaw(
        start=0.6,
        drop=(0.04, 0.1, 0.4),
        adopt=0.25,
        goal=0.05,
        reach=0.3,
        entry=0.005,
        likes={"univ": -0.5, "recent": 1.0, "elder": 0.6, "active": 0.8, "engaged": 0.4},
    ),
    "ctop": ProductLaw(
        start=1.03,
        kinds=(0.993, 0.004, 0.003),
        drop=(0.002, 0.1, 0.3),
        adopt=0.5,
        likes={"univ": -3.0, "old": 1.4, "senior": 0.7, "elder": 0.5, "engaged": 0.3, "top": 0.2},
    ),
    "ctpp": ProductLaw(
        start=1.04,
        kinds=(0.99, 0.006, 0.004),
        drop=(0.003, 0.1, 0.3),
        adopt=0.5,
        likes={"univ": -3.0, "old": 1.2, "top": 1.3, "senior": 0.6, "elder": 0.4, "engaged": 0.4},
    ),
    "deco": ProductLaw(start=1.2, drop=(0.13, 0.1, 0.4), likes={"elder": 0.8, "senior": 0.7, "univ": -2.0}),
    "deme": ProductLaw(start=1.1, likes={"elder": 0.8, "senior": 0.7, "univ": -2.0}),
    "dela": ProductLaw(
        start=1.05,
        drop=(0.02, 0.1, 0.4),
        likes={"elder": 0.8, "senior": 1.0, "univ": -2.5, "top": 0.9, "income": 0.2, "active": 0.5},
    ),
    "ecue": ProductLaw(
        start=0.97,
        kinds=(0.98, 0.015, 0.005),
        drop=(0.02, 0.1, 0.3),
        adopt=0.55,
        goal=0.14,
        reach=0.35,
        entry=0.02,
        likes={
            "univ": -0.6,
            "top": 0.6,
            "adult": 0.3,
            "engaged": 0.8,
            "active": 1.4,
            "awake": 1.2,
            "old": -0.5,
        },
    ),
    "fond": ProductLaw(
        start=1.05,
        likes={"top": 1.9, "income": 0.3, "elder": 0.4, "univ": -2.5, "active": 0.7, "engaged": 0.5},
    ),
    "hip": ProductLaw(start=1.03, likes={"adult": 0.4, "univ": -3.0, "active": 0.8, "senior": -1.5}),
    "plan": ProductLaw(
        start=1.0, likes={"top": 1.3, "elder": 0.8, "univ": -3.0, "income": 0.3, "senior": -0.5}
    ),
    "pres": ProductLaw(start=1.02, likes={"univ": -2.0, "active": 1.2, "foreign": 0.4}),
    "reca": ProductLaw(
        start=0.97,
        drop=(0.012, 0.1, 0.4),
        likes={
            "top": 0.8,
            "elder": 0.7,
            "income": 0.35,
            "univ": -2.0,
            "engaged": 1.0,
            "active": 1.8,
            "senior": -0.3,
        },
    ),
    "tjcr": ProductLaw(
        start=1.0,
        kinds=(0.50, 0.12, 0.38),
        drop=(0.04, 0.15, 0.36),
        again=(0.25, 0.40, 0.36),
        adopt=0.07,
        likes={"univ": -1.8, "top": 0.9, "engaged": 1.2, "active": 1.6, "old": 0.4, "senior": -0.6},
    ),
    "valo": ProductLaw(
        start=1.0,
        drop=(0.012, 0.15, 0.3),
        kinds=(0.985, 0.01, 0.005),
        adopt=0.8,
        likes={"top": 1.7, "income": 0.4, "elder": 0.6, "univ": -2.2, "active": 0.7, "old": 0.4},
    ),
    "viv": ProductLaw(start=1.02, likes={"univ": -2.0, "old": 1.0, "active": 0.6}),
    "nomina": ProductLaw(start=0.97, drop=(0.0035, 0.0035, 0.0035), again=(0.4, 0.4, 0.4)),
    "nom_pens": ProductLaw(
        start=0.97,
        kinds=(0.78, 0.12, 0.10),
        drop=(0.05, 0.16, 0.40),
        again=(0.45, 0.50, 0.45),
        adopt=0.12,
        goal=0.02,
        reach=0.3,
        likes={
            "univ": -1.6,
            "engaged": 1.2,
            "active": 2.0,
            "teen": -6.0,
            "young": -0.5,
            "adult": 0.3,
            "awake": 0.8,
        },
    ),
    "recibo": ProductLaw(
        start=0.93,
        kinds=(0.68, 0.13, 0.19),
        drop=(0.03, 0.12, 0.45),
        again=(0.35, 0.50, 0.45),
        adopt=0.14,
        goal=0.06,
        reach=0.25,
        entry=0.01,
        likes={"univ": -1.6, "engaged": 1.1, "active": 1.6, "teen": -5.0, "elder": 0.2, "awake": 0.8},
    ),
}
"""Laws by the short name of the product. Numbers are assumptions, chosen so that the published figures come out."""

CONVERT = {("cno", "cco"): 0.35, ("ctma", "cco"): 0.15, ("ctju", "ctma"): 0.3, ("ctju", "cco"): 0.3}
"""A drop of the first is followed by the second in the month after, with this hazard (none held)."""
TOGETHER = {("cno", "nom_pens"): 0.44, ("ctma", "cco"): 0.15}
"""An addition of the first brings the second in the same month, with this probability."""


@dataclass(frozen=True)
class LawArrays:
    """`LAWS` as arrays; axes: P products (bit order), K kinds, F traits."""

    kinds_PK: Floats
    drop_PK: Floats
    again_PK: Floats
    fade_PK: Floats
    goal_P: Floats
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
        goal_P=np.array([law.goal for law in ordered]),
        reach_P=np.array([law.reach for law in ordered]),
        entry_P=np.array([law.entry for law in ordered]),
        adopt_P=np.array([law.adopt for law in ordered]),
        likes_FP=likes,
    )
