"""A draft against this turn's facts, sentence by sentence: what is false is put right or its sentence dropped.

`check` reads a whole draft, `SentenceGate` one that is still being written. Whether what is left still says what the
results say is `is_whole`; where it doesn't, the caller sends words that code wrote.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from nextbest.assistant.base import Finding, Language, Mode, ToolResult
from nextbest.assistant.grounding.judging import Judge
from nextbest.assistant.grounding.spans import cleaned, dotted_beginnings, first_end
from nextbest.assistant.grounding.titles import Linker

MAX_DRAFT = 8_000
"""Characters of a draft that are read; the rest is dropped."""


@dataclass(frozen=True, slots=True)
class Grounded:
    """What is left of a draft."""

    text: str
    findings: tuple[Finding, ...]
    is_whole: bool
    """Whether it says what the results demand: items, the main figure, a refusal; False: send the phrasebook's words."""


class SentenceGate:
    """Lets through whole sentences that passed, as the pieces of a draft come in.

    Parameters
    ----------
    results
        What the tools answered in this turn.
    question
        The client's text; its own numbers and names may be repeated.
    language
        That the answer has to be in.
    linker
        Of the catalogue; None: titles of other items are found by their looks only.
    mode
        In "information" words of advice on investments are findings.
    allowed_vocabulary
        Words, or texts of them, that may stand with a capital or in Latin letters.

    Examples
    --------
    >>> gate = SentenceGate([], question="Привет", language="ru")
    >>> gate.push("Здравствуйте! Чем по"), gate.push("мочь? Вот 7 иг"), gate.push("р. Ещё")
    ('Здравствуйте! ', 'Чем помочь? ', '')
    """

    def __init__(
        self,
        results: Sequence[ToolResult],
        *,
        question: str,
        language: Language,
        linker: Linker | None = None,
        mode: Mode = "information",
        allowed_vocabulary: Collection[str] | None = None,
    ) -> None:
        self._judge = Judge(
            results,
            question=question,
            language=language,
            linker=linker,
            mode=mode,
            allowed_vocabulary=allowed_vocabulary or (),
        )
        self._protected = dotted_beginnings([cleaned(title) for title in self._judge.titles])
        self._waiting, self._n_read = "", 0
        self._passed: list[str] = []
        self._findings: list[Finding] = []

    def push(self, piece: str, *, ends: bool = False) -> str:
        """Take the next piece; the sentences that are whole now and passed, as they may be sent.

        `ends`: a sentence ends with the piece, so that nothing has to follow before it is judged.

        Nothing is sent twice or taken back: what comes out of all calls and of `finish`, put together, is `Grounded.text`
        but for white space at its ends.
        """
        room = MAX_DRAFT - self._n_read
        self._n_read += len(piece)
        self._waiting += cleaned(piece[: max(room, 0)])
        return self._released(is_last=ends)

    def finish(self) -> Grounded:
        """The end of the draft: check what waits, judge the whole."""
        self._released(is_last=True)
        text = "".join(self._passed).strip()
        missing = self._judge.missing(text)
        findings = list(self._findings)
        if missing is not None:
            findings.append(Finding("missing", missing, "fell_back"))
        return Grounded(text, tuple(findings), missing is None and bool(text))

    def _released(self, *, is_last: bool) -> str:
        made: list[str] = []
        while end := first_end(self._waiting, protected=self._protected, is_last=is_last):
            sentence, self._waiting = self._waiting[:end], self._waiting[end:]
            text, findings = self._judge.judged(sentence)
            self._findings += findings
            if text:
                made.append(text)
            elif made and not made[-1].endswith("\n") and sentence.endswith("\n"):
                made.append("\n")
        self._passed += made
        return "".join(made)


def check(
    draft: str,
    results: Sequence[ToolResult],
    *,
    question: str,
    language: Language,
    linker: Linker | None = None,
    mode: Mode = "information",
    allowed_vocabulary: Collection[str] | None = None,
) -> Grounded:
    """What may be sent of a draft.

    Parameters
    ----------
    draft
        Words of a model; any text, past `MAX_DRAFT` characters it is cut.
    results, question, language, linker, mode, allowed_vocabulary
        As of `SentenceGate`.

    Returns
    -------
    Grounded
        The text holds no number, day, currency or name that neither a tool nor the client said, as far as this room can
        read (docs/rooms/assistant-grounding.md says what it can't).

    Notes
    -----
    Never raises for what a draft says.

    >>> from nextbest.assistant.base import Figure, ToolResult
    >>> made = Figure("twr", 0.123, "fraction", {"ru": "Доходность", "en": "Return"})
    >>> told = [ToolResult("portfolio_metrics", "ok", "portfolio", figures=(made,))]
    >>> check("Доходность — 12,3 %. Индекс вырос на 9 %.", told, question="Как дела?", language="ru").text
    'Доходность — 12,3 %.'
    """
    gate = SentenceGate(
        results,
        question=question,
        language=language,
        linker=linker,
        mode=mode,
        allowed_vocabulary=allowed_vocabulary,
    )
    gate.push(draft)
    return gate.finish()
