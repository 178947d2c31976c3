"""Words by a language model around what tools computed, let through sentence by sentence.

The model reads placeholders and writes placeholders; code puts names and figures in, the gate of `grounding` checks each
sentence before it is sent, and whatever isn't whole at the end is replaced by the answer that code wrote.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nextbest.assistant.base import LANGUAGES, Finding, Language, Link, Mode, ToolResult, Understood
from nextbest.assistant.grounding.checking import SentenceGate
from nextbest.assistant.prompts.drafts import ordered_grammar
from nextbest.assistant.prompts.placeholders import Masked, fill, masked
from nextbest.assistant.prompts.prompts import n_tokens, render
from nextbest.assistant.prompts.taught import phrase_messages
from nextbest.assistant.providers.grammar import locked_grammar
from nextbest.assistant.providers.protocol import ChatProvider, ChatRequest
from nextbest.errors import NextbestError

if TYPE_CHECKING:
    from nextbest.assistant.intent.slots import Links

log = logging.getLogger(__name__)

PROMPT = "phrase"
PHRASEBOOK = "phrasebook"
UNWORDED = frozenset({"search_documents"})
"""Tools whose answer is a quotation: no model words it anew."""
_INVESTMENT_ROOMS = frozenset({"portfolio", "market"})
"""Rooms whose items are shown and never proposed."""
_ROOM, _ROOM_A_GROUP = 24, 14
"""Tokens for an opening, and for the words that a grammar or a model puts around each name and figure."""
_LONGEST_KEPT, _MOST_KEPT = 60, 4096
"""Characters of words, and how many, whose titles are remembered: "You may like", "the portfolio is worth"."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """The whole answer, after its pieces."""

    text: str
    provider: str
    findings: tuple[Finding, ...]
    fell_back: bool
    """Whether it is the code's own answer instead of what was streamed."""


class _Titles:
    """A linker that knows the answer's language, and what it found in the same few words before."""

    def __init__(self, links: "Links", language: Language) -> None:
        self.links, self._language = links, language
        self._found: dict[str, Sequence[Link]] = {}

    def link(self, text: str, /) -> Sequence[Link]:
        found = self._found.get(text)
        if found is None:
            found = self.links.link(text, self._language)
            if len(text) <= _LONGEST_KEPT:
                if len(self._found) >= _MOST_KEPT:
                    self._found = {}
                self._found[text] = found
        return found


class Voice:
    """A model that words answers; may be asked from several threads.

    Parameters
    ----------
    provider
        The model.
    max_tokens
        Of an answer at most; None: as many as its names and figures need.
    timeout_s
        For a whole answer; after it the code's own is sent.
    with_grammar
        Whether a provider that takes grammars writes under one, in which placeholders are literals.
    """

    def __init__(
        self,
        provider: ChatProvider,
        *,
        max_tokens: int | None = None,
        timeout_s: float = 20.0,
        with_grammar: bool = True,
    ) -> None:
        self._provider, self._max_tokens, self._timeout_s = provider, max_tokens, timeout_s
        self._with_grammar = with_grammar and "grammar" in provider.features
        self._titles: dict[Language, _Titles] = {}

    def warm(self) -> None:
        """Let a local model read the part of the prompt that is always the same; a model elsewhere isn't asked."""
        warm = getattr(self._provider, "warm", None)
        if warm is None:
            return
        for language in LANGUAGES:
            try:
                warm(render(PROMPT, {"question": "", "results": ()}, language=language).messages)
            except NextbestError as error:  # told again, and answered without it, when it is asked
                log.warning("%s isn't ready: %s", self._provider.name, error)
                return

    def say(
        self,
        understood: Understood,
        results: Sequence[ToolResult],
        *,
        fallback: str,
        notes: str,
        mode: Mode,
        linker: "Links | None",
    ) -> Iterator[str | Spoken]:
        """The answer to a question in pieces, at last as a whole.

        Parameters
        ----------
        understood
            The question.
        results
            Of its tools; at least one is "ok".
        fallback
            The code's own answer, with its notes.
        notes
            What code puts after a model's words: disclaimers, limits; may be empty.
        mode, linker
            As of `SentenceGate`.

        Yields
        ------
        str | Spoken
            Pieces that may be sent; the last one is `Spoken`. Closing the iterator stops the model.
        """
        known = masked(results, understood.language)
        if not known.rows or any(result.tool in UNWORDED for result in results):
            yield Spoken(fallback, PHRASEBOOK, (), fell_back=True)
            return
        gate = SentenceGate(
            results,
            question=understood.text,
            language=understood.language,
            linker=None if linker is None else self._linked(linker, understood.language),
            mode=mode,
        )
        raw, sent, filled = "", "", fill("", known)
        try:
            pieces = self._provider.stream(self._request(understood, known, results))
            with closing(pieces):  # type: ignore[type-var]  # a generator, or an iterator with its close
                for piece in pieces:
                    raw += piece.text
                    before, filled = filled.text, fill(_whole_sentences(raw), known)
                    if filled.text == before:
                        continue
                    passed = gate.push(_after(before, filled.text), ends=True)
                    if passed.strip():
                        sent += passed
                        yield passed
            before, filled = filled.text, fill(raw, known)
            gate.push(_after(before, filled.text), ends=True)
        except NextbestError as error:
            log.warning("%s gave no answer: %s", self._provider.name, error)
            yield Spoken(
                fallback, PHRASEBOOK, (Finding("missing", type(error).__name__, "fell_back"),), fell_back=True
            )
            return
        except (
            Exception
        ):  # a provider is anybody's code, and an answer that code has ready isn't lost by its mistake
            log.exception("a provider failed", extra={"provider": self._provider.name})
            yield Spoken(fallback, PHRASEBOOK, (Finding("missing", "failure", "fell_back"),), fell_back=True)
            return
        grounded = gate.finish()
        findings = (*filled.findings, *grounded.findings)
        if not (filled.is_whole and grounded.is_whole):
            yield Spoken(fallback, PHRASEBOOK, findings, fell_back=True)
            return
        text = f"{grounded.text}\n\n{notes}" if notes else grounded.text
        if rest := text.removeprefix(sent.strip()):
            yield rest if not sent or sent.strip() == sent else rest.lstrip(" ")
        yield Spoken(text, self._provider.name, findings, fell_back=False)

    def _linked(self, linker: "Links", language: Language) -> _Titles:
        """The same one as long as the catalogue stays."""
        titles = self._titles.get(language)
        if titles is None or titles.links is not linker:
            titles = self._titles[language] = _Titles(linker, language)
        return titles

    def _request(self, understood: Understood, known: Masked, results: Sequence[ToolResult]) -> ChatRequest:
        prompt = render(
            PROMPT,
            {"question": understood.text[:500], "results": known.rows},
            language=understood.language,
        )
        needed = _ROOM + sum(
            _ROOM_A_GROUP + sum(n_tokens(literal) for literal in group) for group in known.groups
        )
        proposes = not any(result.room in _INVESTMENT_ROOMS for result in results)
        grammar = locked_grammar(known.groups, understood.language, proposes=proposes)
        return ChatRequest(
            prompt.messages,
            grammar=grammar if self._with_grammar else None,
            max_tokens=needed if self._max_tokens is None else min(needed, self._max_tokens),
            timeout_s=self._timeout_s,
            taught=phrase_messages(understood.text, known, understood.language),
            taught_grammar=ordered_grammar(known, understood.language) if self._with_grammar else None,
        )


def _whole_sentences(raw: str) -> str:
    """What stands before the last end of a sentence that more text follows; the rest may still change."""
    cuts = [raw.rfind(mark) for mark in (". ", "! ", "? ", "… ", "\n")]
    return raw[: max(cuts) + 2] if max(cuts) >= 0 else ""


def _after(before: str, text: str) -> str:
    """What `text` adds, with the space that was cut off between."""
    added = text[len(before) :]
    return f" {added.lstrip(' ')}" if before and added and not added.startswith("\n") else added
