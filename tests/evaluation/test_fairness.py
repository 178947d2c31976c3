"""Offers by group: counts by hand, intervals, small groups hidden, the 4/5 rule."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nextbest.errors import DataError, InputError
from nextbest.evaluation.calibration import wilson_interval
from nextbest.evaluation.fairness import SMALL, UNKNOWN, WHOLE, age_bands, fairness_report


def report(sizes: dict[str | None, int], offered: dict[str | None, int], **options: object) -> pl.DataFrame:
    """Groups of these sizes, the first so many of each offered product 0; nobody adds."""
    names = [name for name, n in sizes.items() for _ in range(n)]
    masks = [int(i < offered.get(name, 0)) for name, n in sizes.items() for i in range(n)]
    groups = pl.DataFrame({"sex": pl.Series(names, dtype=pl.String)})
    return fairness_report(
        groups,
        offered_N=np.array(masks, np.uint32),
        added_N=np.zeros(len(names), np.uint32),
        **options,  # type: ignore[arg-type]
    )


def row_of(table: pl.DataFrame, group: str) -> dict[str, object]:
    return table.filter(pl.col("group") == group).row(0, named=True)


class TestShares:
    def test_by_hand(self) -> None:
        table = report({"H": 100, "V": 200}, {"H": 10, "V": 50})
        h, v, whole = row_of(table, "H"), row_of(table, "V"), row_of(table, WHOLE)
        assert (h["offered_share"], v["offered_share"], whole["offered_share"]) == (0.1, 0.25, 0.2)
        assert (h["ratio_to_whole"], v["ratio_to_whole"]) == (0.5, 1.25)
        assert (h["ratio_to_highest"], v["ratio_to_highest"]) == (0.4, 1.0)
        assert (h["below_four_fifths"], v["below_four_fifths"], whole["below_four_fifths"]) == (
            True,
            False,
            None,
        )
        low, high = wilson_interval(10, 100)
        assert (h["offered_ci_low"], h["offered_ci_high"]) == (float(low), float(high))

    @pytest.mark.parametrize(("n", "flagged"), [(80, False), (79, True)])
    def test_four_fifths_exactly_is_not_below(self, n: int, flagged: bool) -> None:
        table = report({"a": 100, "b": 100}, {"a": 100, "b": n})
        assert row_of(table, "b")["below_four_fifths"] is flagged

    def test_without_any_offer_nothing_is_flagged(self) -> None:
        row = row_of(report({"a": 30, "b": 30}, {}), "a")
        assert (row["offered_share"], row["ratio_to_whole"], row["below_four_fifths"]) == (0.0, None, None)


class TestRates:
    def test_precision_and_recall_count_offers_and_additions(self) -> None:
        # each client is offered products 0 and 1; 10 of 40 add 0, 5 others add 2
        offered = np.full(40, 0b011, np.uint32)
        added = np.r_[np.full(10, 0b001), np.full(5, 0b100), np.zeros(25)].astype(np.uint32)
        groups = pl.DataFrame({"sex": ["H"] * 40})
        row = fairness_report(groups, offered_N=offered, added_N=added, k=10).row(1, named=True)
        assert (row["precision"], row["recall"]) == (10 / 80, 10 / 15)
        assert row["precision_ci_low"] < 10 / 80 < row["precision_ci_high"]

    def test_one_offer_a_client_has_the_plain_wilson_interval(self) -> None:
        added = (np.arange(100) < 30).astype(np.uint32)
        row = fairness_report(
            pl.DataFrame({"g": ["a"] * 100}), offered_N=np.ones(100, np.uint32), added_N=added
        ).row(1, named=True)
        low, high = wilson_interval(30, 100)
        assert (row["precision_ci_low"], row["precision_ci_high"]) == (
            pytest.approx(low),
            pytest.approx(high),
        )

    def test_offers_that_come_together_count_as_fewer(self) -> None:
        # who adds takes all three offered: 100 clients say as much as 100, not as 300
        offered = np.full(100, 0b111, np.uint32)
        added = np.where(np.arange(100) < 30, 0b111, 0).astype(np.uint32)
        row = fairness_report(pl.DataFrame({"g": ["a"] * 100}), offered_N=offered, added_N=added).row(
            1, named=True
        )
        low, high = wilson_interval(30, 100)
        assert row["precision"] == pytest.approx(0.3)
        assert (row["precision_ci_low"], row["precision_ci_high"]) == (
            pytest.approx(low),
            pytest.approx(high),
        )

    def test_a_rate_of_few_cases_is_hidden(self) -> None:
        table = report({"a": 100, "b": 100}, {"a": 19, "b": 20})
        assert row_of(table, "a")["precision"] is None
        assert row_of(table, "b")["precision"] == 0.0
        assert row_of(table, "b")["precision_ci_high"] > 0.1  # none of 20 isn't never
        assert row_of(table, "a")["recall"] is None

    def test_observed_to_expected_has_the_exact_poisson_interval(self) -> None:
        added = (np.arange(50) < 7).astype(np.uint32)
        row = fairness_report(
            pl.DataFrame({"g": ["a"] * 50}),
            offered_N=np.zeros(50, np.uint32),
            added_N=added,
            expected_N=np.full(50, 0.1),
        ).row(1, named=True)
        assert (row["expected"], row["observed"], row["observed_to_expected"]) == (
            pytest.approx(5),
            7,
            pytest.approx(1.4),
        )
        assert row["observed_to_expected_ci_low"] == pytest.approx(stats.chi2.ppf(0.025, 14) / 2 / 5)
        assert row["observed_to_expected_ci_high"] == pytest.approx(stats.chi2.ppf(0.975, 16) / 2 / 5)

    def test_without_expectations_there_is_no_calibration(self) -> None:
        assert row_of(report({"a": 30}, {"a": 3}), "a")["observed_to_expected"] is None


class TestSmallGroups:
    def test_go_together_under_one_name(self) -> None:
        table = report({"Madrid": 500, "Soria": 15, "Teruel": 12}, {"Madrid": 50, "Soria": 3})
        assert table["group"].to_list() == [WHOLE, "Madrid", SMALL]
        row = row_of(table, SMALL)
        assert (row["n_clients"], row["n_groups"]) == (27, 2)

    def test_a_single_one_takes_the_smallest_shown_with_it_so_that_it_can_t_be_subtracted(self) -> None:
        table = report({"Madrid": 500, "Avila": 40, "Soria": 5}, {"Madrid": 50})
        assert table["group"].to_list() == [WHOLE, "Madrid", SMALL]
        assert row_of(table, SMALL)["n_clients"] == 45

    @given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=8), k=st.integers(1, 30))
    def test_no_row_is_of_fewer_than_k_clients(self, sizes: list[int], k: int) -> None:
        groups = {f"g{i}": n for i, n in enumerate(sizes)}
        if sum(sizes) < k:
            with pytest.raises(DataError, match="nothing may be shown"):
                report(groups, {}, k=k)
            return
        table = report(groups, {}, k=k)  # type: ignore[arg-type]
        parts = table.filter(pl.col("attribute") == "sex")
        assert parts["n_clients"].min() >= k  # type: ignore[operator]
        assert parts["n_clients"].sum() == sum(sizes)
        assert parts["n_groups"].sum() == len(sizes)

    def test_null_is_a_group_of_its_own(self) -> None:
        assert row_of(report({"H": 50, None: 25}, {None: 5}), UNKNOWN)["offered_share"] == 0.2

    def test_each_attribute_has_its_rows(self) -> None:
        groups = pl.DataFrame({"sex": ["H", "V"] * 25, "foreigner": ["N"] * 50})
        masks = np.ones(50, np.uint32)
        table = fairness_report(groups, offered_N=masks, added_N=masks)
        assert table["attribute"].to_list() == [WHOLE, "sex", "sex", "foreigner"]


class TestAgeBands:
    def test_by_hand(self) -> None:
        found = age_bands(pl.Series([0, 17, 18, 25, 26, 66, 120, None]))
        assert found.to_list() == ["0-17", "0-17", "18-25", "18-25", "26-35", "66+", "66+", None]

    def test_bad_edges_and_ages_are_named(self) -> None:
        with pytest.raises(InputError, match="rise strictly"):
            age_bands(pl.Series([1]), edges=(18, 18))
        with pytest.raises(DataError, match=r"0 or more; 1 row\(s\) break it, first: \[-3\]"):
            age_bands(pl.Series([-3, 4]))


def test_bad_input_is_named() -> None:
    groups, masks = pl.DataFrame({"g": ["a"] * 30}), np.zeros(30, np.uint32)
    with pytest.raises(InputError, match="column for each attribute"):
        fairness_report(groups.drop("g"), offered_N=masks, added_N=masks)
    with pytest.raises(InputError, match="added_N: must be 30 uint32"):
        fairness_report(groups, offered_N=masks, added_N=masks[:2])
    with pytest.raises(InputError, match="k: must be"):
        fairness_report(groups, offered_N=masks, added_N=masks, k=0)
    with pytest.raises(InputError, match="30 numbers"):
        fairness_report(groups, offered_N=masks, added_N=masks, expected_N=[1.0])
    with pytest.raises(DataError, match=r"expected_N: must be finite and >= 0; 30 row\(s\)"):
        fairness_report(groups, offered_N=masks, added_N=masks, expected_N=np.full(30, np.nan))


def test_the_report_s_words_are_not_causal() -> None:
    table = report({"H": 100, "V": 200}, {"H": 10, "V": 50})
    words = " ".join([*table.columns, *table["group"]]).lower()
    assert not any(word in words for word in ("because", "cause", "effect", "bias", "discriminat", "due"))
