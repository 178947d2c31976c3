"""Words and signs that say what a number is of: a share, money, time, times. Knows no values."""

import re
from typing import Literal

Kind = Literal["number", "percent", "points", "bps", "money", "duration", "times", "ordinal", "date", "clock"]
"""What a number of a text is; "points" are percentage points."""

_CURRENCIES = (
    ("RUB", r"₽|руб(?:\.|л[а-я]*|)|р\.(?!\s?[а-я]\.)|rub\b|ro?ubles?"),
    ("USD", r"\$|usd\b|доллар[а-я]*|долл\.?|бакс[а-я]*|dollars?|bucks?|u\.s\. dollars?"),
    ("EUR", r"€|eur\b|евро\b|euros?"),
    ("GBP", r"£|gbp\b|фунт[а-я]*|pounds?|sterling"),
    ("CNY", r"cny\b|юан[а-я]*|yuan|rmb\b"),
    ("JPY", r"¥|jpy\b|[ий]ен(?:а|ы|у|ой|е|ам|ами|ах|)\b|yen"),
    ("KZT", r"₸|kzt\b|тенге"),
    ("TRY", r"₺|try\b(?=\s*(?:[.,;)]|$))|лир(?:а|ы|у|ой|е|ам|ами|ах|)\b|liras?"),
    ("UAH", r"₴|uah\b|гривн[а-я]*|hryvnias?"),
    ("BYN", r"byn\b"),
    ("CHF", r"chf\b|франк[а-я]*|francs?"),
    ("INR", r"₹|inr\b|рупи[а-я]*|rupees?"),
    ("AED", r"aed\b|дирхам[а-я]*|dirhams?"),
    ("GEL", r"₾|gel\b|лари\b"),
    ("AMD", r"֏|amd\b|драм(?:а|ов|ы|у|)\b"),
    ("BTC", r"₿|btc\b|биткоин[а-я]*|биткойн[а-я]*|bitcoins?"),
    ("ETH", r"eth\b|эфир(?:а|ов|ы|)\b"),
    ("USDT", r"usdt\b"),
)
_SUBUNITS = r"копе[а-я]+|коп\.?|цент(?:а|ов|ы|ами|ам|)\b|cents?\b|pence\b|пенс(?:а|ов|ы|)\b|kope[a-z]+"
_DURATIONS = (
    ("days", r"день|дня|дней|дню|днем|дне|дни|дням|днями|днях|дн\.?|сут[а-я]+|days?"),
    ("weeks", r"недел[а-я]*|нед\.?|weeks?|wks?"),
    ("months", r"месяц[а-я]*|месячн[а-я]*|мес\.?|months?"),
    ("quarters", r"квартал[а-я]*|quarters?"),
    ("years", r"год|года|году|годом|годе|годы|годов|годам|годами|годах|лет|летам|летами|летах|years?|yrs?"),
    ("hours", r"час|часа|часов|часу|часом|часе|часы|часам|часами|часах|ч\.|hours?|hrs?"),
    ("minutes", r"минут[а-я]*|мин\.?|minutes?|mins?"),
    ("seconds", r"секунд[а-я]*|сек\.?|seconds|secs?"),
)
_SHARES = (
    (
        "points",
        r"п\.\s?п\.?|пп\b|процентн[а-я]+\s+пункт[а-я]*|percentage[\s-]+points?|percent[\s-]+points?|p\.\s?p\.|pp\b",
    ),
    ("bps", r"б\.\s?п\.?|базисн[а-я]+\s+пункт[а-я]*|basis[\s-]+points?|bps?\b"),
    ("permille", r"‰|промилле|per[\s-]+mille"),
    ("percent", r"[%％]|процент(?!н[а-я]+\s+пункт)[а-я]*|per[\s-]?cent(?!ile|age)|pct\b|проц\.?"),
    ("times", r"раз(?:а|у|)(?![а-я])|кратн[а-я]*|times\b|fold\b|[x×х](?![\w])"),
)
_LEAD = r"[\s\u00a0\u202f\u2009]*[-‐‑]?[\s\u00a0\u202f]*"


def _grouped(prefix: str, table: tuple[tuple[str, str], ...]) -> str:
    return "|".join(f"(?P<{prefix}{i}>{words})" for i, (_, words) in enumerate(table))


_AFTER = re.compile(
    f"{_LEAD}(?![₽$€£¥][ ]?\\d)(?:{_grouped('s', _SHARES)}|{_grouped('c', _CURRENCIES)}|(?P<sub>{_SUBUNITS})|{_grouped('d', _DURATIONS)})"
    r"(?:(?<=\W)|(?!\w))"
)
_BEFORE = re.compile(
    r"(?:(?P<c>[₽$€£¥₸₺₴₹₿₾֏])|\b(?P<code>rub|usd|eur|gbp|cny|kzt|chf|btc|jpy|us\$|uah|byn))[\s\u00a0]?$"
)
_SIGN_CODES = {"us$": "USD", "₽": "RUB", "$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₸": "KZT", "₺": "TRY",
               "₴": "UAH", "₹": "INR", "₿": "BTC", "₾": "GEL", "֏": "AMD"}  # fmt: skip
_COMPOUND = re.compile(
    r"(?P<n>полутора|одно|двух|трех|четырех|пяти|шести|семи|восьми|девяти|десяти|одиннадцати|двенадцати|пятнадцати|"
    r"двадцати|тридцати|сорока|пятидесяти|шестидесяти|девяносто|сто|полу|пол)"
    r"(?:(?P<years>летн|годичн|годов)|(?P<months>месячн)|(?P<weeks>недельн)|(?P<days>дневн)|(?P<hours>часов)|"
    r"(?P<times>кратн)|(?P<percent>процентн)|(?P<RUB>рублев))[а-я]+"
)
_COMPOUND_VALUES = {"полутора": 1.5, "одно": 1, "двух": 2, "трех": 3, "четырех": 4, "пяти": 5, "шести": 6, "семи": 7,
    "восьми": 8, "девяти": 9, "десяти": 10, "одиннадцати": 11, "двенадцати": 12, "пятнадцати": 15, "двадцати": 20,
    "тридцати": 30, "сорока": 40, "пятидесяти": 50, "шестидесяти": 60, "девяносто": 90, "сто": 100, "полу": 0.5,
    "пол": 0.5}  # fmt: skip
_DAYS_IN = {"seconds": 1 / 86_400, "minutes": 1 / 1_440, "hours": 1 / 24, "days": 1.0, "weeks": 7.0, "months": 30.4375,
            "quarters": 91.3125, "years": 365.25}  # fmt: skip


def unit_after(text: str, end: int) -> tuple[str, str, int] | None:
    """Kind, unit and end of the unit that follows a number; kinds "permille" and "subunit" besides `Kind`.

    >>> unit_after("12 % годовых", 2), unit_after("5 рублей", 1)
    (('percent', '', 4), ('money', 'RUB', 8))
    """
    match = _AFTER.match(text, end)
    if match is None or match.lastgroup is None:
        return None
    group = match.lastgroup
    if group == "sub":
        return "subunit", "", match.end()
    table = {"s": _SHARES, "c": _CURRENCIES, "d": _DURATIONS}[group[0]]
    name = table[int(group[1:])][0]
    if group[0] == "s":
        return name, "", match.end()
    return ("money" if group[0] == "c" else "duration"), name, match.end()


def currency_before(text: str, start: int) -> tuple[str, int] | None:
    """Currency written before a number and where it starts.

    >>> currency_before("за $5", 4)
    ('USD', 3)
    """
    match = _BEFORE.search(text, max(0, start - 6), start)
    if match is None:
        return None
    said = match["c"] or match["code"]
    return _SIGN_CODES.get(said, said.upper()), match.start()


def compound(word: str) -> tuple[float, Kind, str] | None:
    """An adjective with a number in it: "трёхлетний", "пятипроцентный".

    >>> compound("трехлетнего")
    (3, 'duration', 'years')
    """
    match = _COMPOUND.fullmatch(word)
    if match is None or match.lastgroup is None:
        return None
    value, group = _COMPOUND_VALUES[match["n"]], match.lastgroup
    if group in {"times", "percent"}:
        return value, "times" if group == "times" else "percent", ""
    return (value, "money", group) if group == "RUB" else (value, "duration", group)


def in_days(value: float, unit: str) -> float:
    """A length of time in days; a month is a twelfth of 365.25."""
    return value * _DAYS_IN[unit]
