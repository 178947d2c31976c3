"""The stated probabilities are those the purchases were drawn from, and an oracle is worth having."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from nextbest.errors import InputError
from nextbest.evaluation.significance import paired_test
from nextbest.simulate import ShopConfig, SimulatedShop, simulate_shop

LOUD = ShopConfig(repeat=1.5, follow=2.0, season=1.0, trend=0.5)
OFF = ShopConfig(taste=0, repeat=0, follow=0, trend=0, season=0)


def last_events(shop: SimulatedShop) -> pl.DataFrame:
    return shop.journal.group_by("user_id", maintain_order=True).last()


def hits_at_10(recommended: pl.DataFrame, targets: pl.DataFrame) -> np.ndarray:
    """1 for each target user whose list holds the target."""
    found = targets.join(recommended, on=["user_id", "item_id"], how="left", maintain_order="left")
    return found["rank"].is_not_null().to_numpy().astype(float)


def popular(history: pl.DataFrame, users: pl.Series) -> pl.DataFrame:
    """The ten items most bought so far, for everybody."""
    top = history.group_by("item_id").len().sort("len", "item_id", descending=[True, False]).head(10)
    ranked = top.select("item_id", rank=pl.int_range(1, pl.len() + 1))
    return users.alias("user_id").to_frame().join(ranked, how="cross")


@pytest.fixture(scope="module")
def shop() -> SimulatedShop:
    return simulate_shop(n_users=3000, n_items=60, n_days=60, events_per_user=15, rng=3, config=LOUD)


@pytest.fixture(scope="module")
def stated(shop: SimulatedShop) -> np.ndarray:
    last = last_events(shop)
    return shop.truth.next_item_probabilities(shop.journal, last["user_id"], time=last["time"])


class TestProbabilities:
    def test_they_sum_to_one(self, stated: np.ndarray) -> None:
        assert stated.min() >= 0
        assert stated.sum(axis=1) == pytest.approx(np.ones(len(stated)))

    def test_each_item_comes_as_often_as_stated(self, shop: SimulatedShop, stated: np.ndarray) -> None:
        came = np.bincount(shop.truth.item_ids.encode(last_events(shop)["item_id"]), minlength=60)
        spread = np.sqrt((stated * (1 - stated)).sum(axis=0) + 0.5)
        z = (came - stated.sum(axis=0)) / spread
        assert np.abs(z).max() < 4
        assert (z**2).mean() < 2

    def test_the_surprise_of_what_came_is_the_entropy_stated(
        self, shop: SimulatedShop, stated: np.ndarray
    ) -> None:
        item = shop.truth.item_ids.encode(last_events(shop)["item_id"])
        surprise = -np.log(stated[np.arange(len(item)), item])
        entropy = -(stated * np.log(np.where(stated > 0, stated, 1))).sum(axis=1)
        difference = surprise - entropy
        assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(len(difference))

    def test_sure_and_unsure_statements_are_both_right(self, shop: SimulatedShop, stated: np.ndarray) -> None:
        came = np.zeros_like(stated)
        came[np.arange(len(stated)), shop.truth.item_ids.encode(last_events(shop)["item_id"])] = 1
        for low, high in ((0, 0.01), (0.01, 0.05), (0.05, 0.2), (0.2, 0.5), (0.5, 1.01)):
            inside = (stated >= low) & (stated < high)
            expected, n = stated[inside].sum(), came[inside].sum()
            assert inside.sum() > 50
            assert abs(n - expected) < 4 * np.sqrt(expected + 1)

    def test_history_from_the_moment_on_does_not_count(self, shop: SimulatedShop) -> None:
        users = shop.clients["user_id"].head(5)
        moment = datetime.fromisoformat("2025-02-01T00:00:00+00:00")
        before = shop.journal.filter(pl.col("time") < moment)
        assert np.array_equal(
            shop.truth.next_item_probabilities(shop.journal, users, time=moment),
            shop.truth.next_item_probabilities(before, users, time=moment),
        )

    def test_clients_come_in_the_order_asked(self, shop: SimulatedShop) -> None:
        users = shop.clients["user_id"].head(600)
        moment = datetime.fromisoformat("2025-02-01T00:00:00+00:00")
        ahead = shop.truth.next_item_probabilities(shop.journal, users, time=moment)
        back = shop.truth.next_item_probabilities(shop.journal, users.reverse(), time=moment)
        assert ahead[::-1] == pytest.approx(back)

    def test_nobody_asked_gets_an_empty_answer(self, shop: SimulatedShop) -> None:
        moment = datetime.fromisoformat("2025-02-01T00:00:00+00:00")
        nobody = shop.clients["user_id"].head(0)
        assert shop.truth.next_item_probabilities(shop.journal, nobody, time=moment).shape == (0, 60)
        assert shop.truth.recommend(shop.journal, nobody, time=moment).is_empty()


class TestOracle:
    @pytest.mark.parametrize(("config", "oracle_wins"), [(ShopConfig(), True), (OFF, False)])
    def test_it_beats_popularity_where_there_is_something_to_know(
        self, config: ShopConfig, oracle_wins: bool
    ) -> None:
        shop = simulate_shop(n_users=2000, n_items=400, n_days=90, events_per_user=20, rng=2, config=config)
        cutoff = config.start + timedelta(days=80)
        history = shop.journal.filter(pl.col("time") < cutoff)
        later = shop.journal.filter(pl.col("time") >= cutoff)
        targets = later.group_by("user_id", maintain_order=True).first().select("user_id", "item_id")
        oracle = hits_at_10(shop.truth.recommend(history, targets["user_id"], time=cutoff, k=10), targets)
        popularity = hits_at_10(popular(history, targets["user_id"]), targets)
        found = paired_test(oracle, popularity, rng=0)
        assert (found.p_value < 0.001 and found.difference > 0.1) if oracle_wins else found.p_value > 0.01

    def test_lists_are_tables_of_recommendations(self) -> None:
        shop = simulate_shop(n_users=4, n_items=12, n_days=10, events_per_user=3)
        moment = ShopConfig().start + timedelta(days=9)
        lists = shop.truth.recommend(shop.journal, shop.clients["user_id"], time=moment, k=5)
        assert lists["rank"].to_list() == [1, 2, 3, 4, 5] * 4
        steps = lists.select(pl.col("score").diff().over("user_id").drop_nulls()).to_series()
        assert (steps <= 0).all()

    def test_what_was_seen_can_be_left_out(self) -> None:
        shop = simulate_shop(n_users=4, n_items=12, n_days=10, events_per_user=3)
        moment = ShopConfig().start + timedelta(days=11)
        lists = shop.truth.recommend(
            shop.journal, shop.clients["user_id"], time=moment, k=12, exclude_seen=True
        )
        assert lists.join(shop.journal, on=["user_id", "item_id"], how="semi").is_empty()
        together = len(lists) + shop.journal.select("user_id", "item_id").n_unique()
        assert together == 4 * 12


class TestWrongCalls:
    SHOP = simulate_shop(n_users=2, n_items=5, n_days=3, events_per_user=2)
    MOMENT = ShopConfig().start + timedelta(days=2)

    def test_a_client_or_item_of_another_shop_is_refused(self) -> None:
        with pytest.raises(InputError, match="clients of this shop"):
            self.SHOP.truth.recommend(self.SHOP.journal, pl.Series([7]), time=self.MOMENT)
        other = self.SHOP.journal.with_columns(item_id=pl.lit("SKU-99999"))
        with pytest.raises(InputError, match="items of this shop"):
            self.SHOP.truth.recommend(
                other, self.SHOP.clients["user_id"], time=self.MOMENT + timedelta(days=5)
            )

    def test_a_time_without_a_zone_or_of_another_length_is_refused(self) -> None:
        users = self.SHOP.clients["user_id"]
        with pytest.raises(InputError, match="time zone"):
            self.SHOP.truth.recommend(self.SHOP.journal, users, time=self.MOMENT.replace(tzinfo=None))
        with pytest.raises(InputError, match="each of 2 clients"):
            self.SHOP.truth.recommend(self.SHOP.journal, users, time=pl.Series([self.MOMENT]))

    def test_no_places_are_refused(self) -> None:
        with pytest.raises(InputError, match="k"):
            self.SHOP.truth.recommend(self.SHOP.journal, self.SHOP.clients["user_id"], time=self.MOMENT, k=0)
