"""A text with its numbers and days taken out: what the patterns of amounts, periods and counts are written against.

"за последние три месяца" becomes "за последние <0> месяца" with `numbers[0].value == 3`; "с 01.02.2024" becomes
"с @0" with `dates[0]`. What one pattern has read is struck, so that a figure is never said twice.
"""

import re
from dataclasses import dataclass
from datetime import date

from nextbest.assistant.intent.number_words import Number, find_numbers, folded

STRUCK = "\x00"
"""Stands where something was read: no letter, no blank."""
_DAY = re.compile(r"(?<![\w.-])(?:(\d{4})-(\d{1,2})-(\d{1,2})|(\d{1,2})[./](\d{1,2})[./](\d{4}))(?![\w-])")
_IN_HASTE = tuple(
    (re.compile(said), meant)
    for said, meant in (
        (r"\bпар(?:а|у|ы|е|ой)[\s-]+трой(?:ка|ку|ки|ке|кой)\b", "три"),
        (r"\bhalf\s+(?:a\s+)?dozen\b", "six"),
        (r"\b(\w+)[\s-]odd(?=\s+(?:hundred|thousand|million)\b)", r"\1"),
        (
            r"\b(тысячи|миллиона)\s+(полтор[аы]|два|две|три|четыре)\b(?!\s+(?:год|месяц|недел|дн|квартал))",
            r"\2 \1",
        ),
        (r"\bпо\s+пятерке\b", "по 5 тыс"),
        (r"\bпо\s+(?:десятке|червонцу)\b", "по 10 тыс"),
        (r"\bпо\s+пятнашке\b", "по 15 тыс"),
        (r"\bпо\s+двадцатке\b", "по 20 тыс"),
        (r"\bпо\s+тридцатке\b", "по 30 тыс"),
        (r"\bпо\s+(?:полтиннику|полтосу)\b", "по 50 тыс"),
        (r"\bпо\s+сотке\b", "по 100 тыс"),
    )
)
"""Numbers of haste and rough ones: how many in "пару-тройку", how much each time in "по пятнашке"."""
NUMBER = r"<(\d+)>"
"""Regular expression of a number's place."""


@dataclass(slots=True)
class Marked:
    """A text in lower case with marks for its numbers and days; `strike` changes it."""

    text: str
    numbers: tuple[Number, ...]
    dates: tuple[date, ...]

    @classmethod
    def of(cls, text: str) -> "Marked":
        """Mark a text as cleaned."""
        plain = re.sub(r"[<>@]", " ", folded(text))
        for said, meant in _IN_HASTE:
            plain = said.sub(meant, plain)
        days: list[date] = []

        def mark_day(match: re.Match[str]) -> str:
            year, month, day = match.group(1, 2, 3) if match[1] else match.group(6, 5, 4)
            try:
                days.append(date(int(year), int(month), int(day)))
            except ValueError:  # the 31st of February: no day, and no number that anything is about
                return STRUCK
            return f"@{'abcdefghijklmnopqrstuvwxyz'[len(days) - 1]}" if len(days) <= 26 else STRUCK

        plain = _DAY.sub(mark_day, plain)
        numbers = find_numbers(plain)
        parts, at = [], 0
        for i, number in enumerate(numbers):
            parts += [plain[at : number.start], f"<{i}>"]
            at = number.end
        return cls("".join(parts) + plain[at:], numbers, tuple(days))

    def number(self, mark: str) -> Number:
        """The number that a mark's digits stand for."""
        return self.numbers[int(mark)]

    def day(self, mark: str) -> date:
        """The day that a mark's letter stands for."""
        return self.dates[ord(mark) - ord("a")]

    def strike(self, match: re.Match[str]) -> None:
        """Take a read stretch out."""
        self.strike_places(match.start(), match.end())

    def strike_places(self, first: int, end: int) -> None:
        """Take what stands between two places out."""
        self.text = self.text[:first] + STRUCK + self.text[end:]
