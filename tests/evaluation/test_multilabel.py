"""F1, precision, recall, exact match and thresholds: scikit-learn is the oracle; intervals by brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from nextbest.data.panel.masks import pack_masks, unpack_masks
from nextbest.errors import DataError, InputError
from nextbest.evaluation.masks import constant_masks, mask_sums, owned_after
from nextbest.evaluation.multilabel import LabelCounts, label_interval
from nextbest.evaluation.thresholds import NEVER, predicted_masks, tune_thresholds

THEIRS = {"f1": f1_score, "precision": precision_score, "recall": recall_score}
AVERAGES = ("micro", "macro", "weighted")


def matrices(n_products: int = 4) -> st.SearchStrategy[np.ndarray]:
    row = st.lists(st.booleans(), min_size=n_products, max_size=n_products)
    return st.lists(row, min_size=2, max_size=12).map(lambda rows: np.array(rows, np.bool_))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    true = draw(matrices())
    said = np.array([draw(st.lists(st.booleans(), min_size=4, max_size=4)) for _ in true], np.bool_)
    return true, said


class TestScores:
    @given(pair=pairs(), score=st.sampled_from(sorted(THEIRS)), average=st.sampled_from(AVERAGES))
    def test_equal_to_scikit_learn_with_zero_division_0(
        self, pair: tuple[np.ndarray, np.ndarray], score: str, average: str
    ) -> None:
        true, said = pair
        ours = LabelCounts.of(pack_masks(true), pack_masks(said), n_products=4)
        value = ours.averaged(score, average)  # type: ignore[arg-type]
        if not true.any():
            assert np.isnan(value)
            return
        assert value == pytest.approx(THEIRS[score](true, said, average=average, zero_division=0))
        each = THEIRS[score](true, said, average=None, zero_division=0)
        assert ours.per_product(score) == pytest.approx(each)  # type: ignore[arg-type]
        assert ours.exact_match == pytest.approx(accuracy_score(true, said))

    @given(first=pairs(), second=pairs())
    def test_counts_of_months_add_up(
        self, first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]
    ) -> None:
        parts = [LabelCounts.of(pack_masks(t), pack_masks(s), n_products=4) for t, s in (first, second)]
        whole = LabelCounts.of(
            pack_masks(np.concatenate([first[0], second[0]])),
            pack_masks(np.concatenate([first[1], second[1]])),
            n_products=4,
        )
        summed = parts[0] + parts[1]
        assert summed.n_hit.tolist() == whole.n_hit.tolist()
        assert (summed.n_rows, summed.n_exact) == (whole.n_rows, whole.n_exact)

    def test_the_seed_s_figures_are_a_constant_current_account(self) -> None:
        # two clients of three hold it, half of all ones are it
        true = pack_masks(np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1]], np.bool_))
        found = LabelCounts.of(true, constant_masks(3, products=[0]), n_products=3)
        precision, recall = 0.5 * 2 / 3, 0.5
        assert found.averaged("precision", "weighted") == pytest.approx(precision)
        assert found.averaged("recall", "weighted") == pytest.approx(recall)
        assert found.averaged("f1", "weighted") == pytest.approx(0.5 * 2 * (2 / 3) / (1 + 2 / 3))
        assert found.exact_match == pytest.approx(1 / 3)

    def test_of_no_rows_nothing_is_said(self) -> None:
        nobody = np.zeros(0, np.uint32)
        counts = LabelCounts.of(nobody, nobody, n_products=2)
        assert np.isnan(counts.exact_match)
        assert np.isnan(counts.averaged("f1", "micro"))

    def test_unknown_names_are_refused(self) -> None:
        counts = LabelCounts.of(
            constant_masks(2, products=[0]), constant_masks(2, products=[0]), n_products=1
        )
        with pytest.raises(InputError, match="average"):
            counts.averaged("f1", "samples")  # type: ignore[arg-type]
        with pytest.raises(InputError, match="score"):
            counts.per_product("auc")  # type: ignore[arg-type]
        with pytest.raises(InputError, match="must count 1 products"):
            counts + LabelCounts.of(
                constant_masks(2, products=[0]), constant_masks(2, products=[0]), n_products=2
            )


class TestMasks:
    def test_persistence_is_what_was_held(self) -> None:
        held = np.array([5, 0], np.uint32)
        assert owned_after(held).tolist() == [5, 0]
        assert owned_after(held) is not held

    def test_ownership_a_month_later(self) -> None:
        held, added, dropped = (np.array([m], np.uint32) for m in (0b0011, 0b0100, 0b0001))
        assert owned_after(held, added_N=added, dropped_N=dropped).tolist() == [0b0110]

    def test_what_isn_t_held_can_t_be_dropped(self) -> None:
        with pytest.raises(DataError, match="held can be dropped"):
            owned_after(np.array([1], np.uint32), dropped_N=np.array([2], np.uint32))
        with pytest.raises(DataError, match="held can't be added"):
            owned_after(np.array([1], np.uint32), added_N=np.array([1], np.uint32))

    @given(matrix=matrices(n_products=11))
    def test_sums_over_masks_are_a_matrix_product(self, matrix: np.ndarray) -> None:
        value = np.linspace(-1, 2, 11)
        assert mask_sums(pack_masks(matrix), value) == pytest.approx(matrix @ value)

    def test_products_past_the_mask_are_refused(self) -> None:
        with pytest.raises(InputError, match=r"0\.\.31"):
            constant_masks(1, products=[32])


@pytest.fixture(scope="module")
def panel() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """300 clients, three alike months each."""
    rng = np.random.default_rng(2)
    base = rng.random((300, 4)) < np.array([0.5, 0.3, 0.1, 0.02])
    true = np.concatenate([base ^ (rng.random(base.shape) < 0.03) for _ in range(3)])
    said = np.tile(base ^ (rng.random((300, 1)) < 0.15), (3, 1))
    return pack_masks(true), pack_masks(said), np.tile(np.arange(300), 3)


class TestInterval:
    @pytest.mark.parametrize("average", AVERAGES)
    @pytest.mark.parametrize("score", sorted(THEIRS))
    def test_is_that_of_a_bootstrap_over_customers(
        self, panel: tuple[np.ndarray, np.ndarray, np.ndarray], score: str, average: str
    ) -> None:
        true, said, customer = panel
        ours = label_interval(
            true,
            said,
            n_products=4,
            customer_N=customer,
            score=score,
            average=average,  # type: ignore[arg-type]
        )
        rng = np.random.default_rng(0)
        rows = np.argsort(customer, kind="stable").reshape(300, 3)
        drawn = []
        for _ in range(400):
            chosen = rows[rng.integers(0, 300, 300)].ravel()
            counts = LabelCounts.of(true[chosen], said[chosen], n_products=4)
            drawn.append(counts.averaged(score, average))  # type: ignore[arg-type]
        half = 1.96 * np.std(drawn)
        assert ours.value == LabelCounts.of(true, said, n_products=4).averaged(score, average)  # type: ignore[arg-type]
        assert (ours.ci_high - ours.ci_low) / 2 == pytest.approx(half, rel=0.15)
        assert (ours.n, ours.n_clusters) == (900, 300)

    def test_rows_taken_for_independent_look_surer_than_they_are(
        self, panel: tuple[np.ndarray, np.ndarray, np.ndarray]
    ) -> None:
        true, said, customer = panel
        together = label_interval(true, said, n_products=4, customer_N=customer)
        apart = label_interval(true, said, n_products=4)
        assert together.ci_high - together.ci_low > 1.3 * (apart.ci_high - apart.ci_low)

    def test_a_perfect_prediction_has_no_width(self) -> None:
        true = np.array([1, 2, 3], np.uint32)
        found = label_interval(true, true, n_products=2)
        assert (found.value, found.ci_low, found.ci_high) == (1.0, pytest.approx(1.0), 1.0)

    def test_without_truth_there_is_no_score(self) -> None:
        with pytest.raises(DataError, match="nothing to score"):
            label_interval(np.zeros(3, np.uint32), np.ones(3, np.uint32), n_products=1)


def brute_force(true: np.ndarray, probability: np.ndarray, average: str) -> float:
    """The best F1 over every threshold (per product) or every pair of thresholds."""
    best = 0.0
    cuts = [np.append(np.unique(probability[:, p]), 2.0) for p in range(probability.shape[1])]
    for first in cuts[0]:
        for second in cuts[1]:
            said = probability >= np.array([first, second])
            counts = LabelCounts.of(pack_masks(true), pack_masks(said), n_products=2)
            best = max(best, counts.averaged("f1", average))  # type: ignore[arg-type]
    return best


class TestThresholds:
    @settings(max_examples=40)
    @given(seed=st.integers(0, 10_000), n=st.integers(2, 8), n_levels=st.integers(1, 6))
    def test_no_other_thresholds_are_better(self, seed: int, n: int, n_levels: int) -> None:
        rng = np.random.default_rng(seed)
        probability = rng.integers(0, n_levels, (n, 2)).astype(np.float32) / n_levels
        true = rng.random((n, 2)) < 0.4
        if not true.any():
            return
        for objective, averages in (("f1", ("macro", "weighted")), ("micro_f1", ("micro",))):
            thresholds = tune_thresholds(pack_masks(true), probability, objective=objective)  # type: ignore[arg-type]
            said = unpack_masks(predicted_masks(probability, thresholds), n_products=2)
            for average in averages:
                reached = f1_score(true, said, average=average, zero_division=0)
                assert reached == pytest.approx(brute_force(true, probability, average))

    def test_held_products_are_neither_counted_nor_predicted(self) -> None:
        probability = np.array([[0.9], [0.8], [0.1]], np.float32)
        held = np.array([1, 0, 0], np.uint32)
        thresholds = tune_thresholds(np.array([0, 1, 0], np.uint32), probability, held_N=held)
        assert thresholds.tolist() == [pytest.approx(0.45)]
        assert predicted_masks(probability, thresholds, held_N=held).tolist() == [0, 1, 0]

    def test_a_product_without_enough_positives_is_never_predicted(self) -> None:
        probability = np.array([[0.9, 0.9], [0.1, 0.8]], np.float32)
        true = np.array([1, 0], np.uint32)
        assert tune_thresholds(true, probability)[1] == NEVER
        assert tune_thresholds(true, probability, min_positives=2).tolist() == [NEVER, NEVER]
        for objective in ("f1", "micro_f1"):
            found = tune_thresholds(true, probability, min_positives=2, objective=objective)  # type: ignore[arg-type]
            assert predicted_masks(probability, found).tolist() == [0, 0]

    def test_a_threshold_between_neighbouring_float32_numbers_parts_them(self) -> None:
        low = np.float32(0.3)
        probability = np.array([[np.nextafter(low, np.float32(1))], [low]], np.float32)
        thresholds = tune_thresholds(np.array([1, 0], np.uint32), probability)
        assert predicted_masks(probability, thresholds).tolist() == [1, 0]

    def test_bad_input_is_named(self) -> None:
        good = np.zeros((2, 1), np.float32)
        with pytest.raises(DataError, match="finite"):
            tune_thresholds(np.zeros(2, np.uint32), np.array([[0.1], [np.nan]]))
        with pytest.raises(InputError, match="objective"):
            tune_thresholds(np.zeros(2, np.uint32), good, objective="f2")  # type: ignore[arg-type]
        with pytest.raises(InputError, match="min_positives"):
            tune_thresholds(np.zeros(2, np.uint32), good, min_positives=0)
        with pytest.raises(InputError, match="must be 1 numbers"):
            predicted_masks(good, np.array([0.5, 0.5]))
        with pytest.raises(InputError, match="floats with two axes"):
            predicted_masks(np.zeros(2, np.float32), np.array([0.5]))
        with pytest.raises(DataError, match="true_N: a product that is held"):
            tune_thresholds(np.ones(2, np.uint32), good, held_N=np.ones(2, np.uint32))
