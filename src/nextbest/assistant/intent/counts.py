"""How many are wanted ("три игры", "top 5", "парочку") and which of a list is meant ("второй", "the last one")."""

import re

from nextbest.assistant.intent.marked import Marked

MOST = 100
"""A longer list isn't a wish but a slip."""
_NOUN = (
    r"(?:игр[а-я]*|игруш[а-я]+|товар[а-я]*|вариант[а-я]*|предложени[а-я]+|рекомендаци[а-я]+|совет[а-я]*|иде[а-я]+|фильм[а-я]*|"
    r"вещ[а-я]+|штук[а-я]*|акци[а-я]+|продукт[а-я]*|бумаг[а-я]*|облигаци[а-я]+|фонд[а-я]*|книг[а-я]*|позици[а-я]+|пункт[а-я]*|"
    r"тайтл[а-я]*|монет[а-я]*|карт[а-я]*|games?|items?|things?|products?|options?|suggestions?|recommendations?|"
    r"picks?|ideas?|films?|movies?|stocks?|shares?|bonds?|funds?|titles?|books?|assets?|coins?|cards?|choices?|ones)\b"
)
_COUNTS = (
    re.compile(r"\b(?:топ|top|лучшие|best|первые|first)[\s-]*<(?P<mark>\d+)>"),
    re.compile(rf"<(?P<mark>\d+)>[\s-]+(?:[^\W\d_]+\s+){{0,2}}?{_NOUN}"),
    re.compile(rf"\b(?P<pair>a\s+couple\s+of|couple\s+of)\s+(?:[^\W\d_]+\s+){{0,2}}?{_NOUN}"),
    re.compile(
        r"\b(?:дай|покажи|посоветуй|подбери|предложи|порекомендуй|назови|give\s+me|show\s+me|suggest|recommend|name)(?:те)?"
        r"(?:\s+(?:мне|me|ещ[её]))?\s+<(?P<mark>\d+)>(?=\s*(?:$|[?!.,]|пожалуйста|please))"
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
_ONE = rf"(?:\s+(?:<\d+>|из\s+(?:них|списка)|of\s+(?:them|these)|in\s+the\s+list|в\s+списке|{_NOUN}))"
_ORDINALS = (
    re.compile(rf"\b{_ORDINAL}{_ONE}"),
    re.compile(
        rf"\b(?:а|и|про|о|об|почему|why|the|and)\s+{_ORDINAL}(?=\s*(?:$|[?!.,;:\x00]|—|-\s|и\b|and\b|лучше|better|так|так|там))"
    ),
    re.compile(rf"^\W*{_ORDINAL}\W*$"),
    re.compile(r"(?:№|#|\bномер|\bпункт|\bnumber|\bno\.|\boption)\s*<(?P<mark>\d+)>"),
)


def find_k(said: Marked) -> int | None:
    """How many items a text asks for, 1 to 100; None where it doesn't say. What was read is struck."""
    for regex in _COUNTS:
        for match in regex.finditer(said.text):
            groups = match.groupdict()
            value = 2.0 if groups.get("pair") else said.number(groups["mark"]).value
            if value == int(value) and 1 <= value <= MOST:
                said.strike(match)
                return int(value)
    return 2 if re.search(r"\b(?:парочк[уаой]+|a\s+couple)\b", said.text) else None


def find_ordinal(said: Marked) -> int | None:
    """Which place of a list is meant, 1 = the first, -1 = the last; None: none. What was read is struck."""
    for regex in _ORDINALS:
        for match in regex.finditer(said.text):
            groups = match.groupdict()
            if groups.get("place"):
                place = next(
                    (i for i, words in enumerate(_PLACES, 1) if re.fullmatch(words, groups["place"])), -1
                )
            else:
                value = said.number(groups["mark"]).value
                place = int(value) if value == int(value) and 1 <= value <= MOST else 0
            if place:
                said.strike(match)
                return place
    return None
