"""The stated probabilities of additions are those that additions are drawn from."""

import copy
from itertools import pairwise

import numpy as np
import pytest

from nextbest.simulate.panel import SimulatedPanel, facts
from nextbest.simulate.panel.dynamics import Run
from nextbest.simulate.panel.laws import LINKS
from simulate.panel.bits import additions, bits, present

NOMINA, NOM_PENS, CTJU = (facts.PRODUCT[name] for name in ("nomina", "nom_pens", "ctju"))
MONTHS = (1, 5, 8, 13, 16)


@pytest.fixture(scope="module")
def truths(panel: SimulatedPanel) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Month -> places of the customers, their probabilities."""
    out = {}
    for m in MONTHS:
        ids, probability = panel.truth(facts.MONTHS[m])
        out[m] = np.searchsorted(panel.customer_ids, ids), probability
    return out


def test_it_is_of_customers_present_in_both_months(panel: SimulatedPanel, truths) -> None:
    there = present(panel)
    for m, (places, probability) in truths.items():
        assert np.array_equal(places, np.flatnonzero(there[m] & there[m - 1]))
        assert probability.shape == (len(places), 24)


def test_what_is_held_is_never_added(panel: SimulatedPanel, truths) -> None:
    for m, (places, probability) in truths.items():
        assert (probability[bits(panel.held_MC[m - 1][places])] == 0).all()


def test_each_product_is_added_as_often_as_stated(panel: SimulatedPanel, truths) -> None:
    """72 sums of Bernoulli draws with >= 8 expected: standardised, none beyond 4, variance about 1."""
    z = []
    for m, (places, probability) in truths.items():
        added = additions(panel, m)[places]
        often = probability.sum(axis=0) >= 8
        spread = np.sqrt((probability * (1 - probability)).sum(axis=0))
        z.extend(((added.sum(axis=0) - probability.sum(axis=0)) / spread)[often].tolist())
    assert len(z) > 40
    assert np.abs(z).max() < 4
    assert 0.5 < np.mean(np.square(z)) < 1.7


def test_sure_and_unsure_statements_are_both_right(panel: SimulatedPanel, truths) -> None:
    """Reliability: in bins of the stated probability, the share added is the mean stated (4 sigma)."""
    stated = np.concatenate([probability[probability > 0] for _, probability in truths.values()])
    added = np.concatenate(
        [additions(panel, m)[places][probability > 0] for m, (places, probability) in truths.items()]
    )
    edges = [0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 1]
    for low, high in pairwise(edges):
        mine = (stated > low) & (stated <= high)
        expected, variance = stated[mine].sum(), (stated[mine] * (1 - stated[mine])).sum()
        assert abs(added[mine].sum() - expected) < 4 * np.sqrt(variance) + 1, (low, high)


def test_products_that_come_together_are_counted_in_the_marginal(panel: SimulatedPanel) -> None:
    """A month drawn 400 times from the same state: every product within 4 sigma of its stated sum."""
    run, rng = panel._run(0)
    for m in range(1, 9):
        run.step(m, run.chances(m), rng)
    rows = np.flatnonzero((run.people.first < 9) & (run.people.last >= 9))[:400]
    run = _cut(run, rows)
    chances = run.chances(9)
    stated = run.marginal(chances)
    n_draws, counts = 400, np.zeros(24)
    for _ in range(n_draws):
        copied = copy.copy(run)
        copied.state = copy.copy(run.state)
        counts += (copied.step(9, chances, rng) & ~run.state.held).sum(axis=0)
    expected, variance = n_draws * stated.sum(axis=0), n_draws * (stated * (1 - stated)).sum(axis=0)
    assert expected[NOMINA] > 100  # the coupled one is in play
    assert (np.abs(counts - expected) < 4 * np.sqrt(variance) + 1).all()


def test_payroll_comes_only_with_its_pension_payroll(panel: SimulatedPanel) -> None:
    for m in range(1, 17):
        added = additions(panel, m)
        alone = added[:, NOMINA] & ~added[:, NOM_PENS] & ~bits(panel.held_MC[m - 1])[:, NOM_PENS]
        assert not alone.any()


def test_junior_accounts_are_minors_and_pass_into_grown_ups_accounts(panel: SimulatedPanel, truths) -> None:
    for m, (places, probability) in truths.items():
        grown = panel.people.age[places] + m / 12 >= 18
        assert (probability[grown, CTJU] == 0).all()
    last = bits(panel.held_MC[16])[:, CTJU]
    assert last.sum() > 50
    assert (panel.people.age[last] + 14 / 12 < 18).mean() > 0.98  # one in ten keeps it a month too long


def test_the_links_named_are_between_products() -> None:
    for link in LINKS:
        assert link.source in facts.PRODUCT
        assert link.target in facts.PRODUCT
        assert 0 < link.hazard < 1
        assert link.first <= link.last


def _cut(run: Run, rows: np.ndarray) -> Run:
    """A run of some of its customers."""
    out = copy.copy(run)
    out.people = run.people.take(rows)
    for name in ("pensioner", "kind", "aim", "_fixed", "_activity"):
        setattr(out, name, getattr(run, name)[rows])
    out.state = copy.copy(run.state)
    for name in ("held", "off", "on", "active", "awake"):
        setattr(out.state, name, getattr(run.state, name)[rows])
    return out
