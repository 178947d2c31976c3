"""Reasons say what the computation did, in both languages."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dummies import CoOccurrence, Opaque, Staged
from nextbest.data.interactions import Histories, Interactions
from nextbest.models import MODEL_KINDS, make_model
from nextbest.models.base import Recommender
from nextbest.pipeline.explain import _WORDS, Reason, personal_reasons, words
from nextbest.pipeline.fallback import Fallback, fallback_name
from nextbest.pipeline.pipeline import Pipeline
from nextbest.pipeline.query import Query, ReasonCode
from pipeline.shop import ITEMS, log, shop

PERSONAL = [kind for kind in MODEL_KINDS if kind != "popularity"]
SMALL = {"als": {"embedding_dim": 3}, "svd": {"embedding_dim": 3}, "ease": {"regularization": 1.0}}


def test_every_code_has_words_in_every_language() -> None:
    codes = set(ReasonCode.__args__)  # type: ignore[attr-defined]
    assert set(_WORDS["en"]) == set(_WORDS["ru"]) == codes


@pytest.mark.parametrize(
    ("days", "en", "ru"),
    [
        (1, "1 day", "1 день"),
        (2, "2 days", "2 дня"),
        (5, "5 days", "5 дней"),
        (11, "11 days", "11 дней"),
        (12, "12 days", "12 дней"),
        (21, "21 days", "21 день"),
        (28, "28 days", "28 дней"),
        (112, "112 days", "112 дней"),
        (0.5, "0.5 days", "0.5 дня"),
    ],
)
def test_numbers_of_days_agree_with_their_noun(days: float, en: str, ru: str) -> None:
    assert words(Reason("popular_now", days=days), title=None, lang="en") == f"Popular in the last {en}"
    assert words(Reason("popular_now", days=days), title=None, lang="ru") == f"Популярно за последние {ru}"


def test_a_title_with_braces_is_quoted_as_it_is() -> None:
    assert (
        words(Reason("because_of_item", 0), title="{title} {0}", lang="ru")
        == "Потому что вы выбирали «{title} {0}»"
    )


def test_the_named_item_is_the_one_that_adds_most() -> None:
    model = CoOccurrence().fit(log())
    tea, bread, milk = model.item_ids_.encode(["tea", "bread", "milk"]).tolist()
    history = Histories.from_lists([[bread, tea]])
    assert personal_reasons(model, history, [[milk]], needs_history=True) == [
        [Reason("because_of_item", tea)]
    ]


def test_events_of_one_item_count_together() -> None:
    model = CoOccurrence().fit(log())
    tea, bread, milk = model.item_ids_.encode(["tea", "bread", "milk"]).tolist()
    history = Histories.from_lists([[tea, bread, bread, bread]])
    assert personal_reasons(model, history, [[milk]], needs_history=True) == [
        [Reason("because_of_item", bread)]
    ]


def test_where_nothing_adds_anything_only_the_history_is_named() -> None:
    model = CoOccurrence().fit(log())
    pen, milk = model.item_ids_.encode(["pen", "milk"]).tolist()
    assert personal_reasons(model, Histories.from_lists([[pen]]), [[milk]], needs_history=True) == [
        [Reason("history")]
    ]


def test_what_was_taken_before_is_said_to_be() -> None:
    answer = shop(model=make_model("personal")).recommend([Query("bob", k=1, exclude_seen=False)])[0]
    assert (answer.items[0].reason, answer.items[0].reason_item_id) == (
        "You have taken it before",
        answer.items[0].item_id,
    )


def test_a_model_that_may_do_without_a_history_claims_nothing_of_it() -> None:
    for explain, words_ in ((True, "Recommended for you"), (False, "")):
        item = shop(model=Staged()).recommend([Query("ann", k=1, explain=explain)])[0].items[0]
        assert (item.source, item.reason_code, item.reason) == ("staged", "for_you", words_)


def test_a_model_without_parts_only_names_the_history() -> None:
    items = shop(model=Opaque()).recommend([Query("ann", k=1), Query("ann", k=1, lang="ru")])
    assert [a.items[0].reason for a in items] == ["Chosen by your history", "Подобрано по вашей истории"]


def test_without_words_no_reason_is_looked_for() -> None:
    item = shop().recommend([Query("ann", k=1, explain=False)])[0].items[0]
    assert (item.reason, item.reason_code, item.reason_item_id) == ("", "history", None)


def test_what_follows_is_said_to_follow() -> None:
    item = (
        shop(model=make_model("transitions"))
        .recommend([Query("cat", history=[("tea", None)], k=1)])[0]
        .items[0]
    )
    assert (item.item_id, item.reason, item.reason_item_id) == (
        "milk",
        "Often taken after “Green tea”",
        "tea",
    )


@pytest.fixture(scope="module", params=PERSONAL)
def personal(request: pytest.FixtureRequest) -> Pipeline:
    return shop(
        model=make_model(request.param, SMALL.get(request.param, {})), fallbacks=[make_model("popularity")]
    )


@settings(max_examples=25, deadline=None)
@given(taken=st.lists(st.sampled_from(ITEMS[:6]), min_size=1, max_size=4))
def test_a_reason_of_any_model_names_an_item_of_the_history_whose_part_is_largest(
    personal: Pipeline, taken: list[str]
) -> None:
    model = personal._parts.model
    answer = personal.recommend([Query(history=[(i, None) for i in taken], k=5)])[0]
    own = Histories.from_lists([model.item_ids_.encode(taken).tolist()])
    for item in answer.items:
        if item.source != model.kind or item.reason_code == "for_you":
            assert item.reason_code in ("popular", "catalog", "for_you")
            continue
        assert item.reason_item_id in taken
        (parts,) = model.contributions(own, np.array([[model.item_ids_.find(item.item_id)]])).T
        assert not np.isnan(parts).any()
        share = {i: sum(p for t, p in zip(taken, parts.tolist(), strict=True) if t == i) for i in taken}
        assert share[str(item.reason_item_id)] == pytest.approx(max(share.values()), abs=1e-6)
        assert share[str(item.reason_item_id)] > 0


def test_popular_in_the_segment_is_only_said_where_its_share_is_larger_than_elsewhere() -> None:
    interactions = log({"ann": "north", "bob": "north", "cat": "south"})
    model = make_model("popularity", {"by_segment": True, "shrinkage": 50.0}).fit(interactions)
    step = Fallback(model, name=fallback_name(model), n_segments=2)
    h, counts = interactions.histories, interactions.item_counts
    north = np.concatenate(
        [h.item_idx[h.row(b)] for b in range(4) if h.segment is not None and h.segment[b] == 0]
    )
    own = np.bincount(north, minlength=interactions.n_items) / len(north)
    ranking = step.ranking(0)
    for item_idx, score in zip(ranking.item_idx.tolist(), ranking.score.tolist(), strict=True):
        more = own[item_idx] > counts[item_idx] / counts.sum()
        assert step.reason_for(item_idx, score, 0).code == ("popular_in_segment" if more else "popular")
    assert step.ranking(0) is ranking


@pytest.mark.parametrize(
    ("config", "name", "code"),
    [
        ({}, "popularity", "popular"),
        ({"window_days": 3}, "recent_popularity", "popular_now"),
        ({"half_life_days": 3}, "recent_popularity", "popular_now"),
        ({"by_segment": True}, "segment_popularity", "popular"),
    ],
)
def test_a_list_is_named_by_what_it_counts(config: dict[str, float], name: str, code: str) -> None:
    model = make_model("popularity", config).fit(log())
    step = Fallback(model, name=fallback_name(model), n_segments=0)
    assert (step.name, step.reason_for(0, 1.0, -1).code) == (name, code)


def test_other_models_are_named_by_their_kind() -> None:
    assert fallback_name(CoOccurrence()) == "co_occurrence"


def test_items_and_reasons_are_titled_in_the_language_of_the_query() -> None:
    catalog = pl.DataFrame(
        {"item_id": ["a", "b", "c"], "title": ["Tea", "Cup", "Pot"], "title_ru": ["Чай", "Чашка", None]}
    )
    pairs = [("x", "a"), ("x", "b"), ("y", "a"), ("y", "b"), ("y", "c")]
    rows = [(u, i, datetime(2024, 1, 1, n, tzinfo=UTC)) for n, (u, i) in enumerate(pairs)]
    journal = pl.DataFrame(rows, schema=["user_id", "item_id", "time"], orient="row")
    two_tongues = Pipeline.fit(
        make_model("item_knn"), [], Interactions.from_journal(journal), catalog=catalog
    )
    answer = two_tongues.recommend([Query(history=[("a", None)], k=1, lang="ru")])[0]
    assert (answer.items[0].title, answer.items[0].reason) == ("Чашка", "Потому что вы выбирали «Чай»")


def slow_reasons(model: Recommender, history: Histories, wanted: list[int]) -> list[Reason]:
    """One history and one item at a time, by dictionaries."""
    reasons = []
    for item in wanted:
        sums: dict[int, float] = {}
        parts = model.contributions(history, np.array([[item]]))[:, 0] if history.n_events else []
        for own, part in zip(history.item_idx.tolist(), parts, strict=True):
            sums[own] = sums.get(own, 0.0) + (0.0 if np.isnan(part) else float(part))
        best = min(sums, key=lambda i: (-sums[i], i), default=None)
        if best is None or sums[best] <= 0:
            reasons.append(Reason("history"))
        else:
            reasons.append(Reason("taken_before" if best == item else "because_of_item", best))
    return reasons


_ROW = st.tuples(st.lists(st.integers(0, 5), max_size=6), st.lists(st.integers(0, 5), max_size=4))


@pytest.mark.parametrize("parts_at_once", [1 << 20, 1, 12])
@pytest.mark.parametrize("model", [CoOccurrence(), Opaque(), make_model("personal")], ids=lambda m: m.kind)
@given(rows=st.lists(_ROW, max_size=6))
def test_reasons_of_a_batch_are_those_of_its_answers_one_by_one(
    model: Recommender, parts_at_once: int, rows: list[tuple[list[int], list[int]]]
) -> None:
    model.fit(log())
    histories, wanted = Histories.from_lists([h for h, _ in rows]), [w for _, w in rows]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nextbest.pipeline.explain._PARTS_AT_ONCE", parts_at_once)
        told = personal_reasons(model, histories, wanted, needs_history=True)
    assert told == [slow_reasons(model, histories.take([b]), w) for b, w in enumerate(wanted)]


@settings(max_examples=25, deadline=None)
@given(
    asked=st.lists(st.tuples(st.lists(st.sampled_from(ITEMS), max_size=4), st.integers(1, 6), st.booleans()))
)
def test_answers_of_a_batch_have_the_reasons_that_each_has_alone(
    personal: Pipeline, asked: list[tuple[list[str], int, bool]]
) -> None:
    queries = [Query(history=[(i, None) for i in taken], k=k, explain=told) for taken, k, told in asked]
    together = personal.recommend(queries)
    for query, answer in zip(queries, together, strict=True):
        (alone,) = personal.recommend([query])
        assert [i.reason_code for i in answer.items] == [i.reason_code for i in alone.items]
        assert [bool(i.reason) for i in answer.items] == [query.explain] * len(answer.items)
