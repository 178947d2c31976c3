"""Whoever asks gets what is his, and nothing of anybody else: refused before anything is looked up."""

import json
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextbest.assistant.base import Caller, ToolCall
from nextbest.assistant.tools.toolbox import TOOLS, Toolbox
from portfolio.investor_books import CLIENT

OTHER, NOBODY = "c000004", "c999999"
ME = Caller(user_id="ann", customer_id=7, client_id=CLIENT)
ABOUT_CLIENTS = [name for name, tool in TOOLS.items() if "client" in tool.arguments.model_fields]
NEEDED = {"explain_item": {"item_id": "honey"}}


class Trap:
    """A room that must not be asked."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"asked for {name}")


def everything(result) -> str:
    """Each field of a result as text."""
    return json.dumps(asdict(result), default=str, ensure_ascii=False)


def test_eight_tools_may_be_about_a_client() -> None:
    assert ABOUT_CLIENTS == [
        "recommend_items", "next_purchases", "bank_products", "portfolio_metrics", "portfolio_peers", "portfolio_plan",
        "portfolio_tracking", "explain_item",
    ]  # fmt: skip


@pytest.mark.parametrize("tool", ABOUT_CLIENTS)
def test_another_client_is_refused_in_the_same_words_whether_or_not_there_is_one(toolbox, tool) -> None:
    call = {**NEEDED.get(tool, {})}
    there, not_there = (toolbox.run(ME, ToolCall(tool, {**call, "client": c})) for c in (OTHER, NOBODY))
    assert there == not_there
    assert (there.status, there.code) == ("refused", "not_yours")
    assert OTHER not in everything(there)
    assert (there.items, there.figures, dict(there.document), dict(there.arguments)) == ((), (), {}, {})


@pytest.mark.parametrize("tool", ABOUT_CLIENTS)
def test_the_permission_comes_before_the_room_is_asked(tool) -> None:
    trapped = Toolbox(shop=Trap(), products=Trap(), portfolio=Trap(), market=Trap())  # type: ignore[arg-type]
    call = ToolCall(tool, {**NEEDED.get(tool, {}), "client": OTHER, "nonsense": 1})
    assert trapped.run(ME, call).code == "not_yours"


ODD_IDS = [
    " c000003", "c000003 ", "C000003", "c000003\n", "с000003", "c000003\x00", "c０００００３", "c000003;--", "c000003,c000004",
    "c%", "%", "*", "", "null", "None", "../c000004", "c00000[34]", 0, 3, -1, 7.0, True, False, [CLIENT], [OTHER],
    (CLIENT,), {"$ne": None}, {CLIENT: 1}, b"c000003", float("nan"), 10**400, object(), "c000003" * 1000,
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD_IDS, ids=[str(n) for n in range(len(ODD_IDS))])
def test_an_odd_spelling_is_nobodys_own(toolbox, odd) -> None:
    found = toolbox.run(ME, ToolCall("portfolio_metrics", {"client": odd}))
    assert (found.status, found.code) == ("refused", "not_yours")


@pytest.mark.parametrize("odd", ["7.0", " 7", "07", "+7", "٧", 7.0, True, "7e0"], ids=repr)
def test_an_odd_spelling_of_a_number_is_nobodys_own(bank_toolbox, odd) -> None:
    assert bank_toolbox.run(ME, ToolCall("bank_products", {"client": odd})).code == "not_yours"


def test_ones_own_id_may_be_named(toolbox) -> None:
    named, silent = (
        toolbox.run(ME, ToolCall("portfolio_metrics", arguments)) for arguments in ({"client": CLIENT}, {})
    )
    assert named.is_ok
    assert named.figures == silent.figures


def test_an_id_of_one_room_opens_no_other_room(toolbox) -> None:
    sly = Caller(user_id=OTHER, client_id=CLIENT)
    assert toolbox.run(sly, ToolCall("portfolio_metrics", {"client": OTHER})).code == "not_yours"
    told = toolbox.run(sly, ToolCall("explain_item", {"item_id": "deposit", "client": OTHER}))
    assert told.code in ("unknown_item", "not_yours")
    assert "portfolio" not in (told.room, *told.document)


def test_a_client_list_of_a_client_counts_for_nothing(toolbox) -> None:
    sly = Caller(client_id=CLIENT, role="client", may_see=frozenset({OTHER, "*"}))
    assert toolbox.run(sly, ToolCall("portfolio_metrics", {"client": OTHER})).code == "not_yours"


def test_a_clerk_sees_those_on_his_list_and_nobody_else(toolbox) -> None:
    clerk = Caller(role="clerk", may_see=frozenset({OTHER}))
    seen = toolbox.run(clerk, ToolCall("portfolio_metrics", {"client": OTHER}))
    assert seen.is_ok
    assert seen.document["client_id"] == OTHER
    for client in (CLIENT, NOBODY, "*", "", [OTHER]):
        found = toolbox.run(clerk, ToolCall("portfolio_metrics", {"client": client}))
        assert (found.status, found.code) == ("refused", "not_allowed")


def test_a_clerk_of_everybody_is_told_who_isnt_there(toolbox) -> None:
    clerk = Caller(role="clerk", may_see=frozenset({"*"}))
    for tool in ("portfolio_metrics", "portfolio_plan", "recommend_items", "next_purchases"):
        found = toolbox.run(clerk, ToolCall(tool, {"client": NOBODY}))
        assert (found.status, found.code) == ("no_data", "unknown_client")


def test_a_clerk_who_names_nobody_is_asked_whom(toolbox) -> None:
    clerk = Caller(role="clerk", may_see=frozenset({"*"}))
    assert toolbox.run(clerk, ToolCall("portfolio_metrics")).code == "no_client"


@pytest.mark.parametrize("mode", ["information", "advice"])
@pytest.mark.parametrize("tool", [name for name in TOOLS if name.startswith("portfolio_")])
def test_an_answer_names_no_other_client(toolbox, store, tool, mode) -> None:
    from nextbest.data.holdings.book import Book

    with Book.open(store / "portfolio") as book:
        others = set(book.investors()["client_id"]) - {CLIENT}
    text = everything(toolbox.run(Caller(client_id=CLIENT, mode=mode), ToolCall(tool)))
    assert not [other for other in others if other in text]


@settings(max_examples=60)
@given(
    arguments=st.dictionaries(
        st.sampled_from(["client", "client_id", "user_id", "k", "period_days", "start", "amount", "mode", "x"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.lists(st.just(OTHER), max_size=2),
        max_size=4,
    ),
    tool=st.sampled_from(["portfolio_metrics", "portfolio_tracking", "recommend_items"]),
)  # fmt: skip
def test_whatever_is_asked_nothing_raises_and_nobody_else_is_told(toolbox, arguments, tool) -> None:
    found = toolbox.run(ME, ToolCall(tool, arguments))
    assert found.status in ("ok", "no_data", "refused", "failed")
    assert (found.told is None) == found.is_ok
    if found.is_ok and tool != "recommend_items":
        assert found.document["client_id"] == CLIENT


def test_mode_is_the_callers_whatever_the_call_says(toolbox) -> None:
    told = toolbox.run(ME, ToolCall("portfolio_plan", {"mode": "advice"}))
    assert (told.status, told.code) == ("failed", "bad_arguments")
    plan = toolbox.run(ME, ToolCall("portfolio_plan"))
    assert plan.document["mode"] == "information"
    assert "instruments" not in plan.document["tables"]
    assert not [item for item in plan.items if item.kind == "asset"]
