"""Answers written by code from tool results: the ones that are sent without a model, and when a model fails.

Says only what results say: every figure goes through `rendering`, every other word is a wording of the package or of the
tool. The same arguments give the same text.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from nextbest.assistant.base import Language, Note, Room, ToolResult, Understood
from nextbest.assistant.phrasing.conversation import ROOMS, Conversation, ask_for
from nextbest.assistant.phrasing.figures import said
from nextbest.assistant.phrasing.goals import write_plan, write_tracking
from nextbest.assistant.phrasing.goods import write_explained, write_items, write_passages
from nextbest.assistant.phrasing.measured import write_peers, write_portfolio
from nextbest.assistant.phrasing.outlook import STANDING, headline_of, write_forecast
from nextbest.assistant.phrasing.parts import Question, ended, source
from nextbest.assistant.phrasing.wordings import PLACES, wordings

_WRITERS: Mapping[str, Callable[[ToolResult, Question], str]] = {
    "recommend_items": write_items,
    "similar_items": write_items,
    "next_purchases": write_items,
    "bank_products": write_items,
    "explain_item": write_explained,
    "search_documents": write_passages,
    "portfolio_metrics": write_portfolio,
    "portfolio_peers": write_peers,
    "portfolio_plan": write_plan,
    "portfolio_tracking": write_tracking,
    "market_forecast": write_forecast,
}
TOOLS = frozenset(_WRITERS)
"""Tools whose results have words of their own; any other's are written as figures and things."""
_NEEDS_ITEMS = frozenset(
    {
        "recommend_items",
        "similar_items",
        "next_purchases",
        "bank_products",
        "explain_item",
        "search_documents",
    }
)


class Phrasebook:
    """Writes answers in Russian and English; reads its wordings once, when it is made.

    May be asked from several threads.

    Parameters
    ----------
    rooms
        Those that are served: a shop's greeting doesn't offer a portfolio.

    Raises
    ------
    ArtifactError
        The package's wordings are damaged.
    """

    def __init__(self, rooms: Iterable[Room] = ROOMS) -> None:
        for name in PLACES:
            wordings(name)
        self._conversation = Conversation(rooms)

    def write(self, understood: Understood, results: Sequence[ToolResult], *, variant: int = 0) -> str:
        """The answer to a question.

        Parameters
        ----------
        understood
            Its language decides the answer's, its slots how the answer begins.
        results
            Of this question's calls, in order; empty for small talk, what is off topic and what isn't sure.
        variant
            Which of several wordings; any whole number, the same one gives the same text.

        Returns
        -------
        str
            Never empty. What was found comes first, then why something wasn't; notes and disclaimers come last, each once.
            A result that says "ok" and holds nothing is told as one without data.
        """
        if not results:
            return self._without_results(understood, variant)
        question = Question(understood, understood.language, variant)
        told, missing, sources = [], [], []
        for result in results:
            if result.is_ok and _holds(result):
                text = _writer(result)(result, question)
                told.append(text)
                sources.append(source(result, understood.language, body=text))
            else:
                missing.append(self._why_not(result, understood.language, variant))
        unique = dict.fromkeys(filter(None, [*told, *missing, *sources]))
        gap = "\n" if any("\n" in text for text in unique) else " "
        body = gap.join(unique)
        return "\n\n".join(
            filter(None, [body, _notes(_unsaid(results, understood.language), understood.language)])
        )

    def notes(self, results: Sequence[ToolResult], language: Language) -> str:
        """Notes of results, then their disclaimers, each once, a line each; for an answer that a model worded, too."""
        return _notes((note for result in results for note in result.notes), language)

    def ask_back(self, understood: Understood, *, variant: int = 0) -> str:
        """One clarifying question between the likeliest intents."""
        return self._conversation.ask_back(understood, variant)

    def ask_for(
        self, missing: str, language: Language, *, known: Sequence[str] = (), variant: int = 0
    ) -> str:
        """A question for the "item" or the "asset" that is missing; `known` are examples of it."""
        return ask_for(missing, language, known, variant)

    def small_talk(self, understood: Understood, *, variant: int = 0) -> str:
        """An answer to a greeting, thanks, "who are you"."""
        return self._conversation.small_talk(understood.text, understood.language, variant)

    def off_topic(self, understood: Understood, *, variant: int = 0) -> str:
        """A civil no, and what can be asked instead."""
        return self._conversation.off_topic(understood.language, variant)

    def greeting(self, language: Language, *, variant: int = 0) -> str:
        """The first words of a conversation."""
        return self._conversation.greeting(language, variant)

    def no_data(self, result: ToolResult, language: Language, *, variant: int = 0) -> str:
        """Why there is nothing to say, and what could be asked instead."""
        book, following = wordings("statuses"), f"next_{result.tool}"
        hint = (
            book.say(following, language, variant)
            if following in book and not _told(result, language)
            else ""
        )
        return " ".join(filter(None, [self._reason("no_data", result, language, variant), hint]))

    def refused(self, result: ToolResult, language: Language, *, variant: int = 0) -> str:
        """That it may not be said; never whether there would be something to say."""
        return self._reason("refused", result, language, variant)

    def failed(self, result: ToolResult, language: Language, *, variant: int = 0) -> str:
        """That it didn't work this time."""
        return self._reason("failed", result, language, variant)

    def _without_results(self, understood: Understood, variant: int) -> str:
        if not understood.is_sure:
            return self.ask_back(understood, variant=variant)
        if understood.intent == "small_talk":
            return self.small_talk(understood, variant=variant)
        if understood.intent == "off_topic":
            return self.off_topic(understood, variant=variant)
        return wordings("statuses").say("failed", understood.language, variant)

    def _why_not(self, result: ToolResult, language: Language, variant: int) -> str:
        if result.status == "refused":
            return self.refused(result, language, variant=variant)
        if result.status == "failed":
            return self.failed(result, language, variant=variant)
        return self.no_data(result, language, variant=variant)

    def _reason(self, status: str, result: ToolResult, language: Language, variant: int) -> str:
        """The tool's own words, else those of its code, else those of the status."""
        if told := _told(result, language):
            return ended(told)
        book, code = wordings("statuses"), result.code or status
        return book.say(code if code in book else status, language, variant)


def _writer(result: ToolResult) -> Callable[[ToolResult, Question], str]:
    """Who writes a result: by its tool; what is known of an asset is its forecast."""
    if result.tool == "explain_item" and result.room == "market":
        return write_forecast
    return _WRITERS.get(result.tool, write_portfolio)


def _told(result: ToolResult, language: Language) -> str:
    return said(result.told, language).strip() if result.told else ""


def _holds(result: ToolResult) -> bool:
    """Whether there is anything to say."""
    return bool(result.items) if result.tool in _NEEDS_ITEMS else bool(result.items or result.figures)


def _unsaid(results: Sequence[ToolResult], language: Language) -> list[Note]:
    """Notes that the words of an answer don't hold already: how a model stood is said in its forecast."""
    return [
        note
        for result in results
        for note in result.notes
        if note.code != STANDING or headline_of(result, language) is None
    ]


def _notes(notes: Iterable[Note], language: Language) -> str:
    """Notes, then disclaimers, each once, on lines of their own."""
    texts: dict[str, bool] = {}
    for note in notes:
        texts.setdefault(ended(said(note.text, language)), note.is_disclaimer)
    ordered = sorted((text for text in texts if text), key=lambda text: texts[text])
    return "\n".join(ordered)
