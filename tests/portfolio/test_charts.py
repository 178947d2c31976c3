"""Options as ECharts takes them: JSON, open at gaps, peaks kept, colours that can be told apart."""

import json
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.charts_page.drawing import (
    CELL_HIGH,
    CELL_INK,
    CELL_LOW,
    CELL_MIDDLE,
    PALETTE,
    thinned,
    translated,
)
from nextbest.data.holdings.market import Gap
from nextbest.errors import InputError
from nextbest.portfolio import charts, plan_charts

DAYS = np.array(["2022-02-24", "2022-02-25", "2022-03-24", "2022-03-25"], dtype="datetime64[D]")
GAP = Gap(date(2022, 2, 25), date(2022, 3, 24), 27)
PAGES = ("#ffffff", "#1a2027")


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(a, b):
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_growth_is_rebased_to_100_where_both_begin_and_open_over_the_gap():
    option = charts.growth_chart(
        DAYS, np.array([2.0, 3.0, 1.0, 4.0]), np.array([np.nan, 10.0, 20.0, 30.0]), gaps=[GAP]
    )
    ours, benchmark = (series["data"] for series in option["series"])
    assert ours == [
        ["2022-02-24", 66.667],
        ["2022-02-25", 100],
        ["2022-02-26", None],
        ["2022-03-24", 33.333],
        ["2022-03-25", 133.333],
    ]
    assert benchmark[0] == ["2022-02-24", None]
    assert [value for _, value in benchmark[1:]] == [100, None, 200, 300]
    area = option["series"][0]["markArea"]["data"]
    assert [(a["xAxis"], b["xAxis"]) for a, b in area] == [("2022-02-25", "2022-03-24")]


def test_underwater_is_the_distance_to_the_highest_so_far():
    option = charts.underwater_chart(DAYS, np.array([1.0, 2.0, 1.0, 3.0]))
    assert [value for _, value in option["series"][0]["data"]] == [0, 0, -50, 0]


def test_months_stand_under_their_year_and_missing_ones_stay_empty():
    option = charts.monthly_chart({(2023, 12): 0.1, (2024, 1): -0.05, (2024, 2): float("nan")})
    assert option["yAxis"]["data"] == ["2024", "2023"]
    assert option["series"][0]["data"] == [[11, 1, 10.0], [0, 0, -5.0]]
    assert translated(option, "ru")["xAxis"]["data"][0] == "янв"


@given(
    st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(float("nan"))), min_size=1, max_size=400),
    st.integers(4, 60),
)
def test_a_thinned_series_keeps_ends_extremes_and_the_edges_of_holes(values, max_points):
    row = np.array(values)
    places = thinned(row[None, :], max_points=max_points)
    assert places[0] == 0
    assert places[-1] == len(row) - 1
    assert (np.diff(places) > 0).all()
    if np.isfinite(row).any():
        assert np.nanmax(row[places]) == np.nanmax(row)
        assert np.nanmin(row[places]) == np.nanmin(row)
    hole = np.isnan(row)
    change = np.flatnonzero(hole[1:] != hole[:-1])
    assert {*change, *(change + 1)} <= set(places.tolist()) or len(places) == len(row)


def test_a_long_series_gets_short_and_its_one_peak_stays():
    row = np.zeros(20_000)
    row[12_345] = 7.0
    places = thinned(row[None, :])
    assert len(places) < 2_000
    assert 12_345 in places


def test_lines_stand_out_on_both_pages_and_from_each_other_for_the_colour_blind():
    for colour in PALETTE:
        assert all(contrast(colour, page) >= 3 for page in PAGES), colour
    # Machado, Oliveira & Fernandes 2009, full severity: deuteranopia, protanopia
    for matrix in (
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    ):
        seen = [np.array(matrix) @ [int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in PALETTE[:3]]
        apart = [np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]]
        assert min(apart) > 40


def test_cells_of_the_heat_map_carry_readable_ink():
    assert all(contrast(cell, CELL_INK) >= 4.5 for cell in (CELL_LOW, CELL_MIDDLE, CELL_HIGH))


def test_the_distribution_counts_every_day_once_and_marks_var():
    returns = np.random.default_rng(0).normal(0, 0.01, 500)
    option = charts.distribution_chart(returns, var=-0.0164, cvar=-0.02)
    assert sum(share for _, share in option["series"][0]["data"][:-1]) == pytest.approx(100, abs=0.01)
    assert [mark["xAxis"] for mark in option["series"][0]["markLine"]["data"]] == [-1.64, -2.0]


def test_the_fan_lies_between_its_quantiles_and_refuses_crossing_ones():
    quantiles = np.array([[1.0, 1, 1, 1, 1], [0.5, 0.8, 1.1, 1.5, 2.0]])
    option = plan_charts.goal_chart(quantiles, target=1.8, currency="RUB", actual=[(0, 1.0)])
    outer = [series["data"][1][1] for series in option["series"][:2]]
    assert outer == [0.5, 1.5]  # stacked: from 5 % up to 95 %
    assert option["yAxis"]["max"] >= 2
    with pytest.raises(InputError, match="must not fall"):
        plan_charts.goal_chart(quantiles[:, ::-1], target=1, currency="RUB")
    with pytest.raises(InputError, match="five columns"):
        plan_charts.goal_chart(quantiles[:, :3], target=1, currency="RUB")


def test_drift_is_now_less_target():
    classes = [{"en": "Shares", "ru": "Акции"}, {"en": "Bonds", "ru": "Облигации"}]
    option = plan_charts.allocation_chart(classes, np.array([0.7, 0.3]), np.array([0.5, 0.5]))
    assert [series["data"] for series in option["series"]] == [[70, 30], [50, 50], [20, -20]]
    assert translated(option, "ru")["series"][2]["name"] == "Отклонение"


def test_the_frontier_shows_only_whom_it_is_told():
    option = plan_charts.frontier_chart([(0.1, 0.05)], you=(0.2, 0.06), proposal=None)
    assert [series["name"] for series in option["series"]] == ["Efficient frontier", "You"]


def test_options_are_json_even_for_nothing():
    empty = np.empty(0)
    days = DAYS[:0]
    options = [
        charts.growth_chart(days, empty),
        charts.underwater_chart(days, empty),
        charts.monthly_chart({}),
        charts.rolling_chart({"en": "a", "ru": "б"}, days, [({"en": "a", "ru": "б"}, empty)]),
        charts.distribution_chart(empty, var=None),
        plan_charts.allocation_chart([], empty),
        plan_charts.frontier_chart([], you=None),
    ]
    for option in options:
        json.dumps(option, allow_nan=False)


def test_wrong_lengths_and_languages_are_told():
    with pytest.raises(InputError, match="as long as the days: 4"):
        charts.growth_chart(DAYS, np.ones(3))
    with pytest.raises(InputError, match="positive on the first day"):
        charts.growth_chart(DAYS, np.array([-1.0, 1, 1, 1]))
    with pytest.raises(InputError, match="1 to 5 lines"):
        charts.rolling_chart({"en": "a", "ru": "б"}, DAYS, [])
    with pytest.raises(InputError, match="max_points"):
        thinned(np.ones((1, 9)), max_points=3)
    with pytest.raises(InputError, match="language"):
        translated(charts.growth_chart(DAYS, np.ones(4)), "de")
