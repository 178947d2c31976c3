"""Whether a text lets one expect a title at some place: quotes, a capital, another script, "a game like"."""

import re
from collections.abc import Sequence

from nextbest.assistant.intent.common_words import STOP_WORDS
from nextbest.assistant.intent.sounds import is_cyrillic
from nextbest.assistant.intent.title_words import Word

_QUOTES = "«»\"“”„‟'‘’`"
_NEXT_TO = re.compile(
    r"(?:похож[а-я]*(?:\s+на)?|вроде|типа|наподобие|аналог[а-я]*|как|про|а-ля|à\s+la|like|similar\s+to|liked|loved?|called|title[d]?|(?:like|вроде|как|похож[а-я]+\s+на)\s+[^\W_]+(?:\s+[^\W_]+)?\s*(?:,|and|or|и|или))\s*$"
)
_NEAR = re.compile(
    r"\b(?:игр[аеуы]|игрой|играл[аи]?|играю|поиграл[аи]?|прош[её]л|прошла|фильм[а-я]*|сериал[а-я]*|книг[а-я]*|товар[а-я]*|"
    r"похож[а-я]*|вроде|любл[юи]|любим[а-я]+|нрав[а-я]+ся|понравил[а-я]+|куп(?:ил|ила|ить|лю)|название[мй]?|"
    r"game|games|movie|film|book|played|playing|bought|finished|completed|enjoyed|loved?|similar|product|called)\s+"
    r"(?:под\s+названием\s+)?(?:в\s+|на\s+|the\s+|of\s+|a\s+)?$"
)

_ASKED_WHY = re.compile(
    r"(?:\b(?:почему|зачем)(?:\s+(?:мне|нам|ты|вы|именно|вдруг|эт[аоу]т?))*(?:\s+(?:предл|совет|порекоменд|рекоменд|выб|показ|выпа|выда|свети|попа|приш|подсун|впарив|нуж)[а-я]*)?(?:\s+(?:мне|нам|именно|эту|этот|это))*"
    r"|\b(?:(?:по)?совету(?:ет|ют|ете|ешь)|посоветова(?:л[аи]?|ли)|предлага(?:ет|ют|ете|ешь)|предложил[аи]?|рекоменду(?:ет|ют|ете|ешь)|(?:по)?рекомендовал[аи]?)(?:\s+(?:мне|нам|ему|ей))*"
    r"|\bпредложени[ея]|\bрекомендаци[яию]"
    r"|\b(?:advised|recommended|suggested|offered|advising|recommending|suggesting|offering|tell\s+me\s+about|расскажи(?:те)?\s+(?:про|о|об))(?:\s+(?:me|us|to|an?|the|this|these))*"
    r"|\bwhy(?:\s+(?:the|an?|this|do|did|are|is|was|you|i|we|am))*(?:\s+(?:recommend|suggest|offer|pick|choose|advis|propos|show)[a-z]*)?(?:\s+(?:me|us|the|an?|this))*)\s+$"
)
_OFFERED = re.compile(
    r"\s+(?:offer|recommendation|suggestion|pick)\b|\W+(?:how\s+come|why|what\s+for|зачем|почему|с\s+какой\s+стати)\W*$"
)
_OPENED = re.compile(
    r"^\W*(?:(?:а|и|ну|но|тогда|and|or|but|then|what\s+about|how\s+about|(?:а\s+)?как\s+насч[её]т)\s+)+(?:the\s+|an?\s+)?$"
)
"""Before a name that is all the rest of a text says."""
_MENTIONED = re.compile(
    r"\b(?:about|after|before|suggest|recommend|get|got|buy|try|tried|play|watch|read|own|with|of|the|more|than|после|советуют|совету[а-я]+|о|об|"
    r"насч[её]т|взять|купить|в|на|из|с|от|до|к|у|тем|чем|понравил[а-я]+)\s+$"
)
_AFTER = re.compile(r"\W*(?:я\s+|уже\s+)?(?:играл[аи]?|поиграл[аи]?|прош[её]л|прошла|похож[а-я]+)\b")


def expects_title(text: str, words: Sequence[Word], first: int, last: int) -> bool:
    """Whether words `first` to `last` (one past) stand where a title may be expected, so that an everyday word can be one.

    True for the whole text, for what is quoted, for Latin words in a Russian text, for a capital inside a sentence, and
    after words such as "похоже на", "игра", "like", "bought".
    """
    start, end = words[first].start, words[last - 1].end
    left, right = text[:start].rstrip(), text[end:].lstrip()
    if left[-1:] and left[-1] in _QUOTES and right[:1] and right[0] in _QUOTES:
        return True
    if first == 0 and last == len(words):
        return True
    own = text[start:end]
    others = [
        word.text for i, word in enumerate(words) if not first <= i < last and not word.text.isdecimal()
    ]
    if not is_cyrillic(own) and sum(map(is_cyrillic, others)) > len(others) / 2:
        return True
    if _has_name_capital(text, words, first, last):
        return True
    before = text[:start].lower()
    if all(word.text in STOP_WORDS for word in words[first:last]):
        return False
    if _AFTER.match(text[end:].lower()) is not None:
        return True
    if not any(char.isalnum() for char in right) and _OPENED.match(before) is not None:
        return True
    if _ASKED_WHY.search(before) is not None or _OFFERED.match(text[end:].lower()) is not None:
        return True
    return _NEXT_TO.search(before) is not None or _NEAR.search(before) is not None


def is_mentioned(text: str, words: Sequence[Word], first: int) -> bool:
    """Whether the word before lets a thing be named next: enough for a word that isn't an everyday one."""
    return _MENTIONED.search(text[: words[first].start].lower()) is not None


def _has_name_capital(text: str, words: Sequence[Word], first: int, last: int) -> bool:
    """Whether a word begins with a capital that neither a sentence's beginning nor the text's own style explains."""
    starts_sentence = first == 0 or text[: words[first].start].rstrip()[-1:] in {".", "!", "?", "\n", ""}
    if starts_sentence or not text[words[first].start].isupper():
        return False
    others = [text[word.start] for i, word in enumerate(words) if not first <= i < last and i > 0]
    return sum(char.isupper() for char in others) <= len(others) / 3 and any(
        map(str.isalpha, others or ["a"])
    )
