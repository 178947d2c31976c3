"""Words that are numbers, in Russian in every case and in English: the one table that reads them and the one that writes them.

Cardinals below a thousand, scales and ordinals. How words add up in a text is for whoever reads the text: questions
(`assistant/intent/number_words.py`) and answers (`assistant/grounding/number_phrases.py`) are written differently.
"""

import re

_ONES_RU = (
    ("ноль", "нуля", "нулю", "нулем", "нуле", "ноля", "нолю", "нолем", "ноле"),
    ("один", "одна", "одно", "одну", "одного", "одной", "одному", "одним", "одном", "одною"),
    ("два", "две", "двух", "двум", "двумя", "двое", "двоих"),
    ("три", "трех", "трем", "тремя", "трое", "троих"),
    ("четыре", "четырех", "четырем", "четырьмя", "четверо", "четверых"),
    ("пять", "пяти", "пятью", "пятеро", "пятерых"),
    ("шесть", "шести", "шестью", "шестеро"),
    ("семь", "семи", "семью", "семеро"),
    ("восемь", "восьми", "восемью", "восьмью"),
    ("девять", "девяти", "девятью"),
    ("десять", "десяти", "десятью", "десяток", "десятка"),
)
_TEENS_RU = (
    "одиннадцат", "двенадцат", "тринадцат", "четырнадцат", "пятнадцат", "шестнадцат", "семнадцат", "восемнадцат", "девятнадцат",
)  # fmt: skip
_ENDINGS_OF_FIVE = ("ь", "и", "ью")
_HUNDREDS_RU = {
    100: ("сто", "ста", "сотня", "сотню", "сотни"),
    200: ("двести", "двухсот", "двумстам", "двумястами", "двухстах"),
    300: ("триста", "трехсот", "тремстам", "тремястами", "трехстах"),
    400: ("четыреста", "четырехсот", "четыремстам", "четырьмястами", "четырехстах"),
}
_FIVE_TO_NINE = (
    (5, "пять", "пяти", "пятью"),
    (6, "шесть", "шести", "шестью"),
    (7, "семь", "семи", "семью"),
    (8, "восемь", "восьми", "восемью"),
    (9, "девять", "девяти", "девятью"),
)
ONES_EN = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen",
    "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
"""0 to 19."""
TENS_EN = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
"""20 to 90."""
ONES_RU = (
    "ноль", "один", "два", "три", "четыре", "пять", "шесть", "семь", "восемь", "девять", "десять", "одиннадцать", "двенадцать",
    "тринадцать", "четырнадцать", "пятнадцать", "шестнадцать", "семнадцать", "восемнадцать", "девятнадцать",
)  # fmt: skip
"""0 to 19 as they are written, the masculine."""
ONES_RU_GENITIVE = (
    "нуля", "одного", "двух", "трёх", "четырёх", "пяти", "шести", "семи", "восьми", "девяти", "десяти", "одиннадцати", "двенадцати",
    "тринадцати", "четырнадцати", "пятнадцати", "шестнадцати", "семнадцати", "восемнадцати", "девятнадцати",
)  # fmt: skip
TENS_RU = (
    "двадцать", "тридцать", "сорок", "пятьдесят", "шестьдесят", "семьдесят", "восемьдесят", "девяносто", "сто",
)  # fmt: skip
"""20 to 100."""
TENS_RU_GENITIVE = (
    "двадцати", "тридцати", "сорока", "пятидесяти", "шестидесяти", "семидесяти", "восьмидесяти", "девяноста", "ста",
)  # fmt: skip


def _units() -> dict[str, float]:
    """Every word that is a number below a thousand."""
    said: dict[str, float] = {}
    for value, words in enumerate(_ONES_RU):
        said |= dict.fromkeys(words, value)
    for offset, stem in enumerate(_TEENS_RU):
        said |= {stem + ending: 11 + offset for ending in _ENDINGS_OF_FIVE}
    for value, stem in ((20, "двадцат"), (30, "тридцат")):
        said |= {stem + ending: value for ending in _ENDINGS_OF_FIVE}
    said |= {"сорок": 40, "сорока": 40, "девяносто": 90, "девяноста": 90}
    for value, base, oblique, instrumental in _FIVE_TO_NINE:
        if value < 9:
            said |= dict.fromkeys((f"{base}десят", f"{oblique}десяти", f"{instrumental}десятью"), value * 10)
        forms = (f"{base}сот", f"{oblique}сот", f"{oblique}стам", f"{instrumental}стами", f"{oblique}стах")
        said |= dict.fromkeys(forms, value * 100)
    for value, forms in _HUNDREDS_RU.items():
        said |= dict.fromkeys(forms, value)
    said |= {word: value for value, word in enumerate(ONES_EN)}
    said |= {word: 20 + 10 * place for place, word in enumerate(TENS_EN)}
    said |= {"полтора": 1.5, "полторы": 1.5, "полутора": 1.5, "dozen": 12, "пара": 2, "пару": 2, "парой": 2}
    return said | {"парочка": 2, "парочку": 2, "парочкой": 2, "полдюжины": 6, "полдесятка": 5}


UNITS = _units()
"""Word, lower case with е for ё -> its value."""
VAGUE = frozenset({"пара", "пару", "парой", "парочка", "парочку", "парочкой"})
"""Words of `UNITS` that a question takes for two and an answer uses for "some"; the currency pair is one, too."""
SCALES = (
    (1e3, r"тысяч(?:а|и|у|е|ей|ью|ам|ами|ах|)|тыс|тыщ[аиу]?|к|k|thousands?|grand"),
    (1e6, r"миллион(?:а|ов|у|ам|ом|ами|ах|е|ы|)|млн|лям(?:а|ов|)|m|mln|mn|mio|millions?"),
    (1e9, r"миллиард(?:а|ов|у|ам|ом|ами|ах|е|ы|)|млрд|b|bn|billions?"),
    (1e12, r"триллион(?:а|ов|у|ам|ом|ами|ах|е|ы|)|трлн|tn|trillions?"),
)
"""Size and the regular expression of its words; a single letter is one only right after digits."""
_ADJECTIVE = r"(?:ый|ий|ой|ая|яя|ое|ее|ого|его|ому|ему|ым|им|ом|ем|ую|юю|ою|ей|ые|ие|ых|их|ыми|ими)"
_ORDINAL_STEMS = (
    (1, r"перв"), (2, r"втор"), (4, r"четверт"), (5, r"пят"), (6, r"шест"), (7, r"седьм"), (8, r"восьм"), (9, r"девят"),
    (10, r"десят"), (11, r"одиннадцат"), (12, r"двенадцат"), (13, r"тринадцат"), (14, r"четырнадцат"), (15, r"пятнадцат"),
    (16, r"шестнадцат"), (17, r"семнадцат"), (18, r"восемнадцат"), (19, r"девятнадцат"), (20, r"двадцат"),
    (30, r"тридцат"), (40, r"сороков"), (50, r"пятидесят"), (60, r"шестидесят"), (70, r"семидесят"),
    (80, r"восьмидесят"), (90, r"девяност"), (100, r"сот"), (200, r"двухсот"), (300, r"трехсот"), (400, r"четырехсот"),
    (500, r"пятисот"), (1000, r"тысячн"), (2000, r"двухтысячн"),
)  # fmt: skip
_THIRD_RU = re.compile(r"трет(?:ий|ья|ье|ьего|ьему|ьим|ьем|ью|ьей|ьи|ьих|ьими)")
_ORDINAL_RU = re.compile("|".join(f"(?P<n{n}>{stem}){_ADJECTIVE}" for n, stem in _ORDINAL_STEMS))
_ORDINAL_WORDS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
    "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
)
_TENTH_WORDS = "thirtieth fortieth fiftieth sixtieth seventieth eightieth ninetieth"
_ORDINALS_EN = {word: n for n, word in enumerate(_ORDINAL_WORDS.split(), start=1)} | {
    word: 10 * n for n, word in enumerate(_TENTH_WORDS.split(), start=3)
}


def ordinal_value(word: str) -> int | None:
    """Place that a word names, in either language and any case.

    >>> [ordinal_value(w) for w in ("третьего", "двадцатый", "first", "дом")]
    [3, 20, 1, None]
    """
    if word in _ORDINALS_EN:
        return _ORDINALS_EN[word]
    if _THIRD_RU.fullmatch(word):
        return 3
    match = _ORDINAL_RU.fullmatch(word)
    return None if match is None or match.lastgroup is None else int(match.lastgroup[1:])
