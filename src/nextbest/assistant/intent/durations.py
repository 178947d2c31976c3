"""Lengths of time as both languages say them, in days, and the patterns that a time back and a time ahead share.

A year is 365 days and a month a twelfth of it, rounded at the end (30, 61, 91, 182, 548 for 18 months); where the calendar
is meant ("прошлый месяц"), its own days count (`calendar_words`).
"""

import re

from nextbest.assistant.intent.marked import Marked

DAYS_OF = {
    "hour": 1 / 24,
    "day": 1.0,
    "week": 7.0,
    "ten days": 10.0,
    "fortnight": 14.0,
    "month": 365 / 12,
    "quarter": 365 / 4,
    "half": 365 / 2,
    "year": 365.0,
    "decade": 3650.0,
}
_UNITS = {
    "hour": r"час(?:а|ов)?|hours?|hrs?",
    "day": r"день|дня|дней|дни|дням|днями|денек|денька|деньков|дн|сутки|суток|days?",
    "week": r"недел[а-я]+|нед|weeks?|wks?|w",
    "ten days": r"декад[а-я]+",
    "fortnight": r"fortnights?",
    "month": r"месяц[а-я]*|месяч(?:ишк|ок)[а-я]*|мес|months?|mths?|mos?",
    "quarter": r"квартал[а-я]*|quarters?",
    "half": r"полгод[а-я]*|полугод[а-я]*|half(?:\s+of)?[\s-]+(?:an?[\s-]+)?years?|half-years?",
    "year": r"год(?:а|у|ом|е|ы|ик|ика|иков|ок|ка|ков)?|лет|years?|yrs?|y",
    "decade": r"десятилети[а-я]+|decades?",
}
_LETTERS = r"(?<![\d>])(?:w|y|mo)\b"
"""One-letter units count only right after digits."""
_MONTHS = (
    r"январ[а-я]+|jan(?:uary)?",
    r"феврал[а-я]+|feb(?:ruary)?",
    r"март[аеу]?|мартом|march",
    r"апрел[а-я]+|apr(?:il)?",
    r"ма[йяею]|маем|may",
    r"июн[а-я]+|june?",
    r"июл[а-я]+|july?",
    r"август[а-я]*|aug(?:ust)?",
    r"сентябр[а-я]+|sept?(?:ember)?",
    r"октябр[а-я]+|oct(?:ober)?",
    r"ноябр[а-я]+|nov(?:ember)?",
    r"декабр[а-я]+|dec(?:ember)?",
)
MONTH = r"(?:" + "|".join(_MONTHS) + r")\b"
UNIT = rf"(?!{_LETTERS})(?:" + "|".join(f"(?:{words})" for words in _UNITS.values()) + r")\b"
_AND_HALF = rf"(?:an?\s+|<\d+>\s*)?{UNIT}\s+(?:and\s+a\s+half|с\s+половиной)"
_COUPLE = rf"(?:an?\s+)?couple\s+(?:of\s+)?{UNIT}|{UNIT}[\s-]+друг(?:ой|ую|ого)\b|{UNIT}\s*-\s*<\d+>"
_UP_TO = r"(?:<\d+>\s*(?:-|–|—|to\b|or\b|или\b)\s*)?"
"""The less of two counts: of "three to four months" the longer is meant."""
_WHICH = r"(?:(?:more|full|whole|trading|business|working|calendar|long|further|extra|полных|целых|торговых|рабочих|календарных)\s+)?"
_COUNTED = (
    rf"{_AND_HALF}|{_COUPLE}|{_UP_TO}<\d+>[\s-]*{_WHICH}{UNIT}|(?:an?\s+)?(?:{_UNITS['half']})\b|an?\s+{UNIT}"
)
_STEMS = {
    "полутора": 1.5, "двух": 2, "трех": 3, "четырех": 4, "пяти": 5, "шести": 6, "семи": 7, "восьми": 8, "девяти": 9,
    "десяти": 10, "двенадцати": 12, "пятнадцати": 15, "двадцати": 20, "тридцати": 30,
}  # fmt: skip
_ADJECTIVES = {"day": "дневн", "week": "недельн", "month": "месячн", "year": "летн|годичн|годов"}
_LONG = (
    r"(?:" + "|".join(_STEMS) + r"|<\d+>-?(?:ти|х|и)?-?\s?)(?:" + "|".join(_ADJECTIVES.values()) + r")[а-я]+"
)
"""An adjective with its number: "трёхлетний", "5-летнем"."""
_SHORT = r"(?:недельн|месячн|квартальн|полугодов|годов)(?!ых)[а-я]+(?=\s+(?:прогноз|план|горизонт|отч|результат|итог|срок|перспектив))"
_SHORTS = {"недельн": "week", "месячн": "month", "квартальн": "quarter", "полугодов": "half", "годов": "year"}
_MACROS = {
    "COUNTED": rf"(?P<length>{_COUNTED})",
    "LENGTH": rf"(?P<length>{_COUNTED}|{_LONG}|{UNIT})",
    "ADJECTIVE": rf"(?P<length>{_LONG}|{_SHORT})",
    "UNIT": rf"(?P<unit>{UNIT})",
}


def pattern(text: str) -> re.Pattern[str]:
    """A regular expression with this module's stretches by name: LENGTH, COUNTED, ADJECTIVE, UNIT.

    The texts matched are in lower case, so a name in capitals is always one of ours.
    """
    for name in sorted(_MACROS, key=len, reverse=True):
        text = text.replace(name, _MACROS[name])
    return re.compile(text)


TAKEN_BACK = pattern(
    r"\b(?:не|not)\s+(?:(?:за|на|через|for|over|in)\s+)?(?:the\s+)?LENGTH\s*[,;—–-]+\s*(?:а\s+|но\s+|but\s+)?(?=\S)"
)
"""A time that is corrected at once: "не за год, за квартал", "not a year, a quarter"."""


def unit_of(word: str) -> str:
    """Our name of a unit: "недели" is "week"."""
    return next(name for name, words in _UNITS.items() if re.fullmatch(words, word))


def days_in(said: Marked, length: str) -> int | None:
    """Days of a length that one of the patterns matched, None where it is beyond any plan (a thousand years)."""
    marks = re.findall(r"<(\d+)>", length)
    is_couple = re.fullmatch(_COUPLE, length) is not None
    count = said.number(marks[-1]).value if marks else 2.0 if is_couple else 1.0
    if re.fullmatch(_LONG, length):
        stem = next((stem for stem in _STEMS if length.startswith(stem)), None)
        count = _STEMS[stem] if stem else count
        unit = next(name for name, words in _ADJECTIVES.items() if re.search(words, length))
    elif short := next((stem for stem in _SHORTS if length.startswith(stem)), None):
        unit = _SHORTS[short]
    elif re.fullmatch(_AND_HALF, length):
        unit = unit_of(re.split(r"\s+(?:and|с)\s+", length)[0].split()[-1].split(">")[-1])
        count += 0.5 * (count == int(count))
    elif is_couple and "couple" not in length:  # "неделю-другую", "день-два"
        unit = unit_of(re.split(r"[\s-]+", length)[0])
    elif match := re.search(rf"(?:{_UNITS['half']})$", length):
        unit = "half"
        count = 1.0 if match.start() == 0 else count
    else:
        unit = unit_of(re.split(r"[\s>-]+", length)[-1])
    days = count * DAYS_OF[unit]
    return round(days) if 1 <= days <= 36_500 else None


def month_of(word: str) -> int:
    """1 to 12 of a month's name in any case."""
    return next(i + 1 for i, words in enumerate(_MONTHS) if re.fullmatch(words, word))


def year_of(said: Marked, mark: str | None) -> int | None:
    """The calendar year that a number is, None where it is none: "2024", but not "2024 thousand" or "two"."""
    if mark is None:
        return None
    number = said.number(mark)
    is_plain = number.value == int(number.value) and not number.has_scale and not number.is_word
    return int(number.value) if is_plain and 1990 <= number.value <= 2100 else None
