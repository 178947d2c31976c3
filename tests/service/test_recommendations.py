"""Recommendations over HTTP: who gets what, which filters hold, and what a wrong question is told."""

import pytest

from service.shops import COFFEE, TEA


def item_ids(response) -> list[str]:
    assert response.status_code == 200, response.text
    return [item["item_id"] for item in response.json()["items"]]


def test_a_tea_drinker_is_told_of_honey_and_lemon_with_source_and_reason(client) -> None:
    response = client.get("/users/ann/recommendations?k=2")
    assert set(item_ids(response)) == {"honey", "lemon"}
    body = response.json()
    assert body["user_id"] == "ann"
    assert body["known"] is True
    assert body["model"] == client.get("/health").json()["model"]["version"]
    first = body["items"][0]
    assert (first["rank"], first["source"], first["reason_item_id"]) == (1, "item_knn", "tea")
    assert "Tea" in first["reason"]
    assert first["reason_code"] == "because_of_item"


def test_an_unknown_user_is_answered_from_fallbacks_and_is_told_unknown(client) -> None:
    body = client.get("/users/nobody/recommendations?k=7").json()
    assert body["known"] is False
    assert len(body["items"]) == 7
    assert {item["source"] for item in body["items"]} == {"popularity"}


def test_k_is_ten_unless_asked_and_an_answer_has_no_more_items_than_the_shop(client) -> None:
    assert len(item_ids(client.get("/users/nobody/recommendations"))) == 7
    assert len(item_ids(client.get("/users/nobody/recommendations?k=3"))) == 3


def test_seen_items_come_back_only_when_asked_for(client) -> None:
    assert "tea" not in item_ids(client.get("/users/ann/recommendations?k=7"))
    assert "tea" in item_ids(client.get("/users/ann/recommendations?k=7&exclude_seen=false"))


def test_other_parameters_filter_by_catalogue_columns_in_their_types(client) -> None:
    path = "/users/nobody/recommendations?k=7"
    assert set(item_ids(client.get(f"{path}&category=sweet"))) == {"honey", "sugar", "cake"}
    assert set(item_ids(client.get(f"{path}&category=sweet&category=fruit&organic=true"))) == {"lemon"}
    assert set(item_ids(client.get(f"{path}&price=3&price=4.0"))) == {"tea", "coffee"}


def test_reasons_come_in_the_language_asked_for_or_not_at_all(client) -> None:
    def reason(query: str) -> str:
        return client.get(f"/users/ann/recommendations?k=1&{query}").json()["items"][0]["reason"]

    assert reason("lang=ru").startswith("Потому что")
    assert reason("lang=en").startswith("Because")
    assert reason("explain=false") == ""


@pytest.mark.parametrize("user_id", ["a/b", "ann?", "Анна", "a b", "100%", "recommendations"])
def test_an_id_may_hold_what_a_url_must_escape(client, user_id) -> None:
    from urllib.parse import quote

    response = client.get(f"/users/{quote(user_id, safe='')}/recommendations?k=1")
    assert response.status_code == 200
    assert response.json()["user_id"] == user_id


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("k=0", "k: must be an integer from 1 to 500; got 0"),
        ("k=501", "k: must be an integer from 1 to 500; got 501"),
        ("k=many", "/k: "),
        ("k=1&k=2", "k: must be given once"),
        ("lang=de", "/lang: "),
        ("exclude_seen=maybe", "/exclude_seen"),
        ("exclude_seen=repeat", "exclude_seen: 'repeat' needs `repeat`"),
        ("colour=red", "colour: is no parameter and no column of the catalogue"),
        ("price=cheap", "price: must be a value of type Float64; got 'cheap'"),
        ("organic=maybe", "organic: must be a value of type Boolean; got 'maybe'"),
        ("&".join(f"a{n}=1" for n in range(101)), "query: must have at most 100 parameters"),
    ],
)
def test_a_wrong_question_gets_a_problem_document_that_says_what_to_change(client, query, words) -> None:
    response = client.get(f"/users/ann/recommendations?{query}")
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["detail"].startswith(words)
    assert (problem["type"], problem["status"]) == ("urn:nextbest:problem:input", 422)


def test_several_users_are_answered_in_the_order_asked(client) -> None:
    response = client.post("/recommendations", json={"user_ids": ["dan", "nobody", "ann"], "k": 1})
    answers = response.json()["answers"]
    assert [(a["user_id"], a["known"]) for a in answers] == [("dan", True), ("nobody", False), ("ann", True)]
    assert answers[2]["items"][0]["item_id"] in TEA


def test_a_history_in_the_request_replaces_the_stored_one_and_is_not_kept(client) -> None:
    body = {"history": ["coffee", {"item_id": "milk", "time": "2026-03-01T10:00:00+03:00"}], "k": 1}
    (answer,) = client.post("/recommendations", json=body).json()["answers"]
    assert answer["user_id"] is None
    assert answer["items"][0]["item_id"] == "sugar"
    assert item_ids(client.get("/users/ann/recommendations?k=1"))[0] in TEA


def test_a_history_of_unknown_items_is_answered_from_fallbacks(client) -> None:
    (answer,) = client.post("/recommendations", json={"history": ["ufo", "yeti"], "k": 3}).json()["answers"]
    assert len(answer["items"]) == 3
    assert {item["source"] for item in answer["items"]} == {"popularity"}


def test_an_empty_history_is_somebody_new(client) -> None:
    (answer,) = client.post("/recommendations", json={"history": [], "k": 2}).json()["answers"]
    assert answer["known"] is False
    assert len(answer["items"]) == 2


def test_allow_deny_and_where_hold_together(client) -> None:
    def asked(**body) -> set[str]:
        (answer,) = client.post("/recommendations", json={"history": ["tea"], "k": 7, **body}).json()[
            "answers"
        ]
        return {item["item_id"] for item in answer["items"]}

    assert asked(allow=["honey", "milk", "ufo"]) == {"honey", "milk"}
    assert asked(deny=["honey", *COFFEE, "cake"]) == {"lemon"}
    assert asked(where={"price": {"max": 2}}) == {"lemon", "milk", "sugar"}
    assert asked(where={"category": ["sweet", "fruit"], "organic": False}) == {"honey", "sugar", "cake"}
    assert asked(allow=["honey", "lemon"], deny=["lemon"], where={"category": "sweet"}) == {"honey"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "body: Value error, give user_ids or history, one of them"),
        ({"user_ids": ["ann"], "history": []}, "body: Value error, give user_ids or history, one of them"),
        ({"user_ids": []}, "/user_ids: "),
        ({"user_ids": [""]}, "/user_ids/0/"),
        ({"user_ids": [True]}, "/user_ids/0/"),
        ({"user_ids": [2**63]}, "/user_ids/0/"),
        ({"user_ids": ["u"] * 1001}, "user_ids: must have at most 1000 entries; got 1001"),
        ({"history": ["tea"] * 5001}, "history: must have at most 5000 entries"),
        ({"history": [{"item_id": "tea", "time": "2026-03-01T10:00:00"}]}, "/history/0/time: "),
        ({"history": ["tea"], "allow": ["a"] * 10_001}, "allow: must have at most 10000 entries"),
        ({"history": ["tea"], "deny": ["a"] * 10_001}, "deny: must have at most 10000 entries"),
        ({"history": ["tea"], "k": 0}, "k: must be an integer from 1 to 500"),
        ({"history": ["tea"], "where": {"colour": "red"}}, "where: no such column in catalog"),
        ({"history": ["tea"], "where": {"price": "cheap"}}, "where: catalog.price holds Float64, not str"),
        ({"history": ["tea"], "where": {"price": {}}}, "/where/price"),
        ({"history": ["tea"], "topn": 3}, "/topn: Extra inputs are not permitted"),
        ([1, 2], "body: "),
    ],
)
def test_a_wrong_body_gets_a_problem_document_that_says_what_to_change(client, body, words) -> None:
    response = client.post("/recommendations", json=body)
    assert (response.status_code, response.headers["content-type"]) == (422, "application/problem+json")
    assert response.json()["detail"].startswith(words)


def test_one_wrong_question_spoils_no_other_of_its_batch(client) -> None:
    """Both are asked at once, so that one batch holds them."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(16) as pool:
        wrong = [{"history": ["tea"], "where": {"price": "cheap"}}, {"history": ["tea"], "k": 1}] * 8
        statuses = [r.status_code for r in pool.map(lambda b: client.post("/recommendations", json=b), wrong)]
    assert statuses == [422, 200] * 8


def test_items_like_tea_are_honey_and_lemon(client) -> None:
    response = client.get("/items/tea/similar?k=2&lang=ru")
    assert set(item_ids(response)) == {"honey", "lemon"}
    assert "Tea" in response.json()["items"][0]["reason"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/items/ufo/similar", "item_id: is not in the journal or the catalogue; got 'ufo'"),
        ("/items/tea/similar?k=0", "k: must be an integer from 1 to 500; got 0"),
        ("/items/tea/similar?category=sweet", "query: parameters are ['k', 'lang']"),
        (f"/items/{'t' * 513}/similar", "item_id: must have 1 to 512 characters; got 513"),
        ("/users//recommendations", "user_id: must have 1 to 512 characters; got 0"),
    ],
)
def test_what_is_not_there_is_an_error_in_words(client, path, words) -> None:
    response = client.get(path)
    assert response.status_code == 422
    assert response.json()["detail"].startswith(words)


def test_the_value_of_an_error_is_text_as_it_was_sent(client) -> None:
    assert client.get("/items/ufo/similar").json()["value"] == "ufo"
