"""Sampled metrics warn, keep their own name, and follow the law of the place among a sample."""

import numpy as np
import polars as pl
import pytest

from nextbest.errors import DataError, InputError
from nextbest.evaluation.ranking import evaluate_ranking
from nextbest.evaluation.sampled import SampledMetricsWarning, evaluate_sampled


def full_lists(n_users: int, n_items: int, *, target_rank: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Every user gets items 1..n in order; the target is the item at `target_rank`."""
    users = np.repeat(np.arange(n_users), n_items)
    places = np.tile(np.arange(1, n_items + 1), n_users)
    recs = pl.DataFrame({"user_id": users, "item_id": places, "rank": places})
    return recs, pl.DataFrame({"user_id": np.arange(n_users), "item_id": np.full(n_users, target_rank)})


def test_it_warns_and_says_how_many_candidates_there_were() -> None:
    recs, targets = full_lists(2, 5, target_rank=1)
    with pytest.warns(SampledMetricsWarning, match="2 sampled items"):
        found = evaluate_sampled(recs, targets, n_items=5, n_negatives=2, rng=0, k=1)
    assert found.columns == ["user_id", "ndcg@1 of 3", "hr@1 of 3"]
    assert found["hr@1 of 3"].to_list() == [1.0, 1.0]  # nothing can stand above the best


@pytest.mark.filterwarnings("ignore::nextbest.evaluation.sampled.SampledMetricsWarning")
class TestLaw:
    def test_a_sample_of_all_others_is_full_ranking(self) -> None:
        recs, targets = full_lists(3, 8, target_rank=4)
        found = evaluate_sampled(recs, targets, n_items=8, n_negatives=7, rng=0, k=[3, 5], metrics=["ndcg"])
        full = evaluate_ranking(recs, targets, k=[3, 5], metrics=["ndcg"])
        assert found.drop("user_id").rows() == full.drop("user_id").rows()

    def test_the_mean_place_equals_that_of_really_drawing_items(self) -> None:
        recs, targets = full_lists(4000, 20, target_rank=8)
        found = evaluate_sampled(recs, targets, n_items=20, n_negatives=5, rng=0, k=5, metrics=["mrr"])
        rng = np.random.default_rng(1)
        others = np.setdiff1d(np.arange(1, 21), [8])
        drawn = [1 + int((rng.choice(others, size=5, replace=False) < 8).sum()) for _ in range(4000)]
        plain = np.mean([1 / place if place <= 5 else 0 for place in drawn])
        assert found["mrr@5 of 6"].mean() == pytest.approx(plain, abs=0.015)

    def test_a_bad_model_looks_good(self) -> None:
        recs, targets = full_lists(200, 300, target_rank=60)
        found = evaluate_sampled(recs, targets, n_items=300, n_negatives=10, rng=0, k=10, metrics=["hr"])
        assert found["hr@10 of 11"].mean() == 1.0
        assert evaluate_ranking(recs, targets, k=10, metrics=["hr"])["hr@10"].mean() == 0.0

    def test_two_targets_of_one_user_are_refused(self) -> None:
        recs, targets = full_lists(2, 5, target_rank=1)
        two = pl.concat([targets, targets.with_columns(item_id=pl.lit(2, pl.Int64))])
        with pytest.raises(DataError, match="one target"):
            evaluate_sampled(recs, two, n_items=5, n_negatives=2, rng=0)

    def test_a_list_without_its_target_is_refused(self) -> None:
        recs, targets = full_lists(2, 5, target_rank=5)
        with pytest.raises(DataError, match="recommend all"):
            evaluate_sampled(recs.filter(pl.col("rank") < 3), targets, n_items=5, n_negatives=2, rng=0)

    def test_a_list_longer_than_the_candidates_is_refused(self) -> None:
        recs, targets = full_lists(2, 5, target_rank=5)
        with pytest.raises(InputError, match="length of the lists"):
            evaluate_sampled(recs, targets, n_items=4, n_negatives=2, rng=0)

    def test_an_unknown_metric_is_refused(self) -> None:
        recs, targets = full_lists(2, 5, target_rank=1)
        with pytest.raises(InputError, match="auc"):
            evaluate_sampled(recs, targets, n_items=5, n_negatives=2, rng=0, metrics=["auc"])  # type: ignore[list-item]

    def test_more_negatives_than_items_are_refused(self) -> None:
        recs, targets = full_lists(2, 5, target_rank=1)
        with pytest.raises(InputError, match=r"1\.\.4"):
            evaluate_sampled(recs, targets, n_items=5, n_negatives=5, rng=0)
