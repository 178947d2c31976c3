"""POST /products/recommendations and GET /products: offers for one or many, and what a wrong request is told."""

import json
from collections.abc import Iterator

import pytest

from nextbest.data.panel.schema import SANTANDER
from nextbest.service.app import create_app
from nextbest.service.config import ServiceConfig
from nextbest.service.products.schemas import SEED_CLIENT, CatalogAnswer, OffersAnswer
from service.banks import ACCOUNT, DEBIT, E_ACCOUNT, KNOWN, FakeBank, client_with, save_bank
from service.conftest import QUICK
from service.running import AppClient
from service.test_system import metric, references

PATH = "/products/recommendations"


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppClient]:
    folder = save_bank(tmp_path_factory.mktemp("bank") / "model")
    with AppClient(create_app(products_folder=folder, load_products=FakeBank, config=QUICK)) as client:
        yield client


def answers(client: AppClient, **body) -> list[dict]:
    response = client.post(PATH, json=body)
    assert response.status_code == 200, response.text
    assert response.json() == OffersAnswer.model_validate_json(response.content).model_dump(mode="json")
    return response.json()["answers"]


def test_an_offer_says_all_that_a_bank_must_know_of_it(bank) -> None:
    (offer,) = answers(bank, customer_ids=[KNOWN], k=2)
    assert offer == {
        "customer_id": KNOWN,
        "known": True,
        "as_of": "2016-05",
        "target": "2016-06",
        "control": False,
        "channel": "app",
        "policy": "test-1",
        "products": [
            {
                "product_id": DEBIT,
                "name": "Direct debit",
                "rank": 1,
                "probability": 0.5,
                "score": 0.0,
                "source": "model",
                "policy_probability": 1.0,
                "reasons": [{"code": "income", "text": "Income"}],
            }
        ],
        "fired": [{"product_id": ACCOUNT, "filter": "held"}],
        "warnings": [],
        "model": bank.get("/health").json()["products"]["version"],
    }


def test_several_clients_are_answered_in_the_order_asked_ids_as_text_too(bank) -> None:
    offers = answers(bank, customer_ids=[5, "1", " 7", 5], k=1)
    assert [(offer["customer_id"], offer["known"]) for offer in offers] == [
        (5, False),
        (1, True),
        (7, False),
        (5, False),
    ]


def test_posted_clients_are_answered_from_their_profiles(bank) -> None:
    young, old = answers(bank, clients=[client_with(age="20", ncodpers=5), client_with(age=60)], k=1)
    assert young["products"][0]["product_id"] == E_ACCOUNT
    assert old["products"][0]["product_id"] == ACCOUNT
    assert (young["customer_id"], young["known"]) == (5, False)


def test_names_and_reasons_come_in_the_language_asked_for_or_not_at_all(bank) -> None:
    (russian,) = answers(bank, customer_ids=[5], lang="ru", k=1)
    assert russian["products"][0]["name"] == "Текущий счёт"
    assert russian["products"][0]["reasons"] == [{"code": "income", "text": "Доход"}]
    (silent,) = answers(bank, customer_ids=[5], explain=False, k=1)
    assert silent["products"][0]["reasons"] == []


def test_a_value_outside_its_domain_is_a_warning_not_an_error(bank) -> None:
    (offer,) = answers(bank, clients=[client_with(sexo="X", age=164, cod_prov="99", segmento=" NA")])
    assert [(warning["name"], warning["value"]) for warning in offer["warnings"]] == [
        ("sexo", "X"),
        ("age", 164),
        ("cod_prov", "99"),
    ]
    assert offer["warnings"][0]["rule"] == "must be one of ['H', 'V']"
    assert offer["warnings"][1]["rule"] == "must lie in 0 to 120"


def test_where_every_product_is_filtered_the_filters_say_so(bank) -> None:
    (offer,) = answers(bank, clients=[client_with(age=9)])
    assert offer["products"] == []
    assert {fired["filter"] for fired in offer["fired"]} == {"too_young"}
    assert len(offer["fired"]) == len(SANTANDER.products)


def test_fields_that_nobody_knows_are_passed_over(bank) -> None:
    (offer,) = answers(bank, customer_ids=[5], k=1, colour="red")
    assert len(offer["products"]) == 1


def test_an_offer_is_made_for_the_channel_asked_for(bank) -> None:
    (offer,) = answers(bank, customer_ids=[5], channel="branch")
    assert offer["channel"] == "branch"


def test_a_thousand_clients_are_one_request(bank) -> None:
    offers = answers(bank, customer_ids=list(range(1000, 2000)), k=1, explain=False)
    assert [offer["customer_id"] for offer in offers] == list(range(1000, 2000))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "body: must hold customer_ids or clients, one of them"),
        ({"customer_ids": [1], "clients": [SEED_CLIENT]}, "body: must hold customer_ids or clients, one of them"),
        ({"customer_ids": []}, "customer_ids: must hold 1 entry or more"),
        ({"clients": []}, "clients: must hold 1 entry or more"),
        ({"customer_ids": [1] * 1001}, "customer_ids: must have at most 1000 entries; got 1001"),
        ({"clients": [{}] * 1001}, "clients: must have at most 1000 entries; got 1001"),
        ({"customer_ids": [1, "x"]}, "/customer_ids/1: must be an integer of 64 bits; got 'x'"),
        ({"customer_ids": [None]}, "/customer_ids/0: is required: an integer"),
        ({"customer_ids": [[1]]}, "/customer_ids/0: must be a text, a number or null; got 'list'"),
        ({"customer_ids": 1}, "/customer_ids: "),
        ({"clients": [7]}, "/clients/0: "),
        ({"clients": [SEED_CLIENT, client_with(age="x")]}, "/clients/1/age: must be a whole number; got 'x'"),
        ({"clients": [client_with(fecha_alta="2012-02-30")]}, "/clients/0/fecha_alta: must be a day of the calendar, YYYY-MM-DD"),
        ({"clients": [{"ncodpers": 1}]}, "/clients/0/fecha_dato: is required: a date, YYYY-MM-DD"),
        ({"customer_ids": [1], "k": 0}, "k: must be an integer from 1 to 24; got 0"),
        ({"customer_ids": [1], "k": 25}, "k: must be an integer from 1 to 24; got 25"),
        ({"customer_ids": [1], "k": "many"}, "/k: "),
        ({"customer_ids": [1], "lang": "de"}, "/lang: "),
        ({"customer_ids": [1], "explain": "perhaps"}, "/explain: "),
        ([1, 2], "body: "),
    ],
)  # fmt: skip
def test_a_wrong_request_is_422_with_the_place_and_its_rule(bank, body, words) -> None:
    response = bank.post(PATH, json=body)
    assert (response.status_code, response.headers["content-type"]) == (422, "application/problem+json")
    assert response.json()["detail"].startswith(words)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_is_none_is_422_with_its_place(bank, value) -> None:
    body = json.dumps({"clients": [client_with(renta=1.5)]}).replace("1.5", value)
    response = bank.post(PATH, content=body, headers={"content-type": "application/json"})
    assert response.status_code == 422
    assert response.json()["detail"].startswith("/clients/0/renta: must be a finite number")


@pytest.mark.parametrize(
    ("content", "headers", "status", "words"),
    [
        (b"{", {"content-type": "application/json"}, 422, "body: Invalid JSON"),
        (b'{"customer_ids": [1]}', {"content-type": "text/plain"}, 415, "content-type: "),
        (b'{"customer_ids": [1]}', {}, 415, "content-type: "),
        (
            b" " * 2_000_000,
            {"content-type": "application/json"},
            413,
            "body: must have at most 1048576 bytes",
        ),
    ],
)
def test_what_is_no_json_is_refused_with_a_problem_document(bank, content, headers, status, words) -> None:
    response = bank.post(PATH, content=content, headers=headers)
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    assert response.json()["detail"].startswith(words)


def test_answers_are_counted_by_product_and_by_whether_the_client_is_known(tmp_path) -> None:
    app = create_app(products_folder=save_bank(tmp_path / "m"), load_products=FakeBank, config=QUICK)
    with AppClient(app) as client:
        answers(client, customer_ids=[KNOWN, 5, 7], k=2)
        client.post("/predict", json=client_with(age=20))
        text = client.get("/metrics").text
    assert metric(text, 'nextbest_product_answers_total{known="true"}') == 1
    assert metric(text, 'nextbest_product_answers_total{known="false"}') == 3
    assert metric(text, f'nextbest_products_offered_total{{product="{DEBIT}"}}') == 3
    assert metric(text, f'nextbest_products_offered_total{{product="{E_ACCOUNT}"}}') == 1


def test_the_catalogue_lists_every_product_with_its_names_and_whether_it_is_sold(bank) -> None:
    response = bank.get("/products")
    catalogue = CatalogAnswer.model_validate_json(response.content)
    assert [product.product_id for product in catalogue.products] == list(SANTANDER.product_columns)
    by_id = {product.product_id: product for product in catalogue.products}
    debit = by_id[DEBIT]
    assert (debit.name_en, debit.name_ru, debit.seed_name_ru) == (
        "Direct debit",
        "Прямое дебетование",
        "Дебетовый аккаунт",
    )
    assert (debit.family, debit.open) == ("payment", True)
    assert not by_id["ind_deco_fin_ult1"].open
    assert catalogue.model == bank.get("/health").json()["products"]["version"]


def test_wrong_clients_are_all_named_and_a_hundred_of_them_listed(bank) -> None:
    body = {"clients": [client_with(age="x", ncodpers=None), client_with(), client_with(renta="y")]}
    problem = bank.post("/products/recommendations", json=body).json()
    names = ["/clients/0/ncodpers", "/clients/0/age", "/clients/2/renta"]
    assert [wrong["name"] for wrong in problem["errors"]] == names
    problem = bank.post("/products/recommendations", json={"customer_ids": ["x"] * 130}).json()
    assert (problem["n_bad"], len(problem["errors"])) == (130, 100)
    assert problem["errors"][99]["name"] == "/customer_ids/99"
    assert problem["detail"].endswith("; 125 more")


# --- OpenAPI -----------------------------------------------------------------------------------------
def test_every_path_is_described_and_every_reference_resolves(bank) -> None:
    document = bank.get("/openapi.json").json()
    assert set(document["paths"]) == {
        "/predict",
        PATH,
        "/products",
        "/health",
        "/metrics",
        "/admin/reload",
    }
    for found in references(document):
        node = document
        for part in found.removeprefix("#/").split("/"):
            node = node[part]
        assert node, found
    predict = document["paths"]["/predict"]["post"]
    assert [parameter["name"] for parameter in predict["parameters"]] == ["names", "lang"]
    schema = predict["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["fecha_dato", "ncodpers"]
    assert set(schema["properties"]) == set(SEED_CLIENT)


def test_the_examples_of_the_document_are_answered(bank) -> None:
    document = bank.get("/openapi.json").json()
    for path in ("/predict", PATH):
        content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        for example in content["examples"].values():
            assert bank.post(path, json=example["value"]).status_code == 200
    for example in document["components"]["schemas"]["OfferRequest"]["examples"]:
        assert bank.post(PATH, json=example).status_code == 200


def test_the_most_clients_of_a_request_are_a_setting(tmp_path) -> None:
    config = ServiceConfig(max_clients=2, watch_interval_s=3600)
    app = create_app(products_folder=save_bank(tmp_path / "m"), load_products=FakeBank, config=config)
    with AppClient(app) as client:
        assert len(answers(client, customer_ids=[2, 3])) == 2
        assert client.post(PATH, json={"customer_ids": [2, 3, 4]}).status_code == 422
