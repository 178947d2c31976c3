"""The coalescer: every question gets its own answer, batches stay small, the queue stays bounded."""

import asyncio
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextbest.errors import InputError
from nextbest.service.coalesce import Coalescer
from nextbest.service.errors import OverloadedError


def coalescer(answer, **options) -> Coalescer:
    return Coalescer(
        answer, **{"name": "test", "max_batch": 4, "max_pending": 100, "queue_timeout_s": 60, **options}
    )


def with_started(made: Coalescer, ask):
    """The result of `ask()` while the coalescer runs."""

    async def main():
        made.start()
        try:
            return await ask()
        finally:
            await made.stop()

    return asyncio.run(main())


class Gate:
    """Answers n with 2 n, but only when it is opened; remembers the batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.entered, self.open = threading.Event(), threading.Event()

    def answer(self, batch: list[int]) -> list[int]:
        self.batches.append(batch)
        self.entered.set()
        assert self.open.wait(30)
        return [2 * n for n in batch]


def test_what_arrives_while_a_batch_is_answered_forms_the_next_ones() -> None:
    gate = Gate()
    made = coalescer(gate.answer)

    async def ask() -> list[int]:
        first = asyncio.ensure_future(made.ask(0))
        await asyncio.to_thread(gate.entered.wait, 30)
        rest = [asyncio.ensure_future(made.ask(n)) for n in range(1, 8)]
        await asyncio.sleep(0)
        gate.open.set()
        return await asyncio.gather(first, *rest)

    assert with_started(made, ask) == [0, 2, 4, 6, 8, 10, 12, 14]
    assert gate.batches == [[0], [1, 2, 3, 4], [5, 6, 7]]
    assert made.n_pending == 0


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=20))
def test_every_group_gets_its_own_answers_in_its_own_order(sizes) -> None:
    made = coalescer(lambda batch: [2 * n for n in batch])
    groups = [list(range(100 * g, 100 * g + size)) for g, size in enumerate(sizes)]

    async def ask() -> list[list[int]]:
        return await asyncio.gather(*(made.ask_many(group) for group in groups))

    assert with_started(made, ask) == [[2 * n for n in group] for group in groups]


def test_a_large_group_leaves_room_for_single_questions() -> None:
    gate = Gate()
    made = coalescer(gate.answer, max_batch=4)

    async def ask() -> None:
        large = asyncio.ensure_future(made.ask_many(range(20)))
        await asyncio.to_thread(gate.entered.wait, 30)
        small = asyncio.ensure_future(made.ask(99))
        await asyncio.sleep(0)
        gate.open.set()
        await small
        assert not large.done()
        await large

    with_started(made, ask)
    assert max(len(batch) for batch in gate.batches) <= 4


def test_an_error_among_the_answers_goes_to_its_own_asker() -> None:
    made = coalescer(lambda batch: [InputError("n", "must be even", value=n) if n % 2 else n for n in batch])

    async def ask() -> list[object]:
        return await asyncio.gather(*(made.ask(n) for n in range(4)), return_exceptions=True)

    zero, one, two, three = with_started(made, ask)
    assert (zero, two) == (0, 2)
    assert str(one) == "n: must be even; got 1"
    assert isinstance(three, InputError)


def test_the_first_error_of_a_group_is_raised() -> None:
    made = coalescer(lambda batch: [InputError("n", "no", value=n) if n > 4 else n for n in batch])
    with pytest.raises(InputError, match="got 5"):
        with_started(made, lambda: made.ask_many(range(9)))


def test_an_error_raised_goes_to_everybody_in_the_batch_and_the_thread_lives_on() -> None:
    calls = []

    def answer(batch: list[int]) -> list[int]:
        calls.append(batch)
        if len(calls) == 1:
            raise RuntimeError("broken")
        return batch

    made = coalescer(answer)

    async def ask() -> int:
        with pytest.raises(RuntimeError, match="broken"):
            await made.ask(1)
        return await made.ask(2)

    assert with_started(made, ask) == 2


def test_more_than_max_pending_is_refused_at_once_but_an_urgent_question_is_not() -> None:
    gate = Gate()
    made = coalescer(gate.answer, max_pending=2, retry_after_s=7)

    async def ask() -> list[int]:
        waiting = [asyncio.ensure_future(made.ask(n)) for n in range(2)]
        await asyncio.to_thread(gate.entered.wait, 30)
        with pytest.raises(OverloadedError, match="2 queries wait already") as refused:
            await made.ask(3)
        assert refused.value.retry_after_s == 7
        urgent = asyncio.ensure_future(made.ask(4, urgent=True))
        await asyncio.sleep(0)
        gate.open.set()
        return await asyncio.gather(*waiting, urgent)

    assert with_started(made, ask) == [0, 2, 8]


def test_a_question_that_waited_too_long_is_refused_and_never_computed() -> None:
    gate = Gate()
    made = coalescer(gate.answer, queue_timeout_s=0)

    async def ask() -> None:
        with pytest.raises(OverloadedError, match="waited longer than 0 s"):
            await made.ask(1)

    gate.open.set()
    with_started(made, ask)
    assert gate.batches == []


def test_an_asker_that_left_hurts_nobody() -> None:
    gate = Gate()
    made = coalescer(gate.answer)

    async def ask() -> int:
        leaver = asyncio.ensure_future(made.ask(1))
        await asyncio.to_thread(gate.entered.wait, 30)
        leaver.cancel()
        stayer = asyncio.ensure_future(made.ask(2))
        await asyncio.sleep(0)
        gate.open.set()
        return await stayer

    assert with_started(made, ask) == 4
    assert made.n_pending == 0


def test_a_stop_answers_what_waits_and_refuses_what_comes_later() -> None:
    gate, closed = Gate(), []
    made = coalescer(gate.answer, close=lambda: closed.append(True))

    async def main() -> None:
        made.start()
        waiting = [asyncio.ensure_future(made.ask(n)) for n in range(6)]
        await asyncio.sleep(0)
        gate.open.set()
        await made.stop()
        assert [task.result() for task in waiting if task.done()] == [0, 2, 4, 6, 8, 10]
        with pytest.raises(OverloadedError, match="is stopping"):
            await made.ask(1)
        await made.stop()  # once more does nothing

    asyncio.run(main())
    assert closed == [True]


def test_before_the_start_questions_are_refused() -> None:
    with pytest.raises(OverloadedError, match="not started"):
        asyncio.run(coalescer(lambda batch: batch).ask(1))


def test_a_close_that_fails_is_logged_and_ends_the_thread_all_the_same(caplog) -> None:
    def close() -> None:
        raise OSError("gone")

    made = coalescer(lambda batch: batch, close=close)

    async def ask() -> int:
        return await made.ask(3)

    assert with_started(made, ask) == 3
    assert [record.error for record in caplog.records if record.message == "closing failed"] == ["OSError"]


def test_batch_sizes_and_ages_are_told() -> None:
    seen: list[tuple[int, float]] = []
    made = coalescer(lambda batch: batch, observe=lambda size, age_s: seen.append((size, age_s)))
    with_started(made, lambda: made.ask_many([1, 2]))
    ((size, age_s),) = seen
    assert size == 2
    assert 0 <= age_s < 60
