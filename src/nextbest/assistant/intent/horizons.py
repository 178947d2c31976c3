"""Time ahead that a text speaks of: "через три года", "over the next month", "к 2030 году", "завтра"; always in days."""

import re
from collections.abc import Callable
from datetime import date

from nextbest.assistant.intent.durations import DAYS_OF, days_in, last_day, pattern, unit_of, year_of
from nextbest.assistant.intent.marked import Marked

_LOOKS_AHEAD = re.compile(
    r"накоп|\bкоп(?:лю|ить|им|ят|ишь)|отклад|отлож|вложи|вклад|инвестир|прогноз|\bбуд(?:ет|у|ут)|станет|хватит|"
    r"ожида|предска|предвид|перспектив|\b(?:куплю|потрачу|закажу|возьму|понадобится|изменится|заработаю|смогу|хочу)\b|"
    r"\b(?:вырас|упад|подорожа|подешеве|пойд)[а-я]*(?:ет|ёт|ут|ит)\b|\bоткладыва|\b(?:going\s+to|gonna|would|likely|outlook)\b|'ll\b|"
    r"\bsav(?:e|ing)|\binvest(?:ing)?\b|\bforecast|\bpredict|\bwill\b|\bplan\b|\bput\b|\bretire|\bgoal\b|\bhold\b|\bexpect"
)
"""Words by which "за три года" and "for three years" mean years to come."""


_LOOKS_BACK = re.compile(
    r"заработал|получил|потерял|\bбыл[аио]?\b|вырос|упал|\b(?:did|was|were|have\s+i|made|lost|earned)\b"
)
_OF_LIVING = pattern(r"\b(?:на|for)\s+LENGTH\s+(?:жизни|расходов|трат|of\s+(?:living|expenses))\b")


def is_about_future(text: str) -> bool:
    """Whether a text in lower case speaks of time to come."""
    return _LOOKS_AHEAD.search(text) is not None and _LOOKS_BACK.search(text) is None


def find_horizon(said: Marked, *, today: date) -> int | None:
    """Days ahead that a text speaks of, None where it speaks of none; what was read is struck.

    "Until the end of the year" counts to its last day, "by 2030" to that year's first.
    """
    looks_ahead = is_about_future(said.text)
    if living := _OF_LIVING.search(said.text):  # how large a reserve is to be, not when
        said.strike(living)
    for regex, read, needs_cue in _HORIZONS:
        if needs_cue and not looks_ahead:
            continue
        for match in regex.finditer(said.text):
            days = read(said, match, today)
            if days is not None and days > 0:
                said.strike(match)
                return days
    return None


def _length(said: Marked, match: re.Match[str], today: date) -> int | None:
    del today
    return days_in(said, match["length"])


def _next_unit(said: Marked, match: re.Match[str], today: date) -> int | None:
    del said, today
    return round(DAYS_OF[unit_of(match["unit"])])


def _to_end(said: Marked, match: re.Match[str], today: date) -> int | None:
    del said
    return (last_day(unit_of(match["unit"]), today) - today).days


def _to_new_year(said: Marked, match: re.Match[str], today: date) -> int | None:
    del said, match
    return (last_day("year", today) - today).days


def _by_year(said: Marked, match: re.Match[str], today: date) -> int | None:
    year = year_of(said, match["year"])
    return (date(year, 1, 1) - today).days if year is not None and year > today.year else None


def _by_day(said: Marked, match: re.Match[str], today: date) -> int | None:
    return (said.day(match["day"]) - today).days


def _next_days(said: Marked, match: re.Match[str], today: date) -> int | None:
    del said, today
    return 2 if match[0] in {"послезавтра", "day after tomorrow"} else 1


_HORIZONS: tuple[tuple[re.Pattern[str], Callable[[Marked, re.Match[str], date], int | None], bool], ...] = (
    (pattern(r"\b(?:послезавтра|day\s+after\s+tomorrow|завтра|tomorrow)\b"), _next_days, False),
    (
        re.compile(r"\b(?:до|к|by|before|until|till)\s+(?:нов(?:ого|ому)\s+год[ау]|(?:the\s+)?new\s+year)\b"),
        _to_new_year,
        False,
    ),
    (
        pattern(
            r"\b(?:до|к|by|until|till|through|to)\s+(?:конц[ау]|the\s+end\s+of|end\s+of)\s+"
            r"(?:the\s+|this\s+|этого\s+|текущего\s+)?UNIT"
        ),
        _to_end,
        False,
    ),
    (pattern(r"\b(?:к|до|by|until|till|before)\s+@(?P<day>[a-z])"), _by_day, False),
    (pattern(r"\b(?:к|до|по|на|в|by|until|till|before|in|for)\s+(?:концу\s+)?YEAR"), _by_year, False),
    (pattern(r"\b(?:через|спустя)\s+LENGTH"), _length, False),
    (
        pattern(r"(?:\b(?:на|в|за|в\s+течение)\s+)?\b(?:ближайш|следующ|предстоящ|будущ)[а-я]+\s+LENGTH"),
        _length,
        False,
    ),
    (pattern(r"(?:\bгоризонт[а-я]*|\bhorizon\s+(?:of|is))\s+(?:в\s+)?COUNTED"), _length, False),
    (pattern(r"(?<!\w)COUNTED\s+horizon\b"), _length, False),
    (pattern(r"\b(?:сроком\s+на|срок|на)\s+LENGTH(?:\s+впер[её]д)?"), _length, False),
    (pattern(r"(?<!\w)LENGTH\s+(?:впер[её]д|ahead|from\s+now)\b"), _length, False),
    (
        pattern(
            r"(?:\b(?:over|for|in|within|during)\s+)?\b(?:the\s+)?(?:next|coming|following|upcoming)\s+COUNTED"
        ),
        _length,
        False,
    ),
    (
        pattern(
            r"(?:\b(?:over|for|in|within|during)\s+)?\b(?:the\s+)?(?:next|coming|following|upcoming)\s+UNIT"
        ),
        _next_unit,
        False,
    ),
    (pattern(r"\b(?:in|within)\s+COUNTED(?:'?\s+time\b)?"), _length, False),
    (pattern(r"\b(?:на\s+этой|в\s+этом|this)\s+UNIT"), _next_unit, True),
    (pattern(r"\b(?:за|for|over)\s+LENGTH"), _length, True),
)
