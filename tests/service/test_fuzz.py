"""Whatever is sent, the answer is a recommendation or a problem document below 500."""

import json
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nextbest.service.app import create_app
from service.conftest import QUICK
from service.running import AppClient
from service.shops import save_shop

JSON_HEADERS = {"content-type": "application/json"}
texts = st.text(max_size=20)
ids = st.one_of(st.sampled_from(["ann", "tea", "coffee", "ufo", ""]), texts, st.integers(), st.booleans())
leaves = st.one_of(
    ids,
    st.none(),
    st.floats(),
    st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-01", "9999-12-31T23:59:59Z"]),
)
anything = st.recursive(leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=8)  # fmt: skip


def nearly(names: list[str]) -> st.SearchStrategy[dict]:
    """Bodies with the right names and any values, mostly of the right shape."""
    values = {
        "user_ids": st.lists(ids, max_size=4),
        "history": st.lists(ids | st.fixed_dictionaries({"item_id": ids}, optional={"time": leaves}), max_size=4),
        "k": st.integers(-2, 600) | leaves,
        "exclude_seen": st.booleans() | leaves,
        "allow": st.lists(ids, max_size=4),
        "deny": st.lists(ids, max_size=4),
        "where": st.dictionaries(
            st.sampled_from(["category", "price", "organic", "item_id", "nope"]),
            leaves | st.lists(leaves, max_size=3) | st.fixed_dictionaries({}, optional={"min": leaves, "max": leaves}),
            max_size=2,
        ),
        "lang": st.sampled_from(["en", "ru", "de", None]),
        "explain": st.booleans(),
        "user_id": ids,
        "item_id": ids,
        "time": leaves,
        "weight": st.floats() | leaves,
        "event_id": texts | st.none(),
    }  # fmt: skip
    return st.fixed_dictionaries({}, optional={name: values[name] | anything for name in names})


asked = nearly(["user_ids", "history", "k", "exclude_seen", "allow", "deny", "where", "lang", "explain"])
posted = nearly(["user_id", "item_id", "time", "weight", "event_id"])
fuzzing = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory):
    folder = save_shop(Path(tmp_path_factory.mktemp("fuzz")) / "model")
    with AppClient(create_app(folder, config=QUICK)) as client:
        yield client


def is_in_order(response) -> bool:
    """An answer, or a problem document of the caller's making."""
    if response.status_code in (200, 202):
        return True
    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["status"] == response.status_code
    return 400 <= response.status_code < 500


@fuzzing
@given(body=asked | anything)
def test_any_json_to_recommendations(fuzzed, body) -> None:
    sent = json.dumps(body).encode()  # keeps NaN, Infinity and lone surrogates, as careless clients do
    assert is_in_order(fuzzed.post("/recommendations", content=sent, headers=JSON_HEADERS))


@fuzzing
@given(body=posted | st.lists(posted, max_size=3) | anything)
def test_any_json_to_events(fuzzed, body) -> None:
    assert is_in_order(fuzzed.post("/events", content=json.dumps(body).encode(), headers=JSON_HEADERS))


@fuzzing
@given(body=st.binary(max_size=60), path=st.sampled_from(["/events", "/recommendations"]))
def test_any_bytes_as_a_body(fuzzed, body, path) -> None:
    assert is_in_order(fuzzed.post(path, content=body, headers=JSON_HEADERS))


parameters = st.lists(
    st.tuples(
        st.sampled_from(["k", "exclude_seen", "lang", "explain", "category", "price", "organic", "nope", ""]) | texts,
        st.sampled_from(["1", "true", "repeat", "ru", "drink", "3.0", "nan", "1e999", "-1", ""]) | texts,
    ),
    max_size=4,
)  # fmt: skip


@fuzzing
@given(user_id=texts, parameters=parameters, raw=st.binary(max_size=8))
def test_any_user_and_any_query(fuzzed, user_id, parameters, raw) -> None:
    from urllib.parse import quote_from_bytes

    query = "&".join(f"{quote(name)}={quote(value)}" for name, value in parameters)
    path = f"/users/{quote(user_id, safe='')}/recommendations?{query}&{quote_from_bytes(raw, safe='=&')}"
    assert is_in_order(fuzzed.get(path))


@fuzzing
@given(item_id=texts, k=texts)
def test_any_item(fuzzed, item_id, k) -> None:
    assert is_in_order(fuzzed.get(f"/items/{quote(item_id, safe='')}/similar?k={quote(k)}"))
