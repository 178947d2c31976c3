"""The way of one question: understood, put into its conversation, planned, computed, worded, checked, sent, remembered.

Whatever fails on the way, an answer is sent that says only what tools said: a model that is slow, down or wrong is
replaced by the phrasebook. Knows no HTTP and no terminal.
"""

import hashlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING

from nextbest.assistant.agent.events import Event
from nextbest.assistant.agent.followups import Wish, resolve
from nextbest.assistant.agent.planner import Missing, plan
from nextbest.assistant.base import (
    Caller,
    Finding,
    Intent,
    Language,
    Reply,
    Shown,
    ToolCall,
    ToolResult,
    Turn,
    Understood,
)
from nextbest.assistant.memory.past import Past
from nextbest.assistant.memory.stores import Memory, ProcessMemory
from nextbest.data.ids import OutsideId
from nextbest.errors import ExternalError

if TYPE_CHECKING:
    from nextbest.assistant.agent.voice import Voice
    from nextbest.assistant.intent.understander import Understander
    from nextbest.assistant.phrasing.phrasebook import Phrasebook
    from nextbest.assistant.tools.toolbox import Toolbox

log = logging.getLogger(__name__)

DEFAULT_SESSION = "default"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one question may cost."""

    max_calls: int = 4
    """Tool calls."""
    max_tools_s: float = 20.0
    """Time after which no further tool is called."""


@dataclass(frozen=True, slots=True)
class _Said:
    """An answer in words, before it is a reply."""

    text: str
    provider: str = "phrasebook"
    findings: tuple[Finding, ...] = ()


class Assistant:
    """Answers questions of callers in their conversations; may be asked from several threads.

    Parameters
    ----------
    understander
        Text to intent and slots.
    toolbox
        What can be computed.
    phrasebook
        Words without a model.
    voice
        Words by a model, checked; None: the phrasebook speaks.
    memory
        Where conversations are kept; None: in this process.
    limits
        Of one question.
    on_taken
        Told what a caller said to take: an event for the log; an error of it is logged, the answer goes on.
    now
        The time, UTC.
    """

    def __init__(
        self,
        understander: "Understander",
        toolbox: "Toolbox",
        *,
        phrasebook: "Phrasebook",
        voice: "Voice | None" = None,
        memory: Memory | None = None,
        limits: Limits | None = None,
        on_taken: Callable[[Caller, tuple[OutsideId, ...], datetime], None] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._understander, self._toolbox, self._phrasebook, self._voice = (
            understander,
            toolbox,
            phrasebook,
            voice,
        )
        self._memory: Memory = memory or ProcessMemory()
        self._limits, self._on_taken, self._now = limits or Limits(), on_taken, now
        self._turns = _Turns()
        self.counts: Counter[str] = Counter()
        """Replies by intent, by provider and by finding, for whoever watches."""

    def ask(
        self, caller: Caller, text: str, *, session: str = DEFAULT_SESSION, language: Language | None = None
    ) -> Reply:
        """The whole answer; as `stream`."""
        reply: Reply | None = None
        for event in self.stream(caller, text, session=session, language=language):
            reply = event.reply or reply
        assert reply is not None  # the stream ends with one
        return reply

    def stream(
        self, caller: Caller, text: str, *, session: str = DEFAULT_SESSION, language: Language | None = None
    ) -> Iterator[Event]:
        """The answer as it is made.

        Parameters
        ----------
        caller
            Who asks, as the door established it.
        text
            Anything; what can't be understood is answered civilly.
        session
            One of the caller's conversations.
        language
            Of the answer; None: that of the text.

        Yields
        ------
        Event
            Ends with the one that carries the reply. Closing the iterator before stops the model; the turn isn't
            remembered then.

        Raises
        ------
        InputError
            A session's name that can't be one.
        ExternalError
            Conversations are kept on a system that failed.
        """
        with self._turns.of((caller.key, session)):
            past = self._memory.read(caller, session)
            start = time.perf_counter()
            wish = self._wish(text, past, language)
            timings = {"understand": _ms(start)}
            reply: Reply | None = None
            for event in self._answered(caller, wish, past, session, timings):
                if event.reply is None:
                    yield event
                else:
                    reply = event.reply
            assert reply is not None
            reply = replace(reply, timings_ms={**timings, "total": _ms(start)})
            self._remember(caller, session, past, wish, reply)
            self._count(reply)
            yield Event("reply", reply.answer, reply)

    def warm(self) -> None:
        """Load what the first question would load."""
        self._understander.warm()
        self._toolbox.warm()
        if self._voice is not None:
            self._voice.warm()

    def forget(self, caller: Caller) -> int:
        """Erase every conversation of a caller; how many there were."""
        return self._memory.erase(caller)

    def close(self) -> None:
        """Let go of files and connections."""
        self._memory.close()
        self._toolbox.close()

    # --- understanding ----------------------------------------------------------------------------
    def _wish(self, text: str, past: Past, language: Language | None) -> Wish:
        understood = self._understander.understand(
            text,
            language=language or _kept_language(text, past),
            linker=self._toolbox.linker,
            today=self._now().date(),
            assets=self._toolbox.asset_names,
            categories=self._toolbox.categories,
        )
        return resolve(understood, past)

    # --- answering --------------------------------------------------------------------------------
    def _answered(
        self, caller: Caller, wish: Wish, past: Past, session: str, timings: dict[str, float]
    ) -> Iterator[Event]:
        understood, book = wish.understood, self._phrasebook
        variant = _variant(session, len(past.turns) + past.summary.n_turns)
        if not understood.is_sure:
            yield from _whole(_Said(book.ask_back(understood, variant=variant)), understood, asked_back=True)
            return
        if understood.intent == "small_talk":
            yield from _whole(_Said(book.small_talk(understood, variant=variant)), understood)
            return
        planned = plan(wish, rooms=self._toolbox.rooms, assets=self._toolbox.assets)
        if planned.missing is not None:
            asked = book.ask_for(
                planned.missing, understood.language, known=self._known(planned.missing), variant=variant
            )
            yield from _whole(_Said(asked), understood, asked_back=True)
            return
        if not planned.calls:
            yield from _whole(_Said(book.off_topic(understood, variant=variant)), understood)
            return
        results: list[ToolResult] = []
        start = time.perf_counter()
        for call in planned.calls[: self._limits.max_calls]:
            if results and time.perf_counter() - start > self._limits.max_tools_s:
                log.warning("%s isn't called: the ones before took too long", call.tool)
                break
            yield Event("status", call.tool)
            results.append(self._toolbox.run(caller, call))
        timings["tools"] = _ms(start)
        self._taken(caller, wish)
        start = time.perf_counter()
        yield from self._worded(
            caller, wish, past, tuple(planned.calls[: len(results)]), tuple(results), variant
        )
        timings["words"] = _ms(start)

    def _worded(
        self,
        caller: Caller,
        wish: Wish,
        past: Past,
        calls: tuple[ToolCall, ...],
        results: tuple[ToolResult, ...],
        variant: int,
    ) -> Iterator[Event]:
        understood = wish.understood
        written = self._phrasebook.write(understood, results, variant=variant)
        said = _Said(written)
        if self._voice is None or not any(result.is_ok for result in results):
            yield Event("text", written)
        else:
            streamed = False
            spoken = self._voice.say(
                understood,
                results,
                fallback=written,
                notes=self._phrasebook.notes(results, understood.language),
                mode=caller.mode,
                linker=self._toolbox.linker,
            )
            for piece in spoken:
                if isinstance(piece, str):
                    streamed = True
                    yield Event("text", piece)
                else:
                    said = _Said(piece.text, piece.provider, piece.findings)
                    if piece.fell_back and streamed:
                        yield Event("replace", piece.text)
                    elif piece.fell_back:
                        yield Event("text", piece.text)
        yield Event(
            "reply",
            said.text,
            Reply(
                answer=said.text,
                language=understood.language,
                intent=understood.intent,
                tool_calls=calls,
                items=tuple(item for result in results for item in result.items),
                figures=tuple(figure for result in results for figure in result.figures),
                provider=said.provider,
                findings=said.findings,
                results=results,
            ),
        )

    def _known(self, missing: Missing) -> tuple[str, ...]:
        """Examples of what may be named."""
        return self._toolbox.assets[:5] if missing == "asset" else ()

    def _taken(self, caller: Caller, wish: Wish) -> None:
        if not wish.taken or self._on_taken is None:
            return
        try:
            self._on_taken(caller, wish.taken, self._now())
        except ExternalError:
            log.exception("what the caller takes isn't stored")

    # --- afterwards -------------------------------------------------------------------------------
    def _remember(self, caller: Caller, session: str, past: Past, wish: Wish, reply: Reply) -> None:
        understood = wish.understood
        offered: tuple[Intent, ...] = ()
        if reply.asked_back and not understood.is_sure:
            offered = (understood.intent, *(intent for intent, _ in understood.alternatives))
        turn = Turn(
            question=understood.text,
            answer=reply.answer,
            language=reply.language,
            intent=understood.intent,
            slots=understood.slots,
            calls=reply.tool_calls,
            shown=tuple(
                Shown(i.item_id, i.title, i.kind, _price(i.attributes.get("price"))) for i in reply.items
            ),
            rejected=wish.rejected,
            asked_back=reply.asked_back,
            offered=offered,
            time_us=int(self._now().timestamp() * 1e6),
        )
        self._memory.write(caller, session, past.with_turn(turn))

    def _count(self, reply: Reply) -> None:
        self.counts[f"intent:{reply.intent}"] += 1
        self.counts[f"provider:{reply.provider}"] += 1
        self.counts["asked_back"] += reply.asked_back
        for finding in reply.findings:
            self.counts[f"finding:{finding.kind}:{finding.action}"] += 1


class _Turns:
    """One question at a time in each conversation, and no waiting for anybody else's."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._held: dict[tuple[str, str], tuple[Lock, int]] = {}

    @contextmanager
    def of(self, key: tuple[str, str]) -> Iterator[None]:
        """Wait for this conversation's turn."""
        with self._guard:
            lock, n_asked = self._held.get(key, (Lock(), 0))
            self._held[key] = lock, n_asked + 1
        try:
            with lock:
                yield
        finally:
            with self._guard:
                lock, n_asked = self._held[key]
                if n_asked == 1:
                    del self._held[key]
                else:
                    self._held[key] = lock, n_asked - 1


def _whole(said: _Said, understood: Understood, *, asked_back: bool = False) -> Iterator[Event]:
    yield Event("text", said.text)
    yield Event(
        "reply", said.text, Reply(said.text, understood.language, understood.intent, asked_back=asked_back)
    )


def _kept_language(text: str, past: Past) -> Language | None:
    """The conversation's own language for a text that has none: "BTC?", "42", an emoji."""
    letters = [letter for letter in text if letter.isalpha()]
    if past.language is not None and (
        len(letters) < 3 or (len(letters) <= 5 and text.strip("?!. ").isupper())
    ):
        return past.language
    return None


def _variant(session: str, turn: int) -> int:
    """Which of several wordings: the same for the same session and turn in every process."""
    return int.from_bytes(hashlib.blake2b(f"{session}:{turn}".encode(), digest_size=4).digest())


def _price(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _ms(start: float) -> float:
    return (time.perf_counter() - start) * 1000
