"""Folders behind the tools: opened when asked, again when changed; what is broken or busy is told, and nobody's id is logged."""

import logging
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from nextbest.assistant.base import Caller, ToolCall
from nextbest.assistant.intent.linking import Linker
from nextbest.assistant.tools import opening
from nextbest.assistant.tools.portfolio import Portfolio
from nextbest.assistant.tools.shop import Shop
from nextbest.assistant.tools.toolbox import Toolbox
from nextbest.data.event_log import EVENTS_FILE, Event, EventLog
from nextbest.data.holdings.book import Book
from nextbest.errors import ExternalError
from portfolio.investor_books import CLIENT, NOW
from service.shops import START, pipeline, save_shop

ANN = Caller(user_id="ann", client_id=CLIENT)


def ask(toolbox, tool, caller=ANN, **arguments):
    return toolbox.run(caller, ToolCall(tool, arguments))


@pytest.fixture
def looks_always(monkeypatch) -> None:
    monkeypatch.setattr(opening, "LOOK_S", 0.0)


def test_a_newer_model_answers_without_opening_anew(tmp_path, looks_always) -> None:
    save_shop(tmp_path / "model")
    toolbox = Toolbox.open(workspace=tmp_path, make_linker=Linker)
    linker = toolbox.linker
    assert [item.item_id for item in ask(toolbox, "recommend_items", k=1).items] == ["honey"]
    pipeline({"ann": ["tea"], "bob": ["tea", "cake"]}, name="other").save(
        tmp_path / "model", created=START.replace(day=2)
    )
    found = ask(toolbox, "recommend_items", k=1)
    assert ([item.item_id for item in found.items], found.source) == (["cake"], "other")
    assert toolbox.linker is not linker
    assert toolbox.linker is toolbox.linker
    toolbox.close()


def test_titles_are_indexed_once_for_a_model_however_it_is_handed_over() -> None:
    class Handed:
        """As the service hands its live model over: another wrapping each time."""

        def __init__(self, live) -> None:
            self._live = live

        def __getattr__(self, name: str) -> object:
            return getattr(self._live, name)

    live, made = pipeline(), []
    toolbox = Toolbox.open(
        live_shop=lambda: Handed(live), make_linker=lambda titles: made.append(1) or Linker(titles)
    )  # type: ignore[arg-type,return-value]
    assert {id(toolbox.linker) for _ in range(5)} == {id(toolbox.linker)}
    assert len(made) == 1


def test_what_was_posted_to_the_service_counts(tmp_path) -> None:
    save_shop(tmp_path / "model")
    toolbox = Toolbox.open(workspace=tmp_path)
    before = ask(toolbox, "recommend_items", Caller(user_id="new"), k=2)
    with EventLog(tmp_path / EVENTS_FILE) as events:
        events.append([Event("new", "coffee", datetime(2026, 1, 3, tzinfo=UTC))])
    after = ask(toolbox, "recommend_items", Caller(user_id="new"), k=2)
    assert [note.code for note in before.notes] == ["unknown_user"]
    assert after.notes == ()
    assert {item.item_id for item in after.items} == {"milk", "sugar"}
    toolbox.close()


def test_a_broken_model_a_missing_one_and_a_missing_book_arent_ready(tmp_path) -> None:
    folder = save_shop(tmp_path / "model")
    (folder / "manifest.json").write_text("{}")
    toolbox = Toolbox.open(
        workspace=tmp_path, products=tmp_path / "nowhere", portfolio=tmp_path / "nowhere", market=tmp_path
    )
    for tool, arguments in (
        ("recommend_items", {}), ("bank_products", {}), ("portfolio_metrics", {}), ("market_forecast", {"asset": "BTC"}),
    ):  # fmt: skip
        found = ask(toolbox, tool, Caller(user_id="ann", customer_id=1, client_id=CLIENT), **arguments)
        assert (found.status, found.code) == ("failed", "not_ready")
        assert str(tmp_path) not in str(found)
    assert (toolbox.titles, toolbox.categories, toolbox.assets, toolbox.linker) == ((), (), (), None)


def test_rooms_are_those_that_the_workspace_has(store, tmp_path) -> None:
    assert Toolbox.open(workspace=store).rooms == {"shop", "portfolio", "market"}
    assert Toolbox.open(workspace=tmp_path).rooms == set()
    assert Toolbox.open(workspace=tmp_path).schemas() == []


def test_a_book_that_is_being_written_is_busy_and_answers_later(store, tmp_path) -> None:
    shutil.copytree(store / "portfolio", tmp_path / "portfolio")
    toolbox = Toolbox.open(workspace=tmp_path, now=lambda: NOW)
    holds = (
        "import sys; from nextbest.data.holdings.book import Book\n"
        "with Book.open(sys.argv[1], read_only=False): print('held', flush=True); sys.stdin.readline()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holds, str(tmp_path / "portfolio")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as writer:  # fmt: skip
        assert writer.stdout is not None
        assert writer.stdout.readline() == "held\n"
        found = ask(toolbox, "portfolio_metrics")
        writer.communicate("\n")
    assert (found.status, found.code) == ("failed", "busy")
    assert ask(toolbox, "portfolio_metrics").is_ok
    toolbox.close()


def test_what_nobody_foresaw_is_logged_without_the_clients_id(caplog) -> None:
    class Broken:
        def __init__(self, error: Exception) -> None:
            self._error = error

        def is_known(self, user_id: object) -> bool:
            raise self._error

    for error, code in (
        (ZeroDivisionError("by zero"), "failed"),
        (ExternalError("disk", "/secret/path of c000004 is full", retryable=False), "not_ready"),
        (ExternalError("disk", "is busy", retryable=True), "busy"),
    ):
        broken = Toolbox(shop=Shop(lambda error=error: Broken(error)))  # type: ignore[arg-type,misc]
        with caplog.at_level(logging.INFO):
            found = ask(broken, "recommend_items", Caller(user_id="c000003"))
        assert (found.status, found.code) == ("failed", code)
        assert "secret" not in str(found)
    assert "ZeroDivisionError" in caplog.text
    assert "c000003" not in caplog.text


def test_many_threads_get_the_same_answers_as_one(toolbox) -> None:
    calls = [
        ToolCall(tool, arguments)
        for tool, arguments in (
            ("recommend_items", {"k": 3}), ("similar_items", {"item_id": "tea"}), ("portfolio_metrics", {}),
            ("portfolio_peers", {}), ("market_forecast", {"asset": "ETH"}), ("portfolio_tracking", {}),
        )
    ] * 4  # fmt: skip
    alone = [toolbox.run(ANN, call) for call in calls]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda call: toolbox.run(ANN, call), calls))
    assert [result.figures for result in together] == [result.figures for result in alone]
    assert all(result.is_ok for result in together)


def test_a_room_of_ones_own_reads_the_same_book(store) -> None:
    room = Portfolio(store / "portfolio", now=lambda: NOW)
    with Book.open(store / "portfolio"):  # another reader is no obstacle
        found = ask(Toolbox(portfolio=room), "portfolio_metrics")
    assert found.is_ok
    room.close()
