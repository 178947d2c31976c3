"""Model, panel and policy as one: who is known, what is foretold, what is offered, and the same for one and for many."""

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest

from nextbest.data.panel.panel import Panel
from nextbest.data.panel.schema import Attribute, PanelSchema, Product
from nextbest.data.panel.store import PanelWriter
from nextbest.errors import ArtifactError, InputError
from nextbest.models.products.product_model import ProductModel
from nextbest.pipeline.decisions.decision_log import DecisionLog
from nextbest.pipeline.decisions.rules import compile_policy
from nextbest.pipeline.products.advisor import ProductAdvisor
from nextbest.pipeline.products.answered import decisions_of
from nextbest.pipeline.products.forecast import forecast_policy
from nextbest.pipeline.products.history import KEPT_MONTHS, ClientHistory
from nextbest.pipeline.products.profile import Profile
from nextbest.pipeline.products.query import ProductQuery
from nextbest.service.products.engine import an_adult
from nextbest.service.products.schemas import SEED_CLIENT
from pipeline.products.conftest import Bank
from pipeline.products.tiny_bank import CONFIG, tiny_panel

STRANGER = 10**12
PAYROLL, PENSION = "ind_nomina_ult1", "ind_nom_pens_ult1"


def predict(bank: Bank, *ids: int | None, profile: Profile | None = None):
    """What is foretold of clients."""
    queries = [ProductQuery(i, profile, purpose="predict", explain=False) for i in ids]
    return bank.advisor.answer(queries)


def profile(bank: Bank, **values: object) -> Profile:
    """The first contract's client, some fields changed, as a month of this panel."""
    newest = bank.panel.months[-1].isoformat()
    return bank.advisor.form.read({**SEED_CLIENT, "fecha_dato": newest, **values})


def raw_row(bank: Bank, customer_id: int) -> dict[str, object]:
    """A stored client as a file would write them, padded and with a point here and there."""
    month = bank.panel.months[-1]
    row = bank.advisor.history.row(customer_id)
    (values,) = bank.panel.attributes(month).filter(pl.col("row") == row).drop("row").to_dicts()
    raw: dict[str, object] = {"ncodpers": f"  {customer_id}", "fecha_dato": month.isoformat()}
    for name, value in values.items():
        if isinstance(value, bool):
            raw[name] = f" {int(value)}"
        elif isinstance(value, int):
            raw[name] = f"  {value}"
        elif isinstance(value, str) and value.isdigit():
            raw[name] = f"{value}.0"
        elif isinstance(value, date):
            raw[name] = value.isoformat()
        else:
            raw[name] = " NA" if value is None else value
    return raw


# --- one and many ------------------------------------------------------------------------------------
def test_an_answer_does_not_depend_on_who_else_is_asked_about(bank) -> None:
    posted = profile(bank)
    queries = [ProductQuery(i) for i in bank.ids[:20]]
    queries += [ProductQuery(i, purpose="predict", explain=False) for i in bank.ids[10:30]]
    queries += [ProductQuery(i, replace(posted, customer_id=i)) for i in (*bank.ids[:5], STRANGER)]
    queries += [ProductQuery(None, posted), ProductQuery(), ProductQuery(STRANGER), ProductQuery(bank.ids[0])]
    together = bank.advisor.answer(queries)
    alone = [bank.advisor.answer([query])[0] for query in queries]
    for one, other in zip(together, alone, strict=True):
        assert [p.product_id for p in one.products] == [p.product_id for p in other.products]
        assert [p.probability for p in one.products] == pytest.approx([p.probability for p in other.products])
        assert (one.fired, one.known, one.control, one.as_of) == (
            other.fired,
            other.known,
            other.control,
            other.as_of,
        )
        assert [p.reasons for p in one.products] == [p.reasons for p in other.products]


def test_the_same_question_many_times_costs_as_much_as_once(bank, monkeypatch) -> None:
    asked: list[int] = []
    answer = bank.advisor._answer

    def counted(kind, queries, rows_N):
        asked.append(len(queries))
        return answer(kind, queries, rows_N)

    monkeypatch.setattr(bank.advisor, "_answer", counted)
    one, other, russian = (
        ProductQuery(bank.ids[0]),
        ProductQuery(bank.ids[1]),
        ProductQuery(bank.ids[0], lang="ru"),
    )
    answers = bank.advisor.answer([one, other, one, russian, one])
    assert asked == [3]  # and one pass for them all
    assert answers[0] == answers[2] == answers[4]
    assert [a.customer_id for a in answers] == [bank.ids[i] for i in (0, 1, 0, 0, 0)]


def test_a_client_asked_about_twice_in_one_batch_gets_an_answer_for_each_profile(bank) -> None:
    young, old = profile(bank, age=9), profile(bank, age=70)
    asked = [young, old, young]
    answers = bank.advisor.answer([ProductQuery(STRANGER, p, purpose="predict") for p in asked])
    expected = [predict(bank, STRANGER, profile=p)[0] for p in asked]
    assert [a.products for a in answers] == [a.products for a in expected]
    assert answers[0].products != answers[1].products


@pytest.mark.parametrize("purpose", ["predict", "offer"])
def test_many_profiles_of_one_client_cost_one_pass(bank, monkeypatch, purpose) -> None:
    passes: list[int] = []
    kept = bank.advisor.model.predict
    monkeypatch.setattr(
        bank.advisor.model,
        "predict",
        lambda inputs, **more: passes.append(len(inputs)) or kept(inputs, **more),
    )
    known = bank.ids[0]
    queries = [ProductQuery(known, profile(bank, age=20 + n), purpose=purpose) for n in range(40)]
    answers = bank.advisor.answer(queries)
    assert passes == [40]
    assert {answer.customer_id for answer in answers} == {known}
    assert answers[7].products == bank.advisor.answer([queries[7]])[0].products


# --- skew --------------------------------------------------------------------------------------------
def test_a_stored_row_posted_as_its_file_had_it_gets_the_stored_answer(bank) -> None:
    for customer_id in bank.ids[::40]:
        posted = bank.advisor.form.read(raw_row(bank, customer_id))
        assert posted.ignored == ()
        (stored,) = predict(bank, customer_id)
        (answered,) = predict(bank, customer_id, profile=posted)
        assert answered == stored
        assert stored.known


def test_posted_values_go_before_stored_ones_and_missing_ones_leave_them(bank) -> None:
    customer_id = bank.ids[0]
    row = np.array([bank.advisor.history.row(customer_id)], np.int32)
    month = bank.panel.months[-1]
    posted = Profile(customer_id, month, {"age": 41, "segmento": None, "renta": 50_000.0})
    stored = bank.advisor.history.inputs(month, row, [None]).attributes.row(0, named=True)
    merged = bank.advisor.history.inputs(month, row, [posted]).attributes.row(0, named=True)
    assert (merged["age"], merged["renta"]) == (41, 50_000.0)
    changed = {name for name in stored if str(stored[name]) != str(merged[name])}
    assert changed <= {"age", "renta"}


def test_a_stranger_is_answered_from_the_profile_alone(bank) -> None:
    posted = profile(bank)
    (answer,) = predict(bank, STRANGER, profile=posted)
    assert not answer.known
    assert answer.products
    (nobody,) = predict(bank, None, profile=posted)
    assert [p.product_id for p in nobody.products] == [p.product_id for p in answer.products]
    (unheard,) = predict(bank, STRANGER)
    assert (unheard.known, unheard.as_of) == (False, bank.panel.months[-1])


# --- months ------------------------------------------------------------------------------------------
def test_the_month_posted_says_how_much_history_is_known(bank) -> None:
    customer_id = bank.panel.ids.decode(np.flatnonzero(bank.panel.present_MC.all(axis=0))[:1])[0]
    months = bank.panel.months
    asked = {
        "2030-01-15": months[-1],
        str(months[-1]): months[-1],
        str(months[-3]): months[-3],
    }
    for text, as_of in asked.items():
        (answer,) = predict(bank, customer_id, profile=profile(bank, ncodpers=customer_id, fecha_dato=text))
        assert (answer.as_of, answer.known) == (as_of, True)
        assert answer.target == bank.panel.schema.month_before(as_of, n=-1)
        held = int(bank.panel.held(as_of)[bank.advisor.history.row(customer_id)])
        columns = {c for bit, c in enumerate(bank.panel.schema.product_columns) if held >> bit & 1}
        assert {f.product_id for f in answer.fired if f.filter == "held"} == columns
    (early,) = predict(
        bank, customer_id, profile=profile(bank, ncodpers=customer_id, fecha_dato="2010-03-01")
    )
    assert (early.known, early.as_of) == (False, date(2010, 3, 28))
    (stranger,) = predict(bank, STRANGER, profile=profile(bank, fecha_dato="2030-01-15"))
    assert (stranger.as_of, stranger.target) == (date(2030, 1, 28), date(2030, 2, 28))


def test_an_earlier_month_is_answered_as_if_later_ones_did_not_exist(bank, tmp_path) -> None:
    shorter = tiny_panel(tmp_path, months=6)
    then = ProductAdvisor(bank.model, panel=shorter, policy=bank.policy)
    ids = shorter.ids.decode(shorter.rows(shorter.months[-1]))[:30].to_list()
    for customer_id in ids:
        posted = Profile(customer_id, shorter.months[-1], {})
        (now,) = predict(bank, customer_id, profile=posted)
        (before,) = then.answer([ProductQuery(customer_id, purpose="predict", explain=False)])
        assert now == before


def test_a_model_of_an_earlier_month_is_moved_to_the_panels_newest(bank, tmp_path) -> None:
    shorter = tiny_panel(tmp_path / "panel", months=6)
    bank.model.save(tmp_path / "model")
    advisor = ProductAdvisor.load(tmp_path / "model", panel=shorter.folder)
    target = shorter.schema.month_before(shorter.months[-1], n=-1)
    assert target != bank.model.target
    assert advisor.model.target == target
    assert advisor.version.startswith(f"{target:%Y-%m}")
    assert advisor.manifest["target"] == bank.model.target.isoformat()  # the folder's own
    assert advisor.manifest["model_version"] == advisor.version  # what the service tells and the batch writes
    assert advisor.for_month(shorter.months[-1]) is advisor


def test_a_moved_model_moved_back_is_the_fitted_one(bank) -> None:
    panel = bank.panel
    config = CONFIG.model_copy(update={"population_rows": 300})  # another sample would give other shifts
    model = ProductModel(config).fit(panel, target=panel.months[-1], rng=5)
    fitted = ProductAdvisor(model, panel=panel, policy=bank.policy)
    moved = fitted.for_month(panel.months[-1])
    assert moved.version != fitted.version
    assert moved.for_month(panel.months[-2]).version == fitted.version
    assert moved.for_month(panel.months[-2]).for_month(panel.months[-1]).version == moved.version


def test_a_panel_with_too_little_before_its_month_leaves_the_model_as_it_is(bank, tmp_path) -> None:
    shorter = tiny_panel(tmp_path, months=1)
    advisor = ProductAdvisor(bank.model, panel=shorter, policy=bank.policy)
    assert advisor.for_month(shorter.months[-1]) is advisor


def test_only_a_few_months_stay_in_memory_and_the_newest_always(bank) -> None:
    history = bank.advisor.history
    for month in (*bank.panel.months, bank.panel.months[-1], *bank.panel.months[:-1]):
        assert history.clients(month) is not None
    assert len(history._kept) == KEPT_MONTHS
    assert bank.panel.months[-1] in history._kept


# --- forecasts ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("threshold", [None, 0.004, 0.0, 1.0])
def test_forecasts_are_the_possible_products_above_the_threshold_or_the_best_one(
    bank, monkeypatch, threshold
) -> None:
    if threshold is None:
        threshold = bank.model.threshold
        assert 0 < threshold < 1
    monkeypatch.setattr(bank.advisor, "_threshold", threshold)
    ids = bank.ids
    rows = np.array([bank.advisor.history.row(i) for i in ids], np.int32)
    inputs = bank.advisor.history.inputs(bank.panel.months[-1], rows, [None] * len(ids))
    p_NP = bank.model.predict(inputs).p_NP
    columns = bank.panel.schema.product_columns
    lengths = set()
    for n, answer in enumerate(predict(bank, *ids)):
        blocked = {fired.product_id for fired in answer.fired}
        possible = {c: float(p_NP[n, bit]) for bit, c in enumerate(columns) if c not in blocked}
        told = {p.product_id: p.probability for p in answer.products}
        assert set(told) <= set(possible)
        free = [p for c, p in told.items() if c != PAYROLL]  # which may wait for its pension
        assert free == sorted(free, reverse=True)
        assert [p.rank for p in answer.products] == list(range(1, len(told) + 1))
        assert all(told[c] == possible[c] for c in told)
        likely = {c for c, p in possible.items() if p >= threshold}
        if PENSION in possible and PENSION not in told:
            likely -= {PAYROLL}
        assert likely <= set(told)
        assert len(told) == max(len(told), 1 if possible else 0)
        assert set(told) == likely or len(told) == 1
        lengths.add(len(told))
    assert lengths <= {0, 1} if threshold == 1 else lengths
    assert max(lengths) > 3 if threshold == 0 else lengths


def test_held_and_closed_products_are_never_foretold_and_payroll_not_without_its_pension(bank) -> None:
    schema = bank.panel.schema
    closed = {c for c in schema.product_columns if c not in bank.advisor.open_products}
    assert closed == {"ind_ahor_fin_ult1", "ind_aval_fin_ult1", "ind_deco_fin_ult1", "ind_deme_fin_ult1"}
    newest = bank.panel.held(bank.panel.months[-1])
    for customer_id, answer in zip(bank.ids, predict(bank, *bank.ids), strict=True):
        held = int(newest[bank.advisor.history.row(customer_id)])
        told = [p.product_id for p in answer.products]
        assert not any(held >> schema.bit(c) & 1 for c in told)
        assert not closed & set(told)
        if PAYROLL in told and not held >> schema.bit(PENSION) & 1:
            assert told.index(PENSION) < told.index(PAYROLL)


@pytest.mark.parametrize(
    ("payroll", "pension", "held", "told"),
    [
        (0.5, 0.6, (), [PENSION, PAYROLL]),
        (0.6, 0.5, (), [PENSION, PAYROLL]),  # likelier, and still after what it waits for
        (0.6, 0.1, (), [PENSION, PAYROLL]),  # the one that is possible now, then the one above the threshold
        (0.5, 0.0, (PENSION,), [PAYROLL]),
        (0.1, 0.5, (), [PENSION]),
        (0.6, 0.0, (), []),
    ],
)
def test_a_product_that_waits_is_foretold_after_the_one_it_waits_for(
    bank, monkeypatch, payroll, pension, held, told
) -> None:
    schema = bank.panel.schema
    p_P = np.zeros(len(schema.products), np.float32)
    p_P[[schema.bit(PAYROLL), schema.bit(PENSION)]] = payroll, pension
    holds = sum(1 << schema.bit(column) for column in held)
    possible = sum(1 << bit for bit in np.flatnonzero(p_P).tolist())
    monkeypatch.setattr(bank.advisor, "_threshold", 0.3)
    found = bank.advisor._above(p_P, possible=possible, held=holds)
    assert [schema.product_columns[bit] for bit in found] == told


@pytest.mark.parametrize("salt", ["santander-control-1", "s0", "s1", "s16"])
def test_nobody_in_particular_gets_offers_whatever_the_control_groups_salt(bank, salt) -> None:
    control = bank.policy.control.model_copy(update={"salt": salt, "share": 0.3})
    policy = bank.policy.model_copy(update={"control": control})
    advisor = ProductAdvisor(bank.model, panel=None, policy=policy)
    (answer,) = advisor.answer([ProductQuery(None, profile(bank, ind_empleado="N"))])
    assert answer.products
    assert not answer.control


@pytest.mark.parametrize("values", [{"indfall": "S"}, {"tiprel_1mes": "P"}, {"indrel": 99}])
def test_nothing_is_foretold_of_the_dead_and_of_those_who_left(bank, values) -> None:
    (answer,) = predict(bank, STRANGER, profile=profile(bank, **values))
    assert answer.products == ()
    assert len(answer.fired) == 24


@pytest.mark.parametrize("values", [{"ind_empleado": "A"}, {"age": None}, {"indresi": None}, {"renta": None}])
def test_staff_and_the_little_known_get_a_forecast_whoever_the_bank_addresses(bank, values) -> None:
    posted = profile(bank, **values)
    (forecast,) = predict(bank, STRANGER, profile=posted)
    assert forecast.products
    (offer,) = bank.advisor.answer([ProductQuery(STRANGER, posted)])
    assert {f.filter for f in offer.fired} & {
        "employee",
        "age_unknown",
        "residence_unknown",
        "income_too_low",
    }


def test_a_minor_is_foretold_a_junior_account_only(bank) -> None:
    (answer,) = predict(bank, STRANGER, profile=profile(bank, age=9))
    assert {p.product_id for p in answer.products} <= {"ind_ctju_fin_ult1"}
    filters = {f.filter for f in answer.fired}
    assert "under_age" in filters


def test_a_forecast_keeps_the_facts_of_a_policy_and_none_of_its_decisions(bank) -> None:
    rules = compile_policy(forecast_policy(bank.policy), bank.panel.schema)
    full = compile_policy(bank.policy, bank.panel.schema)
    assert (rules.closed_mask, rules.min_ages, rules.max_ages, rules.before) == (
        full.closed_mask,
        full.min_ages,
        full.max_ages,
        full.before,
    )
    assert rules.suitability == ()
    assert rules.policy.control.share == 0
    assert {code for code, _ in rules.clients} == {"deceased", "former_client"}


# --- offers ------------------------------------------------------------------------------------------
def test_offers_say_probability_worth_source_and_reasons(bank) -> None:
    answers = bank.advisor.answer([ProductQuery(i, lang="ru") for i in bank.ids[:60]])
    offers = [product for answer in answers for product in answer.products]
    assert offers
    assert any(product.reasons for product in offers)
    for answer in answers:
        assert (answer.channel, answer.policy) == ("app", "santander-start-1")
        assert len(answer.products) <= bank.policy.max_offers
        if answer.control:
            assert answer.products == ()
        for product in answer.products:
            value = bank.policy.products[product.product_id].value
            assert product.score == pytest.approx(product.probability * value, rel=1e-5)
            assert product.source in ("arbitration", "exploration")
            assert len(product.reasons) <= 3
            assert all(ord(max(reason.text)) > 127 for reason in product.reasons)


def test_reasons_are_left_out_when_nobody_asks_and_k_cuts_the_list(bank) -> None:
    (full,) = bank.advisor.answer([ProductQuery(bank.ids[3])])
    (silent,) = bank.advisor.answer([ProductQuery(bank.ids[3], explain=False)])
    assert [p.product_id for p in full.products] == [p.product_id for p in silent.products]
    assert all(p.reasons == () for p in silent.products)
    (first,) = bank.advisor.answer([ProductQuery(bank.ids[3], k=1)])
    assert first.products == full.products[:1]


def test_a_channel_has_its_own_products_and_an_unknown_one_is_refused(bank) -> None:
    posted = profile(bank, age=30, ind_empleado="N")
    in_app, in_branch = (
        bank.advisor.answer([ProductQuery(STRANGER, posted, channel=channel)])[0]
        for channel in ("app", "branch")
    )
    mortgage = "ind_hip_fin_ult1"
    assert ("not_in_channel", mortgage) in {(f.filter, f.product_id) for f in in_app.fired}
    assert ("not_in_channel", mortgage) not in {(f.filter, f.product_id) for f in in_branch.fired}
    with pytest.raises(InputError, match="channel: must be one of"):
        bank.advisor.answer([ProductQuery(STRANGER, posted, channel="pigeon")])


def test_nobody_in_particular_is_in_no_control_group(bank) -> None:
    everyone = bank.policy.model_copy(
        update={"control": bank.policy.control.model_copy(update={"share": 1.0})}
    )
    advisor = ProductAdvisor(bank.model, panel=bank.panel, policy=everyone)
    nobody, somebody = advisor.answer([ProductQuery(), ProductQuery(bank.ids[0])])
    assert (nobody.control, somebody.control) == (False, True)


def test_answers_are_kept_as_the_offers_that_were_shown(bank, tmp_path) -> None:
    now, log = datetime(2026, 11, 22, tzinfo=UTC), DecisionLog(tmp_path)
    queries = [ProductQuery(i, k=1 + n % 3) for n, i in enumerate(bank.ids[:30])]
    queries += [ProductQuery(STRANGER, profile(bank, age=40)), ProductQuery(bank.ids[0], k=1)]
    queries += [ProductQuery(i, purpose="predict", explain=False) for i in bank.ids[:5]]
    answers = bank.advisor.answer(queries)
    log.append_answers(decisions_of(answers, decided_at=now))
    kept = log.read().sort("customer_id", "rank", maintain_order=True)
    assert kept["decided_at"].unique().to_list() == [now]
    shown = {a.customer_id: a for a in answers[:31]}
    assert set(kept["customer_id"]) == set(shown)
    for customer_id, answer in shown.items():
        rows = kept.filter(pl.col("customer_id") == customer_id)
        assert rows["item_id"].drop_nulls().to_list() == [p.product_id for p in answer.products]
        assert rows["policy_probability"].drop_nulls().to_list() == [
            p.policy_probability for p in answer.products
        ]
        assert rows["n_offers"].unique().to_list() == [len(answer.products)]
        offers = rows.filter(pl.col("rank") > 0)
        assert offers["reasons"].to_list() == [[r.code for r in p.reasons] for p in answer.products]
        assert sum(number > 0 for number in rows["fired"][0]) == len(answer.fired)
    assert decisions_of(answers[-5:], decided_at=now) == []
    log.verify()


def test_first_questions_of_a_service_find_offers_and_reasons(bank) -> None:
    (answer,) = bank.advisor.answer([ProductQuery(profile=an_adult(bank.advisor))])
    assert answer.as_of == bank.panel.months[-1]
    assert answer.products
    assert any(product.reasons for product in answer.products)


# --- loading -----------------------------------------------------------------------------------------
def test_a_saved_model_answers_as_the_fitted_one(bank, tmp_path) -> None:
    bank.model.save(tmp_path / "model")
    loaded = ProductAdvisor.load(tmp_path / "model", panel=bank.folder)
    queries = [ProductQuery(i) for i in bank.ids[:10]] + [ProductQuery(STRANGER, profile(bank))]
    assert loaded.answer(queries) == bank.advisor.answer(queries)
    assert (loaded.version, loaded.newest_month) == (bank.advisor.version, bank.panel.months[-1])
    assert loaded.manifest["model_version"] == loaded.version
    assert loaded.n_clients == bank.panel.n_customers


@pytest.mark.parametrize("panel", [None, "nowhere"])
def test_without_a_panel_everybody_is_answered_by_profile(bank, tmp_path, panel, caplog) -> None:
    bank.model.save(tmp_path / "model")
    advisor = ProductAdvisor.load(tmp_path / "model", panel=None if panel is None else tmp_path / panel)
    assert (advisor.newest_month, advisor.n_clients) == (None, None)
    assert ("no panel there" in caplog.text) == (panel is not None)
    known = bank.ids[0]
    posted = profile(bank, ncodpers=known)
    (answer,) = advisor.answer([ProductQuery(known, posted, purpose="predict")])
    assert not answer.known
    assert answer.products == predict(bank, STRANGER, profile=posted)[0].products
    (silent,) = advisor.answer([ProductQuery(known)])
    assert silent.target == bank.model.target


def test_a_policy_may_come_from_a_file_and_a_wrong_one_is_told(bank, tmp_path) -> None:
    bank.model.save(tmp_path / "model")
    text = bank.policy.model_copy(update={"version": "mine-7"}).to_toml()
    (tmp_path / "mine.toml").write_text(text)
    advisor = ProductAdvisor.load(tmp_path / "model", panel=None, policy=tmp_path / "mine.toml")
    assert advisor.rules.policy.version == "mine-7"
    with pytest.raises(InputError, match="policy"):
        ProductAdvisor.load(tmp_path / "model", panel=None, policy=tmp_path / "none.toml")


def test_a_missing_model_and_a_panel_of_other_products_are_told(bank, tmp_path) -> None:
    with pytest.raises(ArtifactError):
        ProductAdvisor.load(tmp_path / "none", panel=None)
    toy = toy_panel(tmp_path / "toy", ids=[1, 2])
    with pytest.raises(ArtifactError, match="the panel holds others"):
        ProductAdvisor(bank.model, panel=toy, policy=bank.policy)


def test_a_model_of_scoring_time_says_what_it_does_not_get(bank, caplog) -> None:
    features = CONFIG.features.model_copy(update={"attributes": "scoring_time"})
    model = ProductModel(CONFIG.model_copy(update={"features": features}))
    model.fitted_ = bank.model.fitted_
    ProductAdvisor(model, panel=bank.panel, policy=bank.policy)
    assert "expects attributes of the month it foretells" in caplog.text


# --- ids ---------------------------------------------------------------------------------------------
def toy_panel(folder, *, ids: list) -> Panel:
    """Two months of one product."""
    schema = PanelSchema(
        "toy",
        "id",
        "month",
        (Product("card", "Card", "Карта"),),
        (Attribute("age", "integer", low=0, high=120),),
        id_kind="integer" if isinstance(ids[0], int) else "text",
    )
    with PanelWriter(folder, schema=schema) as writer:
        for month in (date(2024, 1, 28), date(2024, 2, 28)):
            ages = pl.DataFrame({"age": [30] * len(ids)}, schema={"age": pl.Int16})
            writer.append_month(month, ids, np.zeros(len(ids), np.uint32), ages)
        return writer.commit()


@pytest.mark.parametrize(
    ("ids", "known", "unknown"),
    [([9, 3, 7], 7, [4, 10, -1, 2**62, "7", None]), (["b", "a"], "b", ["c", "", None])],
)
def test_clients_are_found_by_ids_of_the_panels_own_type(tmp_path, ids, known, unknown) -> None:
    panel = toy_panel(tmp_path, ids=ids)
    history = ClientHistory(panel.schema, panel, columns=["age"], fallback_month=date(2020, 1, 28))
    assert panel.ids.decode([history.row(known)]).to_list() == [known]
    assert {history.row(i) for i in unknown} == {-1}
    assert history.newest_month == date(2024, 2, 28)


def test_features_of_a_question_are_those_of_training_stored_or_posted_one_or_many(bank) -> None:
    """The steps' own road from the panel, as training goes it, against the advisor's two."""
    steps, target = bank.model.fitted_.steps, bank.model.target
    rows = bank.panel.rows(bank.panel.months[-1])[:150]
    trained = steps.transform(steps.inputs(bank.panel, target, rows)).x_NF
    history, newest = bank.advisor.history, bank.panel.months[-1]
    nobody = [None] * len(rows)
    np.testing.assert_array_equal(bank.model.features(history.inputs(newest, rows, nobody)).x_NF, trained)
    posted = [bank.advisor.form.read(raw_row(bank, i)) for i in bank.panel.ids.decode(rows).to_list()]
    np.testing.assert_array_equal(bank.model.features(history.inputs(newest, rows, posted)).x_NF, trained)
    for n in range(0, len(rows), 25):
        one = history.inputs(newest, rows[n : n + 1], posted[n : n + 1])
        np.testing.assert_array_equal(bank.model.features(one).x_NF, trained[n : n + 1])


def test_a_model_of_scoring_time_sees_the_months_own_attributes_where_the_panel_has_them(bank: Bank) -> None:
    """What it was trained on; at the newest month, where there are none yet, the newest known stand in."""
    panel = bank.panel
    before, newest = panel.months[-2:]
    history = ClientHistory(
        panel.schema, panel, columns=bank.model.columns, fallback_month=newest, attributes="scoring_time"
    )
    rows = np.flatnonzero(panel.present(before) & panel.present(newest)).astype(np.int32)
    age = {month: dict(panel.attributes(month, ["age"]).iter_rows()) for month in (before, newest)}
    wanted = [age[newest][row] for row in rows.tolist()]
    assert wanted != [age[before][row] for row in rows.tolist()]  # birthdays
    nobody = [None] * len(rows)
    assert history.inputs(before, rows, nobody).attributes["age"].to_list() == wanted
    assert history.inputs(newest, rows, nobody).attributes["age"].to_list() == wanted
    month_end = ClientHistory(panel.schema, panel, columns=bank.model.columns, fallback_month=newest)
    assert month_end.inputs(before, rows, nobody).attributes["age"].to_list() != wanted
