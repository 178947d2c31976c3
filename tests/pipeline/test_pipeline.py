"""The whole chain: who gets what, from which source, and that filters are always obeyed."""

from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dummies import CoOccurrence, Opaque, Staged
from nextbest.data.event_log import EventLog
from nextbest.data.ids import IdIndex
from nextbest.data.interactions import Interactions
from nextbest.errors import DataError, ExternalError, InputError
from nextbest.models import make_model
from nextbest.pipeline.config import Cap, PipelineConfig, PipelineInfo, Rule, Unavailable
from nextbest.pipeline.fallback import default_fallbacks, fallback_name
from nextbest.pipeline.pipeline import Pipeline
from nextbest.pipeline.query import Query
from nextbest.tables import RECOMMENDATIONS
from pipeline.shop import BOUGHT, CATALOG, CLIENTS, ITEMS, bought, day, ids, log, shop


@pytest.fixture(scope="module")
def plain() -> Pipeline:
    return shop()


def test_the_model_comes_first_then_fallbacks_in_their_order_then_the_catalogue(plain: Pipeline) -> None:
    answer = plain.recommend([Query("ann", k=10)])[0]
    assert [(i.item_id, i.source) for i in answer.items] == [
        ("bread", "co_occurrence"),
        ("pen", "recent_popularity"),
        ("cheese", "popularity"),
        ("wine", "popularity"),
        ("ink", "catalog"),
    ]
    assert [i.rank for i in answer.items] == [1, 2, 3, 4, 5]
    assert answer.known


def test_an_unknown_user_is_answered_from_fallbacks_and_told_to_be_unknown(plain: Pipeline) -> None:
    answer = plain.recommend([Query("nobody", k=3)])[0]
    assert not answer.known
    assert answer.user_id == "nobody"
    assert [i.source for i in answer.items] == ["recent_popularity", "popularity", "popularity"]


def test_a_client_without_a_history_is_known(plain: Pipeline) -> None:
    assert plain.recommend([Query("eve", k=1)])[0].known
    assert plain.is_known("eve")
    assert not plain.is_known("nobody")


def test_nobody_in_particular_gets_an_answer(plain: Pipeline) -> None:
    answer = plain.recommend([Query(k=2)])[0]
    assert (answer.known, answer.user_id, len(answer.items)) == (False, None, 2)


def test_a_history_in_the_query_replaces_the_stored_one(plain: Pipeline) -> None:
    items = plain.recommend([Query("ann", history=[("wine", None)], k=1)])[0].items
    assert (items[0].item_id, items[0].source) == ("cheese", "co_occurrence")


def test_a_history_of_unknown_items_is_answered_from_fallbacks(plain: Pipeline) -> None:
    answer = plain.recommend([Query(history=[("zzz", None), ("yyy", day(1))], k=4)])[0]
    assert len(answer.items) == 4
    assert {i.source for i in answer.items} == {"recent_popularity", "popularity"}


def test_an_empty_history_is_answered_from_fallbacks(plain: Pipeline) -> None:
    assert plain.recommend([Query(history=[], k=1)])[0].items[0].source == "recent_popularity"


def test_items_that_only_the_catalogue_knows_can_be_asked_for(plain: Pipeline) -> None:
    assert ids(plain, Query("ann", allow=["ink"])) == ["ink"]


def test_an_item_of_the_catalogue_alone_is_not_repeated_to_who_has_it(plain: Pipeline) -> None:
    assert "ink" not in ids(plain, Query(history=[("ink", None)], k=10))
    assert "ink" in ids(plain, Query(history=[("tea", None)], k=10))


def test_a_batch_is_answered_as_each_query_alone(plain: Pipeline) -> None:
    queries = [
        Query(u, k=k, where=w)
        for u in ("ann", "dan", "nobody")
        for k in (1, 9)
        for w in (None, {"price": 5.0})
    ]
    assert plain.recommend(queries) == [plain.recommend([q])[0] for q in queries]


def test_no_query_no_answer(plain: Pipeline) -> None:
    assert plain.recommend([]) == []


def test_a_batch_larger_than_a_block_keeps_its_order(plain: Pipeline) -> None:
    users = ["ann", "nobody", "cat"] * 150
    assert [a.user_id for a in plain.recommend([Query(u, k=1) for u in users])] == users


@pytest.mark.parametrize("exclude_seen", [True, False])
def test_exclude_seen_is_the_configs_unless_the_query_says(exclude_seen: bool) -> None:
    pipeline = shop(PipelineConfig(exclude_seen=exclude_seen))
    assert ("tea" in ids(pipeline, Query("ann"))) is not exclude_seen
    assert "tea" in ids(pipeline, Query("ann", exclude_seen=False))
    assert "tea" not in ids(pipeline, Query("ann", exclude_seen=True))


def test_repeat_lets_only_named_items_come_again() -> None:
    pipeline = shop(PipelineConfig(exclude_seen="repeat", repeat={"category": "food"}))
    assert "tea" in ids(pipeline, Query("ann"))
    assert "pen" not in ids(pipeline, Query("dan"))
    assert "tea" not in ids(pipeline, Query("ann", exclude_seen=True))


def test_repeat_without_a_config_for_it_is_a_wrong_call(plain: Pipeline) -> None:
    with pytest.raises(InputError, match="needs `repeat`"):
        plain.recommend([Query("ann", exclude_seen="repeat")])


def test_a_score_of_zero_or_less_is_no_evidence_where_scores_are_sums() -> None:
    pipeline = shop(model=make_model("ease", {"regularization": 1.0}))
    items = pipeline.recommend([Query("cat", k=6)])[0].items
    assert all(i.score > 0 for i in items if i.source == "ease")
    assert items[0].source == "popularity" or items[0].source == "recent_popularity"


def test_popularity_as_the_model_answers_everybody() -> None:
    pipeline = shop(model=make_model("popularity"), fallbacks=[])
    assert pipeline.recommend([Query("nobody", k=1)])[0].items[0].source == "popularity"


def test_a_personal_fallback_is_asked_for_the_users_own_history() -> None:
    pipeline = shop(
        model=make_model("transitions"),
        fallbacks={"neighbours": CoOccurrence(), "all": make_model("popularity")},
    )
    found = pipeline.recommend([Query("bob", exclude_seen=False, k=7), Query("nobody", k=2)])
    by_id = {i.item_id: i for i in found[0].items}
    assert by_id["tea"].source == "neighbours"
    assert by_id["tea"].reason_code == "because_of_item"
    assert by_id["wine"].source == "all"
    assert {i.source for i in found[1].items} == {"all"}


def test_a_fallback_of_another_kind_that_needs_no_history_is_the_same_for_all() -> None:
    pipeline = shop(fallbacks=[Staged()])
    for user in ("dan", "nobody"):
        items = pipeline.recommend([Query(user, k=2)])[0].items
        assert [(i.item_id, i.source, i.reason) for i in items] == [
            ("wine", "staged", "Recommended to everybody"),
            ("tea", "staged", "Recommended to everybody"),
        ]


def test_a_model_that_has_an_answer_without_a_history_is_asked_for_it() -> None:
    items = shop(model=Staged()).recommend([Query("nobody", k=1), Query("ann", k=1)])
    assert [(a.items[0].item_id, a.items[0].reason_code) for a in items] == [
        ("wine", "general"),
        ("wine", "for_you"),
    ]


def test_the_default_chain_names_what_the_log_can_tell() -> None:
    assert [fallback_name(m) for m in default_fallbacks(segments=True)] == [
        "segment_popularity",
        "recent_popularity",
        "popularity",
    ]
    assert [fallback_name(m) for m in default_fallbacks(segments=False, recent_days=None)] == ["popularity"]


def test_a_personal_fallback_has_nothing_for_strangers() -> None:
    pipeline = shop(fallbacks=[CoOccurrence()])
    assert {i.source for i in pipeline.recommend([Query("nobody", k=3)])[0].items} == {"catalog"}


def test_fallbacks_of_the_same_name_are_told_apart() -> None:
    pipeline = shop(fallbacks=[make_model("popularity"), make_model("popularity", {"count": "users"})])
    assert [f["name"] for f in pipeline.manifest["fallbacks"]] == ["popularity", "popularity_2"]


def test_without_any_fallback_the_catalogue_fills_up() -> None:
    pipeline = shop(fallbacks=[])
    assert [(i.item_id, i.source) for i in pipeline.recommend([Query("dan", k=3)])[0].items] == [
        ("wine", "catalog"),
        ("cheese", "catalog"),
        ("tea", "catalog"),
    ]


def test_without_a_catalogue_answers_still_come() -> None:
    pipeline = shop(catalog=None, clients=None)
    assert len(ids(pipeline, Query("nobody", k=9))) == 6
    assert list(pipeline.catalog_columns) == ["item_id"]


def test_an_empty_log_is_answered_from_the_catalogue() -> None:
    pipeline = shop(interactions=log(rows=[]), fallbacks=[])
    assert ids(pipeline, Query("ann", k=2)) == ["wine", "cheese"]


def test_one_user_and_one_item_are_enough() -> None:
    pipeline = shop(interactions=log(rows=[("ann", "tea", 0)]), catalog=None, clients=None)
    assert ids(pipeline, Query("ann")) == []
    assert ids(pipeline, Query("nobody")) == ["tea"]


def test_caps_hold_across_sources_and_the_answer_is_still_full() -> None:
    pipeline = shop(PipelineConfig(caps=(Cap(column="category", at_most=1),)))
    items = pipeline.recommend([Query("ann", k=3)])[0].items
    assert [i.item_id for i in items] == ["bread", "pen", "wine"]
    assert len(ids(pipeline, Query("ann", k=10))) == 3


def test_caps_do_not_hide_items_that_stand_deep_in_the_models_list() -> None:
    n = 40
    rows = [("u", "seed", 0)] + [("u", f"a{i:02d}", 1) for i in range(n)] + [("u", "z", 2)]
    names = ["seed", *(f"a{i:02d}" for i in range(n)), "z"]
    catalog = pl.DataFrame({"item_id": names, "title": names, "kind": ["s"] + ["a"] * n + ["z"]})
    pipeline = shop(
        PipelineConfig(caps=(Cap(column="kind", at_most=1),)),
        interactions=log(rows=rows),
        catalog=catalog,
        fallbacks=[],
    )
    items = pipeline.recommend([Query(history=[("seed", None)], k=2)])[0].items
    assert [(i.item_id, i.source) for i in items] == [("a00", "co_occurrence"), ("z", "co_occurrence")]


def test_items_without_a_value_are_free_of_a_cap() -> None:
    catalog = CATALOG.with_columns(pl.lit(None, dtype=pl.String).alias("brand"))
    pipeline = shop(PipelineConfig(caps=(Cap(column="brand", at_most=1),)), catalog=catalog)
    assert len(ids(pipeline, Query("nobody", k=7))) == 7


def test_users_of_a_segment_get_its_list() -> None:
    pipeline = shop(
        PipelineConfig(segment="city"),
        fallbacks=[make_model("popularity", {"by_segment": True, "shrinkage": 0.01})],
        interactions=log({"ann": "north", "bob": "north", "cat": "south", "dan": "south"}),
    )
    north = pipeline.recommend([Query("ann", k=9, exclude_seen=False)])[0].items
    assert all(i.source in ("co_occurrence", "segment_popularity", "catalog") for i in north)
    eve = pipeline.recommend([Query("eve", k=7)])[0].items
    assert eve[0].source == "segment_popularity"
    assert {i.item_id for i in eve if i.reason_code == "popular_in_segment"} == {"tea", "milk", "bread"}
    stranger = pipeline.recommend([Query("nobody", k=7)])[0].items
    assert {i.reason_code for i in stranger} == {"popular", "catalog"}


def test_an_event_changes_the_next_answer() -> None:
    pipeline = shop()
    before = ids(pipeline, Query("dan", k=2))
    assert pipeline.add_events([bought("dan", "wine", 10)]) == 1
    items = pipeline.recommend([Query("dan", k=2)])[0].items
    assert ids(pipeline, Query("dan", k=2)) != before
    assert (items[0].item_id, items[0].reason) == ("cheese", "Because you took “Red wine”")


def test_a_new_user_is_known_from_the_first_event_on() -> None:
    pipeline = shop()
    pipeline.add_events([bought("zoe", "wine", 10)])
    answer = pipeline.recommend([Query("zoe", k=1)])[0]
    assert answer.known
    assert answer.items[0].item_id == "cheese"


def test_an_event_of_an_unknown_item_is_kept_until_a_newer_model_knows_it() -> None:
    old, new = shop(), shop(interactions=log(rows=[*BOUGHT, ("fay", "ink", 3), ("fay", "wine", 4)]))
    old.add_events([bought("dan", "ink", 10), bought("zoe", "tea", 10, event_id="e1")])
    assert old.recommend([Query("dan", k=1)])[0].items[0].source != "co_occurrence"
    assert new.adopt_live(old) == 2
    assert ids(new, Query("dan", k=1)) == ["wine"]
    assert new.add_events([bought("zoe", "milk", 11, event_id="e1")]) == 0
    assert new.n_live_users == 2


def test_only_events_can_be_added() -> None:
    with pytest.raises(InputError, match="must hold Event objects"):
        shop().add_events([("ann", "tea", day(1))])  # type: ignore[list-item]


def test_only_queries_can_be_asked(plain: Pipeline) -> None:
    with pytest.raises(InputError, match="must hold Query objects"):
        plain.recommend(["ann"])  # type: ignore[list-item]


def test_two_pipelines_on_one_event_log_see_each_others_events(tmp_path: Any) -> None:
    one, two = shop(), shop()
    with EventLog(tmp_path / "events.db") as first, EventLog(tmp_path / "events.db") as second:
        assert one.attach(first) == 0
        assert two.attach(second) == 0
        assert one.add_events([bought("zoe", "wine", 10)]) == 1
        assert not two.is_known("zoe")
        assert two.sync() == 1
        assert two.sync() == 0
        assert ids(two, Query("zoe", k=1)) == ["cheese"]


def _locked(*_: Any, **__: Any) -> Any:
    raise ExternalError("event log", "locked", retryable=True)


def test_events_that_could_not_be_read_are_read_by_the_next_sync(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = shop()
    with EventLog(tmp_path / "events.db") as events:
        pipeline.attach(events)
        events.append([bought("zoe", "wine", 10)])
        with monkeypatch.context() as patch:
            patch.setattr(events, "read_after", _locked)
            with pytest.raises(ExternalError, match="locked"):
                pipeline.sync()
        assert pipeline.sync() == 1


def test_attaching_replays_the_log_but_for_what_the_journal_held(tmp_path: Any) -> None:
    with EventLog(tmp_path / "events.db") as events:
        events.append([bought("ann", "tea", 0, event_id="old"), bought("ann", "wine", 5, event_id="new")])
        assert shop().attach(events) == 1


def test_without_a_log_there_is_nothing_to_sync() -> None:
    assert shop().sync() == 0


def test_similar_items_are_those_of_the_model_and_may_be_fewer(plain: Pipeline) -> None:
    found = plain.similar_items("tea", k=5)
    assert [(i.item_id, i.rank, i.reason) for i in found] == [
        ("milk", 1, "Similar to “Green tea”"),
        ("bread", 2, "Similar to “Green tea”"),
    ]
    assert plain.similar_items("ink", k=5) == []
    assert plain.similar_items("tea", k=1, lang="ru")[0].reason == "Похоже на «Green tea»"


def test_similar_items_obey_the_filters() -> None:
    pipeline = shop(PipelineConfig(deny=("milk",)))
    assert [i.item_id for i in pipeline.similar_items("tea", k=1)] == ["bread"]


def test_similar_items_behind_many_forbidden_ones_are_found() -> None:
    names = [f"i{n:02d}" for n in range(20)]
    rows = [(f"u{n}", "seed", 0) for n in range(20)] + [(f"u{n}", i, 1) for n, i in enumerate(names)]
    pipeline = shop(PipelineConfig(deny=tuple(names[:19])), interactions=log(rows=rows), catalog=None)
    assert [i.item_id for i in pipeline.similar_items("seed", k=1)] == ["i19"]


def test_somebody_elses_order_is_joined_with_the_models(plain: Pipeline) -> None:
    def like(item: str, *nearest: str, trust: float = 0.5, k: int = 5) -> list[str]:
        return [str(i.item_id) for i in plain.similar_items(item, k=k, nearest=nearest, trust=trust)]

    assert like("tea") == ["milk", "bread"]
    assert like("tea", "ink", "bread") == ["bread", "milk", "ink"]
    assert like("tea", "ink", "bread", trust=1.0) == ["milk", "bread", "ink"]
    assert like("tea", "ink", "bread", trust=0.0) == ["ink", "bread", "milk"]
    assert like("tea", "tea", "ink", "ink", "nobody knows", trust=0.0, k=2) == ["ink", "milk"]
    assert like("tea", "ink", k=1, trust=0.9) == ["milk"]
    # one that no model knows is like what the other order says, however much the model is trusted
    assert like("ink", "tea", "milk", trust=1.0) == ["tea", "milk"]
    ranks = [(i.rank, i.reason_code) for i in plain.similar_items("ink", nearest=["tea", "milk"])]
    assert ranks == [(1, "similar_to_item"), (2, "similar_to_item")]
    with pytest.raises(InputError, match="trust: must be from 0 to 1"):
        like("tea", trust=1.5)


def test_somebody_elses_order_obeys_the_filters() -> None:
    pipeline = shop(PipelineConfig(deny=("milk",)))
    near = pipeline.similar_items("ink", nearest=["milk", "bread"])
    assert [i.item_id for i in near] == ["bread"]


def test_similar_items_of_an_unknown_item_are_a_wrong_call(plain: Pipeline) -> None:
    with pytest.raises(InputError, match="item_id: is not in the journal or the catalogue; got 'zzz'"):
        plain.similar_items("zzz", k=3)


def test_the_table_says_what_the_answers_say(plain: Pipeline) -> None:
    users = ["ann", "nobody", "ann", "cat"]
    table = RECOMMENDATIONS.check(plain.recommend_table(users, k=3, explain=True))
    expected = [
        (a.user_id, i.item_id, i.rank, i.source, i.reason)
        for a in plain.recommend([Query(u, k=3) for u in ("ann", "nobody", "cat")])
        for i in a.items
    ]
    assert table.select("user_id", "item_id", "rank", "source", "reason").rows() == expected


def test_the_table_holds_every_user_of_the_journal_by_default(
    plain: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    table = plain.recommend_table(k=2, progress=True)
    assert table["user_id"].unique().sort().to_list() == ["ann", "bob", "cat", "dan"]
    assert "reason" not in table.columns
    assert "users" in capsys.readouterr().err


def test_a_table_of_nobody_has_its_columns(plain: Pipeline) -> None:
    table = plain.recommend_table([], k=2, explain=True)
    assert (len(table), table.columns) == (0, ["user_id", "item_id", "rank", "score", "source", "reason"])


def test_histories_to_answer_from_may_differ_from_those_learnt_from() -> None:
    known = log(rows=[("new", "wine", 3), ("new", "gone", 4)])
    pipeline = Pipeline.fit(CoOccurrence(), [], log(), catalog=CATALOG, known=known)
    assert ids(pipeline, Query("new", k=1)) == ["cheese"]
    assert not pipeline.is_known("ann")


def test_models_of_other_items_are_refused() -> None:
    other = CoOccurrence().fit(log(rows=[("ann", "tea", 0)]))
    with pytest.raises(InputError, match="must be fitted on the items"):
        Pipeline(other, [], log())


def test_the_same_rng_gives_the_same_pipeline() -> None:
    def fitted(rng: Any) -> Pipeline:
        return Pipeline.fit(make_model("als", {"embedding_dim": 2}), [], log(), rng=rng)

    a, b = fitted(3), fitted(np.random.default_rng(3))
    assert a.recommend([Query("ann")]) == b.recommend([Query("ann")])


def test_the_manifest_is_ready_for_json_and_says_where_it_comes_from() -> None:
    info = PipelineInfo(name="shop", recipe="pipeline", cutoff=day(9), metrics={"ndcg@10": 0.1})
    pipeline = Pipeline.fit(CoOccurrence(), [], log(), info=info)
    manifest = pipeline.manifest
    assert (manifest["name"], manifest["recipe"], manifest["cutoff"]) == (
        "shop",
        "pipeline",
        day(9).isoformat(),
    )
    assert (manifest["n_users"], manifest["n_items"], manifest["n_events"]) == (4, 6, 8)


def test_ids_may_be_integers_and_come_as_text() -> None:
    histories = log().histories
    users, items = IdIndex(pl.Series([1, 2, 3, 4])), IdIndex(pl.Series([10, 20, 30, 40, 50, 60]))
    pipeline = Pipeline.fit(CoOccurrence(), [], Interactions(users, items, histories))
    assert pipeline.recommend([Query("1", k=3)])[0].items == pipeline.recommend([Query(1, k=3)])[0].items
    pipeline.add_events([bought("99", "10", 3)])
    assert pipeline.is_known(99)


def test_a_rule_forbids_its_items_for_its_clients_and_for_strangers() -> None:
    rule = Rule(rule="adult_only", item={"category": ["alcohol"]}, user={"age": {"max": 17}})
    pipeline = shop(PipelineConfig(rules=(rule,)))
    assert "wine" not in ids(pipeline, Query("ann"))
    assert "wine" in ids(pipeline, Query("bob"))
    assert "wine" not in ids(pipeline, Query("eve"))
    assert "wine" not in ids(pipeline, Query("nobody"))
    lenient = shop(PipelineConfig(rules=(rule.model_copy(update={"when_unknown": "allow"}),)))
    assert "wine" in ids(lenient, Query("eve"))
    assert "wine" in ids(lenient, Query("nobody"))
    assert "wine" not in ids(lenient, Query("ann"))


# --- laws ---------------------------------------------------------------------------------------
RULED = PipelineConfig(
    rules=(Rule(rule="adult_only", item={"category": "alcohol"}, user={"age": {"max": 17}}),),
    unavailable=(
        Unavailable(item_id="pen", available_from=day(5)),
        Unavailable(item_id="bread", available_until=day(5)),
    ),
)
LAWFUL = [shop(RULED), shop(RULED, model=Opaque()), shop(RULED, model=make_model("popularity"), fallbacks=[])]
some_ids = st.lists(st.sampled_from([*ITEMS, "zzz"]), max_size=7)
questions = st.builds(
    Query,
    user_id=st.sampled_from(["ann", "bob", "cat", "dan", "eve", "nobody", None]),
    history=st.none()
    | st.lists(st.tuples(st.sampled_from([*ITEMS, "zzz"]), st.none() | st.just(day(3))), max_size=4),
    k=st.integers(1, 9),
    exclude_seen=st.sampled_from([None, True, False]),
    allow=st.none() | some_ids,
    deny=st.none() | some_ids,
    where=st.none()
    | st.sampled_from([{"category": "food"}, {"price": {"min": 2, "max": 4}}, {"tags": ["old", "hot"]}]),
    at=st.sampled_from([None, day(1), day(5), day(8)]),
)


def _allowed_by_hand(query: Query) -> set[str]:
    """The slow, plain oracle: item by item."""
    own = {u: {i for v, i, _ in BOUGHT if v == u} for u in ("ann", "bob", "cat", "dan")}
    seen = own.get(str(query.user_id), set()) if query.history is None else {i for i, _ in query.history}
    ages = dict(zip(CLIENTS["user_id"], CLIENTS["age"], strict=True))
    at: datetime = query.at or day(9)
    allowed = set()
    for row in CATALOG.to_dicts():
        item = row["item_id"]
        age = ages.get(str(query.user_id))
        ok = query.allow is None or item in query.allow
        ok &= item not in (query.deny or [])
        ok &= query.exclude_seen is False or item not in seen
        ok &= not (item == "wine" and (age is None or age <= 17))
        ok &= not (item == "pen" and at < day(5)) and not (item == "bread" and at > day(5))
        if query.where and "category" in query.where:
            ok &= row["category"] == "food"
        if query.where and "price" in query.where:
            ok &= row["price"] is not None and 2 <= row["price"] <= 4
        if query.where and "tags" in query.where:
            ok &= bool({"old", "hot"} & set(row["tags"] or []))
        if ok:
            allowed.add(item)
    return allowed


@settings(max_examples=150, deadline=None)
@given(st.lists(questions, min_size=1, max_size=5), st.sampled_from(range(len(LAWFUL))))
def test_everybody_gets_k_allowed_items_or_all_there_are(queries: list[Query], which: int) -> None:
    for query, answer in zip(queries, LAWFUL[which].recommend(queries), strict=True):
        found = [i.item_id for i in answer.items]
        allowed = _allowed_by_hand(query)
        assert set(found) <= allowed
        assert len(found) == len(set(found)) == min(query.k, len(allowed))
        assert all(i.source and i.reason for i in answer.items)
        assert [i.rank for i in answer.items] == list(range(1, len(found) + 1))


def test_a_catalogue_of_two_rows_for_one_item_is_refused() -> None:
    with pytest.raises(DataError, match=r"item_id must be unique; 2 row\(s\) break it, first: \['tea'\]"):
        shop(catalog=pl.concat([CATALOG, CATALOG.filter(pl.col("item_id") == "tea")]))
