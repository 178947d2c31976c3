"""How many are wanted ("три игры", "top 5", "парочку") and which of a list is meant ("второй", "the last one")."""

import re
from collections.abc import Collection

from nextbest.assistant.intent.marked import Marked
from nextbest.assistant.intent.number_words import folded

MOST = 100
"""A longer list isn't a wish but a slip."""
_NOUN = (
    r"(?:игр[а-я]*|игруш[а-я]+|товар[а-я]*|вариант[а-я]*|предложени[а-я]+|рекомендаци[а-я]+|совет[а-я]*|иде[а-я]+|фильм[а-я]*|"
    r"вещ[а-я]+|штук[а-я]*|акци[а-я]+|продукт[а-я]*|бумаг[а-я]*|облигаци[а-я]+|фонд[а-я]*|книг[а-я]*|позици[а-я]+|пункт[а-я]*|"
    r"тайтл[а-я]*|монет[а-я]*|карт[а-я]*|сериал[а-я]*|подарк[а-я]+|шт\b\.?|таких|подобных|похожих|аналог[а-я]*|вероятн[а-я]+|сам(?:ых|ые)|лучш(?:их|ие)|подходящ(?:их|ие)|покупк[а-я]+|куртк[а-я]+|плать[а-я]+|наряд[а-я]*|блюд[а-я]*|"
    r"buys|tv\s+shows?|shows?|gifts?|presents?|purchases?|dresses|jackets?|series|offers?|positions?|alternatives?|equivalents?|coats?|pairs?|best\b|games?|items?|things?|products?|options?|suggestions?|recommendations?|"
    r"picks?|ideas?|films?|movies?|stocks?|shares?|bonds?|funds?|titles?|books?|assets?|coins?|cards?|choices?|ones)\b"
)
_ADJECTIVES = r"(?:[^\W\d_]+\s+){0,2}?"
_GROUPS = {
    "парочк": 2, "тройк": 3, "четверк": 4, "пятерк": 5, "пяток": 5, "пятка": 5, "шестерк": 6, "семерк": 7, "десятк": 10, "десяток": 10, "десяточк": 10, "дюжин": 12,
    "троечк": 3, "пятерочк": 5, "trio": 3,
}  # fmt: skip
_GROUP = rf"(?P<group>{'|'.join(_GROUPS)})[ауи]?(?:\s+of)?"
_COUNTS = (
    re.compile(r"\b(?:топ|top|лучшие|best|первые|first)[\s-]*<(?P<mark>\d+)>"),
    re.compile(r"\b(?:топ|top)-?(?P<digits>\d{1,3})\b"),
    re.compile(r"<(?P<mark>\d+)>\s+(?:of\s+(?:them|these|those)|из\s+них)\b"),
    re.compile(
        r"<(?P<mark>\d+)>\s+(?:(?:or\s+so\s+)?(?:will|would|is|are|should)\s+(?:be\s+)?(?:do|plenty|enough|fine|suffice)|(?:будет\s+)?(?:хватит|достаточно|довольно))\b"
    ),
    re.compile(r"\b(?:список\s+из|list\s+of)\s+<(?P<mark>\d+)>"),
    re.compile(rf"(?P<half>\bhalf\s+(?:an?\s+)?)?<(?P<mark>\d+)>[\s-]*{_ADJECTIVES}{_NOUN}"),
    re.compile(
        r"\b(?:игр|игрушек|фильмов|сериалов|книг|вещей|штук[иа]?|штуч(?:ек|ки|ка)|вариантов|товаров|идей|продуктов)\s+<(?P<mark>\d+)>(?!\s*(?:тыс|руб|р\b|₽|\$|лет|год|дн|нед|мес))"
    ),
    re.compile(rf"\b(?P<pair>a\s+couple\s+of|couple\s+of)\s+{_ADJECTIVES}{_NOUN}"),
    re.compile(rf"\b(?:a|just\s+one)\s+(?P<single>single)\s+{_NOUN}"),
    re.compile(rf"\b{_GROUP}\s+{_ADJECTIVES}{_NOUN}"),
    re.compile(rf"\b(?:перв|лучш)[а-я]+\s+(?P<group>{'|'.join(_GROUPS)})[ауи]?\b"),
    re.compile(
        r"<(?P<mark>\d+)>\s+(?:more|others?|another|ещ[её]|друг[а-я]+|штук[а-я]*)\b(?!\s+(?:лет|год|дн|недел|месяц|years?|days?|weeks?|months?|than))"
    ),
    re.compile(
        r"\b(?:дай|покажи|посоветуй|подбери|предложи|порекомендуй|назови|выведи|хватит|нужно|give\s+me|show(?:\s+me)?|suggest|recommend|name|list|another|"
        r"ещ[её])(?:те)?(?:\s+(?:мне|me|ещ[её]|лишь|только|just|only))?\s+<(?P<mark>\d+)>(?=\s*(?:$|[?!.,)]|пожалуйста|please|(?:для|for)\b))"
    ),
    re.compile(
        r"^\W*(?:а|и|and|or|или|лучше|make\s+it|just|только|лишь)\s+<(?P<mark>\d+)>(?=\s*(?:$|[?!.,)]))"
    ),
)
_PLACES = (
    r"перв(?:ый|ая|ое|ую|ого|ой|ому|ым|ом)|first|1st",
    r"втор(?:ой|ая|ое|ую|ого|ому|ым|ом)|second|2nd",
    r"трет(?:ий|ья|ье|ью|ьего|ьей|ьему|ьим|ьем)|third|3rd",
    r"четв[её]рт(?:ый|ая|ое|ую|ого|ой|ому|ым|ом)|fourth|4th",
    r"пят(?:ый|ая|ое|ую|ого|ой|ому|ым|ом)|fifth|5th",
    r"шест(?:ой|ая|ое|ую|ого|ому|ым|ом)|sixth|6th",
    r"седьм(?:ой|ая|ое|ую|ого|ому|ым|ом)|seventh|7th",
    r"восьм(?:ой|ая|ое|ую|ого|ому|ым|ом)|eighth|8th",
    r"девят(?:ый|ая|ое|ую|ого|ой|ому|ым|ом)|ninth|9th",
    r"десят(?:ый|ая|ое|ую|ого|ой|ому|ым|ом)|tenth|10th",
)
_LAST = r"последн(?:ий|яя|ее|юю|его|ей|ему|им|ем)|last"
_ORDINAL = rf"(?P<place>{'|'.join(_PLACES)}|{_LAST})"
_ONE = rf"(?:\s+(?:<\d+>|из\s+(?:них|списка|предложенн[а-я]+)|of\s+(?:them|these|those)|(?:in|on|from)\s+(?:the|your)\s+list|в\s+списке|мест[оаеу]\b|place\b|{_NOUN}))"
_ASKS = r"норм|ок\b|понрав|подход|класс|хорош|ничего\s+так|интерес|что\b|почему|зачем|чем|расскаж|объясн|поясн|обоснуй|аргумент|подробнее|откуда|лучше|хуже|так\b|там\b|не\b|тоже|why|better|explain|what\s+for"
_ORDINALS = (
    re.compile(rf"\b{_ORDINAL}{_ONE}"),
    re.compile(
        rf"\b(?:а|и|или|про|о|об|насчет|именно|почему|зачем|объясн[а-я]+|поясн[а-я]+|обоснуй[а-я]*|аргументируй|опиши|(?:предлож|выбра|посоветова|показа|постави)[а-я]+|"
        r"беру|возьму|хочу|не|кроме|на|вместо|чем|why|the|and|or|exactly|about|explain|than|except|like)\s+"
        rf"{_ORDINAL}(?=\s*(?:$|[?!.,;:)\x00]|—|-\s|и\b|and\b|{_ASKS}))"
    ),
    re.compile(rf"^\W*(?:the\s+)?{_ORDINAL}\s*(?:[,—-]\s*)?(?=\W*$|{_ASKS})"),
    re.compile(
        r"(?:№|#|\bномер(?:ом|а|у)?|\bпункт(?:ом|а|у)?|\bвариант(?:ом|а|у)?|\bnumber|\bno\.|\boption|\bitem|\bpoint)\s*<(?P<mark>\d+)>"
    ),
)


_NOT_OF_A_LIST = r"(?!\s+(?:\w+\s+)?(?:квартал|полугоди|половин|год|месяц|недел|д(?:ень|ня|ней)|раз|взнос|врем|очеред|год[уа]|quarter|half|year|month|week|time|day|payment))"
_ANY_ORDINAL = re.compile(rf"\b{_ORDINAL}(?:-то)?\b{_NOT_OF_A_LIST}")


def find_any_ordinal(text: str) -> int | None:
    """Which place of a list is meant by a text that speaks of one, wherever the place stands: "похожих на третий накидай"."""
    match = _ANY_ORDINAL.search(folded(text))
    return None if match is None else _place(match["place"])


def _place(word: str) -> int:
    return next((i for i, words in enumerate(_PLACES, 1) if re.fullmatch(words, word)), -1)


def find_k(said: Marked, *, nouns: Collection[str] = ()) -> int | None:
    """How many items a text asks for, 1 to 100; None where it doesn't say. What was read is struck.

    Parameters
    ----------
    nouns
        Words of the text that are things of the catalogue, such as its categories: "five strategies".
    """
    own = "|".join(map(re.escape, sorted(nouns)))
    counted = rf"(?:<(?P<mark>\d+)>[\s-]|\b{_GROUP}\s)\s*{_ADJECTIVES}(?:{own})\b"
    counts = (*_COUNTS, re.compile(counted)) if own else _COUNTS
    for regex in counts:
        for match in regex.finditer(said.text):
            if _ONE_OR_TWO.search(said.text[: match.end()]) or _ONE_THING.match(said.text, match.start()):
                continue  # "one or two products" leaves it open, "one less thing to do" is no count
            value = _count(said, match.groupdict())
            if value == int(value) and 1 <= value <= MOST:
                said.strike(match)
                return int(value)
    return 2 if re.search(r"\b(?:парочк[уаой]+|a\s+couple)\b", said.text) else None


_ONE_THING = re.compile(r"<\d+>\s+(?:(?:less|more)\s+)?thing\b")
_ONE_OR_TWO = re.compile(r"<\d+>\s*(?:or|-|–|или)\s*<\d+>[^<]*$")


def _count(said: Marked, groups: dict[str, str | None]) -> float:
    if groups.get("pair"):
        return 2.0
    if groups.get("single"):
        return 1.0
    if digits := groups.get("digits"):
        return float(digits)
    if group := groups.get("group"):
        return float(_GROUPS[group])
    return said.number(groups["mark"] or "").value / (2 if groups.get("half") else 1)


def find_ordinal(said: Marked) -> int | None:
    """Which place of a list is meant, 1 = the first, -1 = the last; None: none. What was read is struck."""
    for regex in _ORDINALS:
        for match in regex.finditer(said.text):
            groups = match.groupdict()
            if groups.get("place"):
                place = _place(groups["place"])
            else:
                value = said.number(groups["mark"]).value
                place = int(value) if value == int(value) and 1 <= value <= MOST else 0
            if place:
                said.strike(match)
                return place
    return None
