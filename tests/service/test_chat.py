"""`POST /chat`: whole and in pieces, its callers, its limits, with a scripted assistant behind it."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.agent.scripted_rooms import ScriptedToolbox, ScriptedUnderstander, Writer, found
from nextbest.assistant.agent.assistant import Assistant
from nextbest.assistant.agent.voice import Voice
from nextbest.assistant.base import Slots, ToolResult
from nextbest.assistant.phrasing.phrasebook import Phrasebook
from nextbest.assistant.tools.identities import FILE
from nextbest.errors import ExternalError
from nextbest.service.app import create_app
from nextbest.service.config import ServiceConfig
from service.running import AppClient

TOKEN = "a-long-enough-clerk-token"
MEANINGS = {
    "Что взять?": ("recommend", Slots()),
    "привет": ("small_talk", Slots()),
    "мой портфель": ("portfolio", Slots()),
}
CONFIG = ServiceConfig(
    watch_interval_s=3600, health_cache_s=0, clerk_token=TOKEN, max_chats_pending=1, chat_threads=2
)


class Chat:
    """A running service with its scripted rooms."""

    def __init__(self, folder: Path, model: Path, *, text: str | None = None, answer: Any = found) -> None:
        self.toolbox = ScriptedToolbox(answer)
        self.writer = None if text is None else Writer(text)
        self.app = create_app(model, chat_folder=folder, config=CONFIG, open_chat=self.opened)

    def opened(self, _loop: Any) -> Assistant:
        voice = None if self.writer is None else Voice(self.writer)
        return Assistant(ScriptedUnderstander(MEANINGS), self.toolbox, phrasebook=Phrasebook(), voice=voice)


@pytest.fixture
def chat(tmp_path: Path, model_folder: Path) -> Iterator[tuple[Chat, AppClient]]:
    made = Chat(tmp_path, model_folder)
    with AppClient(made.app) as client:
        yield made, client


def events_of(text: str) -> list[tuple[str, dict[str, Any]]]:
    parts = [part.split("\n") for part in text.strip().split("\n\n")]
    return [(kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for kind, data in parts]


def test_an_answer_with_its_items(chat: tuple[Chat, AppClient]) -> None:
    made, client = chat
    reply = client.post("/chat", json={"user_id": 7, "text": "Что взять?"})
    assert reply.status_code == 200
    body = reply.json()
    assert body["intent"] == "recommend"
    assert [item["item_id"] for item in body["items"]] == ["g1", "g2"]
    assert "Hades" in body["answer"]
    assert body["provider"] == "phrasebook"
    caller = made.toolbox.asked[-1][0]
    assert (caller.user_id, caller.role) == (7, "client")


def test_the_same_in_pieces(tmp_path: Path, model_folder: Path) -> None:
    made = Chat(tmp_path, model_folder, text="Вам подойдёт {i1}: {r1}. Ещё посмотрите {i2}: {r2}.")
    with AppClient(made.app) as client:
        reply = client.post(
            "/chat", json={"user_id": 7, "text": "Что взять?"}, headers={"Accept": "text/event-stream"}
        )
        assert reply.headers["content-type"].startswith("text/event-stream")
        events = events_of(reply.text)
        kinds = [kind for kind, _ in events]
        assert kinds[0] == "status"
        assert kinds.count("text") >= 2
        assert kinds[-1] == "reply"
        assert (
            "".join(data["text"] for kind, data in events if kind == "text").strip()
            == events[-1][1]["answer"]
        )
        plain = client.post("/games/ask", json={"user_id": 7, "text": "Что взять?"})
        assert plain.headers["content-type"].startswith("text/plain")
        assert "Celeste" in plain.text


def test_a_retracted_answer_is_replaced_on_the_wire(tmp_path: Path, model_folder: Path) -> None:
    made = Chat(tmp_path, model_folder, text="Вам подойдёт {i1}: {r1}. А ещё купите Factorio за 100 рублей.")
    with AppClient(made.app) as client:
        reply = client.post(
            "/chat", json={"user_id": 7, "text": "Что взять?"}, headers={"Accept": "text/event-stream"}
        )
        assert "Factorio" not in reply.text
        kinds = [kind for kind, _ in events_of(reply.text)]
        assert "replace" in kinds
        assert events_of(reply.text)[-1][1]["provider"] == "phrasebook"


def test_who_is_who_is_looked_up(chat: tuple[Chat, AppClient], tmp_path: Path) -> None:
    import polars as pl

    made, client = chat
    pl.DataFrame({"user_id": ["u1"], "customer_id": [5], "client_id": ["c9"]}).write_parquet(tmp_path / FILE)
    client.post("/chat", json={"user_id": "u1", "text": "мой портфель"})
    assert (made.toolbox.asked[-1][0].client_id, made.toolbox.asked[-1][0].customer_id) == ("c9", 5)


def test_a_clerk_shows_a_token_and_a_wrong_one_is_refused(chat: tuple[Chat, AppClient]) -> None:
    made, client = chat
    asked = {"user_id": 7, "text": "Что взять?"}
    assert client.post("/chat", json=asked, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert made.toolbox.asked[-1][0].role == "clerk"
    refused = client.post("/chat", json=asked, headers={"Authorization": "Bearer nonsense"})
    assert refused.status_code == 422
    assert TOKEN not in refused.text
    assert "nonsense" not in refused.text


@pytest.mark.parametrize(
    "body",
    [
        {"text": "Что взять?"},
        {"user_id": 7},
        {"user_id": 7, "text": "x" * 100_001},
        {"user_id": 7, "text": "a", "session": ""},
        {"user_id": 7, "text": "a", "role": "clerk"},
        {"user_id": 7, "text": "a", "may_see": ["*"]},
        {"user_id": True, "text": "a"},
        {"user_id": 7, "text": 5},
    ],
)
def test_bad_requests_are_problems_and_call_nothing(
    chat: tuple[Chat, AppClient], body: dict[str, Any]
) -> None:
    made, client = chat
    reply = client.post("/chat", json=body)
    assert reply.status_code == 422
    assert reply.headers["content-type"].startswith("application/problem+json")
    assert not made.toolbox.asked


def test_forgetting(chat: tuple[Chat, AppClient]) -> None:
    _, client = chat
    client.post("/chat", json={"user_id": 7, "text": "Что взять?"})
    assert client.post("/chat/forget", json={"user_id": 7}).json() == {"forgotten": 1}
    assert client.post("/chat/forget", json={"user_id": 7}).json() == {"forgotten": 0}
    assert client.post("/chat/forget", json={}).status_code == 422


def test_too_many_at_once_are_told_to_come_again(tmp_path: Path, model_folder: Path) -> None:
    gate, begun = threading.Event(), threading.Event()

    def slow(tool: str) -> ToolResult:
        begun.set()
        assert gate.wait(10)
        return found(tool)

    made = Chat(tmp_path, model_folder, answer=slow)
    with AppClient(made.app) as client:
        replies = []
        asked = {"user_id": 7, "text": "Что взять?"}
        waiting = threading.Thread(target=lambda: replies.append(client.post("/chat", json=asked)))
        waiting.start()
        assert begun.wait(10)
        refused = client.post("/chat", json=asked)
        gate.set()
        waiting.join(10)
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"
        assert replies[0].status_code == 200


def test_health_and_metrics_tell_of_the_chat(chat: tuple[Chat, AppClient]) -> None:
    _, client = chat
    client.post("/chat", json={"user_id": 7, "text": "Что взять?"})
    health = client.get("/health").json()
    assert health["checks"]["chat"] == "ok"
    assert 'nextbest_chat_replies{counted="intent:recommend"} 1.0' in client.get("/metrics").text


def test_an_assistant_that_cannot_open_says_so_and_the_shop_goes_on(
    tmp_path: Path, model_folder: Path
) -> None:
    def broken(_loop: Any) -> Assistant:
        raise ExternalError("conversations.duckdb", "is held by another process", retryable=True)

    app = create_app(model_folder, chat_folder=tmp_path, config=CONFIG, open_chat=broken)
    with AppClient(app) as client:
        for _ in range(2):
            reply = client.post("/chat", json={"user_id": 7, "text": "Что взять?"})
            assert reply.status_code == 502
            assert "held by another" in reply.text
        assert client.get("/users/1/recommendations").status_code == 200
        assert "held by another" in client.get("/health").json()["checks"]["chat"]
