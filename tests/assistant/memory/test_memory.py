"""Conversations are kept whole, folded, found again by their caller only, and erased for good."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.assistant.base import Caller, Intent, Money, Shown, Slots, ToolCall, Turn
from nextbest.assistant.memory.past import KEPT_REJECTED, KEPT_TURNS, Past
from nextbest.assistant.memory.stores import (
    FILE,
    DuckDBMemory,
    Memory,
    ProcessMemory,
    RedisMemory,
    check_session,
    open_memory,
)
from nextbest.errors import DataError, ExternalError, InputError

ANN, BOB = Caller(user_id=7), Caller(user_id="7")
REDIS = shutil.which("redis-server")


def turn(n: int = 0, **fields: object) -> Turn:
    return Turn(
        **{  # type: ignore[arg-type]
            "question": f"вопрос {n}",
            "answer": f"ответ {n}",
            "language": "ru",
            "intent": "recommend",
            "slots": Slots(k=3, amount=Money(1000.0, "RUB"), goal="house"),
            "calls": (ToolCall("recommend_items", {"k": 3, "deny": ["a", 1]}),),
            "shown": (
                Shown(n, {"ru": "Один", "en": "One"}, price=9.5),
                Shown(f"{n}", {"ru": "Два", "en": "Two"}),
            ),
            "time_us": n,
            **fields,
        }
    )


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if REDIS is None:
        pytest.skip("no redis-server on this machine")
    socket = tmp_path_factory.mktemp("redis") / "s"
    server = subprocess.Popen(
        [REDIS, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(socket.parent)],
        stdout=subprocess.DEVNULL,
    )
    end = time.monotonic() + 20
    while not socket.exists() and time.monotonic() < end:
        time.sleep(0.02)
    yield f"unix://{socket}"
    server.terminate()
    server.wait()


@pytest.fixture(params=["process", "duckdb", "redis"])
def memory(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Memory]:
    if request.param == "redis":
        kept: Memory = RedisMemory(request.getfixturevalue("redis_url"), prefix=f"{tmp_path}:")
    else:
        kept = open_memory(None if request.param == "process" else tmp_path)
    yield kept
    kept.close()


def test_what_was_written_is_read_again_and_only_by_its_caller_and_session(memory: Memory) -> None:
    past = Past().with_turn(turn(1)).with_turn(turn(2, rejected=(5, "x"), asked_back=True))
    memory.write(ANN, "phone", past)

    assert memory.read(ANN, "phone") == past
    assert memory.read(ANN, "web") == memory.read(BOB, "phone") == Past()


def test_erasing_forgets_all_sessions_of_one_caller(memory: Memory) -> None:
    past = Past().with_turn(turn())
    for caller, session in ((ANN, "a"), (ANN, "b"), (BOB, "a")):
        memory.write(caller, session, past)

    assert memory.erase(ANN) == 2
    assert memory.read(ANN, "a") == memory.read(ANN, "b") == Past()
    assert memory.read(BOB, "a") == past
    assert memory.erase(ANN) == 0


@pytest.mark.parametrize("session", ["", "a" * 101, "a\nb"])
def test_a_name_that_is_no_session(memory: Memory, session: str) -> None:
    with pytest.raises(InputError, match="session: must be 1 to 100 printable"):
        memory.read(ANN, session)
    with pytest.raises(InputError):
        check_session(session)


@given(
    st.lists(
        st.tuples(st.none() | st.integers() | st.text(), st.none() | st.integers() | st.text()),
        min_size=2,
        max_size=2,
        unique=True,
    )
)
def test_no_two_callers_share_a_key(ids: list[tuple[object, object]]) -> None:
    keys = {Caller(user_id=user, client_id=client).key for user, client in ids}  # type: ignore[arg-type]
    assert len(keys) == 2
    assert Caller(user_id=1, role="clerk").key != Caller(user_id=1).key


def test_old_turns_are_folded_and_what_they_turned_down_stays_turned_down() -> None:
    past = Past()
    for n in range(KEPT_TURNS + 5):
        intent: Intent = "plan" if n < 2 else "recommend"
        past = past.with_turn(
            turn(n, rejected=(n,), intent=intent, slots=Slots(goal="car") if n == 3 else Slots())
        )

    assert [t.time_us for t in past.turns] == list(range(5, KEPT_TURNS + 5))
    assert past.summary.n_turns == 5
    assert past.summary.intents == {"plan": 2, "recommend": 3}
    assert past.summary.goal == "car"
    assert past.rejected == tuple(range(KEPT_TURNS + 5))
    assert Past.from_json(past.to_json()) == past


def test_the_newest_things_turned_down_are_kept() -> None:
    past = Past()
    for n in range(KEPT_REJECTED + 20):
        past = past.with_turn(turn(n, rejected=(n, n)))
    assert past.rejected == tuple(range(20, KEPT_REJECTED + 20))


def test_last_and_waiting_tell_questions_back_from_answers() -> None:
    past = Past().with_turn(turn(1)).with_turn(turn(2, intent="small_talk", shown=()))
    assert past.last is not None
    assert past.last.time_us == 1
    assert past.waiting is None
    asked = past.with_turn(turn(3, asked_back=True, shown=()))
    assert asked.waiting is not None
    assert asked.last == past.last
    assert asked.shown == past.turns[0].shown


def test_long_texts_are_cut() -> None:
    past = Past().with_turn(turn(question="a" * 5000, answer="b" * 5000))
    assert len(past.turns[0].question) == len(past.turns[0].answer) == 500


def test_duckdb_keeps_over_a_restart_and_forgets_after_its_days(tmp_path: Path) -> None:
    now = [1_000_000.0]
    kept = DuckDBMemory(tmp_path, keep_days=10, now_s=lambda: now[0])
    past = Past().with_turn(turn())
    kept.write(ANN, "s", past)
    kept.close()
    again = DuckDBMemory(tmp_path, keep_days=10, now_s=lambda: now[0])
    assert again.read(ANN, "s") == past
    now[0] += 11 * 86_400
    assert again.read(ANN, "s") == Past()
    again.close()
    last = DuckDBMemory(tmp_path, keep_days=10, now_s=lambda: now[0])
    assert last.erase(ANN) == 0
    last.close()


def test_erased_words_are_not_in_the_file(tmp_path: Path) -> None:
    kept = DuckDBMemory(tmp_path)
    kept.write(ANN, "s", Past().with_turn(turn(question="a very secret question")))
    assert kept.erase(ANN) == 1
    kept.close()
    left = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"a very secret question" not in left


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("not a database, " * 500)
    with pytest.raises(ExternalError, match=r"conversations\.duckdb"):
        DuckDBMemory(tmp_path)


def test_a_document_that_is_no_conversation() -> None:
    with pytest.raises(DataError, match="conversation"):
        Past.from_json('{"turns": [{"question": 5}]}')


def test_a_redis_that_does_not_answer(tmp_path: Path) -> None:
    pytest.importorskip("redis")
    with pytest.raises(ExternalError, match="redis") as error:
        RedisMemory(f"unix://{tmp_path / 'nobody'}")
    assert error.value.retryable
    with pytest.raises(InputError, match="URL"):
        RedisMemory("http://nobody")


def test_a_full_process_forgets_the_session_asked_longest_ago() -> None:
    kept = ProcessMemory(max_sessions=2)
    for session in "abc":
        kept.write(ANN, session, Past().with_turn(turn()))
    assert kept.read(ANN, "a") == Past()
    assert kept.read(ANN, "c") != Past()
