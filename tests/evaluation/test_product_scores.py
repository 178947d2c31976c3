"""Months of a model: rows against the same figures computed at once, slices, what is None, bad months."""

import json
from datetime import date

import numpy as np
import pytest

from nextbest.errors import DataError, InputError
from nextbest.evaluation.additions import addition_precision, top_products
from nextbest.evaluation.masks import owned_after
from nextbest.evaluation.multilabel import LabelCounts
from nextbest.evaluation.per_product import log_loss, product_metrics
from nextbest.evaluation.product_scores import ProductScores, paired_precision_test

PRODUCTS = ("account", "card", "deposit", "loan")
MONTHS = (date(2016, 3, 28), date(2016, 4, 28), date(2016, 5, 28))
Month = dict[str, np.ndarray]


def drawn_month(seed: int, n: int = 1500) -> Month:
    """Clients, what they hold, P(add), and additions drawn from it."""
    rng = np.random.default_rng(seed)
    probability = rng.beta(0.3, 6, (n, 4)).astype(np.float32)
    held = rng.integers(0, 16, n).astype(np.uint32)
    added = ((rng.random((n, 4)) < probability) @ (1 << np.arange(4))).astype(np.uint32) & ~held
    return {
        "customer_N": rng.permutation(2 * n)[:n],
        "held_N": held,
        "added_N": added,
        "probability_NP": probability,
        "kind_N": (rng.random(n) < 0.2).astype(np.int8),
        "predicted_N": (rng.integers(0, 16, n).astype(np.uint32)) & ~held,
        "owned_N": owned_after(held, added_N=added),
        "owned_predicted_N": owned_after(held),
    }


@pytest.fixture(scope="module")
def months() -> list[Month]:
    return [drawn_month(seed) for seed in range(3)]


@pytest.fixture(scope="module")
def scores(months: list[Month]) -> ProductScores:
    found = ProductScores("drawn", products=PRODUCTS)
    for month, arrays in zip(reversed(MONTHS), reversed(months), strict=True):  # any order
        found.add_month(month, **arrays)
    return found


def together(months: list[Month], name: str) -> np.ndarray:
    return np.concatenate([m[name] for m in months])


def free_pairs(months: list[Month]) -> tuple[np.ndarray, np.ndarray]:
    held, added = (together(months, c)[:, None] >> np.arange(4) & 1 for c in ("held_N", "added_N"))
    return together(months, "probability_NP")[held == 0], added[held == 0] == 1


class TestRow:
    def test_of_all_months_is_that_of_all_rows(self, scores: ProductScores, months: list[Month]) -> None:
        row = scores.row(rng=0)
        score, added, held = (together(months, c) for c in ("probability_NP", "added_N", "held_N"))
        precision = addition_precision(score, added, held_N=held)
        assert (row["model"], row["month"], row["kind"]) == ("drawn", "all", "all")
        assert (row["n_clients"], row["n_adders"]) == (len(added), int((added > 0).sum()))
        assert row["map@7_adders"]["value"] == pytest.approx(np.nanmean(precision))
        assert row["map@7"]["value"] == pytest.approx(np.nansum(precision) / len(added))
        labels = LabelCounts.of(added, together(months, "predicted_N"), n_products=4)
        assert row["f1_macro"]["value"] == pytest.approx(labels.averaged("f1", "macro"))
        assert row["n_additions"] == labels.n_true.sum()
        owned = LabelCounts.of(
            together(months, "owned_N"), together(months, "owned_predicted_N"), n_products=4
        )
        assert row["ownership_f1_weighted"]["value"] == pytest.approx(owned.averaged("f1", "weighted"))
        assert row["exact_match"]["value"] == pytest.approx(owned.exact_match)
        p, y = free_pairs(months)
        assert row["log_loss"] == pytest.approx(log_loss(p, y), rel=1e-3)
        assert row["brier"] == pytest.approx(((p - y) ** 2).mean(), rel=1e-3)
        for name, cell in row.items():
            if isinstance(cell, dict):
                assert cell["ci_low"] <= cell["value"] <= cell["ci_high"], name

    def test_true_probabilities_are_calibrated_and_thirds_of_them_are_not(
        self, scores: ProductScores, months: list[Month]
    ) -> None:
        thirds = ProductScores("thirds", products=PRODUCTS)
        for month, arrays in zip(MONTHS, months, strict=True):
            thirds.add_month(month, **{**arrays, "probability_NP": arrays["probability_NP"] / 3})
        good, bad = scores.row(rng=0), thirds.row(rng=0)
        assert good["calibration_slope"] == pytest.approx(1, abs=0.1)
        assert good["calibration_shift"] == pytest.approx(0, abs=0.15)
        assert good["ece_relative"] < 0.5 < bad["ece_relative"]
        assert good["ece_pooled"] < bad["ece_pooled"]
        assert good["ece_pooled"] <= good["ece"] * 1.01  # products can cancel each other when pooled
        assert bad["calibration_shift"] > 1
        assert good["map@7_adders"] == bad["map@7_adders"]

    def test_lift_is_the_mean_over_months_weighted_by_additions(
        self, scores: ProductScores, months: list[Month]
    ) -> None:
        tables = [
            product_metrics(m["probability_NP"], m["added_N"], held_N=m["held_N"], products=PRODUCTS)
            for m in months
        ]
        lift = np.array([t["lift@1%"] for t in tables])
        n = np.array([t["n_additions"] for t in tables])
        each = (lift * n).sum(axis=0) / n.sum(axis=0)
        row = scores.row(rng=0)
        assert (row["lift@1%"], row["lift@1%_min"]) == (pytest.approx(each.mean()), pytest.approx(each.min()))

    def test_of_a_kind_counts_only_its_clients(self, scores: ProductScores, months: list[Month]) -> None:
        row = scores.row(kind="unseen", rng=0)
        unseen = together(months, "kind_N") == 1
        precision = addition_precision(
            together(months, "probability_NP"), together(months, "added_N"), held_N=together(months, "held_N")
        )
        assert row["n_clients"] == unseen.sum()
        assert row["map@7_adders"]["value"] == pytest.approx(np.nanmean(precision[unseen]))
        assert row["lift@1%"] is None
        assert row["ece"] > 0

    def test_rows_are_the_whole_then_months_then_kinds(self, scores: ProductScores) -> None:
        rows = scores.rows(rng=0, n_resamples=20)
        assert [(r["month"], r["kind"]) for r in rows] == [
            ("all", "all"),
            *[(m.isoformat(), "all") for m in MONTHS],
            ("all", "seen"),
            ("all", "unseen"),
        ]
        assert (
            sum(r["n_adders"] for r in rows[1:4])
            == rows[0]["n_adders"]
            == sum(r["n_adders"] for r in rows[4:])
        )
        assert len({tuple(r) for r in rows}) == 1  # the same columns everywhere
        assert json.loads(json.dumps(rows)) == rows

    def test_the_same_rng_gives_the_same_row(self, scores: ProductScores) -> None:
        assert scores.row(rng=3) == scores.row(rng=3)


class TestInputs:
    def test_lists_rank_in_place_of_probabilities(self, months: list[Month]) -> None:
        m = months[0]
        worst_first = top_products(-m["probability_NP"], held_N=m["held_N"], k=7)
        scores = ProductScores("re-ranked", products=PRODUCTS)
        scores.add_month(MONTHS[0], **m, list_NK=worst_first)
        plain = ProductScores("plain", products=PRODUCTS)
        plain.add_month(MONTHS[0], **m)
        assert scores.row(rng=0)["map@7_adders"]["value"] < plain.row(rng=0)["map@7_adders"]["value"]
        assert scores.row(rng=0)["ece"] == plain.row(rng=0)["ece"]

    def test_a_baseline_without_probabilities_has_no_calibration(self, months: list[Month]) -> None:
        m = months[0]
        scores = ProductScores("persistence", products=PRODUCTS)
        names = ("customer_N", "held_N", "added_N", "owned_N", "owned_predicted_N")
        scores.add_month(MONTHS[0], **{name: m[name] for name in names})
        row = scores.row(rng=0)
        assert row["ownership_f1_weighted"]["value"] > 0.5
        for name in ("map@7", "map@7_adders", "f1_weighted", "ece", "within_10%", "lift@1%"):
            assert row[name] is None, name
        with pytest.raises(DataError, match="no month of 'persistence' has probabilities"):
            scores.per_product()
        with pytest.raises(DataError, match="no ranking"):
            scores.precision()

    def test_a_month_without_additions_has_no_map_on_adders(self) -> None:
        m = drawn_month(9, n=50)
        m["added_N"] = np.zeros(50, np.uint32)
        m.pop("owned_N"), m.pop("owned_predicted_N")
        scores = ProductScores("quiet", products=PRODUCTS)
        scores.add_month(MONTHS[0], **m)
        row = scores.row(rng=0)
        assert row["map@7_adders"] is None
        assert row["map@7"] == {"value": 0.0, "ci_low": 0.0, "ci_high": 0.0}
        assert row["f1_weighted"] is row["lift@1%"] is row["ece_relative"] is None

    def test_clients_who_hold_everything_leave_nothing_to_calibrate(self) -> None:
        scores = ProductScores("full", products=PRODUCTS)
        full = np.full(3, 15, np.uint32)
        scores.add_month(
            MONTHS[0],
            customer_N=np.arange(3),
            held_N=full,
            added_N=full * 0,
            probability_NP=np.full((3, 4), 0.1, np.float32),
        )
        assert scores.row(rng=0)["ece"] is None

    def test_the_arrays_may_be_dropped_or_overwritten_afterwards(self, months: list[Month]) -> None:
        m = {name: values.copy() for name, values in months[0].items()}
        scores = ProductScores("kept", products=PRODUCTS)
        scores.add_month(MONTHS[0], **m)
        before = scores.row(rng=0)
        for values in m.values():
            values[:] = 0
        assert scores.row(rng=0) == before

    def test_per_product_has_a_row_per_product_month(self, scores: ProductScores) -> None:
        table = scores.per_product()
        assert len(table) == 12
        assert table["month"].unique().sort().to_list() == list(MONTHS)
        assert (table["observed"] == table["n_additions"]).all()
        assert len(scores.per_product(MONTHS[1])) == 4
        assert table["ratio"].to_numpy() == pytest.approx(np.ones(12), abs=0.4)


class TestPaired:
    def test_a_model_against_noise_and_against_itself(
        self, scores: ProductScores, months: list[Month]
    ) -> None:
        noise = ProductScores("noise", products=PRODUCTS)
        rng = np.random.default_rng(0)
        for month, m in zip(MONTHS, months, strict=True):
            noise.add_month(month, **{**m, "probability_NP": rng.random((1500, 4), dtype=np.float32)})
        found = paired_precision_test(scores, noise, rng=0, n_resamples=500)
        assert found.difference > 0.02
        assert found.p_value < 0.01
        whole = paired_precision_test(scores, noise, over="all", rng=0, n_resamples=500)
        adders = scores.row(rng=0)["n_adders"] / 4500
        assert whole.difference == pytest.approx(found.difference * adders)
        assert paired_precision_test(scores, scores, rng=0, n_resamples=50).p_value == 1.0

    def test_other_clients_can_t_be_compared(self, scores: ProductScores, months: list[Month]) -> None:
        other = ProductScores("other", products=PRODUCTS)
        other.add_month(MONTHS[0], **months[0])
        with pytest.raises(InputError, match="same months"):
            paired_precision_test(scores, other, rng=0)
        with pytest.raises(InputError, match="over"):
            paired_precision_test(scores, scores, over="some", rng=0)


class TestBadInput:
    def test_broken_months_are_named(self, months: list[Month]) -> None:
        m, scores = months[0], ProductScores("bad", products=PRODUCTS)
        with pytest.raises(DataError, match="no month of 'bad' is counted"):
            scores.row(rng=0)
        twice = {**m, "customer_N": np.r_[m["customer_N"][:-1], m["customer_N"][0]]}
        with pytest.raises(DataError, match=r"once in a month; 1 row\(s\)"):
            scores.add_month(MONTHS[0], **twice)
        with pytest.raises(InputError, match="integers with one axis"):
            scores.add_month(MONTHS[0], **{**m, "customer_N": m["customer_N"] / 2})
        with pytest.raises(DataError, match=r"kind_N: must be 0\.\.1"):
            scores.add_month(MONTHS[0], **{**m, "kind_N": m["kind_N"] + 1})
        with pytest.raises(InputError, match="kind_N: must be 1500 integers"):
            scores.add_month(MONTHS[0], **{**m, "kind_N": m["kind_N"][:3]})
        with pytest.raises(DataError, match="predicted_N: a product that is held"):
            scores.add_month(MONTHS[0], **{**m, "predicted_N": m["held_N"]})
        with pytest.raises(InputError, match="owned_predicted_N"):
            scores.add_month(MONTHS[0], **{**m, "owned_N": None})
        with pytest.raises(InputError, match="list_NK: must have 1500 rows"):
            scores.add_month(MONTHS[0], **m, list_NK=np.zeros((2, 1), np.int8))
        assert scores.months == ()

    def test_a_month_counts_once(self, months: list[Month]) -> None:
        scores = ProductScores("twice", products=PRODUCTS)
        scores.add_month(MONTHS[0], **months[0])
        with pytest.raises(InputError, match="counted already"):
            scores.add_month(MONTHS[0], **months[1])

    def test_unknown_slices_are_refused(self, scores: ProductScores) -> None:
        with pytest.raises(InputError, match="2016-05-28"):
            scores.row(month=date(2020, 1, 28), rng=0)
        with pytest.raises(InputError, match="kind: must be among"):
            scores.row(kind="rich", rng=0)
        only_seen = ProductScores("seen", products=PRODUCTS)
        only_seen.add_month(MONTHS[0], **{**drawn_month(1, n=20), "kind_N": None})  # type: ignore[arg-type]
        assert len(only_seen.rows(rng=0, n_resamples=5)) == 1
        with pytest.raises(DataError, match="no client of kind 'unseen'"):
            only_seen.row(kind="unseen", rng=0)

    def test_kinds_and_k_are_checked(self) -> None:
        with pytest.raises(InputError, match="kinds"):
            ProductScores("x", products=PRODUCTS, kinds=("a", "a"))
        with pytest.raises(InputError, match="k: must be 1 or more"):
            ProductScores("x", products=PRODUCTS, k=0)
