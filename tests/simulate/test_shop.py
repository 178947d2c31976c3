"""The simulated shop: its tables, its repeatability, and that its truth is true."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from nextbest.errors import InputError
from nextbest.simulate import ShopStream, SimulatedShop, simulate_shop
from nextbest.simulate import shop as shop_module
from nextbest.tables import CATALOG, CLIENTS, JOURNAL


@pytest.fixture(scope="module")
def shop() -> SimulatedShop:
    return simulate_shop(n_users=1500, n_items=300, n_days=90, events_per_user=25, rng=1)


class TestTables:
    def test_they_keep_their_contracts(self, shop: SimulatedShop) -> None:
        JOURNAL.check(shop.journal)
        CATALOG.check(shop.catalog)
        CLIENTS.check(shop.clients)
        assert shop.journal.equals(shop.journal.sort("user_id", "time", maintain_order=True))
        assert shop.journal.null_count().sum_horizontal().item() == 0

    def test_every_id_of_the_journal_is_in_its_companion(self, shop: SimulatedShop) -> None:
        assert shop.journal["item_id"].is_in(shop.catalog["item_id"].implode()).all()
        assert shop.journal["user_id"].unique().sort().equals(shop.clients["user_id"])

    def test_a_client_never_pays_twice_at_one_moment(self, shop: SimulatedShop) -> None:
        gaps = shop.journal.select(pl.col("time").diff().over("user_id").drop_nulls()).to_series()
        assert gaps.min() >= timedelta(seconds=20)  # type: ignore[operator]

    def test_purchases_lie_in_the_days_asked_but_for_a_last_session(self, shop: SimulatedShop) -> None:
        start = datetime(2025, 1, 1, tzinfo=UTC)
        assert shop.journal["time"].min() >= start  # type: ignore[operator]
        assert shop.journal["time"].max() < start + timedelta(days=90, hours=3)  # type: ignore[operator]

    def test_the_mean_number_of_purchases_is_about_the_one_asked(self, shop: SimulatedShop) -> None:
        assert len(shop.journal) / 1500 == pytest.approx(25, rel=0.1)

    def test_items_are_described_in_two_languages(self, shop: SimulatedShop) -> None:
        assert shop.catalog["title"].str.contains("[A-Za-z]").all()
        assert shop.catalog["title_ru"].str.contains("[А-Яа-я]").all()
        assert shop.catalog["text"].str.contains("[A-Za-z]").all()
        assert shop.catalog["text"].str.contains("[А-Яа-я]").all()
        assert (shop.catalog["price"] > 0).all()

    def test_clients_pay_in_the_money_of_their_region(self, shop: SimulatedShop) -> None:
        paid = (
            shop.journal.join(shop.clients, on="user_id").group_by("region").agg(pl.col("currency").unique())
        )
        of = dict(paid.rows())
        assert (of["Москва"], of["Минск"], of["Алматы"]) == (["RUB"], ["BYN"], ["KZT"])

    def test_amounts_follow_the_catalogue_price(self, shop: SimulatedShop) -> None:
        paid = shop.journal.filter(pl.col("currency") == "RUB").join(shop.catalog, on="item_id")
        ratio = paid.select(pl.col("amount") / pl.col("quantity") / pl.col("price")).to_series()
        assert ratio.median() == pytest.approx(1, abs=0.02)


class TestRepeatability:
    def test_the_same_rng_gives_the_same_shop(self, shop: SimulatedShop) -> None:
        again = simulate_shop(n_users=1500, n_items=300, n_days=90, events_per_user=25, rng=1)
        assert shop.journal.equals(again.journal)
        assert shop.catalog.equals(again.catalog)
        assert shop.clients.equals(again.clients)

    def test_another_rng_gives_another_shop(self) -> None:
        one, two = (simulate_shop(n_users=30, n_items=40, n_days=20, rng=r) for r in (1, 2))
        assert not one.journal.equals(two.journal)

    def test_a_generator_is_taken_as_well(self) -> None:
        one, two = (
            simulate_shop(n_users=30, n_items=40, n_days=20, rng=np.random.default_rng(5)) for _ in range(2)
        )
        assert one.journal.equals(two.journal)

    def test_a_block_made_alone_is_the_same(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shop_module, "BLOCK", 20)
        whole = simulate_shop(n_users=50, n_items=40, n_days=20, events_per_user=5)
        stream = ShopStream(n_users=50, n_items=40, n_days=20, events_per_user=5)
        assert stream.n_blocks == 3
        last, clients, _ = stream.block(2)
        assert last.equals(whole.journal.filter(pl.col("user_id").is_in(clients["user_id"].implode())))
        assert pl.concat([journal for journal, _ in stream.blocks()]).equals(whole.journal)
        first, _, taste = stream.block(0)
        _, _, other = stream.block(1)
        assert not np.array_equal(taste, other)
        assert not first["time"].head(20).equals(last["time"].head(20))
        with pytest.raises(InputError, match=r"0\.\.2"):
            stream.block(3)


class TestSize:
    @pytest.mark.parametrize(
        ("n_users", "n_items", "n_days"), [(1, 1, 1), (1, 5, 1), (3, 24, 2), (2, 700, 400)]
    )
    def test_any_size_works(self, n_users: int, n_items: int, n_days: int) -> None:
        shop = simulate_shop(n_users=n_users, n_items=n_items, n_days=n_days, events_per_user=3)
        assert (len(shop.clients), len(shop.catalog)) == (n_users, n_items)
        assert shop.journal["user_id"].n_unique() == n_users

    @pytest.mark.parametrize("name", ["n_users", "n_items", "n_days", "events_per_user"])
    def test_zero_of_anything_is_refused(self, name: str) -> None:
        with pytest.raises(InputError, match=name):
            simulate_shop(**{name: 0})  # type: ignore[arg-type]

    def test_a_negative_seed_is_refused(self) -> None:
        with pytest.raises(InputError, match="rng"):
            simulate_shop(rng=-1)


class TestLaws:
    def test_garden_things_sell_in_may_and_ski_things_in_january(self) -> None:
        year = simulate_shop(n_users=800, n_items=200, n_days=365, events_per_user=40)
        named = year.journal.join(year.catalog, on="item_id").group_by(
            "category", month=pl.col("time").dt.month()
        )
        sold = {(category, month): n for category, month, n in named.len().rows()}
        assert sold["Garden", 5] > 2 * sold.get(("Garden", 1), 0)
        assert sold["Skiing", 1] > 2 * sold.get(("Skiing", 7), 0)

    def test_an_item_is_not_sold_before_it_is_born(self, shop: SimulatedShop) -> None:
        laws, ids = shop.truth.laws, shop.truth.item_ids
        first = shop.journal.group_by("item_id").agg(pl.col("time").min())
        day = (first["time"] - laws.config.start).dt.total_seconds().to_numpy() / 86_400
        born = laws.born[ids.encode(first["item_id"])]
        assert np.isfinite(born).sum() > 10
        assert (day >= born).all()

    def test_a_phone_draws_in_its_accessories(self, shop: SimulatedShop) -> None:
        named = shop.journal.join(shop.catalog, on="item_id", maintain_order="left")
        after = named.with_columns(before=pl.col("category").shift(1).over("user_id"))
        share = after.group_by(phone=pl.col("before") == "Phones").agg(
            (pl.col("category") == "Phone accessories").mean()
        )
        by = dict(share.drop_nulls().rows())
        assert by[True] > 4 * by[False]

    def test_what_runs_out_is_bought_again_about_a_period_later(self, shop: SimulatedShop) -> None:
        laws, ids = shop.truth.laws, shop.truth.item_ids
        gaps = shop.journal.with_columns(
            gap=pl.col("time").diff().over("user_id", "item_id").dt.total_seconds() / 86_400
        ).drop_nulls("gap")
        period = laws.period[ids.encode(gaps["item_id"])]
        in_periods = gaps["gap"].to_numpy()[np.isfinite(period)] / period[np.isfinite(period)]
        near = ((in_periods > 0.6) & (in_periods < 1.4)).mean()
        far = ((in_periods > 1.6) & (in_periods < 2.4)).mean()
        assert near > 3 * far
