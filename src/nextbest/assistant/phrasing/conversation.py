"""Words around the questions: greetings, what is off topic, asking back."""

import re
from collections.abc import Iterable, Sequence
from typing import get_args

from nextbest.assistant.base import LANGUAGES, Intent, Language, Room, Understood
from nextbest.assistant.phrasing.parts import listed
from nextbest.assistant.phrasing.wordings import wordings

ROOMS: tuple[Room, ...] = get_args(Room)
"""In the order in which they are named."""
_FOUND = frozenset({"shop", "products"})
"""Rooms whose things are found for a client."""
_IN_OTHER_WORDS = 1
"""The variant of an open question back that names nothing to choose from."""
_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(words, re.IGNORECASE))
    for kind, words in (
        ("who", r"кто\s+(?:ты|вы)|(?:ты|вы)\s+(?:кто|бот|робот|человек|программа)|как\s+(?:тебя|вас)\s+зовут|тво[её]\s+имя|who\s+are\s+you|are\s+you\s+(?:a\s+)?(?:bot|robot|human|real|person|an?\s+ai)|your\s+name|what\s+are\s+you"),
        ("help", r"что\s+(?:ты|вы)\s+(?:умеешь|умеете|можешь|можете)|чем\s+(?:ты|вы)?\s*(?:можешь|можете|поможешь|поможете)|помоги|как\s+(?:этим|тобой)\s+пользоваться|what\s+can\s+you|how\s+can\s+you\s+help|what\s+do\s+you\s+do|\bhelp\b"),
        ("how", r"как\s+(?:дела|жизнь|настроение|поживае|твои|сам\b|ты\b|вы\b)|how\s+are\s+(?:you|things)|how(?:'|’)?s\s+it\s+going|what(?:'|’)?s\s+up"),
        ("thanks", r"спасиб|благодар|спс\b|thank|thx|cheers|appreciate"),
        ("bye", r"\bпока\b|до\s+свидани|до\s+встречи|прощай|всего\s+(?:доброго|хорошего)|good\s*bye|\bbye\b|see\s+you|good\s+night|спокойной\s+ночи"),
        ("sorry", r"(?:ты|вы)\s+(?:туп|глуп|бесполез)|надоел|плохо\s+работ|ужасн|stupid|useless|idiot|you\s+suck|terrible"),
        ("greeting", r"привет|здравствуй|здорово|добр(?:ый|ое|ого)\s+(?:день|утро|вечер|времени)|салют|хай\b|\bhi\b|hello|\bhey\b|good\s+(?:morning|day|afternoon|evening)|greetings"),
    )
)  # fmt: skip


class Conversation:
    """Words around the questions, of what can be asked here.

    Parameters
    ----------
    rooms
        Those that are served; none: every one is named, as if all were.
    """

    def __init__(self, rooms: Iterable[Room]) -> None:
        served = frozenset(rooms) or frozenset(ROOMS)
        self._rooms = tuple(room for room in ROOMS if room in served)
        self._places = {language: self._named(language) for language in LANGUAGES}

    def small_talk(self, text: str, language: Language, variant: int) -> str:
        """An answer to what isn't a question for a tool: a greeting, thanks, "who are you"."""
        kind = next((kind for kind, words in _KINDS if words.search(text)), "other")
        return self._say(kind, language, variant)

    def greeting(self, language: Language, variant: int) -> str:
        """The first words of a conversation."""
        return self._say("greeting", language, variant)

    def off_topic(self, language: Language, variant: int) -> str:
        """A civil no, and what can be asked."""
        return self._say("off_topic", language, variant)

    def ask_back(self, understood: Understood, variant: int) -> str:
        """One question that tells the two or three likeliest meanings apart; an open one where none is likely."""
        book, language = wordings("conversation"), understood.language
        meant: list[Intent] = []
        for intent in (understood.intent, *(intent for intent, _ in understood.alternatives)):
            if intent not in meant and f"option_{intent}" in book:
                meant.append(intent)
        named = [book.say(f"option_{intent}", language) for intent in meant[:3]]
        if meant in ([], ["off_topic"]):
            return self._say("ask_back_open", language, variant if len(self._rooms) > 1 else _IN_OTHER_WORDS)
        if len(named) == 1:
            return book.say("ask_back_one", language, variant, first=named[0])
        return book.say(
            "ask_back", language, variant,
            options=listed(named, language, last="or"), first=named[0], rest=listed(named[1:], language, last="or"),
        )  # fmt: skip

    def _say(self, section: str, language: Language, variant: int) -> str:
        return wordings("conversation").say(section, language, variant, **self._places[language])

    def _named(self, language: Language) -> dict[str, str]:
        """What can be asked here, for the places of the wordings."""
        book = wordings("conversation")

        def each(kind: str) -> list[str]:
            return [book.say(f"{kind}_{room}", language) for room in self._rooms]

        def deeds(kind: str) -> list[str]:
            found = [room for room in self._rooms if room in _FOUND]
            things = listed([book.say(f"thing_{room}", language) for room in found], language)
            others = [book.say(f"{kind}_{room}", language) for room in self._rooms if room not in _FOUND]
            return [book.say(f"{kind}_find", language, things=things), *others] if found else others

        return {
            "about": listed(each("about"), language, last="or"),
            "things": listed(each("thing"), language, last="or"),
            "can": listed(deeds("can"), language, last="or"),
            "does": ", ".join(deeds("does")),
            "examples": listed(each("example"), language, last="or"),
        }


def ask_for(missing: str, language: Language, known: Sequence[str], variant: int) -> str:
    """A question for what a tool can't do without, "item" or "asset", with up to five examples."""
    book = wordings("conversation")
    asked = book.say(f"ask_{missing}", language, variant)
    if not known:
        return asked
    named = listed(list(known[:5]), language, last="or")
    return f"{asked} {book.say('for_example', language, variant, known=named)}"
