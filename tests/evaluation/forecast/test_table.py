"""The leaderboard's rows: each figure is that of its own function, and what can't be had is None with a reason."""

import json

import numpy as np
import pytest
from scipy.stats import norm

from nextbest.errors import DataError, InputError
from nextbest.evaluation.forecast.dm import date_means, diebold_mariano
from nextbest.evaluation.forecast.point import mase, r2_against, rmse
from nextbest.evaluation.forecast.quantiles import LEVELS, crps
from nextbest.evaluation.forecast.table import COLUMNS, score

O, A, HORIZONS = 80, 4, (1, 6)  # noqa: E741  (the axes of the room)
Z = norm.ppf(LEVELS)
Rows = dict[tuple[str, int], dict[str, object]]


def make() -> tuple[dict[str, np.ndarray], np.ndarray]:
    gen = np.random.default_rng(0)
    steps = np.cumsum(0.02 * gen.normal(size=(O + 6, A)), axis=0)
    y = np.stack(
        [
            (np.vstack([np.zeros((1, A)), steps])[h : O + h] - np.vstack([np.zeros((1, A)), steps])[:O])
            for h in HORIZONS
        ],
        axis=-1,
    )
    sigma = 0.02 * np.sqrt(HORIZONS)[None, None, :, None]
    walk = np.broadcast_to(sigma * Z, (O, A, 2, 9))
    knows = 0.5 * y[..., None] + 0.8 * walk
    wide = 3 * walk
    noisy = walk + 0.02 * gen.normal(size=(O, A, 2, 1))
    return {"rw_gauss": walk, "knows": knows, "wide": wide, "noisy": noisy}, y


@pytest.fixture(scope="module")
def rows() -> Rows:
    forecasts, y = make()
    forecasts["silent"] = np.full((O, A, 2, 9), np.nan)
    forecasts["seldom"] = np.where(np.arange(O)[:, None, None, None] % 2 > 0, np.nan, forecasts["noisy"])
    forecasts["crossing"] = forecasts["noisy"].copy()
    forecasts["crossing"][0, 0, 0] = forecasts["noisy"][0, 0, 0, ::-1]
    found = score(
        forecasts, y, dates=np.arange(O), horizons=HORIZONS, scale_A=np.full(A, 0.016), rng=3, n_resamples=200
    )
    return {(row["model"], row["horizon"]): row for row in found}


def test_every_row_has_every_column_in_order_and_goes_into_json(rows: Rows) -> None:
    assert len(rows) == 14
    assert all(tuple(row) == COLUMNS for row in rows.values())
    json.dumps(list(rows.values()), allow_nan=False)


def test_figures_are_those_of_their_functions(rows: Rows) -> None:
    forecasts, y = make()
    for name in ("knows", "noisy"):
        row, q, truth = rows[name, 6], forecasts[name][:, :, 1], y[:, :, 1]
        base = forecasts["rw_gauss"][:, :, 1]
        assert row["mase"] == mase(q[..., 4], truth, scale_A=np.full(A, 0.016))
        assert row["rmse_x100"] == pytest.approx(100 * rmse(q[..., 4], truth))
        assert row["r2"] == pytest.approx(r2_against(q[..., 4], truth, base[..., 4]))
        assert row["crps_x100"] == pytest.approx(100 * crps(q, truth).mean())
        assert row["crps_relative"] == pytest.approx(crps(q, truth).mean() / crps(base, truth).mean())
        assert row["crps_x100"] == pytest.approx(2 * np.mean(row["pinball_x100"]))  # type: ignore[arg-type]
        test = diebold_mariano(date_means(crps(q, truth)), date_means(crps(base, truth)), 6)
        assert (row["dm_crps_t"], row["dm_crps_p"], row["dm_lags"]) == (test.t, test.p, test.lags)


def test_a_model_that_knows_is_first_and_alone_in_the_set(rows: Rows) -> None:
    for horizon in HORIZONS:
        row = rows["knows", horizon]
        assert list(rows)[0 if horizon == 1 else 7] == ("knows", horizon)
        assert row["in_mcs"] is True
        assert row["direction"] == 1.0
        assert row["rank_ic"] == pytest.approx(1.0)
        assert row["r2"] == pytest.approx(0.75)
        assert row["dm_crps_t"] < -3  # type: ignore[operator]
        assert not any(rows[name, horizon]["in_mcs"] for name in ("rw_gauss", "wide", "noisy"))
        assert rows["rw_gauss", horizon]["spa_squared_p"] < 0.05  # type: ignore[operator]


def test_the_benchmark_is_compared_with_nobody_and_carries_the_spa(rows: Rows) -> None:
    row = rows["rw_gauss", 1]
    assert (row["r2"], row["crps_relative"], row["dm_crps_t"], row["direction"]) == (0.0, 1.0, None, None)
    assert all(other["spa_crps_p"] is None for key, other in rows.items() if key[0] != "rw_gauss")
    assert 0.6 < row["coverage80"] < 0.95  # type: ignore[operator]
    assert rows["wide", 1]["coverage80"] == pytest.approx(1.0, abs=0.01)


def test_equal_medians_have_no_test_of_squared_error_but_a_reason(rows: Rows) -> None:
    row = rows["wide", 1]
    assert (row["dm_squared_t"], row["dm_squared_reason"]) == (None, "all 80 values are equal")
    assert row["dm_crps_t"] > 3  # type: ignore[operator]


def test_a_silent_model_is_last_with_its_reason(rows: Rows) -> None:
    row = rows["silent", 1]
    assert list(rows)[6] == ("silent", 1)
    assert (row["reason"], row["n"], row["n_nan"], row["crps_x100"]) == (
        "no answer beside an outcome",
        0,
        O * A,
        None,
    )
    assert row["mcs_reason"] == "answered 0 cells, 288 needed to be compared with all"


def test_a_model_that_seldom_answers_is_held_against_the_benchmark_on_its_own_cells(rows: Rows) -> None:
    forecasts, y = make()
    row, half = rows["seldom", 1], np.arange(O) % 2 == 0
    expected = (
        crps(forecasts["noisy"][half, :, 0], y[half, :, 0]).mean()
        / crps(forecasts["rw_gauss"][half, :, 0], y[half, :, 0]).mean()
    )
    assert row["crps_relative"] == pytest.approx(expected)
    assert (row["n_dates"], row["in_mcs"]) == (40, None)


def test_crossings_are_counted(rows: Rows) -> None:
    assert (rows["crossing", 1]["n_crossing"], rows["crossing", 6]["n_crossing"]) == (1, 0)


def test_a_models_own_figures_dont_depend_on_the_others(rows: Rows) -> None:
    forecasts, y = make()
    few = score(
        {name: forecasts[name] for name in ("noisy", "rw_gauss")},
        y,
        dates=np.arange(O),
        horizons=HORIZONS,
        scale_A=np.full(A, 0.016),
        rng=3,
        n_resamples=200,
    )
    for row in few:
        before = rows[row["model"], row["horizon"]]
        for key in COLUMNS:
            if not key.startswith(("spa", "mcs", "in_mcs")):
                assert row[key] == before[key], key


def test_a_given_mean_is_the_point_and_distant_origins_dont_overlap() -> None:
    forecasts, y = make()
    when = np.arange(O).astype("datetime64[D]")
    found = score(
        forecasts,
        y,
        dates=when,
        horizons=HORIZONS,
        scale_A=np.full(A, np.nan),
        rng=0,
        means={"wide": y},
        every=6,
        n_resamples=50,
    )
    by_key = {(row["model"], row["horizon"]): row for row in found}
    assert by_key["wide", 1]["rmse_x100"] == 0.0
    assert by_key["wide", 1]["mase"] is None
    assert by_key["wide", 6]["dm_lags"] == by_key["wide", 1]["dm_lags"] == 3


@pytest.mark.parametrize("n", [1, 3, 9])
def test_few_origins_have_figures_but_no_tests(n: int) -> None:
    forecasts, y = make()
    few = {name: table[:n] for name, table in forecasts.items()}
    found = score(
        few, y[:n], dates=np.arange(n), horizons=HORIZONS, scale_A=np.ones(A), rng=0, n_resamples=20
    )
    json.dumps(found, allow_nan=False)
    noisy = next(row for row in found if row["model"] == "noisy" and row["horizon"] == 6)
    assert noisy["crps_x100"] > 0
    assert noisy["dm_crps_t"] is None
    assert noisy["mcs_reason"] == f"{n} dates, 10 needed"
    assert (noisy["direction_low"] is None) == (n < 8)


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"benchmark": "rw"}, InputError, "one of"),
        ({"dates": np.zeros(O)}, InputError, "79 don't, first at"),
        ({"dates": np.arange(3)}, InputError, "each of 80 origins"),
        ({"horizons": (1,)}, InputError, "1 horizons"),
        ({"levels": (0.1, 0.5)}, InputError, r"\[0.9\] missing"),
        ({"scale_A": np.zeros(A)}, DataError, "above 0"),
        ({"means": {"x": np.zeros(3)}}, InputError, "of a model"),
    ],
)
def test_bad_calls_are_told(change: dict[str, object], error: type[Exception], match: str) -> None:
    forecasts, y = make()
    call: dict[str, object] = {
        "dates": np.arange(O),
        "horizons": HORIZONS,
        "scale_A": np.ones(A),
        "rng": 0,
        "n_resamples": 20,
    }
    with pytest.raises(error, match=match):
        score(forecasts, y, **call | change)  # type: ignore[arg-type]


def test_wrong_shapes_and_a_silent_benchmark_are_told() -> None:
    forecasts, y = make()
    call = {"dates": np.arange(O), "horizons": HORIZONS, "scale_A": np.ones(A), "rng": 0, "n_resamples": 20}
    with pytest.raises(InputError, match=r"forecasts\['wide'\]"):
        score(forecasts | {"wide": forecasts["wide"][:3]}, y, **call)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="'rw_gauss' has no answer"):
        score(forecasts | {"rw_gauss": forecasts["wide"] * np.nan}, y, **call)  # type: ignore[arg-type]
