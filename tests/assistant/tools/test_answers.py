"""Each tool over real rooms: figures are the documents' own, reasons come in both languages, what isn't there is said."""

from datetime import date, timedelta

import numpy as np
import pytest

from nextbest.assistant.base import LANGUAGES, Caller, ToolCall
from nextbest.assistant.tools.toolbox import TOOLS, Toolbox
from nextbest.assistant.tools.words import DEFAULT_STATUS, LABELS, NOTES, TOLD
from nextbest.charts_page.disclaimer import DISCLAIMER, check_promises
from portfolio.investor_books import CLIENT, NOW, write_house_list

ANN = Caller(user_id="ann", client_id=CLIENT)


def ask(toolbox, tool, caller=ANN, **arguments):
    return toolbox.run(caller, ToolCall(tool, arguments))


def ids(result):
    return [item.item_id for item in result.items]


def values(result, key):
    return {figure.of: figure.value for figure in result.figures if figure.key == key}


# --- every tool -----------------------------------------------------------------------------------
CALLS = {
    "recommend_items": {},
    "similar_items": {"item_id": "tea"},
    "next_purchases": {},
    "portfolio_metrics": {},
    "portfolio_peers": {},
    "portfolio_plan": {},
    "portfolio_tracking": {},
    "market_forecast": {"asset": "ETH"},
    "explain_item": {"item_id": "honey"},
    "search_documents": {"query": "card"},
}


@pytest.mark.parametrize("tool", CALLS)
def test_an_answer_is_whole_and_reads_in_both_languages(toolbox, tool) -> None:
    found = ask(toolbox, tool, **CALLS[tool])
    assert found.is_ok, found.code
    assert (found.tool, found.told, found.code) == (tool, None, None)
    assert found.document
    assert found.source
    for words in [
        *(f.label for f in found.figures),
        *(i.title for i in found.items),
        *(n.text for n in found.notes),
    ]:
        assert set(words) == set(LANGUAGES)
        assert all(words.values())
    for figure in found.figures:
        assert isinstance(figure.value, date) or np.isfinite(figure.value)
        assert figure.unit in (
            "fraction",
            "count",
            "ratio",
            "days",
            "months",
            "years",
            "date",
            "bps",
            "RUB",
            "USDT",
        )
    if found.room in ("portfolio", "market"):
        (said,) = [note for note in found.notes if note.is_disclaimer]
        assert said.text["ru"].startswith(DISCLAIMER["ru"])
        check_promises([dict(note.text) for note in found.notes if not note.is_disclaimer])


@pytest.mark.parametrize("tool", TOOLS)
def test_a_room_that_isnt_served_says_so(tool) -> None:
    needed = {**CALLS, "bank_products": {}}[tool]
    found = Toolbox().run(ANN, ToolCall(tool, needed))
    assert (found.status, found.code) == (
        "no_data",
        "unknown_item" if tool == "explain_item" else "not_served",
    )


def test_schemas_fit_the_protocol_and_are_bounded(toolbox) -> None:
    schemas = {each["function"]["name"]: each["function"]["parameters"] for each in toolbox.schemas()}
    assert set(schemas) == set(CALLS)
    for name, schema in schemas.items():
        assert schema["type"] == "object"
        assert set(schema.get("required", ())) <= set(CALLS[name]) <= set(schema["properties"])
        assert schema["additionalProperties"] is False
        assert "client" in schema["properties"] or name in (
            "similar_items", "market_forecast", "search_documents",
        )  # fmt: skip
        for part in [p for v in schema["properties"].values() for p in v.get("anyOf", [v])]:
            assert part["type"] != "string" or {"maxLength", "enum"} & set(part), (name, part)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_description_has_a_line_a_tool(toolbox, language) -> None:
    lines = toolbox.describe(language).splitlines()
    assert [line.split(":")[0] for line in lines] == [each["function"]["name"] for each in toolbox.schemas()]


def test_every_word_is_there_in_both_languages_and_tells_nobodys_id() -> None:
    for words in [*TOLD.values(), *LABELS.values(), *NOTES.values()]:
        assert set(words) == set(LANGUAGES)
    assert set(DEFAULT_STATUS) <= set(TOLD)


@pytest.mark.parametrize(
    "call",
    [
        ToolCall("drop_tables"), ToolCall("recommend_items", {"k": 0}), ToolCall("recommend_items", {"k": 10**9}),
        ToolCall("recommend_items", {"k": True}), ToolCall("recommend_items", {"k": "3"}),
        ToolCall("recommend_items", {"max_price": float("nan")}), ToolCall("recommend_items", {"where": {}}),
        ToolCall("recommend_items", {"deny": ["x"] * 1000}), ToolCall("similar_items", {}),
        ToolCall("similar_items", {"item_id": None}), ToolCall("portfolio_plan", {"goal": "moon"}),
        ToolCall("portfolio_plan", {"amount": -5.0}), ToolCall("portfolio_plan", {"currency": "rubles"}),
        ToolCall("portfolio_metrics", {"start": "yesterday"}), ToolCall("portfolio_metrics", {"start": "2021-02-31"}),
        ToolCall("market_forecast", {"asset": "E" * 101}), ToolCall("search_documents", {"query": ""}),
        ToolCall("search_documents", {"query": "x" * 50_000}), ToolCall("portfolio_metrics", [1]),  # type: ignore[arg-type]
        ToolCall(None), ToolCall(["x"]),  # type: ignore[arg-type]
    ],
    ids=str,
)  # fmt: skip
def test_a_call_that_breaks_its_schema_is_a_typed_failure(toolbox, call) -> None:
    found = toolbox.run(ANN, call)
    assert found.status == "failed"
    assert found.code in ("bad_arguments", "unknown_tool")
    assert found.told == TOLD[found.code]


# --- shop -----------------------------------------------------------------------------------------
def test_recommendations_have_reasons_prices_and_the_catalogues_values(toolbox) -> None:
    found = ask(toolbox, "recommend_items", k=2)
    assert ids(found) == ["honey", "lemon"]
    assert found.items[0].reason == {
        "en": "Because you took “Tea”",
        "ru": "Потому что вы выбирали «Tea»",
    }
    assert found.items[0].attributes == {"category": "sweet", "price": 5.0, "organic": False}
    assert values(found, "price") == {"honey": 5.0, "lemon": 1.0}


def test_wishes_narrow_the_list(toolbox) -> None:
    assert ids(ask(toolbox, "recommend_items", category="SWEET", max_price=5.0)) == ["honey", "sugar"]
    assert ids(ask(toolbox, "recommend_items", k=1, deny=["honey"])) == ["lemon"]
    assert ask(toolbox, "recommend_items", category="books").code == "unknown_category"
    assert ask(toolbox, "recommend_items", max_price=0.5).code == "nothing_left"


def test_somebody_nobody_knows_gets_what_is_popular_and_is_told_so(toolbox) -> None:
    for caller in (Caller(user_id="zoe"), Caller()):
        found = ask(toolbox, "recommend_items", caller, k=2)
        assert found.is_ok
        assert [note.code for note in found.notes] == ["unknown_user"]


def test_what_comes_next_may_be_something_taken_before_and_has_no_day(toolbox) -> None:
    found = ask(toolbox, "next_purchases", k=7, horizon_days=30)
    assert "tea" in ids(found)
    assert "no_horizon" in [note.code for note in found.notes]
    assert "tea" not in ids(ask(toolbox, "recommend_items", k=7))


def test_similar_items_keep_to_price_and_refusals(toolbox) -> None:
    assert ids(ask(toolbox, "similar_items", item_id="tea")) == ["honey", "lemon"]
    assert ids(ask(toolbox, "similar_items", item_id="tea", max_price=2.0)) == ["lemon"]
    assert ids(ask(toolbox, "similar_items", item_id="tea", deny=["lemon"], k=1)) == ["honey"]
    assert ask(toolbox, "similar_items", item_id="tea", max_price=0.1).code == "nothing_left"
    assert ask(toolbox, "similar_items", item_id="nothing").code == "unknown_item"


def test_titles_and_sections_are_there_for_linking(toolbox) -> None:
    assert ("tea", None, "Tea") in toolbox.titles
    assert [link.item_id for link in toolbox.linker.link("something like “Honey”", "en")] == ["honey"]
    assert set(toolbox.categories) == {"drink", "sweet", "fruit"}


# --- portfolio ------------------------------------------------------------------------------------
def test_metrics_are_those_of_the_document(toolbox) -> None:
    found = ask(toolbox, "portfolio_metrics")
    figures = found.document["figures"]
    assert values(found, "twr") == {None: figures["twr"]["value"]}
    assert values(found, "cagr") == {None: figures["cagr"]["value"]}
    shares = {key: share for key, share in values(found, "share").items() if key.islower()}
    assert sum(shares.values()) == pytest.approx(1)
    assert values(found, "worth")[None] == pytest.approx(
        sum(r["value"] for r in found.document["tables"]["classes"])
    )
    assert found.as_of == NOW.date()
    assert {"allocation", "asset"} == {item.kind for item in found.items}


def test_a_period_counts_from_the_last_known_day(toolbox) -> None:
    found = ask(toolbox, "portfolio_metrics", period_days=365)
    (period,) = {figure.period for figure in found.figures if figure.key == "twr"}
    assert period == (NOW.date() - timedelta(365), NOW.date())
    worth, before = values(found, "worth")[None], values(found, "worth_before")[None]
    assert worth == pytest.approx(values(ask(toolbox, "portfolio_metrics"), "worth")[None])
    assert before != worth


def test_parts_of_a_life_link_to_the_whole(toolbox) -> None:
    """The return of the years one after another is that of all of them."""
    years = [
        ask(toolbox, "portfolio_metrics", start=start, end=end)
        for start, end in (
            ("1900-01-01", "2019-12-31"),
            ("2020-01-01", "2020-12-31"),
            ("2021-01-01", "2021-12-31"),
        )
    ]
    linked = np.prod([1 + values(year, "twr")[None] for year in years]) - 1
    assert linked == pytest.approx(values(ask(toolbox, "portfolio_metrics"), "twr")[None])


def test_a_period_without_days_and_one_that_runs_backwards(toolbox) -> None:
    assert ask(toolbox, "portfolio_metrics", start="1990-01-01", end="1991-01-01").code == "too_short"
    assert ask(toolbox, "portfolio_metrics", start="2021-01-01", end="2020-01-01").code == "bad_period"


def test_somebody_without_a_portfolio_is_told_so(toolbox) -> None:
    for tool in ("portfolio_metrics", "portfolio_peers", "portfolio_plan", "portfolio_tracking"):
        assert ask(toolbox, tool, Caller(client_id="zoe")).code == "unknown_self"
        assert ask(toolbox, tool, Caller(user_id="ann")).code == "unknown_self"


def test_peers_are_told_by_medians_of_many(toolbox) -> None:
    found = ask(toolbox, "portfolio_peers")
    assert values(found, "n_peers")[None] >= 20
    rows = {row["asset_class"]: row for row in found.document["tables"]["classes"]}
    assert values(found, "peers_median").items() <= {k: r["median"] for k, r in rows.items()}.items()


def test_too_few_peers_are_refused_in_the_rooms_own_words(store, tmp_path) -> None:
    from nextbest.simulate.portfolios import simulate_book

    simulate_book(tmp_path / "portfolio", scale=12, rng=7)
    small = Toolbox.open(workspace=tmp_path, now=lambda: NOW)
    found = ask(small, "portfolio_peers")
    assert (found.status, found.code) == ("no_data", "too_few_peers")
    assert found.told["ru"].startswith("Похожих клиентов слишком мало")
    assert ask(small, "portfolio_tracking").code == "not_tracked"
    small.close()


def test_a_plan_says_odds_and_what_would_help(toolbox) -> None:
    found = ask(toolbox, "portfolio_plan")
    figures = found.document["figures"]
    assert values(found, "goal_probability")[None] == figures["goal_probability"]["value"]
    assert sum(values(found, "proposal_share").values()) == pytest.approx(1, abs=0.005)
    assert all(item.kind == "allocation" for item in found.items)


def test_a_named_goal_is_counted_instead_of_the_books(toolbox) -> None:
    own = ask(toolbox, "portfolio_plan")
    easier = ask(toolbox, "portfolio_plan", amount=1_000.0)
    assert values(easier, "target_amount") == {None: 1_000.0}
    assert values(easier, "goal_probability")[None] == 1.0 >= values(own, "goal_probability")[None]
    assert values(easier, "horizon") == values(own, "horizon")
    saving = ask(toolbox, "portfolio_plan", monthly=9_000_000.0, currency=own.document["currency"])
    assert values(saving, "monthly_contribution") == {None: 9_000_000.0}
    assert values(saving, "target_amount") == values(own, "target_amount")
    assert values(saving, "goal_probability")[None] == 1.0
    assert ask(toolbox, "portfolio_plan", monthly=5.0, currency="USD").code == "other_currency"
    new = ask(toolbox, "portfolio_plan", goal="travel", amount=500_000.0, horizon_days=731)
    assert values(new, "horizon") == {None: 24.0}
    assert "new_goal" in [note.code for note in new.notes]
    assert ask(toolbox, "portfolio_plan", goal="travel").code == "no_goal"
    assert ask(toolbox, "portfolio_plan", amount=5.0, currency="USD").code == "other_currency"


def test_advice_needs_the_houses_list_and_a_questionnaire(toolbox, store, tmp_path) -> None:
    from nextbest.portfolio.plan.advice import load_advice

    advised = Caller(client_id=CLIENT, mode="advice")
    assert ask(toolbox, "portfolio_plan", advised).code == "advice_off"
    house = load_advice(write_house_list(store / "portfolio", tmp_path / "house.toml"))
    listed = Toolbox.open(workspace=store, advice=house, now=lambda: NOW)
    found = ask(listed, "portfolio_plan", advised)
    assert (found.status, found.code) == ("no_data", "no_questionnaire")
    assert ask(listed, "portfolio_plan").document["mode"] == "information"
    listed.close()


def test_tracking_tells_alerts(toolbox) -> None:
    found = ask(toolbox, "portfolio_tracking")
    assert [n.text["en"] for n in found.notes if n.code == "alert"] == found.document["texts"]["en"]
    assert values(found, "worth")[None] == pytest.approx(found.document["tables"]["history"][-1]["nav"])


# --- market ---------------------------------------------------------------------------------------
def test_a_forecast_is_a_range_with_the_models_standing(toolbox) -> None:
    found = ask(toolbox, "market_forecast", asset="btc/usdt", horizon_days=30)
    (row,) = found.document["forecasts"]
    assert [values(found, key)["BTC/USDT"] for key in ("low", "middle", "high")] == [
        row[q] for q in ("q10", "q50", "q90")
    ]
    assert {figure.unit for figure in found.figures if figure.key in ("close", "low", "high")} == {"USDT"}
    assert [note.text["en"] for note in found.notes if note.code == "standing"] == [
        "rw_hist_sim: never tested here."
    ]
    assert values(found, "target_day")["BTC/USDT"] - found.as_of == timedelta(30)


def test_an_asset_nobody_knows_and_a_day_too_far(toolbox) -> None:
    assert ask(toolbox, "market_forecast", asset="DOGE").code == "unknown_asset"
    assert ask(toolbox, "market_forecast", asset="ETH", horizon_days=400).code == "horizon_too_far"
    assert toolbox.asset_names == {"BTC/USDT": ("BTC",), "ETH": ()}


# --- explain, documents ---------------------------------------------------------------------------
def test_why_is_answered_by_the_room_that_knows_the_thing(toolbox) -> None:
    assert ask(toolbox, "explain_item", item_id="honey").items[0].reason["en"] == "Because you took “Tea”"
    assert ask(toolbox, "explain_item", item_id="ETH").room == "market"
    held = ask(toolbox, "explain_item", item_id="deposit")
    assert (held.room, ids(held)) == ("portfolio", ["deposit"])
    assert ask(toolbox, "explain_item", item_id="moon").code == "unknown_item"


def test_passages_are_quoted_with_their_source(toolbox) -> None:
    found = ask(toolbox, "search_documents", query="вклад")
    assert ids(found) == ["faq.md#2"]
    assert found.items[0].attributes == {"text": "Вклад можно закрыть в любой день.", "source": "faq.md"}
    assert ask(toolbox, "search_documents", query="zebra").code == "nothing_found"
