"""Losses against plain loops in float64, values and gradients; negatives against counting."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from nextbest.errors import InputError
from nextbest.models.sequence import softmax
from nextbest.models.sequence.config import LossConfig
from nextbest.models.sequence.losses import gbce_power, loss
from nextbest.models.sequence.negatives import Candidates, NegativeSampler

KINDS = ("softmax", "sampled_softmax", "in_batch", "bce", "gbce", "bpr_max", "top1_max")


class SmallTable(nn.Module):
    """Item vectors and, if asked for, item numbers, as the real table gives them."""

    def __init__(self, vectors, bias=None):
        super().__init__()
        self.weight = nn.Parameter(vectors)
        self.number = None if bias is None else nn.Parameter(bias)

    def vectors(self, items):
        return nn.functional.embedding(items, self.weight)

    def all_vectors(self):
        return self.weight

    def bias(self, items):
        return None if self.number is None else self.number[items]

    def all_bias(self):
        return self.number


def example(*, n=6, dim=3, n_items=8, bias=True, seed=0, dtype=torch.float64):
    gen = torch.Generator().manual_seed(seed)
    states = torch.randn(n, dim, generator=gen, dtype=dtype).requires_grad_()
    table = SmallTable(
        torch.randn(n_items, dim, generator=gen, dtype=dtype),
        torch.randn(n_items, generator=gen, dtype=dtype) if bias else None,
    )
    targets = torch.randint(n_items, (n,), generator=gen)
    counts = np.arange(1, n_items + 1) * 3
    return states, targets, table, counts


def run(kind, states, targets, table, counts, *, seed=5, **settings):
    config = LossConfig(kind=kind, **({"n_negatives": 5} | settings))
    sampler = NegativeSampler(counts, config.popularity_power)
    return loss(
        states,
        targets,
        table,
        config=config,
        sampler=sampler,
        generator=torch.Generator().manual_seed(seed),
    )


def drawn(counts, *, power=0.5, n=5, seed=5):
    """The negatives that `run` draws with the same seed."""
    return NegativeSampler(counts, power).draw(n, torch.Generator().manual_seed(seed)).tolist()


# --- oracles: one place at a time, one item at a time -------------------------------------------
def score(states, table, row, item, temperature):
    plain = sum(a * b for a, b in zip(states[row], table.weight[item], strict=True))
    return (plain + (0 if table.number is None else table.number[item])) / temperature


def slow_softmax_among(r_t, others):
    """-log of the target's share; `others` are (score, weight)."""
    total = torch.exp(r_t) + sum(weight * torch.exp(r) for r, weight in others)
    return torch.log(total) - r_t


def sigmoid(x):
    return 1 / (1 + torch.exp(-x))


def slow_loss(
    kind, states, targets, table, counts, *, temperature=1.0, logq=True, power=0.5, t=0.75, reg=1.0
):
    n_items, n = len(counts), len(targets)
    q = (counts**power) / (counts**power).sum()
    negatives = list(range(n_items)) if n_items <= 5 else drawn(counts, power=power)
    parts = []
    for row, target in enumerate(targets.tolist()):
        r_t = score(states, table, row, target, temperature)
        r = [score(states, table, row, j, temperature) for j in negatives if j != target]
        if kind == "softmax":
            others = [(score(states, table, row, j, temperature), 1.0) for j in range(n_items) if j != target]
            parts.append(slow_softmax_among(r_t, others))
        elif kind == "sampled_softmax":
            expected = [5 * q[j] if logq and n_items > 5 else 1.0 for j in negatives if j != target]
            parts.append(slow_softmax_among(r_t, [(s, 1 / e) for s, e in zip(r, expected, strict=True)]))
        elif kind == "in_batch":
            others = [
                (score(states, table, row, j, temperature), 1 / (n * counts[j] / counts.sum()) if logq else 1)
                for j in targets.tolist()
                if j != target
            ]
            parts.append(slow_softmax_among(r_t, others))
        elif kind in {"bce", "gbce"}:
            a = min(1, len(negatives) / (n_items - 1))
            b = a * (t * (1 - 1 / a) + 1 / a) if kind == "gbce" else 1
            total = b * torch.log(sigmoid(r_t)) + sum(torch.log(1 - sigmoid(x)) for x in r)
            parts.append(-total / (1 + len(negatives)))
        else:
            total = sum(torch.exp(x) for x in r)
            w = [torch.exp(x) / total for x in r]
            if kind == "bpr_max":
                beaten = sum(v * sigmoid(r_t - x) for v, x in zip(w, r, strict=True))
                parts.append(-torch.log(beaten) + reg * sum(v * x**2 for v, x in zip(w, r, strict=True)))
            else:
                parts.append(sum(v * (sigmoid(x - r_t) + sigmoid(x**2)) for v, x in zip(w, r, strict=True)))
    return sum(parts) / n


def assert_same(value, expected, states, table, *, rtol=1e-7):
    torch.testing.assert_close(value, expected, rtol=rtol, atol=1e-9)
    inputs = [states, *table.parameters()]
    found = torch.autograd.grad(value, inputs, allow_unused=True, materialize_grads=True)
    wanted = torch.autograd.grad(expected, inputs, allow_unused=True, materialize_grads=True)
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=rtol * 10, atol=1e-8)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_loss_and_its_gradients_are_those_of_a_plain_loop(kind, bias):
    states, targets, table, counts = example(bias=bias)
    assert set(drawn(counts)) & set(targets.tolist())  # a drawn item is somebody's target
    assert len(set(drawn(counts))) < 5  # and one is drawn twice
    expected = slow_loss(kind, states, targets, table, counts)
    assert_same(run(kind, states, targets, table, counts), expected, states, table, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_temperature_divides_every_score(kind):
    states, targets, table, counts = example()
    expected = slow_loss(kind, states, targets, table, counts, temperature=0.5)
    assert_same(
        run(kind, states, targets, table, counts, temperature=0.5), expected, states, table, rtol=1e-6
    )


@pytest.mark.parametrize("kind", ["sampled_softmax", "in_batch"])
def test_without_logq_every_draw_counts_one(kind):
    states, targets, table, counts = example()
    expected = slow_loss(kind, states, targets, table, counts, logq=False)
    assert_same(run(kind, states, targets, table, counts, logq=False), expected, states, table, rtol=1e-6)


def test_settings_of_single_losses_reach_them():
    states, targets, table, counts = example()
    found = run("gbce", states, targets, table, counts, calibration=0.3)
    assert_same(found, slow_loss("gbce", states, targets, table, counts, t=0.3), states, table)
    found = run("bpr_max", states, targets, table, counts, bpr_regularization=0.25)
    assert_same(found, slow_loss("bpr_max", states, targets, table, counts, reg=0.25), states, table)
    found = run("bpr_max", states, targets, table, counts, bpr_regularization=0.0)
    assert_same(found, slow_loss("bpr_max", states, targets, table, counts, reg=0.0), states, table)
    found = run("sampled_softmax", states, targets, table, counts, popularity_power=1.0)
    expected = slow_loss("sampled_softmax", states, targets, table, counts, power=1.0)
    assert_same(found, expected, states, table, rtol=1e-6)


def test_gbce_power_is_bce_without_calibration_and_the_sampling_rate_with_all_of_it():
    assert gbce_power(256, n_items=1001, calibration=0.0) == pytest.approx(1)
    assert gbce_power(256, n_items=1001, calibration=1.0) == pytest.approx(0.256)
    assert gbce_power(5, n_items=5, calibration=1.0) == 1
    states, targets, table, counts = example()
    bce, gbce = (run(kind, states, targets, table, counts, calibration=0) for kind in ("bce", "gbce"))
    torch.testing.assert_close(bce, gbce)


# --- softmax: all items, in chunks, against torch's own ------------------------------------------
@given(st.integers(1, 9), st.integers(1, 12), st.integers(1, 40), st.booleans(), st.integers(0, 3), st.data())
def test_softmax_in_chunks_is_torch_cross_entropy(n, n_items, cells, bias, seed, data):
    states, targets, table, counts = example(n=n, n_items=n_items, bias=bias, seed=seed)
    logits = states @ table.weight.T + (table.number if bias else 0)
    expected = nn.functional.cross_entropy(logits, targets)
    kind = data.draw(st.sampled_from(["softmax", "sampled_softmax"]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(softmax.CELLS_AT_ONCE, "cpu", cells)
        patch.setattr(softmax, "ROWS_AT_LEAST", 1)
        value = run(kind, states, targets, table, counts, n_negatives=n_items)
        assert_same(value, expected, states, table)


@pytest.mark.parametrize("logq", [False, True])
@pytest.mark.parametrize("n_negatives", [8, 9, 1000])
def test_sampled_softmax_with_all_items_is_softmax(n_negatives, logq):
    states, targets, table, counts = example(n=50, dtype=torch.float32)
    full = run("softmax", states, targets, table, counts)
    sampled = run("sampled_softmax", states, targets, table, counts, n_negatives=n_negatives, logq=logq)
    torch.testing.assert_close(sampled, full, rtol=1e-5, atol=1e-5)
    assert_same(sampled, full, states, table, rtol=1e-5)


def test_logq_makes_the_sum_over_drawn_items_right_on_average():
    states, targets, table, _ = example(n=1, n_items=60)
    counts = np.array([300] * 10 + [3] * 50)
    full = run("softmax", states, targets, table, counts).exp().item()  # (all items' sum) / exp(r_t)

    def mean(**settings):
        values = [
            run("sampled_softmax", states, targets, table, counts, seed=s, n_negatives=50, **settings)
            for s in range(300)
        ]
        return torch.stack(values).detach().exp().mean().item()

    assert mean(logq=True) == pytest.approx(full, rel=0.05)
    assert mean(logq=False) != pytest.approx(full, rel=0.2)


def test_scores_far_apart_stay_finite_in_value_and_gradient():
    table = SmallTable(torch.tensor([[300.0], [-300.0], [299.0], [0.0], [1.0], [2.0], [3.0], [4.0]]))
    states = torch.tensor([[1.0], [1.0], [-1.0]], requires_grad=True)
    targets = torch.tensor([0, 1, 2])
    for kind in KINDS:
        value = run(kind, states, targets, table, np.arange(1, 9), bpr_regularization=1e-6)
        gradients = torch.autograd.grad(value, [states, table.weight])
        assert torch.isfinite(value)
        assert all(torch.isfinite(g).all() for g in gradients), kind


def test_nan_states_give_a_nan_loss_that_training_can_see():
    states, targets, table, counts = example()
    states = torch.full_like(states, math.nan)
    for kind in KINDS:
        assert torch.isnan(run(kind, states, targets, table, counts)), kind


def test_bfloat16_products_give_nearly_the_same_loss_and_float32_gradients():
    states, targets, table, counts = example(n=64, n_items=50, dtype=torch.float32)
    for kind in KINDS:
        exact = run(kind, states, targets, table, counts)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = run(kind, states, targets, table, counts)
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, exact, rtol=0.03, atol=0.03)
        gradients = torch.autograd.grad(value, [states, table.weight])
        for found, wanted in zip(gradients, torch.autograd.grad(exact, [states, table.weight]), strict=True):
            assert found.dtype == torch.float32
            torch.testing.assert_close(found, wanted, rtol=0.1, atol=0.03 * float(wanted.abs().max()))


class LargestArray(TorchDispatchMode):
    """Notes the size of the largest tensor that any operation makes."""

    largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor):
            self.largest = max(self.largest, made.numel())
        return made


@pytest.mark.parametrize("kind", KINDS)
def test_no_loss_holds_the_scores_of_all_places_for_all_items(kind, monkeypatch):
    monkeypatch.setitem(softmax.CELLS_AT_ONCE, "cpu", 4096)
    monkeypatch.setattr(softmax, "ROWS_AT_LEAST", 4)
    n, n_items = 300, 2000
    states, targets, table, counts = example(n=n, n_items=n_items, dim=2, dtype=torch.float32)
    with LargestArray() as sizes:
        run(kind, states, targets, table, counts, n_negatives=16).backward()
    assert sizes.largest <= max(4096, 4 * n_items, n * 16)


def test_without_gradients_softmax_makes_none():
    states, targets, table, counts = example()
    with_them = run("softmax", states, targets, table, counts)
    with torch.no_grad():
        value = run("softmax", states, targets, table, counts)
    assert not value.requires_grad
    torch.testing.assert_close(value, with_them.detach())


def test_a_scaled_loss_has_scaled_gradients():
    states, targets, table, counts = example()
    value = run("softmax", states, targets, table, counts)
    (one,) = torch.autograd.grad(value, [states], retain_graph=True)
    (three,) = torch.autograd.grad(3 * value, [states])
    torch.testing.assert_close(three, 3 * one)


# --- edges ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", KINDS)
def test_a_catalogue_of_one_item_has_nothing_to_learn_but_trains(kind):
    states, _, table, counts = example(n_items=1)
    value = run(kind, states, torch.zeros(len(states), dtype=torch.int64), table, counts)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(states.grad).all()
    if kind not in {"bce", "gbce"}:  # these still say yes to the target
        assert value.item() == 0
        assert not states.grad.any()


@pytest.mark.parametrize("kind", KINDS)
def test_no_target_at_all_costs_nothing(kind):
    states, targets, table, counts = example()
    value = run(kind, states[:0], targets[:0], table, counts)
    value.backward()
    assert value.item() == 0


@pytest.mark.parametrize("kind", ["bce", "gbce", "bpr_max", "top1_max"])
def test_more_negatives_than_items_are_all_items_once(kind):
    states, targets, table, counts = example(n_items=5)
    expected = slow_loss(kind, states, targets, table, counts)
    found = run(kind, states, targets, table, counts, n_negatives=77)
    assert_same(found, expected, states, table, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_kind_that_draws_needs_a_sampler(kind):
    states, targets, table, _ = example()
    arguments = {"config": LossConfig(kind=kind), "sampler": None, "generator": torch.Generator()}
    with pytest.raises(InputError, match=f"sampler: the loss '{kind}' needs one"):
        loss(states, targets, table, **arguments)


def test_softmax_and_plain_in_batch_need_no_sampler():
    states, targets, table, _ = example()
    for config in (LossConfig(kind="softmax"), LossConfig(kind="in_batch", logq=False)):
        assert loss(
            states, targets, table, config=config, sampler=None, generator=torch.Generator()
        ).isfinite()


# --- negatives -----------------------------------------------------------------------------------
@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_items_are_drawn_as_often_as_log_q_says(power):
    counts = np.array([100, 0, 1, 25, 400])
    sampler = NegativeSampler(counts, power)
    share = np.bincount(sampler.draw(4, torch.Generator()).numpy(), minlength=5)
    assert share.sum() == 4
    big = NegativeSampler(np.tile(counts, 20_000), power)
    items = big.draw(90_000, torch.Generator().manual_seed(1)).numpy() % 5
    weights = counts**power
    np.testing.assert_allclose(np.bincount(items, minlength=5) / 90_000, weights / weights.sum(), atol=0.006)
    np.testing.assert_allclose(sampler.log_q_I.exp().numpy(), weights / weights.sum(), rtol=1e-6)


def test_an_item_without_events_is_never_drawn_unless_all_are_alike():
    counts = np.array([0, 5, 0, 0, 3, 0])
    generator = torch.Generator().manual_seed(0)
    assert set(torch.cat([NegativeSampler(counts, 0.5).draw(5, generator) for _ in range(200)]).tolist()) == {
        1,
        4,
    }
    for sampler in (NegativeSampler(counts, 0.0), NegativeSampler(counts * 0, 1.0)):
        assert set(torch.cat([sampler.draw(5, generator) for _ in range(99)]).tolist()) == set(range(6))


def test_the_same_generator_state_gives_the_same_draw():
    sampler = NegativeSampler(np.arange(1, 100), 0.5)
    first, again, other = (sampler.draw(50, torch.Generator().manual_seed(s)).tolist() for s in (1, 1, 2))
    assert first == again != other


def test_expected_numbers_add_up_to_the_draw():
    sampler = NegativeSampler(np.array([9, 4, 1, 1]), 0.5)
    items = torch.arange(4)
    assert sampler.log_expected(items, n=3).exp().sum().item() == pytest.approx(3)
    assert sampler.log_expected(items, n=4).exp().tolist() == [1, 1, 1, 1]
    torch.testing.assert_close(
        sampler.log_expected_in_batch(items, n=30).exp(), torch.tensor([18.0, 8.0, 2.0, 2.0])
    )


@given(st.lists(st.integers(0, 9), min_size=1, max_size=12), st.lists(st.integers(0, 9), max_size=12))
def test_candidates_count_a_draw_and_find_targets(items, targets):
    candidates = Candidates.of(torch.tensor(items))
    assert candidates.items_U.tolist() == sorted(set(items))
    assert candidates.times_U.tolist() == [items.count(i) for i in sorted(set(items))]
    rows, columns = candidates.column_of(torch.tensor(targets, dtype=torch.int64))
    assert rows.tolist() == [row for row, target in enumerate(targets) if target in items]
    assert candidates.items_U[columns].tolist() == [target for target in targets if target in items]


@pytest.mark.parametrize(
    ("counts", "power", "words"),
    [
        (np.array([]), 0.5, "item_counts: must hold one count for each item"),
        (np.array([1, -2]), 0.5, r"item_counts: must be 0 or more; got \[-2.0\]"),
        (np.array([1, 2]), 1.5, "power: must lie between 0 and 1"),
    ],
)
def test_bad_samplers_are_told(counts, power, words):
    with pytest.raises(InputError, match=words):
        NegativeSampler(counts, power)


def test_no_negative_is_told():
    with pytest.raises(InputError, match="n_negatives: must be 1 or more; got 0"):
        NegativeSampler(np.array([1, 2]), 1.0).draw(0, torch.Generator())


@pytest.mark.parametrize("kind", ["softmax", "sampled_softmax", "in_batch"])
def test_a_softmax_in_bfloat16_is_near_the_one_in_float32_and_so_are_its_gradients(kind, monkeypatch):
    monkeypatch.setitem(softmax.CELLS_AT_ONCE, "cpu", 16 * 128)
    monkeypatch.setattr(softmax, "ROWS_AT_LEAST", 16)
    states, targets, table, counts = example(n=70, n_items=150, dim=8, dtype=torch.float32)
    wide = run(kind, states, targets, table, counts, n_negatives=60)
    expected = torch.autograd.grad(wide, [states, table.weight])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        narrow = run(kind, states, targets, table, counts, n_negatives=60)
    found = torch.autograd.grad(narrow, [states, table.weight])
    assert narrow.dtype == torch.float32
    torch.testing.assert_close(narrow, wide, rtol=0.01, atol=0.01)
    for there, wanted in zip(found, expected, strict=True):
        assert torch.isfinite(there).all()
        assert (there - wanted).norm() < 0.02 * wanted.norm()


def test_on_a_cpu_narrow_products_meet_few_shapes(monkeypatch):
    shapes = set()
    product = torch.Tensor.__matmul__

    def watched(left, right):
        if left.dtype == torch.bfloat16:
            shapes.add((tuple(left.shape), tuple(right.shape)))
        return product(left, right)

    monkeypatch.setattr(torch.Tensor, "__matmul__", watched)
    monkeypatch.setitem(softmax.CELLS_AT_ONCE, "cpu", 16 * 128)
    monkeypatch.setattr(softmax, "ROWS_AT_LEAST", 16)
    for n, n_negatives in ((70, 60), (65, 64), (51, 70), (33, 80)):
        states, targets, table, counts = example(n=n, n_items=150, dim=8, dtype=torch.float32)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            run("sampled_softmax", states, targets, table, counts, n_negatives=n_negatives).backward()
    assert len(shapes) == 3  # scores, gradient of the states, of the vectors
