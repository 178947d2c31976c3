"""Time ahead that a text speaks of: "через три года", "over the next month", "к лету", "by 2030", "завтра"; always in days."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from nextbest.assistant.intent.calendar_words import read_stretch
from nextbest.assistant.intent.durations import DAYS_OF, MONTH, days_in, pattern, unit_of
from nextbest.assistant.intent.marked import Marked

_LOOKS_AHEAD = re.compile(
    r"накоп|\bкоп(?:лю|ить|им|ят|ишь)|скоп|собрать|отклад|отлож|вложи|вклад|инвестир|прогноз|\bбуд(?:ет|у|ут)|станет|хватит|"
    r"ожида|предска|предвид|перспектив|\b(?:куплю|потрачу|закажу|возьму|понадобится|изменится|заработаю|смогу|хочу)\b|"
    r"\b(?:вырас|упад|подорожа|подешеве|пойд|двин)[а-я]*(?:ет|ёт|ут|ит)\b|\bоткладыва|\b(?:going\s+to|gonna|would|likely|outlook)\b|'ll\b|"
    r"\bsav(?:e|ing)|\binvest(?:ing)?\b|\bforecast|\bpredict|\bwill\b|\bplan\b|\bput\b|\bretire|\bgoal\b|\bhold\b|\bexpect|\bheading\b"
)
"""Words by which "за три года" and "for three years" mean years to come."""
_LOOKS_BACK = re.compile(
    r"заработал|получил|потерял|\bбыл[аио]?\b|вырос|упал|изменил[а-я]*\b|\b(?:did|was|were|have\s+i|has|made|lost|earned)\b"
)
_OF_LIVING = pattern(
    r"(?:\b(?:на|for)\s+)?LENGTH(?:['’]s?)?\s+(?:жизни|расходов|трат|без\s+работы|of\s+(?:living|expenses|spending)|expenses)\b"
)
_OF_AGE = (
    pattern(
        r"\b(?:мне|ему|ей|нам|сыну|дочери|ребенку|жене|мужу|старше|младше|моложе)\s+(?:уже\s+|сейчас\s+|пока\s+)?LENGTH"
    ),
    pattern(r"(?<!\w)COUNTED[\s-]+(?:old|of\s+age)\b"),
)
_UNTIL = re.compile(
    r"\b(?:к|до|by|until|till?|before|through|up\s+to|between\s+(?:now|today)\s+and)\s+"
    r"|\bat\s+(?=(?:the\s+)?(?:very\s+)?(?:end|start|beginning)\s+of|(?:the\s+)?new\s+year|christmas)|\b(?:под|на)\s+(?=нов(?:ый|ого)\s+год|рождеств)"
    r"|\b(?=(?:next|this\s+coming|следующ[а-я]+|будущ[а-я]+)\s+(?:летом|зимой|весной|осенью|summer|winter|spring|autumn)\b)"
)
_REST_OF = pattern(
    r"\b(?:the\s+(?:rest|remainder)|what(?:'s|\s+is)\s+left|остаток|остатка|остатке|оставшуюся\s+часть)\s+(?:of\s+)?(?:(?:the|this|этого|этой)\s+)?UNIT"
)
_IS_OUT = pattern(r"\bbefore\s+(?:the|this)\s+UNIT\s+(?:is|'s)\s+(?:out|over|up|through)\b")
_AFTER_MONTH = re.compile(rf"{MONTH}(?:\s+<\d+>)?\s*$")
_AGE_NOW = re.compile(
    r"(?:\b(?:мне|нам)\s+(?:сейчас\s+|уже\s+)?|\b(?:i'm|i\s+am|aged?)\s+(?:now\s+|already\s+)?)<(\d+)>"
)
_AGED = re.compile(r"(?:^|[,.;]\s*)<(\d+)>\s+(?:года?|лет)\s*(?=[,.;])")
_GROWN_UP = 18
"""Years between commas from which they are somebody's age: "медсестра, 52 года, ..."."""
_AGE_THEN = re.compile(
    r"(?:\bretire|\bstop\s+working|\bpension|пенси|не\s+работать|перестать\s+работать)[^.!?]{0,30}?\b(?:at|by|в|к)\s+<(\d+)>(?!\s*(?:year|month|год[ау]?\b|г\b))"
)
_IN_STRETCH = re.compile(
    rf"\b(?:в|во|на|за|in|for|during)\s+(?={MONTH}|(?:the\s+)?(?:first|second|third|fourth|1st|2nd|3rd|4th)\s+(?:half|quarter)\b|q[1-4]\b|h[12]\b"
    r"|(?:перв|втор|трет|четв[её]рт)[а-я]+\s+(?:половин|полугоди|квартал)|(?:(?:следующ|будущ|эт)[а-я]+\s+|the\s+|next\s+|this\s+)?(?:зиму|весну|лето|осень|winter|spring|summer|autumn)\b)"
    r"|\b(?:в|на|за|in|for|on|at|over|during)\s+(?=(?:the\s+|this\s+|эти(?:х)?\s+)?(?:weekend|выходны[ехм]))"
    r"|(?<!\w)(?=(?:эт[а-я]+\s+)?(?:весной|летом|осенью|зимой)|this\s+(?:winter|summer|spring|autumn))"
)
_SAVES = re.compile(r"накоп|\bкоп|скоп|отклад|отлож|собрать|\bsav")
"""Beside these "на лето" is what the money is for: by the summer's first day."""
_COMING_WEEKEND = re.compile(
    r"\b(?=(?:(?:(?:this\s+|the\s+)?coming|next)\s+weekend|(?:ближайш|предстоящ|следующ|будущ)[а-я]+\s+выходны[а-я]+)\b)"
)
_ON_DAY = re.compile(rf"\b(?:на|on)\s+(?:the\s+)?(?=<\d+>|@|[a-zа-я]+\s+(?:of\s+)?{MONTH})")
_IN_YEAR = re.compile(r"\b(?:по|на|в|in|for)\s+(?=<\d+>)")


@dataclass(frozen=True, slots=True)
class Horizon:
    """Days ahead."""

    days: int
    is_bare: bool = False
    """Nothing in the words themselves says that they look ahead ("на год", "в течение месяца")."""


def is_about_future(text: str) -> bool:
    """Whether a text in lower case speaks of time to come."""
    return _LOOKS_AHEAD.search(text) is not None and _LOOKS_BACK.search(text) is None


def find_horizon(said: Marked, *, today: date) -> Horizon | None:
    """Days ahead that a text speaks of, None where it speaks of none; what was read is struck.

    "Until the end of the year" counts to its last day, "by 2030" to that year's first. A length that could as well look
    back ("за три года") is one only where the text's verbs look ahead (`is_about_future`).
    """
    looks_ahead = is_about_future(said.text)
    for none_of_it in (_OF_LIVING, *_OF_AGE):  # how large a reserve is to be, how old somebody is: not when
        if match := none_of_it.search(said.text):
            said.strike(match)
    if (match := _AGED.search(said.text)) and said.number(match[1]).value >= _GROWN_UP:
        said.strike(match)
    if (days := _to_age(said)) is not None:
        return Horizon(days)
    if match := _REST_OF.search(said.text) or _IS_OUT.search(said.text):
        left = read_stretch(Marked(f"end of {match['unit']}", (), ()), 0, today=today, is_ahead=True)
        said.strike(match)
        return None if left is None or left.last <= today else Horizon((left.last - today).days)
    if (days := _until(said, today)) is not None:
        return Horizon(days)
    for anchors in (_COMING_WEEKEND, *([_IN_STRETCH] if looks_ahead else [])):
        if (days := _to_end_of(anchors, said, today)) is not None:
            return Horizon(days)
    for regex, read, kind in _HORIZONS:
        if kind == "cue" and not looks_ahead:
            continue
        for match in regex.finditer(said.text):
            days = read(said, match, today)
            if days is not None and days > 0:
                said.strike(match)
                return Horizon(days, is_bare=kind != "ahead")
    return None


def find_bare_length(said: Marked) -> int | None:
    """A length that stands alone ("six months bitcoin forecast", "портфель 5 лет"): its days; what was read is struck."""
    if (match := _FEW.search(said.text)) and said.number(match["count"]).is_word:
        said.strike(match)
        return _inverted(said, match, date.min)
    if match := _ALONE.search(said.text):
        days = days_in(said, match["length"])
        if days is not None:
            said.strike(match)
        return days
    return None


def _to_age(said: Marked) -> int | None:
    """ "I'm 35 and would like to retire at 60": the years between."""
    now, then = _AGE_NOW.search(said.text), _AGE_THEN.search(said.text)
    if now is None or then is None:
        return None
    years = said.number(then[1]).value - said.number(now[1]).value
    if years <= 0 or said.number(then[1]).value > 100:
        return None
    for match in (now, then):
        said.strike(match)
    return round(years * DAYS_OF["year"])


def _until(said: Marked, today: date) -> int | None:
    """ "к лету", "by the end of 2028", "до 15 марта": days to the first day named."""
    for anchors, n_days in ((_UNTIL, None), (_IN_YEAR, 364), (_ON_DAY, 0)):
        for anchor in anchors.finditer(said.text):
            if _AFTER_MONTH.search(said.text[: anchor.start()]) and not is_about_future(said.text):
                continue  # "May through August" lies behind
            stretch = read_stretch(said, anchor.end(), today=today, is_ahead=True)
            if stretch is None or (
                n_days is not None and abs((stretch.last - stretch.first).days - n_days) > 1
            ):
                continue
            days = (stretch.first - today).days
            if 0 < days <= 36_500:
                said.strike_places(anchor.start(), stretch.end)
                return days
    return None


def _to_end_of(anchors: re.Pattern[str], said: Marked, today: date) -> int | None:
    """ "what will I buy in December", "gold in the first half of next year", "over the weekend": days to its last day."""
    for anchor in anchors.finditer(said.text):
        is_for = bool(anchor[0].startswith("на ") and _SAVES.search(said.text))
        stretch = read_stretch(said, anchor.end(), today=today, is_ahead=True, to_end=not is_for)
        if stretch is None:
            continue
        if 0 < (days := ((stretch.first if is_for else stretch.last) - today).days) <= 36_500:
            said.strike_places(anchor.start(), stretch.end)
            return days
    return None


def _length(said: Marked, match: re.Match[str], today: date) -> int | None:
    del today
    return days_in(said, match["length"])


def _next_unit(said: Marked, match: re.Match[str], today: date) -> int | None:
    del said, today
    return round(DAYS_OF[unit_of(match["unit"])])


def _inverted(said: Marked, match: re.Match[str], today: date) -> int | None:
    """ "лет через пять"."""
    del today
    days = said.number(match["count"]).value * DAYS_OF[unit_of(match["unit"])]
    return round(days) if 1 <= days <= 36_500 else None


def _next_days(said: Marked, match: re.Match[str], today: date) -> int | None:
    del said, today
    return 2 if match[0] in {"послезавтра", "day after tomorrow"} else 1


_HORIZONS: tuple[tuple[re.Pattern[str], Callable[[Marked, re.Match[str], date], int | None], str], ...] = (
    (pattern(r"\b(?:послезавтра|day\s+after\s+tomorrow|завтра|tomm?orr?ow)\b"), _next_days, "ahead"),
    (pattern(r"(?<![>\w])UNIT\s+(?:через|на)\s+<(?P<count>\d+)>"), _inverted, "ahead"),
    (pattern(r"\b(?:через|спустя)\s+LENGTH"), _length, "ahead"),
    (
        pattern(
            r"\b(?:wait(?:ing)?\s+(?:for\s+)?|(?:подожд[а-я]+|ждать|жду|подождать|потерпеть)\s+(?:еще\s+)?)LENGTH"
        ),
        _length,
        "ahead",
    ),
    (
        pattern(
            r"\bдо\s+(?:зарплаты|получки|аванса|отпуска|свадьбы|переезда)\s+(?:еще\s+|осталось\s+)*LENGTH"
        ),
        _length,
        "ahead",
    ),
    (
        pattern(r"(?:\b(?:на|в|за|в\s+течение)\s+)?\b(?:ближайш|следующ|предстоящ|будущ)[а-я]+\s+LENGTH"),
        _length,
        "ahead",
    ),
    (
        pattern(
            r"(?:\bгоризонт[а-я]*(?:\s+[а-я]+)?|\bhorizon\s+(?:of|is))\s*[-—–:]?\s*(?:в\s+|около\s+)?COUNTED"
        ),
        _length,
        "ahead",
    ),
    (pattern(r"(?<!\w)COUNTED\s+(?:[a-z]+\s+)?horizon\b"), _length, "ahead"),
    (pattern(r"\bLENGTH\s+горизонт"), _length, "ahead"),
    (pattern(r"(?<!\w)LENGTH\s+(?:впер[её]д|ahead|from\s+now|out|to\s+go)\b"), _length, "ahead"),
    (
        pattern(r"\b(?:до\s+пенсии|осталось|остается)\s+(?:[а-я]+\s+){0,2}?COUNTED"),
        _length,
        "ahead",
    ),
    (pattern(r"(?<!\w)COUNTED\s+(?:to|until|till|before|до)\s+(?=retire|pension|пенси)"), _length, "ahead"),
    (
        pattern(
            r"(?:\b(?:over|for|in|within|during)\s+)?\b(?:the\s+)?(?:next|coming|following|upcoming)\s+COUNTED"
        ),
        _length,
        "ahead",
    ),
    (
        pattern(
            r"(?<!from\s)(?<!since\s)(?:\b(?:over|for|in|within|during)\s+)?\b(?<!from\s)(?<!since\s)(?:the\s+)?(?:next|coming|following|upcoming)\s+UNIT"
        ),
        _next_unit,
        "ahead",
    ),
    (pattern(r"\b(?:сроком\s+на|срок|сроком\s+в|в\s+перспективе)\s+LENGTH"), _length, "ahead"),
    (pattern(r"\bна\s+LENGTH"), _length, "bare"),
    (pattern(r"\b(?:in|within|after)\s+COUNTED(?:'?\s+time\b)?"), _length, "bare"),
    (pattern(r"\bв\s+пределах\s+LENGTH"), _length, "bare"),
    (pattern(r"\b(?:на\s+(?:этой|той)|в\s+этом|this)\s+UNIT"), _next_unit, "cue"),
    (pattern(r"(?<![>\w])UNIT\s+за\s+<(?P<count>\d+)>"), _inverted, "cue"),
    (pattern(r"\b(?:весь|целый|всю|целую|all|a\s+whole|the\s+whole)\s+UNIT"), _next_unit, "cue"),
    (pattern(r"\b(?:за|for|over|в\s+течение|на\s+протяжении)\s+LENGTH"), _length, "cue"),
    (pattern(r"\bADJECTIVE"), _length, "cue"),
)
"""Pattern, how it is read, and what says that it looks ahead: its words, nothing ("bare"), or the text's verbs alone ("cue")."""
_FEW = pattern(r"(?<![>\w])(?<![>\w]\s)UNIT\s+<(?P<count>\d+)>\W*$")
"""About so many: "недели две"."""
_ALONE = pattern(r"(?<![\w>.,-])(?!an?\s)COUNTED(?!\s+(?:назад|ago)\b)")
