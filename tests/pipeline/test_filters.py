"""Masks of items and clients, by conditions, times and lists."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from nextbest.data.ids import IdIndex
from nextbest.errors import DataError, InputError
from nextbest.pipeline.config import PipelineConfig, Rule, Unavailable
from nextbest.pipeline.filters import Clients, Filters
from nextbest.pipeline.items import ItemSpace, LruCache, conditions_key
from nextbest.pipeline.query import Query
from pipeline.shop import CATALOG, ITEMS, bought, day, ids, log, shop


def space(catalog: pl.DataFrame | None = CATALOG) -> ItemSpace:
    return ItemSpace(log().item_ids, catalog)


def chosen(where: dict[str, Any]) -> set[Any]:
    items = space()
    return {items.id_of(n) for n in np.flatnonzero(items.mask(where)).tolist()}


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"category": "office"}, {"pen", "ink"}),
        ({"category": ["office", "alcohol"]}, {"pen", "ink", "wine"}),
        ({"category": ["nothing"]}, set()),
        ({"category": []}, set()),
        ({}, set(ITEMS)),
        ({"price": 5}, {"cheese"}),
        ({"price": {"min": 4}}, {"wine", "cheese", "pen"}),
        ({"price": {"min": 2, "max": 3}}, {"tea", "bread"}),
        ({"price": {"max": 1}, "category": "food"}, {"milk"}),
        ({"tags": "old"}, {"cheese", "bread"}),
        ({"tags": ["hot", "blue"]}, {"tea", "ink"}),
        ({"item_id": ["tea", "ink"]}, {"tea", "ink"}),
    ],
)
def test_conditions_choose_items(where: dict[str, Any], expected: set[str]) -> None:
    assert chosen(where) == expected


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ({"colour": "red"}, "no such column in catalog; got 'colour'; it has"),
        ({"category": 5}, "catalog.category holds String, not int"),
        ({"category": None}, "not NoneType"),
        ({"price": "cheap"}, "catalog.price holds Float64, not str"),
        ({"price": True}, "not bool"),
        ({"price": {"min": "a"}}, "can't be compared with str"),
        ({"price": {"least": 1}}, "a range is"),
        ({"price": {}}, "a range is"),
        ({"category": {"min": 1}}, "can't be compared"),
        ({"category": bytearray(b"x")}, "holds a value that no column can have"),
    ],
)
def test_impossible_conditions_are_a_wrong_call(where: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        chosen(where)
    with pytest.raises(InputError, match=words):
        shop().recommend([Query("ann", where=where)])


def test_moments_can_be_compared() -> None:
    catalog = CATALOG.with_columns(since=pl.Series([day(n) for n in range(7)]).cast(pl.Datetime("us", "UTC")))
    items = space(catalog)
    assert int(items.mask({"since": {"max": day(2)}}).sum()) == 3
    assert int(items.mask({"since": day(2)}).sum()) == 1


def test_equal_conditions_have_equal_keys_and_types_stay_apart() -> None:
    assert conditions_key({"a": [1, 2], "b": "x"}) == conditions_key({"b": "x", "a": (2, 1)})
    keys = {conditions_key({"a": v}) for v in (1, 1.0, True, "1", {"min": 1}, [1])}
    assert len(keys) == 6


def test_items_of_the_model_come_first_and_the_catalogues_own_after_them() -> None:
    items = space()
    assert items.ids.ids.to_list() == ["bread", "cheese", "milk", "pen", "tea", "wine", "ink"]
    assert [items.id_of(n) for n in items.catalog_order.tolist()] == ITEMS
    assert items.name_of(4) == "Green tea"


def test_items_that_the_catalogue_lacks_come_last_and_are_called_by_their_id() -> None:
    items = space(CATALOG.filter(pl.col("item_id").is_in(["wine", "tea"])))
    assert [items.id_of(n) for n in items.catalog_order.tolist()][:2] == ["wine", "tea"]
    assert len(items) == 6
    assert items.name_of(0) == "bread"


def test_integer_ids_of_a_catalogue_become_the_journals_text() -> None:
    catalog = pl.DataFrame({"item_id": [1, 2], "title": ["one", "two"]})
    items = ItemSpace(IdIndex(pl.Series(["2", "3"])), catalog)
    assert items.ids.ids.to_list() == ["2", "3", "1"]
    assert items.name_of(0) == "two"


def test_text_ids_of_a_catalogue_do_not_fit_a_journal_of_integers() -> None:
    with pytest.raises(DataError, match="item_id must be Int64 as in the journal"):
        ItemSpace(IdIndex(pl.Series([2, 3])), CATALOG)


def test_what_is_not_available_is_never_shown() -> None:
    catalog = CATALOG.with_columns(available=pl.col("item_id") != "wine")
    assert "wine" not in ids(shop(catalog=catalog), Query("nobody", k=9))
    catalog = CATALOG.with_columns(
        available=pl.when(pl.col("item_id") == "wine").then(None).otherwise(statement=True)
    )
    assert "wine" in ids(shop(catalog=catalog), Query("nobody", k=9))


@pytest.mark.parametrize(("column", "value"), [("available", 1), ("available_from", "2026-01-01")])
def test_columns_of_sale_must_have_their_type(column: str, value: Any) -> None:
    with pytest.raises(DataError, match=column):
        shop(catalog=CATALOG.with_columns(pl.lit(value).alias(column)))


def test_items_come_and_go_with_their_times_of_sale() -> None:
    times = pl.Datetime("us", "UTC")
    catalog = CATALOG.with_columns(
        available_from=pl.Series([day(2), None, None, None, None, None, None], dtype=times),
        available_until=pl.Series([day(4), day(3), None, None, None, None, None], dtype=times),
    )
    config = PipelineConfig(
        unavailable=(
            Unavailable(item_id="pen"),
            Unavailable(item_id="ink", available_until=day(3)),
            Unavailable(item_id="wine", available_from=day(3)),
            Unavailable(item_id="nothing we sell"),
        )
    )
    pipeline = shop(config, catalog=catalog, clients=None)

    def on(n: float) -> set[str]:
        return set(ids(pipeline, Query("nobody", k=9, at=day(n)))) & {"wine", "cheese", "pen", "ink"}

    assert on(0) == {"cheese", "ink"}
    assert on(2) == {"cheese", "ink"}
    assert on(3) == {"cheese", "ink", "wine"}
    assert on(3.5) == {"wine"}
    assert on(4) == {"wine"}
    assert on(4.1) == set()


def test_without_a_moment_the_newest_event_tells_the_time() -> None:
    config = PipelineConfig(unavailable=(Unavailable(item_id="wine", available_from=day(20)),))
    pipeline = shop(config)
    assert "wine" not in ids(pipeline, Query("nobody", k=9))
    pipeline.add_events([bought("zoe", "tea", 21)])
    assert "wine" in ids(pipeline, Query("nobody", k=9))


def test_where_no_moment_is_known_times_of_sale_do_not_count() -> None:
    config = PipelineConfig(unavailable=(Unavailable(item_id="wine", available_from=day(20)),))
    pipeline = shop(config, interactions=log(rows=[]))
    assert "wine" in ids(pipeline, Query("nobody", k=9))
    assert "wine" not in ids(pipeline, Query("nobody", k=9, at=day(19)))


def test_lists_of_the_config_hold_for_every_answer() -> None:
    pipeline = shop(
        PipelineConfig(allow=("tea", "milk", "pen"), deny=("milk",), where={"category": ["food", "office"]})
    )
    assert set(ids(pipeline, Query("nobody", k=9))) == {"tea", "pen"}
    assert ids(pipeline, Query("nobody", allow=["wine", "milk", "pen"])) == ["pen"]


def test_long_lists_of_allowed_items_are_the_same_kept_or_not() -> None:
    pipeline = shop()
    many = ["tea", *(f"unknown {n}" for n in range(100))]
    assert ids(pipeline, Query("nobody", allow=many)) == ids(pipeline, Query("nobody", allow=many)) == ["tea"]


def test_the_shared_row_of_forbidden_items_is_not_written_into() -> None:
    filters = Filters(space(), PipelineConfig(deny=("tea",)))
    blocked = filters.blocked(at_us=None, rule_bits=0)
    assert blocked.penalty is not None
    assert not blocked.penalty.flags.writeable
    assert filters.blocked(at_us=None, rule_bits=0).penalty is blocked.penalty
    assert Filters(space(), PipelineConfig()).blocked(at_us=None, rule_bits=0).penalty is None


def test_rules_that_ask_about_clients_need_the_table() -> None:
    rule = Rule(rule="adult_only", item={"category": "alcohol"}, user={"age": {"max": 17}})
    with pytest.raises(InputError, match="need a clients table; got \\['adult_only'\\]"):
        shop(PipelineConfig(rules=(rule,)), clients=None)


def test_a_rule_for_everybody_needs_no_table() -> None:
    for unknown in ("forbid", "allow"):
        rule = Rule(rule="dry", item={"category": "alcohol"}, when_unknown=unknown)  # type: ignore[arg-type]
        assert "wine" not in ids(shop(PipelineConfig(rules=(rule,)), clients=None), Query("ann", k=9))


def test_an_unknown_cell_forbids_only_where_the_rest_of_the_rule_fits() -> None:
    clients = pl.DataFrame({"user_id": ["a", "b"], "age": [None, None], "city": ["north", "south"]}).cast(
        {"age": pl.Int64}
    )
    rule = Rule(rule="r", item={"category": "alcohol"}, user={"age": {"max": 17}, "city": "north"})
    pipeline = shop(PipelineConfig(rules=(rule,)), clients=clients)
    assert "wine" not in ids(pipeline, Query("a", k=9))
    assert "wine" in ids(pipeline, Query("b", k=9))


def test_rules_that_cannot_be_counted_are_refused() -> None:
    rules = tuple(Rule(rule=str(n), item={"category": "food"}) for n in range(63))
    with pytest.raises(InputError, match="62 at most"):
        shop(PipelineConfig(rules=rules))


def test_clients_are_unique() -> None:
    with pytest.raises(DataError, match="unique"):
        Clients(pl.DataFrame({"user_id": ["a", "a"]}), rules=(), segment=None, segment_ids=None)


def test_the_cache_forgets_what_was_used_longest_ago() -> None:
    cache, row = LruCache(max_bytes=200), np.zeros(80, np.int8)
    for key in ("a", "b"):
        cache.put(key, row)
    assert cache.get("a") is row
    cache.put("c", row)
    assert (cache.get("b"), len(cache)) == (None, 2)
    cache.put("c", np.zeros(500, np.int8))
    assert (cache.get("a"), len(cache)) == (None, 1)


def test_a_title_is_in_the_language_asked_for_where_the_catalogue_has_it() -> None:
    catalog = pl.DataFrame({"item_id": ["2", "3"], "title": ["two", "three"], "title_ru": ["два", None]})
    items = ItemSpace(IdIndex(pl.Series(["2", "3", "4"])), catalog)
    assert [items.title_of(n, lang="ru") for n in range(3)] == ["два", "three", None]
    assert [items.title_of(n, lang="en") for n in range(3)] == ["two", "three", None]
    assert items.name_of(0, lang="ru") == "два"
    assert items.name_of(2, lang="ru") == "4"
