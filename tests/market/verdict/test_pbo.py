"""CSCV against a plain loop over all splits, and on matrices whose answer is known."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import rankdata

from nextbest.errors import DataError, InputError
from nextbest.market.verdict.pbo import cscv


def slow(net, n_blocks):
    """Every split by itself, with arrays that are really put together."""
    blocks = np.split(net[:, net.shape[1] % n_blocks :], n_blocks, axis=1)
    logits, losses = [], []
    for chosen in combinations(range(n_blocks), n_blocks // 2):
        past = np.concatenate([blocks[b] for b in chosen], axis=1)
        rest = np.concatenate([blocks[b] for b in range(n_blocks) if b not in chosen], axis=1)
        before, after = (part.mean(axis=1) / part.std(axis=1, ddof=1) for part in (past, rest))
        best = before.argmax()
        share = rankdata(after)[best] / (len(net) + 1)
        logits.append(np.log(share / (1 - share)))
        losses.append(after[best] < 0)
    return np.array(logits), np.mean(losses)


@pytest.mark.parametrize("seed", range(5))
def test_cscv_is_the_slow_loop(seed):
    gen = np.random.default_rng(seed)
    net = gen.normal(0.0005 * seed, 0.01, size=(7, 203)) + gen.normal(size=203) * 0.01
    found = cscv(net, n_blocks=6)
    logits, losses = slow(net, 6)
    assert np.allclose(found.logit_C, logits, atol=1e-9)
    assert found.pbo == (logits <= 0).mean()
    assert found.loss_share == losses
    assert found.n_dropped == 203 % 6


def test_a_strategy_that_is_always_best_is_no_overfit():
    net = np.random.default_rng(0).normal(0, 0.01, size=(5, 400))
    net[3] += 0.02
    assert cscv(net).pbo == 0.0


def test_the_best_of_a_half_that_loses_in_the_other_is_overfit():
    net = np.random.default_rng(1).normal(0, 0.001, size=(2, 400))
    net[0, :200] += 0.01  # each is good in one half only
    net[1, 200:] += 0.01
    found = cscv(net, n_blocks=2)
    assert found.pbo == 1.0


def test_strategies_without_skill_are_overfit_half_of_the_time():
    gen = np.random.default_rng(2)
    found = [cscv(gen.normal(0, 0.01, size=(20, 300)), n_blocks=8).pbo for _ in range(40)]
    assert 0.4 < np.mean(found) < 0.65


@pytest.mark.parametrize(
    ("net", "n_blocks", "error"),
    [
        (np.zeros((3, 100)), 5, InputError),
        (np.zeros((3, 100)), 18, InputError),
        (np.zeros((1, 100)), 10, DataError),
        (np.zeros((3, 15)), 10, DataError),
        (np.full((3, 100), np.nan), 10, DataError),
    ],
)
def test_what_can_not_be_split_is_refused(net, n_blocks, error):
    with pytest.raises(error):
        cscv(net, n_blocks=n_blocks)
