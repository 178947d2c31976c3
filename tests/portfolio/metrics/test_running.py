"""A day at a time must end where all days at once end, with holes, late starters and a save between."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nextbest.errors import ArtifactError, DataError, InputError
from nextbest.portfolio.metrics.fast import fast_metrics
from nextbest.portfolio.metrics.running import RUNNING_METRICS, Running

returns = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 4), st.integers(0, 25)),
    elements=st.floats(-0.5, 1).map(lambda x: round(x, 3)) | st.just(np.nan) | st.just(0.0) | st.just(-1.0),
)


def run(matrix: np.ndarray, **options: float) -> Running:
    running = Running(len(matrix), **({"periods_per_year": 12.0} | options))  # type: ignore[arg-type]
    for return_P in matrix.T:
        running.update(return_P)
    return running


@given(returns, st.sampled_from([0.0, 0.003]))
def test_day_by_day_equals_all_days_at_once(matrix: np.ndarray, rf: float) -> None:
    running = run(matrix, rf=rf).metrics()
    at_once = fast_metrics(matrix, periods_per_year=12.0, rf=rf)
    # Near the edge of the expansion's domain rounding decides; every other figure must agree.
    for name in set(RUNNING_METRICS) & set(at_once) - {"var_cornish_fisher", "cvar_cornish_fisher"}:
        np.testing.assert_allclose(running[name], at_once[name], rtol=1e-7, atol=1e-9, err_msg=name)


def test_every_figure_of_an_ordinary_history() -> None:
    matrix = np.random.default_rng(0).standard_t(5, size=(20, 300)) * 0.01
    running = run(matrix).metrics()
    at_once = fast_metrics(matrix, periods_per_year=12.0)
    assert set(RUNNING_METRICS) - set(at_once) == {"drawdown"}
    for name in set(RUNNING_METRICS) - {"drawdown"}:
        np.testing.assert_allclose(running[name], at_once[name], rtol=1e-10, atol=1e-14, err_msg=name)


def test_the_present_fall_is_from_the_highest_wealth_so_far() -> None:
    assert run(np.array([[0.25, -0.2, 0.1]])).metrics()["drawdown"][0] == pytest.approx(1.1 / 1.25 - 1)


def test_a_late_starter_counts_from_its_own_first_day() -> None:
    running = Running(1, periods_per_year=12)
    running.update(np.array([0.1]))
    running.grow(1)
    running.update(np.array([0.1, -0.3]))
    assert running.metrics()["n"].tolist() == [2, 1]
    assert running.metrics()["max_drawdown"] == pytest.approx([0, -0.3])


def test_saved_and_loaded_it_goes_on_alike(tmp_path: Path) -> None:
    matrix = np.random.default_rng(1).normal(size=(3, 40)) * 0.02
    whole, first = run(matrix, rf=0.001, alpha=0.1), run(matrix[:, :17], rf=0.001, alpha=0.1)
    first.save(tmp_path / "running.npz")
    again = Running.load(tmp_path / "running.npz")
    for return_P in matrix[:, 17:].T:
        again.update(return_P)
    for name, values in whole.metrics().items():
        np.testing.assert_array_equal(again.metrics()[name], values, err_msg=name)


def test_the_state_is_a_copy() -> None:
    running = run(np.array([[0.1, 0.2]]))
    running.state()["wealth"][:] = 9
    assert running.metrics()["twr"][0] == pytest.approx(0.32)


class TestRefusals:
    def test_a_day_with_an_infinite_return_changes_nothing(self) -> None:
        running = run(np.array([[0.1], [0.2]]))
        with pytest.raises(DataError, match=r"first: \[1\]"):
            running.update(np.array([0.1, np.inf]))
        assert running.metrics()["n"].tolist() == [1, 1]

    def test_another_number_of_portfolios(self) -> None:
        with pytest.raises(InputError, match="shape"):
            run(np.array([[0.1]])).update(np.zeros(2))

    @pytest.mark.parametrize(
        "options", [{"periods_per_year": 0.0}, {"rf": np.inf}, {"alpha": 0.7}, {"n_portfolios": -1}]
    )
    def test_parameters_out_of_range(self, options: dict[str, float]) -> None:
        with pytest.raises(InputError, match=next(iter(options))):
            Running(**({"n_portfolios": 1, "periods_per_year": 12.0} | options))  # type: ignore[arg-type]

    def test_growing_backwards(self) -> None:
        with pytest.raises(InputError, match="n_more"):
            Running(1, periods_per_year=12).grow(-1)

    def test_files_that_are_none_of_ours(self, tmp_path: Path) -> None:
        with pytest.raises(ArtifactError, match=r"missing\.npz"):
            Running.load(tmp_path / "missing.npz")
        (tmp_path / "text.npz").write_text("hello")
        with pytest.raises(ArtifactError, match="not a running state"):
            Running.load(tmp_path / "text.npz")
        np.savez(tmp_path / "other.npz", x=np.zeros(3))
        with pytest.raises(ArtifactError, match="history"):
            Running.load(tmp_path / "other.npz")

    def test_arrays_of_different_lengths(self) -> None:
        state = run(np.array([[0.1]])).state()
        with pytest.raises(DataError, match="one length"):
            Running.from_state(state | {"mean": np.zeros(2)})
