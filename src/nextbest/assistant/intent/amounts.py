"""Amounts of money that a text names: "полмиллиона рублей", "$1.5k", "10 000 ₽", "200 тысяч".

A number is money by its currency, by its thousands or millions, or by the verb that it goes with ("откладывать по
15000"); any other number is none.
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
_AFTER = re.compile(rf"<(?P<mark>\d+)>\s*(?:{_CURRENCY})")
_BEFORE = re.compile(rf"(?:{_CURRENCY})\s*<(?P<mark>\d+)>")
_NOT_MONEY = (
    r"(?!\s*(?:%|процент|percent|игр|товар|вариант|акци|шт|games?|items?|times?|раз|день|дн|недел|месяц|год|лет|"
    r"days?|weeks?|months?|years?|quarters?|people|человек))"
)
_VERB = re.compile(
    r"(?:(?:вложи|инвестир|отклад|отлож|полож|потрат|накоп|закин|внес|внос|пополн|снять|стоит|надо|нужно|есть|имея|бюджет|сумм|не\s+дороже|"
    r"дешевле|до)[а-я]*(?:\s+(?:до|в|на|по|около|примерно|минимум))?|\bпо|"
    r"\b(?:invest|save|saving|put|spend|deposit|contribute|budget|add|withdraw|under|below|less\s+than|at\s+most|up\s+to|need|have|with)"
    r"(?:ing|ed|s)?(?:\s+(?:of|is|about|around|at\s+least|up\s+to))?)\s+<(?P<mark>\d+)>" + _NOT_MONEY
)


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
    for match in _VERB.finditer(said.text):
        number = said.number(match["mark"])
        if number.value >= 50 and not number.is_word and (year_of(said, match["mark"]) is None):
            said.strike(match)
            return Money(number.value)
    return None
