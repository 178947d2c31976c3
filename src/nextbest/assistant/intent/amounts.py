"""Amounts of money that a text names: "полмиллиона рублей", "$1.5k", "10 000 ₽", "200 тысяч".

A number is money by its currency, by its thousands or millions, or by the words that it goes with ("откладывать по
15000", "не дороже 2000", "300 a month"); any other number is none.
"""

import re

from nextbest.assistant.base import Money
from nextbest.assistant.intent.durations import year_of
from nextbest.assistant.intent.marked import Marked

_CURRENCIES = {
    "RUB": r"₽|руб(?:л[а-я]+|\.|\b)|р\.|р\b|rub(?:les?|s)?\b|roubles?\b",
    "USD": r"us\s?\$|\$|доллар[а-я]*|бакс[а-я]*|usd\b|dollars?\b|bucks?\b",
    "EUR": r"€|евро\b|eur\b|euros?\b",
    "GBP": r"£|фунт[а-я]*(?:\s+стерлингов)?|gbp\b|pounds?\b",
    "CNY": r"юан[а-я]+|cny\b|yuan\b|renminbi\b",
    "JPY": r"¥|[ий]ен[аыу]?\b|jpy\b|yen\b",
    "KZT": r"₸|тенге\b|kzt\b|tenge\b",
}
_CURRENCY = "|".join(f"(?P<{code}>{words})" for code, words in _CURRENCIES.items())
_AFTER = re.compile(rf"<(?P<mark>\d+)>(?:\.(?=р\.))?\s*(?:{_CURRENCY})")
_BEFORE = re.compile(rf"(?:{_CURRENCY})\s*<(?P<mark>\d+)>")
_NOT_MONEY = (
    r"(?!\s*(?:%|процент|percent|игр|товар|вариант|акци|шт|games?|items?|times?|раз|день|дн|недел|месяц|год|лет|"
    r"days?|weeks?|months?|years?|quarters?|people|человек))"
)
_MARK = r"<(?P<mark>\d+)>"
_A_MONTH = (
    r"(?:в\s+(?:месяц|неделю|год|квартал)|ежемесячно|еженедельно|ежегодно|(?:кажд(?:ый|ую)|раз\s+в)\s+(?:месяц|неделю|год)|"
    r"(?:an?|per|each|every|/)\s*(?:month|week|year)|monthly|weekly|/\s*(?:мес|mo)\b)"
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
_EACH = re.compile(
    rf"{_MARK}\s*{_A_MONTH}|{_A_MONTH}\s+(?:по\s+|откладыва[а-я]+\s+)?{_MARK}{_NOT_MONEY}".replace(
        "(?P<mark>", "(?P<first>", 1
    )
)


_LEAST = 50
"""A smaller bare number is more often a count."""


def find_amount(said: Marked) -> Money | None:
    """The first amount that a text names, None where it names none; what was read is struck."""
    for regex in (_AFTER, _BEFORE):
        if match := regex.search(said.text):
            currency = next(code for code in _CURRENCIES if match[code])
            value = said.number(match["mark"]).value
            said.strike(match)
            return Money(value, currency)
    for i, number in enumerate(said.numbers):
        if number.has_scale and (match := re.search(f"<{i}>{_NOT_MONEY}", said.text)):
            said.strike(match)
            return Money(number.value)
    for regex in (_EACH, _BOUNDS, _WISHES):
        for match in regex.finditer(said.text):
            mark = match.groupdict().get("first") or match["mark"]
            number = said.number(mark)
            may_be_year = regex is _WISHES or match[0].startswith("до")
            if may_be_year and year_of(said, mark) is not None:
                continue
            if number.value >= _LEAST and not number.is_word:
                said.strike(match)
                return Money(number.value)
    return None
