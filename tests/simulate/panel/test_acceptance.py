"""The panel is like the real one, and as hard: published figures with their tolerance written out.

`benchmarks/panel_simulator.py` prints the whole table at any size; here is what a small panel can show.
Three panels of different seeds make 57,000 customers: counts carry three sigma of Poisson noise.
"""

import json
from importlib import resources

import numpy as np
import pytest

from nextbest.simulate.panel import SimulatedPanel, facts, simulate_panel
from nextbest.simulate.panel.dynamics import N_PROCESSES
from nextbest.simulate.panel.people import N_MONTHS
from simulate.panel.bits import additions, bits, present

SCALE = 0.02
OFTEN = ("cco", "cno", "ecue", "tjcr", "nomina", "nom_pens", "recibo")
LAST = (12, 14, 15, 16)
"""Months whose real adders are published: January, March, April and May 2016."""


@pytest.fixture(scope="module")
def panels(panel: SimulatedPanel) -> list[SimulatedPanel]:
    return [panel, *(simulate_panel(scale=SCALE, rng=rng) for rng in (11, 12))]


@pytest.fixture(scope="module")
def added(panels: list[SimulatedPanel]) -> list[np.ndarray]:
    """(C, 24) of each month but the first, customers of all panels."""
    return [np.concatenate([additions(p, m) for p in panels]) for m in range(1, N_MONTHS)]


def map_at_7(scores: np.ndarray, truth: np.ndarray) -> float:
    """Mean over rows of sum over k <= 7 of precision@k * hit(k), over min(additions, 7)."""
    total = 0.0
    for score, taken in zip(scores, truth, strict=True):
        hits, gain = 0, 0.0
        for place, product in enumerate(np.argsort(-score, kind="stable")[:7].tolist(), start=1):
            if taken[product]:
                hits += 1
                gain += hits / place
        total += gain / min(int(taken.sum()), 7)
    return total / len(truth)


def test_ownership_is_the_published_one(panels: list[SimulatedPanel]) -> None:
    """10 % or 0.001, and 3 sigma of as many owners as there are: owners stay, so rows are not independent."""
    rows = sum(present(p).sum() for p in panels)
    share = sum(bits(p.held_MC).sum(axis=(0, 1)) for p in panels) / rows
    customers = sum(p.n_customers for p in panels)
    noise = 3 * np.sqrt(facts.PREVALENCE / customers)
    off = np.abs(share - facts.PREVALENCE)
    beyond = off > np.maximum(0.1 * facts.PREVALENCE, 0.001) + noise
    assert [name for name, bad in zip(facts.PRODUCT, beyond, strict=True) if bad] == []


def test_additions_are_the_published_ones_in_every_month(added: list[np.ndarray]) -> None:
    """284 or so product-months with 3 or more expected: 5 % may lie beyond 3 sigma, none beyond 6."""
    expected = facts.ADDITIONS * SCALE * 3
    found = np.array([month.sum(axis=0) for month in added])
    judged = expected >= 3
    z = ((found - expected) / np.sqrt(np.maximum(expected, 1)))[judged]
    assert judged.sum() > 200
    assert (np.abs(z) > 3).mean() < 0.05
    assert np.abs(z).max() < 6
    assert found.sum() == pytest.approx(expected.sum(), rel=0.03)


@pytest.mark.parametrize(
    ("name", "month", "times"),
    [("reca", 4, 6.98), ("cco", 4, 1.58), ("cco", 10, 2.27), ("nom_pens", 12, 2.64), ("nomina", 12, 2.22)],
)
def test_seasons_are_the_published_ones(added: list[np.ndarray], name: str, month: int, times: float) -> None:
    """15 % and 3 sigma of the month's count."""
    counts = np.array([one[:, facts.PRODUCT[name]].sum() for one in added])
    found = counts[month] / np.delete(counts, month).mean()
    assert found == pytest.approx(times, rel=0.15 + 3 / np.sqrt(counts[month]))


def test_three_in_a_hundred_add_and_most_of_them_one_product(added: list[np.ndarray], panels) -> None:
    per_adder = added[-1].sum(axis=1)
    n_adders = (per_adder > 0).sum()
    candidates = sum((present(p)[16] & present(p)[15]).sum() for p in panels)
    assert n_adders / candidates == pytest.approx(0.030, abs=0.002)
    shares = np.bincount(per_adder[per_adder > 0], minlength=6)[1:4] / n_adders
    noise = 3 * np.sqrt(0.25 / n_adders)
    assert shares == pytest.approx([0.774, 0.173, 0.048], abs=0.02 + noise)


@pytest.mark.parametrize(
    ("source", "target", "share"),
    [
        ("nom_pens", "nomina", 0.916),
        ("nomina", "nom_pens", 0.981),
        ("cno", "nom_pens", 0.427),
        ("cno", "nomina", 0.395),
        ("nom_pens", "cno", 0.223),
        ("ctma", "cco", 0.142),
        ("recibo", "cco", 0.019),
        ("recibo", "nom_pens", 0.026),
        ("tjcr", "recibo", 0.036),
        ("nom_pens", "recibo", 0.058),
    ],
)
def test_what_is_added_together_is_what_is_published(
    added: list[np.ndarray], source: str, target: str, share: float
) -> None:
    """P(target added | source added) in the four months published; 5 points and 3 sigma."""
    both = np.concatenate([added[m - 1] for m in LAST])
    given = both[both[:, facts.PRODUCT[source]], facts.PRODUCT[target]]
    noise = 3 * np.sqrt(max(share * (1 - share), 0.02) / len(given))
    assert given.mean() == pytest.approx(share, abs=0.05 + noise)


@pytest.mark.parametrize(("name", "share"), [("recibo", 0.164), ("tjcr", 0.096), ("nom_pens", 0.053)])
def test_products_flicker_as_much_as_published(added: list[np.ndarray], name: str, share: float) -> None:
    """Share of a month's additions that were additions 2 to 4 months before, mean of five published pairs."""
    p = facts.PRODUCT[name]
    pairs = ((14, 16), (12, 14), (12, 15), (12, 16))
    found = [(added[a - 1][:, p] & added[b - 1][:, p]).sum() / added[b - 1][:, p].sum() for a, b in pairs]
    assert np.mean(found) == pytest.approx(share, abs=0.05)


def test_few_customers_make_all_additions(added: list[np.ndarray]) -> None:
    """201,796 of 956,645 customers ever add; 10 %."""
    ever = np.any([month.any(axis=1) for month in added], axis=0).mean()
    assert ever == pytest.approx(201_796 / 956_645, rel=0.1)


def test_it_is_as_hard_as_the_real_one(panels: list[SimulatedPanel]) -> None:
    """MAP@7 on adders: the oracle 0.90-0.92, popularity 0.53-0.56, masked 0.63-0.66; with 3 sigma."""
    scores: dict[str, list[np.ndarray]] = {"oracle": [], "popular": [], "masked": []}
    truths = []
    for m in LAST[1::2]:
        month = []
        for one in panels:
            ids, probability = one.truth(facts.MONTHS[m])
            places = np.searchsorted(one.customer_ids, ids)
            taken, held = additions(one, m)[places], bits(one.held_MC[m - 1][places])
            some = taken.any(axis=1)
            month.append((probability[some], taken[some], held[some]))
        probability, taken, held = (np.concatenate(x) for x in zip(*month, strict=True))
        popular = np.repeat(taken.sum(axis=0)[None].astype(float), len(taken), axis=0)
        scores["oracle"].append(probability)
        scores["popular"].append(popular)
        scores["masked"].append(np.where(held, -1, popular))
        truths.append(taken)
    truth = np.concatenate(truths)
    noise = 3 * 0.3 / np.sqrt(len(truth))
    found = {kind: map_at_7(np.concatenate(parts), truth) for kind, parts in scores.items()}
    for kind, low, high in (("oracle", 0.90, 0.92), ("popular", 0.53, 0.56), ("masked", 0.63, 0.66)):
        assert low - noise <= found[kind] <= high + noise, (kind, found[kind])


def test_the_shipped_constants_have_the_shape_of_the_laws() -> None:
    text = resources.files("nextbest.simulate.panel").joinpath("calibration.json").read_text("utf-8")
    constants = {name: np.array(values) for name, values in json.loads(text).items()}
    shapes = {name: values.shape for name, values in constants.items()}
    assert shapes == {
        "start_CQ": (3, N_PROCESSES),
        "adopt_Q": (N_PROCESSES,),
        "add_MQ": (N_MONTHS - 1, N_PROCESSES),
        "drop_MQ": (N_MONTHS - 1, N_PROCESSES),
    }
    often = [facts.PRODUCT[name] for name in OFTEN]
    assert np.abs(np.median(constants["add_MQ"][:, often], axis=0)).max() < 1.5  # the laws alone come near
    assert np.abs(np.median(constants["drop_MQ"][:, often], axis=0)).max() < 1.0
