"""Numbers and sentences in the page's language."""

import math
from dataclasses import dataclass
from datetime import date

from nextbest.experiments.explore.page import Lang


@dataclass(frozen=True)
class Writer:
    """Writes in one language."""

    lang: Lang

    def say(self, en: str, ru: str) -> str:
        """The sentence in this language."""
        return ru if self.lang == "ru" else en

    def whole(self, value: float) -> str:
        """A count with its thousands apart: `12,345` or `12 345`; a dash for NaN."""
        if math.isnan(value):
            return "-"
        text = f"{value:,.0f}"
        return text.replace(",", "\N{NO-BREAK SPACE}") if self.lang == "ru" else text

    def share(self, value: float, digits: int = 1) -> str:
        """A fraction in percent; small ones keep two digits that matter; a dash for NaN."""
        if math.isnan(value):
            return "-"
        percent = value * 100
        text = f"{percent:.2g}" if percent and abs(percent) < 10 ** (-digits) else f"{percent:.{digits}f}"
        return f"{text} %" if self.lang == "ru" else f"{text}%"

    def number(self, value: float, digits: int = 2) -> str:
        """A number with fixed digits; a dash for NaN."""
        return "-" if math.isnan(value) else f"{value:.{digits}f}"

    def times(self, value: float) -> str:
        """A ratio, `1.8x`; empty for NaN."""
        if math.isnan(value):
            return ""
        return f"{value:.1f}" if value < 10 else f"{value:.0f}"

    def month(self, month: date) -> str:
        """A month as `2015-07`."""
        return f"{month:%Y-%m}"

    def months(self, months: tuple[date, ...]) -> list[str]:
        """Months for an axis: `Jan`, and the year under the first of each."""
        names = self.say(
            "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
            "янв фев мар апр май июн июл авг сен окт ноя дек",
        ).split()
        made, year = [], None
        for month in months:
            made.append(names[month.month - 1] + (f"\n{month.year}" if month.year != year else ""))
            year = month.year
        return made
