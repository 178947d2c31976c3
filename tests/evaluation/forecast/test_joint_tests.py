"""Model Confidence Set, SPA and StepM against `arch` on the same resamples, their laws and what they promise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextbest.errors import InputError
from nextbest.evaluation.forecast.block_bootstrap import draw_blocks
from nextbest.evaluation.forecast.mcs import model_confidence_set
from nextbest.evaluation.forecast.spa import spa, stepm


def some_losses(seed: int, *, n: int = 120, k: int = 7, spread: float = 0.3) -> np.ndarray:
    gen = np.random.default_rng(seed)
    common = np.convolve(gen.normal(size=n + 3), np.ones(4) / 2, "valid")[:, None]
    return common + gen.normal(size=(n, k)) * np.linspace(0.5, 2, k) + np.linspace(0, spread, k)


def their_rows(n: int, block: int, seed: int, reps: int) -> np.ndarray:
    """The rows that an `arch` comparison with this seed draws."""
    bootstrap = pytest.importorskip("arch.bootstrap")
    return np.array(
        [
            drawn[0][0]
            for drawn in bootstrap.StationaryBootstrap(block, np.arange(n), seed=seed).bootstrap(reps)
        ]
    )


@pytest.mark.parametrize(("theirs", "ours"), [("R", "range"), ("max", "max")])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_confidence_set_is_that_of_arch(theirs: str, ours: str, seed: int) -> None:
    arch = pytest.importorskip("arch.bootstrap")
    losses = some_losses(seed)
    reference = arch.MCS(losses, size=0.1, reps=300, block_size=6, method=theirs, seed=seed)
    reference.compute()
    found = model_confidence_set(
        losses,
        alpha=0.1,
        rng=0,
        statistic=ours,  # type: ignore[arg-type]
        small_sample=False,
        indices_BD=np.array(reference._bootstrap_indices),
    )
    assert found.p == pytest.approx(reference.pvalues.Pvalue.sort_index().to_numpy(), abs=1e-6)
    assert np.flatnonzero(found.included).tolist() == reference.included


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
@pytest.mark.parametrize("lead", [-0.3, 0.1, 0.4])
def test_spa_and_stepm_are_those_of_arch(seed: int, lead: float) -> None:
    arch = pytest.importorskip("arch.bootstrap")
    losses = some_losses(seed)
    base = losses.mean(axis=1) + 0.2 * np.random.default_rng(seed + 10).normal(size=120) + lead
    rows = their_rows(120, 6, seed, 300)
    reference = arch.SPA(base, losses, block_size=6, reps=300, seed=seed)
    reference.compute()
    found = spa(base, losses, rng=0, block_length=6, studentize=False, indices_BD=rows)
    expected = reference.pvalues[["lower", "consistent", "upper"]].to_numpy()
    assert (found.lower, found.consistent, found.upper) == pytest.approx(tuple(expected), abs=1e-6)
    steps = arch.StepM(base, losses, size=0.05, block_size=6, reps=300, seed=seed)
    steps.compute()
    better = stepm(base, losses, rng=0, block_length=6, studentize=False, indices_BD=rows)
    assert np.flatnonzero(better).tolist() == steps.superior_models


@pytest.mark.parametrize("seed", [0, 1])
def test_studentised_spa_is_that_of_arch_on_leads_of_unit_variance(seed: int) -> None:
    """`arch` uses the variance for the threshold only; scaled to variance 1 its statistic is Hansen's."""
    arch = pytest.importorskip("arch.bootstrap")
    losses = some_losses(seed)
    base = losses.mean(axis=1) + 0.1
    lead = base[:, None] - losses
    plain = arch.SPA(np.zeros(120), -lead, block_size=6, reps=300, seed=seed)
    plain._compute_variance()
    scaled = arch.SPA(np.zeros(120), -lead / np.sqrt(plain._loss_diff_var), block_size=6, reps=300, seed=seed)
    scaled.compute()
    found = spa(
        base, losses, rng=0, block_length=6, small_sample=False, indices_BD=their_rows(120, 6, seed, 300)
    )
    expected = scaled.pvalues[["lower", "consistent", "upper"]].to_numpy()
    assert (found.lower, found.consistent, found.upper) == pytest.approx(tuple(expected), abs=1e-6)
    assert found.best == (lead.mean(axis=0) / np.sqrt(plain._loss_diff_var)).argmax()


def test_range_elimination_is_the_plain_loop() -> None:
    losses, rows = some_losses(5, k=5), draw_blocks(120, n_resamples=200, block_length=6, rng=1)
    means = losses[rows].mean(axis=1)
    left, p, running = list(range(5)), np.ones(5), 0.0
    while len(left) > 1:
        observed, drawn = {}, {}
        for i in left:
            for j in left:
                if i != j:
                    d = losses[:, i].mean() - losses[:, j].mean()
                    noise = means[:, i] - means[:, j] - d
                    sd = np.sqrt((noise**2).mean())
                    observed[i, j], drawn[i, j] = d / sd, noise / sd
        worst = max(observed, key=observed.__getitem__)
        running = max(running, (np.max(list(drawn.values()), axis=0) > observed[worst]).mean())
        p[worst[0]] = running
        left.remove(worst[0])
    found = model_confidence_set(losses, rng=0, small_sample=False, indices_BD=rows)
    assert found.p == pytest.approx(p, abs=1e-12)


@settings(max_examples=25)
@given(seed=st.integers(0, 50), scale=st.sampled_from([1e-4, 0.5, 1e3]), shift=st.floats(-5, 5))
def test_units_and_the_order_of_models_dont_matter(seed: int, scale: float, shift: float) -> None:
    losses, rows = some_losses(seed, n=40, k=4), draw_blocks(40, n_resamples=99, block_length=4, rng=seed)
    order = np.random.default_rng(seed).permutation(4)
    before = model_confidence_set(losses, rng=0, indices_BD=rows)
    after = model_confidence_set((losses * scale + shift)[:, order], rng=0, indices_BD=rows)
    assert after.p == pytest.approx(before.p[order], abs=0.011)
    one = spa(losses[:, 0], losses[:, 1:], rng=0, indices_BD=rows)
    other = spa(losses[:, 0] * scale + shift, losses[:, 1:] * scale + shift, rng=0, indices_BD=rows)
    assert other.consistent == pytest.approx(one.consistent, abs=0.011)


@settings(max_examples=25)
@given(seed=st.integers(0, 50), better=st.floats(0, 1))
def test_a_smaller_loss_never_hurts_a_model(seed: int, better: float) -> None:
    losses, rows = some_losses(seed, n=40, k=4), draw_blocks(40, n_resamples=99, block_length=4, rng=seed)
    improved = losses.copy()
    best = losses[:, 1:].mean(axis=0).argmin() + 1
    improved[:, best] -= better
    before = spa(losses[:, 0], losses[:, 1:], rng=0, indices_BD=rows)
    after = spa(improved[:, 0], improved[:, 1:], rng=0, indices_BD=rows)
    assert after.upper is not None
    assert before.upper is not None
    assert after.upper <= before.upper + 1e-12
    assert (
        model_confidence_set(improved, rng=0, indices_BD=rows).p[best]
        >= model_confidence_set(losses, rng=0, indices_BD=rows).p[best] - 1e-12
    )


@given(seed=st.integers(0, 30))
def test_p_values_rise_from_lower_to_upper_and_the_best_model_is_always_in(seed: int) -> None:
    losses = some_losses(seed, n=40, k=4)
    found = spa(losses[:, 3], losses[:, :3], rng=seed, n_resamples=99)
    assert found.lower is not None
    assert found.consistent is not None
    assert found.upper is not None
    assert found.lower <= found.consistent <= found.upper
    for statistic in ("range", "max"):
        kept = model_confidence_set(losses, rng=seed, n_resamples=99, statistic=statistic)  # type: ignore[arg-type]
        assert kept.p.max() == 1.0


def test_twins_of_the_benchmark_arent_counted_and_twins_stay_together() -> None:
    losses = some_losses(3)
    base = losses[:, 6]
    alone = spa(base, losses[:, :6], rng=0, n_resamples=99)
    beside = spa(base, np.column_stack([losses[:, :6], base, base]), rng=0, n_resamples=99)
    assert beside == alone
    assert spa(base, base[:, None], rng=0).reason == "no model differs from the benchmark"
    assert not stepm(base, base[:, None], rng=0).any()
    doubled = model_confidence_set(np.column_stack([losses, losses[:, 6]]), rng=0)
    single = model_confidence_set(losses, rng=0)
    assert doubled.p[:7].tolist() == single.p.tolist()
    assert doubled.p[7] == single.p[6]


def test_a_model_better_by_the_same_every_day_is_certain() -> None:
    base = np.random.default_rng(0).normal(size=60)
    assert spa(base, (base - 0.1)[:, None], rng=0, n_resamples=99).consistent == 0.0
    for statistic in ("range", "max"):
        found = model_confidence_set(
            np.column_stack([base, base - 0.1]),
            rng=0,
            n_resamples=99,
            statistic=statistic,  # type: ignore[arg-type]
        )
        assert found.included.tolist() == [False, True]


def test_spa_refuses_at_most_about_five_in_a_hundred_where_errors_overlap() -> None:
    """Uncorrected it refuses some 16 of a hundred here: twelve models, six-day errors, 212 days."""
    gen = np.random.default_rng(2)
    hits = np.zeros(2)
    for _ in range(150):
        steps = np.cumsum(gen.normal(size=(14, 218, 3)) + gen.normal(size=(14, 218, 1)), axis=1)
        sums = (steps[:, 6:] - steps[:, :-6])[:, :212]
        losses = ((sums[0] - 0.3 * sums[1:]) ** 2).mean(axis=-1).T
        for place, small_sample in enumerate((True, False)):
            found = spa(
                losses[:, 0], losses[:, 1:], rng=gen, n_resamples=200, overlap=6, small_sample=small_sample
            )
            hits[place] += found.consistent is not None and found.consistent < 0.05
    corrected, published = hits / 150
    assert corrected <= 0.09
    assert published > corrected


def test_a_truly_better_model_is_found() -> None:
    gen = np.random.default_rng(3)
    losses = gen.normal(size=(250, 1)) + gen.normal(size=(250, 10))
    losses[:, 4] -= 0.6
    found = spa(losses[:, 0], losses[:, 1:], rng=0, n_resamples=500)
    assert found.consistent is not None
    assert found.consistent < 0.01
    assert found.best == 3
    assert np.flatnonzero(stepm(losses[:, 0], losses[:, 1:], rng=0)).tolist() == [3]
    assert np.flatnonzero(model_confidence_set(losses, rng=0).included).tolist() == [4]


def test_few_dates_and_nan_dates_are_told() -> None:
    losses = some_losses(1)
    losses[[3, 9], 2] = np.nan
    found = spa(losses[:, 0], losses[:, 1:], rng=0, n_resamples=50)
    kept = model_confidence_set(losses, rng=0, n_resamples=50)
    assert (found.n, found.n_nan, kept.n, kept.n_nan) == (118, 2, 118, 2)
    few = spa(losses[:5, 0], losses[:5, 1:], rng=0)
    assert (few.consistent, few.reason) == (None, "4 dates, 10 needed")
    none = model_confidence_set(losses[:5], rng=0)
    assert none.included.all()
    assert np.isnan(none.p).all()
    assert none.reason == "4 dates, 10 needed"
    assert model_confidence_set(losses[:, :1], rng=0).reason == "one model has nothing to be compared with"


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda x: spa(x[:, 0], x[:5], rng=0), "row for each"),
        (lambda x: spa(x[:, 0] + np.inf, x, rng=0), "finite"),
        (lambda x: spa(x[:, 0], x, rng=0, block_length=0), "block_length"),
        (lambda x: stepm(x[:, 0], x, rng=0, alpha=1.0), "alpha"),
        (lambda x: model_confidence_set(x, rng=0, alpha=0.0), "alpha"),
        (lambda x: model_confidence_set(x, rng=0, statistic="R"), "statistic"),  # type: ignore[arg-type]
        (lambda x: model_confidence_set(x[:, 0], rng=0), "date and model"),
        (lambda x: model_confidence_set(x / 0.0, rng=0), "finite"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_bad_calls_are_told(call: object, match: str) -> None:
    with pytest.raises(InputError, match=match):
        call(np.abs(some_losses(0, n=20, k=3)))  # type: ignore[operator]
