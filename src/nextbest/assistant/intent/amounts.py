"""Amounts of money that a text names: "полмиллиона рублей", "$1.5k", "10 000 ₽", "200 тысяч".

A number is money by its currency, by its thousands or millions, or by the words that it goes with ("откладывать по
15000", "не дороже 2000", "300 a month"); any other number is none.
"""

import re
from dataclasses import dataclass

from nextbest.assistant.base import Money
from nextbest.assistant.intent.durations import year_of
from nextbest.assistant.intent.marked import Marked
from nextbest.assistant.intent.number_words import folded

_CURRENCIES = {
    "RUB": r"₽|руб(?:л[а-я]+|\.|\b)|р\.|р\b|rub(?:les?|s)?\b|roubles?\b",
    "USD": r"us\s?\$|\$|доллар[а-я]*|бакс[а-я]*|usd\b|dollars?\b|bucks?\b",
    "EUR": r"€|евро\b|eur\b|euros?\b",
    "GBP": r"£|фунт[а-я]*(?:\s+стерлингов)?|gbp\b|pounds?\b|quid\b",
    "CNY": r"юан[а-я]+|cny\b|yuan\b|renminbi\b",
    "JPY": r"¥|[ий]ен[аыу]?\b|jpy\b|yen\b",
    "KZT": r"₸|тенге\b|kzt\b|tenge\b",
}
_CURRENCY = "|".join(f"(?P<{code}>{words})" for code, words in _CURRENCIES.items())
_AFTER = re.compile(rf"<(?P<mark>\d+)>(?:\.(?=р\.))?\s*(?:{_CURRENCY})")
_BEFORE = re.compile(rf"(?<!\w)(?:{_CURRENCY})\s*(?:(?:на|до|за|по|около)\s+)?<(?P<mark>\d+)>")
_NOT_MONEY = (
    r"(?!\s*(?:%|процент|percent|игр|товар|вариант|акци|шт|games?|items?|times?|раз|день|дн|недел|месяц|год|лет|"
    r"days?|weeks?|months?|years?|quarters?|people|человек))"
)
_MARK = r"<(?P<mark>\d+)>"
_EACH_TIME = (
    r"(?:в\s+(?:месяц|неделю|год|квартал)|ежемесячно|еженедельно|ежегодно|(?:кажд(?:ый|ую)|раз\s+в)\s+(?:месяц|неделю|год)|"
    r"(?:an?|per|each|every|/)\s*(?:month|week|year)|monthly|weekly|yearly|/\s*(?:мес|mo)\b)"
)
_THEN_EACH = re.compile(rf"(?:\s+(?:aside|away|by|in|на\s+сч[её]т|в\s+копилку))?\s*{_EACH_TIME}")
_EACH_BEFORE = re.compile(
    rf"(?:{_EACH_TIME}|ежемесячн[а-я]+(?:\s+[а-я]+)?|monthly(?:\s+[a-z]+)?)\s+(?:по\s+|в\s+|of\s+|откладыва[а-я]+\s+(?:по\s+)?|save\s+)?\W?$"
    rf"|(?:кажд(?:ый|ую)|each|every)\s+(?:месяц|неделю|год|month|week|year)\s+(?:[^\W\d]+\s+){{1,5}}\W?$"
)
_REGULARLY = re.compile(
    r"(?:отклад|отлож|копи|скап|внос|внес|пополн|клад|класть|инвест|закид|собира|довнос|сберег)[а-я]*\s+(?:[а-я]+\s+)?по\s+$"
)
_PUTS_ASIDE = re.compile(r"\s*(?:отклад|отлож|копить|копл|вноси|вносить|класть|добавля|докладыв|скидыв)")
"""After a sum with "по": that much each month."""
_EARNED = re.compile(
    r"(?:зарплат|доход|зарабатыва|получаю|оклад|\b(?:salary|income|earn|make|paid)\b)[^.!?\x00]{0,20}$"
)
_MONTHS_IN = (
    ("недел", 7 * 12 / 365),
    ("week", 7 * 12 / 365),
    ("квартал", 3.0),
    ("год", 12.0),
    ("year", 12.0),
)
_WISHES = re.compile(
    r"(?:(?:вложи|вложу|вкладыва|инвестир|отклад|отлож|полож|класть|кладу|потрат|накоп|копи|скоп|собра|закин|внес|внос|пополн|снять|снима|стоит|"
    r"получ|набра|надо|нужн[оаы]|есть|имею|имея|имеется|лежит|лежат|сумм|свободн|хват)[а-я]*(?:\s+(?:до|в|на|по|около|порядка|примерно|минимум|целых|сумм[ау]))?"
    r"|\bпо|\b(?:invest|save|saving|put|putting|put\s+(?:away|aside)|set\s+aside|spend|deposit|contribute|add|withdraw|need|have|got|with|"
    r"aim(?:ing)?\s+(?:for|at)|end\s+up\s+with|collect|reach|raise)"
    r"(?:ing|ed|s)?(?:\s+(?:of|is|about|around|at\s+least|up\s+to|like|me))?)\s+" + _MARK + _NOT_MONEY
)
_BOUNDS = re.compile(
    r"(?:не\s+(?:дороже|больше|более|выше)|дешевле|дороже|меньше|менее|максимум|в\s+пределах|бюджет[а-я]*|потолок|до|в\s+районе|"
    r"\b(?:under|below|less\s+than|(?:no|not)\s+more\s+than|at\s+most|up\s+to|max(?:imum)?(?:\s+of)?|budget|within|cheaper\s+than|for\s+under))"
    r"(?:\s+(?:в|of|is|about|around|чем|на))?\s*[-—:]?\s*" + _MARK + _NOT_MONEY
)
"""What may be paid at most: here a number like 2000 is no year, but for "до 2030"."""
_EACH = re.compile(rf"{_MARK}(?=\s*{_EACH_TIME})")
_EACH_AFTER = re.compile(rf"(?<=\s){_MARK}{_NOT_MONEY}")
_LEAST = 50
"""A smaller bare number is more often a count."""
_LARGE = 500
"""A number without any words of money that is money all the same, where a plan is asked for."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """Money that a text names: a sum, and what is put aside each month."""

    amount: Money | None = None
    monthly: Money | None = None


def find_amounts(said: Marked) -> Amounts:
    """The first sum and the first monthly payment that a text names; what was read is struck.

    A payment each week or year is told by the month (365 / 12 days); "откладывать по 15000" is one each month. What
    somebody earns is neither.
    """
    amount = monthly = None
    for _ in range(3):
        found = _next_amount(said)
        if found is None or (amount and monthly):
            break
        money, match = found
        before, after = said.text[: match.start("mark") - 1], said.text[match.end() :]
        is_earned = _EARNED.search(before) is not None
        each = _each(before, after)
        said.strike(match)
        if is_earned:
            continue
        if each is None:
            amount = amount or money
        elif monthly is None:
            monthly = Money(money.value / each, money.currency)
    return Amounts(amount, monthly)


def find_lone_sum(said: Marked) -> Money | None:
    """The one large number that has no unit, for a text that must be about money."""
    bare = [
        number
        for i, number in enumerate(said.numbers)
        if number.value >= _LARGE
        and not (number.is_word or number.has_scale)
        and all(found["mark"] != str(i) for regex in (_AFTER, _BEFORE) for found in regex.finditer(said.text))
        and year_of(said, str(i)) is None
        and re.search(f"<{i}>{_NOT_MONEY}", said.text)
    ]
    return Money(bare[0].value) if len(bare) == 1 else None


_CURRENCY_ALONE = re.compile(
    rf"^\W*(?:(?:а|и|and|what\s+about|how\s+about)\s+)?(?:(?:если|if)\s+)?(?:в|in)\s+(?:{_CURRENCY})\W*$"
)


def find_currency(text: str) -> str | None:
    """ISO 4217 code that is all a text says: "а в долларах?", "in euros"."""
    match = _CURRENCY_ALONE.match(folded(text))
    return None if match is None else next(code for code in _CURRENCIES if match[code])


def _each(before: str, after: str) -> float | None:
    """Months from one payment to the next, None where it is paid once."""
    said = _THEN_EACH.match(after) or _EACH_BEFORE.search(before)
    if said is None and before.endswith("по ") and _PUTS_ASIDE.match(after):
        return 1.0
    if said is not None:
        return next((months for word, months in _MONTHS_IN if word in said[0]), 1.0)
    return 1.0 if _REGULARLY.search(before) else None


def _next_amount(said: Marked) -> tuple[Money, re.Match[str]] | None:
    """The next amount with its place: one with a currency, then one in thousands, then one by the words around it."""
    for regex in (_AFTER, _BEFORE):
        if match := regex.search(said.text):
            currency = next(code for code in _CURRENCIES if match[code])
            return Money(said.number(match["mark"]).value, currency), match
    for i, number in enumerate(said.numbers):
        if number.has_scale and (match := re.search(f"<(?P<mark>{i})>{_NOT_MONEY}", said.text)):
            return Money(number.value), match
    for regex in (_EACH, _BOUNDS, _WISHES, _EACH_AFTER):
        for match in regex.finditer(said.text):
            number = said.number(match["mark"])
            if regex is _EACH_AFTER and _EACH_BEFORE.search(said.text[: match.start()]) is None:
                continue
            may_be_year = regex is _WISHES or match[0].startswith("до")
            if may_be_year and year_of(said, match["mark"]) is not None:
                continue
            if number.value >= _LEAST and (regex is _EACH or not number.is_word):
                return Money(number.value), match
    return None
