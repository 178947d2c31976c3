"""Each product alone: scikit-learn is the oracle, lift by hand, and what is null."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.metrics import log_loss as their_log_loss

from nextbest.errors import DataError, InputError
from nextbest.evaluation.per_product import log_loss, product_metrics


def one(probability: np.ndarray, added: np.ndarray, *, share: float = 0.01) -> dict[str, object]:
    """The row of a single product."""
    table = product_metrics(probability[:, None], added.astype(np.uint32), products=["card"], share=share)
    return table.row(0, named=True)


@given(seed=st.integers(0, 10_000), n=st.integers(3, 40), n_levels=st.integers(2, 30))
def test_areas_and_log_loss_equal_scikit_learn_with_ties(seed: int, n: int, n_levels: int) -> None:
    rng = np.random.default_rng(seed)
    probability = rng.integers(0, n_levels + 1, n).astype(np.float32) / np.float32(n_levels)
    added = rng.random(n) < 0.4
    if not added.any() or added.all():
        return
    found = one(probability, added)
    assert found["average_precision"] == pytest.approx(average_precision_score(added, probability))
    assert found["roc_auc"] == pytest.approx(roc_auc_score(added, probability))
    inside = np.clip(probability.astype(np.float64), 1e-7, 1 - 1e-7)
    assert found["log_loss"] == pytest.approx(their_log_loss(added, inside))


class TestLift:
    def test_by_hand(self) -> None:
        # 200 clients, 4 additions, the two best scored are both additions: 1.0 / 0.02
        score = np.linspace(0, 1, 200).astype(np.float32)
        added = np.zeros(200, bool)
        added[[199, 198, 3, 4]] = True
        assert one(score, added)["lift@1%"] == pytest.approx(50.0)

    def test_equal_scores_have_lift_1(self) -> None:
        added = np.arange(500) < 7
        assert one(np.full(500, 0.01, np.float32), added)["lift@1%"] == pytest.approx(1.0)

    def test_ties_at_the_border_count_in_part(self) -> None:
        # one place of two is left to three equal scores, of which one is an addition
        score = np.array([0.9, 0.5, 0.5, 0.5] + [0.1] * 196, np.float32)
        added = np.isin(np.arange(200), [0, 2, 150, 151])
        assert one(score, added)["lift@1%"] == pytest.approx((1 + 1 / 3) / 2 / 0.02)

    def test_the_share_is_rounded_up_and_named_in_the_column(self) -> None:
        score, added = np.array([0.9, 0.1, 0.1], np.float32), np.array([True, False, False])
        assert one(score, added)["lift@1%"] == pytest.approx(3.0)
        assert one(score, added, share=0.05)["lift@5%"] == pytest.approx(3.0)

    @given(seed=st.integers(0, 1000), share=st.sampled_from([0.01, 0.1, 0.5, 1.0]))
    def test_it_never_passes_its_ceiling(self, seed: int, share: float) -> None:
        rng = np.random.default_rng(seed)
        added = rng.random(60) < 0.2
        if not added.any():
            return
        found = one(rng.random(60).astype(np.float32), added, share=share)[f"lift@{share * 100:g}%"]
        n_top = np.ceil(share * 60)
        assert found <= min(60 / n_top, 60 / added.sum()) + 1e-9  # type: ignore[operator]
        if share == 1.0:
            assert found == pytest.approx(1.0)


def test_only_clients_who_don_t_hold_it_count() -> None:
    probability = np.array([[0.9], [0.8], [0.1], [0.2]], np.float32)
    held = np.array([1, 0, 0, 0], np.uint32)
    found = product_metrics(probability, np.array([0, 1, 0, 0], np.uint32), held_N=held, products=["a"])
    row = found.row(0, named=True)
    assert (row["n"], row["n_additions"], row["base_rate"], row["roc_auc"]) == (3, 1, 1 / 3, 1.0)


def test_without_additions_there_is_no_lift_but_a_log_loss() -> None:
    row = one(np.array([0.5, 0.5], np.float32), np.array([False, False]))
    assert [row[c] for c in ("lift@1%", "average_precision", "roc_auc")] == [None] * 3
    assert row["log_loss"] == pytest.approx(np.log(2))
    assert row["base_rate"] == 0.0


def test_where_all_add_there_is_no_roc_auc() -> None:
    row = one(np.array([0.5, 0.6], np.float32), np.array([True, True]))
    assert row["roc_auc"] is None
    assert row["average_precision"] == 1.0


def test_a_product_everyone_holds_has_nothing() -> None:
    held = np.array([1], np.uint32)
    row = product_metrics(np.array([[0.5]]), np.zeros(1, np.uint32), held_N=held, products=["a"]).row(
        0, named=True
    )
    assert (row["n"], row["base_rate"], row["log_loss"]) == (0, None, None)
    assert np.isnan(log_loss(np.zeros(0), np.zeros(0, bool)))


def test_certain_and_wrong_costs_the_clip_not_infinity() -> None:
    assert one(np.array([0.0], np.float32), np.array([True]))["log_loss"] == pytest.approx(np.log(1e7))


def test_bad_input_is_named() -> None:
    masks = np.zeros(2, np.uint32)
    with pytest.raises(DataError, match=r"0-1, not NaN; 1 row\(s\) break it, first: \[1\]"):
        product_metrics(np.array([[0.1], [1.5]]), masks, products=["a"])
    with pytest.raises(DataError, match="0-1, not NaN"):
        product_metrics(np.array([[0.1], [np.nan]]), masks, products=["a"])
    with pytest.raises(InputError, match=r"floats \(n_clients, 2\)"):
        product_metrics(np.array([[0.1], [0.2]]), masks, products=["a", "b"])
    with pytest.raises(InputError, match="share"):
        product_metrics(np.array([[0.1], [0.2]]), masks, products=["a"], share=0.0)
    with pytest.raises(DataError, match="held can't be added"):
        product_metrics(
            np.array([[0.1]]), masks[:1] + np.uint32(1), held_N=masks[:1] + np.uint32(1), products=["a"]
        )
