"""POST /predict: the first contract's body and answer, to the letter, and what a wrong body is told."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nextbest.data.panel.schema import SANTANDER
from nextbest.service.app import create_app
from nextbest.service.config import ServiceConfig
from nextbest.service.products.schemas import SEED_CLIENT
from service.banks import DEBIT, E_ACCOUNT, KNOWN, FakeBank, client_with, save_bank
from service.conftest import QUICK
from service.running import AppClient
from service.test_system import metric

# The body of the first contract's README, byte for byte.
CURL = (
    '{"fecha_dato":"2016-05-28","ncodpers":123456,"ind_empleado":"A","pais_residencia":"ES","sexo":"H",'
    '"age":"35","fecha_alta":"2012-08-10","ind_nuevo":0,"antiguedad":"45","indrel":1.0,"ult_fec_cli_1t":null,'
    '"indrel_1mes":"1.0","tiprel_1mes":"A","indresi":"S","indext":"N","conyuemp":null,"canal_entrada":"KHE",'
    '"indfall":"N","tipodom":1.0,"cod_prov":28.0,"nomprov":"MADRID","ind_actividad_cliente":1.0,'
    '"renta":87218.1,"segmento":"02 - PARTICULARES"}'
)
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory):
    folder = save_bank(tmp_path_factory.mktemp("bank") / "model")
    with AppClient(create_app(products_folder=folder, load_products=FakeBank, config=QUICK)) as client:
        yield client


def engine(client: AppClient) -> FakeBank:
    return client.app.state.service.products.engine


def values_of_last(client: AppClient) -> dict:
    return dict(engine(client).queries[-1].profile.values)


def predicted(response) -> list[str]:
    assert response.status_code == 200, response.text
    assert list(response.json()) == ["predicted_products"]
    return response.json()["predicted_products"]


def test_the_first_contracts_curl_line_gets_its_answer_byte_for_byte_in_form(bank) -> None:
    response = bank.post("/predict", content=CURL, headers={"content-type": "application/json"})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.content == '{"predicted_products":["Текущие счета","Дебетовый аккаунт"]}'.encode()
    assert json.loads(CURL) == SEED_CLIENT


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["Текущие счета", "Дебетовый аккаунт"]),
        ("?names=seed&lang=en", ["Текущие счета", "Дебетовый аккаунт"]),
        ("?names=corrected", ["Текущий счёт", "Прямое дебетование"]),
        ("?names=corrected&lang=en", ["Current account", "Direct debit"]),
        ("?names=code", ["ind_cco_fin_ult1", "ind_recibo_ult1"]),
        ("?whatever=1", ["Текущие счета", "Дебетовый аккаунт"]),
    ],
)
def test_the_request_chooses_how_products_are_named(bank, query, names) -> None:
    assert predicted(bank.post(f"/predict{query}", json=SEED_CLIENT)) == names


def test_the_service_chooses_names_where_the_request_does_not(tmp_path) -> None:
    config = ServiceConfig(product_names="corrected", watch_interval_s=3600)
    app = create_app(products_folder=save_bank(tmp_path / "m"), load_products=FakeBank, config=config)
    with AppClient(app) as client:
        assert predicted(client.post("/predict", json=SEED_CLIENT)) == ["Текущий счёт", "Прямое дебетование"]
        assert predicted(client.post("/predict?names=seed", json=SEED_CLIENT))[0] == "Текущие счета"


def test_every_product_has_the_name_of_the_first_contract(bank) -> None:
    names = {product.seed_name_ru for product in SANTANDER.products}
    assert len(names) == 24
    assert {"Особый счёт 3", "Денежный средства", "Дебетовый аккаунт"} <= names


def test_a_known_client_is_not_told_of_what_they_hold(bank) -> None:
    assert predicted(bank.post("/predict", json=client_with(ncodpers=KNOWN))) == ["Дебетовый аккаунт"]


def test_where_every_product_is_filtered_the_list_is_empty(bank) -> None:
    assert predicted(bank.post("/predict", json=client_with(age="9"))) == []


@pytest.mark.parametrize("age", ["35", 35, " 35", "35.0", 35.0, "+35", "0035", "3.5e1"])
def test_a_number_may_come_as_text_padded_or_with_a_point(bank, age) -> None:
    predicted(bank.post("/predict", json=client_with(age=age)))
    assert values_of_last(bank)["age"] == 35


@pytest.mark.parametrize("ncodpers", [123456, "123456", " 123456 ", 123456.0, "123456.0"])
def test_the_id_may_come_as_text(bank, ncodpers) -> None:
    predicted(bank.post("/predict", json=client_with(ncodpers=ncodpers)))
    assert engine(bank).queries[-1].customer_id == 123456


@pytest.mark.parametrize("missing", [None, "", " ", "NA", " NA", "     NA", "NaN", "null"])
def test_every_field_but_id_and_month_may_be_missing_in_each_of_the_readers_spellings(bank, missing) -> None:
    body = dict.fromkeys(SEED_CLIENT, missing) | {"fecha_dato": "2016-05-28", "ncodpers": 7}
    predicted(bank.post("/predict", json=body))
    values = values_of_last(bank)
    assert set(values) == set(SANTANDER.attribute_names)
    assert set(values.values()) == {None}


def test_fields_may_be_absent_and_extra_ones_are_passed_over(bank) -> None:
    body = {"ncodpers": 7, "fecha_dato": "2016-05-28", "colour": "red", "ind_cco_fin_ult1": 1}
    predicted(bank.post("/predict", json=body))
    assert values_of_last(bank) == {}


def test_the_file_readers_conventions_hold_for_posted_values(bank) -> None:
    body = client_with(
        indrel="1.0", indrel_1mes=1, tipodom="1", cod_prov="28.0", ind_nuevo=" 1", renta="8.7e4"
    )
    predicted(bank.post("/predict", json=body))
    values = values_of_last(bank)
    assert (values["indrel"], values["indrel_1mes"], values["tipodom"], values["cod_prov"]) == (
        "1",
        "1",
        "1",
        "28",
    )
    assert (values["ind_nuevo"], values["renta"]) == (True, 87000.0)


# --- values outside their domain ---------------------------------------------------------------------
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sexo", "X"),
        ("segmento", "04 - NEW"),
        ("ind_empleado", "Q"),
        ("cod_prov", 99),
        ("indrel_1mes", "7"),
        ("age", 164),
        ("age", -3),
        ("antiguedad", 5000),
        ("renta", -1),
        ("ind_nuevo", 2),
        ("ind_nuevo", "yes"),
        ("fecha_alta", "1800-01-01"),
    ],
)
def test_a_value_outside_its_domain_counts_as_missing_and_is_counted(bank, field, value) -> None:
    name = f'nextbest_profile_values_ignored_total{{field="{field}"}}'
    text = bank.get("/metrics").text
    before = metric(text, name) if name in text else 0
    predicted(bank.post("/predict", json=client_with(**{"nomprov": None, field: value})))
    assert values_of_last(bank)[field] is None
    assert metric(bank.get("/metrics").text, name) == before + 1


def test_the_files_own_mark_of_an_unknown_seniority_is_simply_missing(bank) -> None:
    predicted(bank.post("/predict", json=client_with(antiguedad="-999999")))
    assert values_of_last(bank)["antiguedad"] is None
    assert engine(bank).queries[-1].profile.ignored == ()


# --- bad requests --------------------------------------------------------------------------------------
BIG = 2**64
DAY = "must be a day of the calendar, YYYY-MM-DD"
WHOLE = "must be a whole number"


@pytest.mark.parametrize(
    ("body", "name", "rule"),
    [
        ({k: v for k, v in SEED_CLIENT.items() if k != "ncodpers"}, "ncodpers", "is required: an integer"),
        ({k: v for k, v in SEED_CLIENT.items() if k != "fecha_dato"}, "fecha_dato", "is required: a date, YYYY-MM-DD"),
        (client_with(ncodpers=None), "ncodpers", "is required: an integer"),
        (client_with(fecha_dato=None), "fecha_dato", "is required: a date, YYYY-MM-DD"),
        (client_with(ncodpers="abc"), "ncodpers", "must be an integer of 64 bits"),
        (client_with(ncodpers=1.5), "ncodpers", "must be an integer of 64 bits"),
        (client_with(ncodpers=True), "ncodpers", "must be an integer of 64 bits"),
        (client_with(ncodpers=BIG), "ncodpers", "must be a number of 64 bits"),
        (client_with(ncodpers="9" * 30), "ncodpers", "must be an integer of 64 bits"),
        (client_with(ncodpers=1e300), "ncodpers", "must be an integer of 64 bits"),
        (client_with(ncodpers=[1]), "ncodpers", "must be a text, a number or null"),
        (client_with(fecha_dato="2016-02-30"), "fecha_dato", DAY),
        (client_with(fecha_dato="28.05.2016"), "fecha_dato", DAY),
        (client_with(fecha_dato="0001-01-01"), "fecha_dato", "must lie in the years 1900 to 2100"),
        (client_with(fecha_alta="2012-13-01"), "fecha_alta", DAY),
        (client_with(fecha_alta="yesterday"), "fecha_alta", DAY),
        (client_with(age="thirty"), "age", WHOLE),
        (client_with(age=True), "age", WHOLE),
        (client_with(age=35.5), "age", WHOLE),
        (client_with(age={"years": 35}), "age", "must be a text, a number or null"),
        (client_with(age=10**30), "age", "must be a number of 64 bits"),
        (client_with(renta="much"), "renta", "must be a finite number"),
        (client_with(renta="inf"), "renta", "must be a finite number"),
        (client_with(renta="1e999"), "renta", "must be a finite number"),
        (client_with(ind_nuevo=[0]), "ind_nuevo", "must be a text, a number or null"),
        (client_with(fecha_alta=True), "fecha_alta", DAY),
        (client_with(fecha_dato=True), "fecha_dato", DAY),
        (client_with(sexo=True), "sexo", "must be a text or a number"),
        (client_with(sexo=["H"]), "sexo", "must be a text, a number or null"),
        (client_with(nomprov="M" * 201), "nomprov", "must have at most 200 characters"),
        ([SEED_CLIENT], "body", "must be a JSON object"),
        (None, "body", "must be a JSON object"),
        ("x", "body", "must be a JSON object"),
    ],
)  # fmt: skip
def test_a_wrong_body_is_422_with_the_field_and_its_rule(bank, body, name, rule) -> None:
    response = bank.post("/predict", content=json.dumps(body), headers=JSON)
    assert (response.status_code, response.headers["content-type"]) == (422, "application/problem+json")
    problem = response.json()
    assert (problem["type"], problem["name"], problem["rule"]) == ("urn:nextbest:problem:input", name, rule)
    assert problem["detail"].startswith(f"{name}: {rule}")
    assert len(response.content) < 1000


def test_all_wrong_fields_are_named_at_once_with_rule_and_value(bank) -> None:
    body = client_with(ncodpers="abc", fecha_dato="2016-02-30", age="thirty", renta="much", nomprov="M" * 300)
    response = bank.post("/predict", json=body)
    assert response.status_code == 422
    problem = response.json()
    assert (problem["name"], problem["value"], problem["n_bad"]) == ("ncodpers", "abc", 5)
    assert problem["errors"] == [
        {"name": "ncodpers", "rule": "must be an integer of 64 bits", "value": "abc"},
        {"name": "fecha_dato", "rule": DAY, "value": "2016-02-30"},
        {"name": "age", "rule": WHOLE, "value": "thirty"},
        {"name": "nomprov", "rule": "must have at most 200 characters", "value": 300},
        {"name": "renta", "rule": "must be a finite number", "value": "much"},
    ]
    assert problem["detail"].startswith(
        "ncodpers: must be an integer of 64 bits; got 'abc'; also wrong: fecha_dato: "
    )
    assert "renta: must be a finite number; got 'much'" in problem["detail"]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_is_none_is_422_with_its_field(bank, value) -> None:
    body = CURL.replace("87218.1", value)
    response = bank.post("/predict", content=body, headers=JSON)
    assert response.status_code == 422
    assert (response.json()["name"], response.json()["rule"]) == ("renta", "must be a finite number")


@pytest.mark.parametrize(
    ("content", "headers", "status", "words"),
    [
        (b"{", JSON, 422, "body: must be JSON: "),
        (b"", JSON, 422, "body: must be JSON, is empty"),
        (b" \n", JSON, 422, "body: must be JSON, is empty"),
        (
            b"[{}, {}]",
            JSON,
            422,
            "body: must be a JSON object; got 'an array of 2'; send one client alone; POST /prod",
        ),
        (b"null", JSON, 422, "body: must be a JSON object; got 'null'"),
        (b"12", JSON, 422, "body: must be a JSON object; got 'a number'"),
        (b'"x"', JSON, 422, "body: must be a JSON object; got 'a string'"),
        (b"\xff\xfe", JSON, 422, "body: must be JSON: "),
        (b'{"ncodpers": 1, "fecha_dato": "\\ud800"}', JSON, 422, "body: must be JSON: "),
        (b"[" * 100_000, JSON, 422, "body: must be JSON: "),
        (b'{"ncodpers": ' + b"9" * 10_000 + b"}", JSON, 422, "body: must be JSON: "),
        (CURL.encode(), {}, 415, "content-type: must be application/json"),
        (CURL.encode(), {"content-type": "text/plain"}, 415, "content-type: must be application/json"),
        (b"x" * 2_000_000, JSON, 413, "body: must have at most 1048576 bytes"),
    ],
)
def test_what_is_no_json_of_ours_is_refused_with_a_problem_document(
    bank, content, headers, status, words
) -> None:
    response = bank.post("/predict", content=content, headers=headers)
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    assert response.json()["detail"].startswith(words)


@pytest.mark.parametrize("query", ["names=latin", "lang=de", "names=seed&names=code"])
def test_a_wrong_parameter_is_422(bank, query) -> None:
    response = bank.post(f"/predict?{query}", json=SEED_CLIENT)
    assert response.status_code == 422
    assert query.partition("=")[0] in response.json()["detail"]


def test_an_error_inside_the_model_is_500_and_tells_nothing_of_it(bank, caplog) -> None:
    response = bank.post("/predict", json=client_with(ncodpers=666))
    assert response.status_code == 500
    assert response.json()["type"] == "urn:nextbest:problem:internal"
    assert "secret" not in response.text
    assert "secret" not in caplog.text


def test_one_failing_question_spoils_no_other_of_its_batch(bank) -> None:
    ids = [666, 5] * 8
    waiting = [bank.later("POST", "/predict", json=client_with(ncodpers=i)) for i in ids]
    assert [answer.result(60).status_code for answer in waiting] == [500, 200] * 8


def test_questions_that_wait_together_are_answered_together(bank) -> None:
    engine(bank).batches.clear()
    waiting = [bank.later("POST", "/predict", json=client_with(ncodpers=i)) for i in range(2, 200)]
    assert {answer.result(60).status_code for answer in waiting} == {200}
    assert sum(engine(bank).batches) == 198
    assert len(engine(bank).batches) < 198


def test_get_is_not_served_here(bank) -> None:
    response = bank.get("/predict")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


def test_predictions_never_ask_for_reasons_and_offers_by_age(bank) -> None:
    assert predicted(bank.post("/predict?names=code", json=client_with(age=20))) == [E_ACCOUNT]
    query = engine(bank).queries[-1]
    assert (query.purpose, query.explain) == ("predict", False)
    assert DEBIT not in predicted(bank.post("/predict?names=code", json=client_with(age=20)))


texts = st.text(max_size=30)
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | texts
    | st.sampled_from([" NA", "1.0", " 35", "2016-05-28", "2016-02-30", "H", "28", "9" * 50])
)
anything = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
fields = st.sampled_from([*SEED_CLIENT, "other"])


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(changed=st.dictionaries(fields, anything, max_size=4), whole=st.none() | anything, names=texts)
def test_whatever_is_posted_is_answered_or_refused_in_words(bank, changed, whole, names) -> None:
    body = client_with(**changed) if whole is None else whole
    if not (isinstance(body, dict) and body.get("ncodpers") in (666, "666")):
        response = bank.post("/predict", content=json.dumps(body), headers=JSON, params={"names": names})
        assert response.status_code in (200, 422)
        if names in ("seed", "corrected", "code") or not names:
            assert response.status_code == 422 or list(response.json()) == ["predicted_products"]
        response = bank.post(
            "/products/recommendations", content=json.dumps({"clients": [body]}), headers=JSON
        )
        assert response.status_code in (200, 422)
