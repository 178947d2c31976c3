"""Blocks of dates: against `arch`'s own draws, laws, and what intervals built on them promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.errors import DataError, InputError
from nextbest.evaluation.forecast import block_bootstrap
from nextbest.evaluation.forecast.block_bootstrap import (
    date_interval,
    default_block_length,
    draw_blocks,
    kernel,
    reliability,
    resampled_means,
    stationary_rows,
)


def test_stationary_rows_are_those_of_arch_for_the_same_random_numbers() -> None:
    samplers = pytest.importorskip("arch.bootstrap._samplers_python")
    gen = np.random.default_rng(0)
    starts, u = gen.integers(0, 40, size=(30, 40)), gen.random((30, 40))
    theirs = [
        samplers.stationary_bootstrap_sample_python(s.copy(), v, 1 / 5)
        for s, v in zip(starts, u, strict=True)
    ]
    assert np.array_equal(stationary_rows(starts, u <= 1 / 5), theirs)


@given(n=st.integers(1, 60), length=st.integers(1, 60), seed=st.integers(0, 9), circular=st.booleans())
def test_drawn_rows_exist_and_follow_each_other_inside_blocks(
    n: int, length: int, seed: int, circular: bool
) -> None:
    length = min(n, length)
    rows = draw_blocks(
        n, n_resamples=5, block_length=length, kind="circular" if circular else "stationary", rng=seed
    )
    assert rows.shape == (5, n)
    assert rows.min() >= 0
    assert rows.max() < n
    if circular:
        inside = np.arange(1, n) % length > 0
        assert ((np.diff(rows, axis=1) % n)[:, inside] == 1 % n).all()


def test_mean_block_of_the_stationary_bootstrap_is_as_asked() -> None:
    rows = draw_blocks(1000, n_resamples=50, block_length=8, rng=0)
    breaks = ((np.diff(rows, axis=1) % 1000) != 1).mean()
    assert breaks == pytest.approx(1 / 8, rel=0.05)


def test_means_by_counts_are_the_means_of_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).normal(size=(50, 3))
    rows = draw_blocks(50, n_resamples=23, block_length=4, rng=2)
    monkeypatch.setattr(block_bootstrap, "_CHUNK", 200)  # four resamples a chunk
    found = resampled_means(values, n_resamples=1, block_length=4, rng=0, indices_BD=rows)
    assert found == pytest.approx(values[rows].mean(axis=1), abs=1e-12)
    assert resampled_means(values, n_resamples=23, block_length=4, rng=0).shape == (23, 3)


@pytest.mark.parametrize("kind", ["stationary", "circular"])
def test_variance_of_resampled_means_is_what_the_kernel_says(kind: block_bootstrap.Kind) -> None:
    x = np.cumsum(np.random.default_rng(3).normal(size=60)) * 0.1
    x = x - x.mean()
    means = resampled_means(x[:, None], n_resamples=40_000, block_length=6, kind=kind, rng=0)
    # Resampling wraps around, so the autocovariances do: lags i and n - i come together
    wrapped = np.array([(x * np.roll(x, i)).mean() for i in range(60)])
    if kind == "stationary":
        i = np.arange(60)
        weights = (1 - i / 60) * (5 / 6) ** i
    else:
        weights = kernel(60, block_length=6, kind=kind)
    expected = (wrapped[0] + 2 * (weights[1:] * wrapped[1:]).sum()) / 60
    assert means.var() == pytest.approx(expected, rel=0.03)


def test_reliability_foretells_the_bias_of_the_variance_of_overlapping_sums() -> None:
    gen = np.random.default_rng(4)
    n, overlap, length = 100, 5, 10
    weights = kernel(n, block_length=length)
    weights[0] = 0.5
    steps = np.cumsum(gen.normal(size=(4000, n + overlap)), axis=1)
    sums = (steps[:, overlap:] - steps[:, :-overlap])[:, :n].T
    from nextbest.evaluation.forecast.hac import autocovariances

    found = (2 * (weights @ autocovariances(sums))).mean() / (n * sums.mean(axis=0).var())
    assert reliability(n, block_length=length, overlap=overlap).bias == pytest.approx(found, rel=0.06)


@given(t=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=8), block=st.integers(1, 20))
def test_a_ratio_is_drawn_to_zero_and_keeps_its_order(t: list[float], block: int) -> None:
    ratios = np.sort(np.array(t))
    found = reliability(100, block_length=block, overlap=3).normal_equivalent(ratios)
    assert (np.abs(found) <= np.abs(ratios) + 1e-9).all()
    assert (np.diff(found) >= -1e-9).all()


def test_infinite_ratios_stay_infinite() -> None:
    found = reliability(100, block_length=5).normal_equivalent([np.inf, -np.inf, 0.0])
    assert found.tolist() == [np.inf, -np.inf, 0.0]


def test_about_95_of_100_intervals_hold_the_truth_where_days_overlap() -> None:
    gen = np.random.default_rng(5)
    held = 0
    for _ in range(300):
        steps = np.cumsum(gen.normal(size=160))
        x = (steps[6:] - steps[:-6])[:150]
        found = date_interval(x, np.ones(150), overlap=6, rng=gen, n_resamples=200)
        held += found.ci_low <= 0 <= found.ci_high
    assert 0.90 <= held / 300 <= 0.985


def test_equal_days_have_no_width_and_a_share_stays_in_0_to_1() -> None:
    flat = date_interval(np.full(20, 2.0), np.full(20, 4.0), rng=0)
    assert (flat.value, flat.ci_low, flat.ci_high, flat.n, flat.n_clusters) == (0.5, 0.5, 0.5, 80, 20)
    top = np.r_[np.zeros(2), np.ones(18)]
    assert date_interval(top, np.ones(20), rng=0, low=0.0, high=1.0).ci_high == 1.0


def test_default_blocks_are_twice_the_overlap_and_at_most_a_quarter() -> None:
    assert [default_block_length(212, h) for h in (1, 6, 24)] == [6, 12, 48]
    assert default_block_length(96, 24) == 24
    assert default_block_length(1) == 1


@pytest.mark.parametrize(
    ("bad", "match"),
    [
        ({"n": 0}, "n: must be 1 or more"),
        ({"n_resamples": 0}, "n_resamples"),
        ({"block_length": 11}, "between 1 and the 10 dates"),
        ({"kind": "moving"}, "kind"),
    ],
)
def test_bad_parameters_are_told(bad: dict[str, object], match: str) -> None:
    call = {"n": 10, "n_resamples": 3, "block_length": 2, "kind": "stationary"} | bad
    with pytest.raises(InputError, match=match):
        draw_blocks(call.pop("n"), rng=0, **call)  # type: ignore[arg-type]


def test_values_that_arent_finite_and_rows_out_of_range_are_told() -> None:
    with pytest.raises(DataError, match=r"2 row\(s\) break it, first: \[1, 3\]"):
        resampled_means([[0.0], [np.nan], [1.0], [np.inf]], n_resamples=2, block_length=1, rng=0)
    with pytest.raises(InputError, match="0 to 1"):
        resampled_means([[0.0], [1.0]], n_resamples=2, block_length=1, rng=0, indices_BD=[[0, 2]])
    with pytest.raises(InputError, match=r"shape \(B, 2\)"):
        resampled_means([[0.0], [1.0]], n_resamples=2, block_length=1, rng=0, indices_BD=[[0, 1, 1]])
    with pytest.raises(DataError, match="no date"):
        resampled_means(np.empty((0, 1)), n_resamples=2, block_length=1, rng=0)
    with pytest.raises(DataError, match="not 0 at every date"):
        date_interval([0.0], [0.0], rng=0)
