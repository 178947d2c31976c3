"""Words that lean on what was said before, in both languages: openers, pointers, "why", "more", "I take it".

Regular expressions over the cleaned text, matched without regard to case. What a word means for an answer is
`followups`' to say.
"""

import re

_IGNORE = re.IGNORECASE

OPENER = re.compile(
    r"^\W*(?:(?:ну|ладно|хорошо|ок|окей|так|понятно|спасибо|ok|okay|well|fine|thanks)\b[\s,.!]*)*"
    r"(?:а\s+если|а\s+что\s+если|а\s+как\s+насч[её]т|как\s+насч[её]т|что\s+насч[её]т|а\s+теперь|теперь|тогда|а|и|но"
    r"|and\s+if|what\s+if|how\s+about|what\s+about|and\s+what\s+about|and|but|now|then|also)\b",
    _IGNORE,
)
POINTER = re.compile(
    r"\b(?:это(?:т|й|го|му|м|м)?|эт[аиу]|этих|этими|его|её|ее|ему|ней|нём|нем|них|их|неё|нее|тот|та|того|той|такой|такое"
    r"|it|its|this|that|these|those|them|the\s+same)\b",
    _IGNORE,
)
WHY = re.compile(
    r"\b(?:почему|зачем|отчего|с\s+чего|из-за\s+чего|по\s+какой\s+причине|объясни\w*|поясни\w*|обоснуй\w*"
    r"|why|how\s+come|explain|what\s+makes|reasons?)\b",
    _IGNORE,
)
TELL = re.compile(
    r"\b(?:расскажи\w*|подробнее|поподробнее|что\s+за|опиши\w*|tell\s+me\s+more|more\s+about|more\s+details?|describe)\b",
    _IGNORE,
)
MORE = re.compile(
    r"\b(?:ещё|еще|друг(?:ое|ие|ой|ую|их)|иное|дальше|следующ\w+|замени\w*|more|another|others?|else|next\s+ones?|different)\b",
    _IGNORE,
)
ALIKE = re.compile(
    r"\b(?:похож\w*|наподобие|вроде|типа|аналог\w*|в\s+том\s+же\s+духе|similar|alike|like)\b", _IGNORE
)
TAKES = re.compile(
    r"\b(?:беру|возьму|бер[её]м|куплю|покупаю|закажу|заказываю|оформляй\w*|добавь\s+в\s+корзину|мне\s+нравится|нравится"
    r"|i(?:'|’)?ll\s+(?:take|have|buy|get)|i\s+(?:will\s+)?(?:take|buy)|add\s+(?:it|this|that)\s+to|i\s+like)\b",
    _IGNORE,
)
CONDITIONS = re.compile(
    r"(?:комисси\w+|тариф\w*|услови[яейю]\w*|обслуживани[ея]\s+(?:сч[её]т|карт)|какие\s+документ|документ\w*\s+нужн|требовани\w+"
    r"|как\s+(?:открыть|закрыть|заблокировать|перевыпустить|оформить|получить)|лимит\w*|штраф\w*|процентн\w+\s+ставк\w+|где\s+почитать"
    r"|\b(?:fees?|tariffs?|terms|conditions|requirements?|penalt(?:y|ies)|charged?|limits?|interest\s+rates?)\b|which\s+documents|documents?\s+(?:do|are|is)"
    r"|how\s+(?:do|can|to)\s+(?:i\s+)?(?:open|close|block|reissue|apply|get))",
    _IGNORE,
)
TRACKING = re.compile(
    r"(?:достиг\w*|дости(?:чь|жим\w*)|успе(?:ю|ва\w+|ем)|в\s+срок|под\s+угроз\w+|отста\w+|опережа\w+|по\s+плану|идёт\s+ли|ид[её]т\s+план"
    r"|дойду|на\s+пути|прогресс\w*|продвига\w+|как\s+там\s+(?:моя\s+)?цел\w+|близко\s+ли"
    r"|on\s+track|on\s+schedule|(?:hit|reach|meet|make)\s+(?:my|the|our|his|her|their)\s+(?:\w+\s+)?(?:goal|target)|at\s+risk|behind\s+(?:plan|schedule)"
    r"|ahead\s+of\s+(?:plan|schedule)|progress|deadline|how\s+far\s+(?:am|are|is)|how\s+close)",
    _IGNORE,
)
DIRECTED = re.compile(
    r"\b(?:прошл|последн|предыдущ|минувш|прошедш|ближайш|следующ|предстоящ|будущ)\w*"
    r"|\b(?:last|past|previous|next|coming|following|upcoming|ago|since|until|by|с|к|до|назад|через)\b",
    _IGNORE,
)
"""The text itself says whether it looks back or ahead."""
NOT = re.compile(r"\b(?:не|нет|don(?:'|’)?t|not|no|never)\b", _IGNORE)

_SLOT_WORDS = re.compile(
    r"^(?:\d[\d.,]*%?|[$€₽£]?\d[\d.,]*[$€₽£kк%]?|[a-zа-яё]?\d+|один|одну|два|две|три|четыре|пять|шесть|семь|восемь|девять"
    r"|десять|пол\w*|полтор\w*|one|two|three|four|five|six|seven|eight|nine|ten|half|couple|few"
    r"|год\w*|лет|месяц\w*|недел\w*|д(?:ень|ня|ней|ни|ням)|квартал\w*|сутк\w*|час\w*|завтра|вчера|сегодня|январ\w*|феврал\w*"
    r"|март\w*|апрел\w*|ма[йея]|июн\w*|июл\w*|август\w*|сентябр\w*|октябр\w*|ноябр\w*|декабр\w*|прошл\w+|последн\w+|следующ\w+"
    r"|ближайш\w+|years?|months?|weeks?|days?|quarters?|hours?|tomorrow|yesterday|today|last|next|past|coming|ytd"
    r"|руб\w*|тыс\w*|млн\w*|миллион\w*|миллиард\w*|доллар\w*|евро|k|thousand|million|billion|dollars?|euros?|roubles?|rubles?|bucks?"
    r"|top|топ|штук\w*|вариант\w*|items?|options?)$",
    _IGNORE,
)
_SMALL = """
а и но ну в во на за до от с со по про о об для у к из через около примерно это если то же бы ли не что как насчёт насчет
теперь тогда только лишь хорошо ладно ок да нет он она оно мне меня мой моя мои
and but or if what about how now then ok okay yes no for over in on at of to the a an within during since from until by with
just only same it is s me my
"""
_SMALL_WORDS = frozenset(_SMALL.split())
_WORD = re.compile(r"[\w$€₽£%.,'’]+")


def n_words(text: str) -> int:
    """Words of a text."""
    return len(re.findall(r"\w+", text))


def left_over(text: str) -> list[str]:
    """Words that are neither small ones nor times, numbers and amounts: what an elliptic question adds of its own.

    >>> left_over("а за три года?")
    []
    >>> left_over("and what about bitcoin?")
    ['bitcoin']
    """
    words = [word.strip(".,'’") for word in _WORD.findall(text.lower())]
    return [word for word in words if word and word not in _SMALL_WORDS and not _SLOT_WORDS.match(word)]
