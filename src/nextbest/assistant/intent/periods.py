"""Time back that a text speaks of: "за последние полгода", "since January", "in 2024", "прошлым летом".

A rolling stretch ("последний год", "the past year") is a count of days; a stretch of the calendar ("прошлый год",
"last year", "с марта") has its days as well, both in.
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta

from nextbest.assistant.intent.calendar_words import Stretch, read_stretch
from nextbest.assistant.intent.durations import DAYS_OF, MONTH, days_in, pattern, unit_of
from nextbest.assistant.intent.horizons import is_about_future
from nextbest.assistant.intent.marked import Marked


@dataclass(frozen=True, slots=True)
class Period:
    """Days back; `dates` where the calendar names them."""

    days: int
    dates: tuple[date, date] | None = None
    bare_days: int | None = None
    """Days of the same length where nothing in the words themselves says that they look back ("за год", "this week")."""


def find_period(said: Marked, *, today: date) -> Period | None:
    """Time back that a text speaks of, None where it speaks of none; what was read is struck."""
    for read in (_since, _rolling_back, _to_date, _named, _ago, _bare):
        if (period := read(said, today)) is not None:
            return period
    return None


# --- of the calendar --------------------------------------------------------------------------------
_SINCE = re.compile(
    r"(?:\b(?:начиная\s+)?(?:с|со|от)|\bsince(?:\s+(?:i|we)\s+[a-z]+(?:\s+[a-z]+)?\s+in)?|\bfrom|\bstarting|\b(?:в\s+)?промежутке\s+(?:с|между)|\bмежду|\bbetween)\s+"
)
_TO = re.compile(r"\s*(?:по|до|to|till?|until|through|thru|and|и|-|–|—)\s*")
_DAY_OF_RANGE = re.compile(
    rf"<(?P<day>\d+)>(?:-?(?:го|th|st|nd|rd))?\s*(?:по|до|to|till?|and|и|-|–|—)\s*(?=<\d+>(?:-?(?:го|th|st|nd|rd))?\s+(?:of\s+)?{MONTH})"
)
_IN = re.compile(
    r"\b(?:за|в|во|на|in|for|during|over|of|(?:did|was|only|just)(?=\s+<))\s+(?:весь\s+|всю\s+|все\s+|all\s+(?:of\s+)?|the\s+whole\s+)?(?:the\s+(?=<))?"
)
_RESULT_OF = r"итоги|итог|результат[а-я]*|доходност[а-я]+|прибыл[а-я]+|убыт[а-я]+|дивиденд[а-я]+|просадк[а-я]+|расход[а-я]+|трат[а-я]+|results?|returns?|dividends"
_UNPREPARED = re.compile(
    rf"(?<![\w<])(?:(?:{_RESULT_OF})\s+(?={MONTH}))|(?<![\w<])(?={MONTH}\s*(?:[-–—]|through|thru|to|till?|until|по)\s*{MONTH})|"
    r"(?<![\w<])(?=прошл|предыдущ|минувш|прошедш|позапрошл|эт(?:от|а|у|ой|ом)\b|текущ|last\b|previous|this\b|current|the\s+(?:year|quarter|month|week)\s+before|"
    r"перв|втор|трет|четв|first|second|third|fourth|1st|2nd|3rd|4th|i\b|ii\b|iii\b|iv\b|q[1-4]\b|h[12]\b|"
    r"летом|зимой|весной|осенью|<\d+>)"
)
_GOES_ON = re.compile(
    rf"\s*(?:[-–—]|\b(?:and|и|to|through|по))\s*(?=<\d+>)|\s*(?:[-–—]|through|thru|to|till?|until|по)\s*(?={MONTH})"
)
"""After the first of two: "2024–2025", "2023 and 2024", "May through August"."""
_THE_WEEKEND = re.compile(r"(?:the\s+|эти\s+)?(?:weekend|выходн)")
_RANGE_OF_YEARS = re.compile(r"<\d+>\s*(?:[-–—]|to|through|по)\s*<\d+>")


def _since(said: Marked, today: date) -> Period | None:
    """ "с марта", "since last year", "с 10 января по 15 марта 2025", "from 5 to 20 October"."""
    for anchor in _SINCE.finditer(said.text):
        if (range_ := _range_from(said, anchor.end(), today)) is None:
            continue
        first, last, end = range_
        last = min(last, today)
        if first <= last:
            said.strike_places(anchor.start(), end)
            return Period((last - first).days + 1, (first, last))
    return None


def _range_from(said: Marked, at: int, today: date) -> tuple[date, date, int] | None:
    if days := _DAY_OF_RANGE.match(said.text, at):
        last = read_stretch(said, days.end(), today=today, is_ahead=False)
        number = said.number(days["day"])
        if last is None or not 1 <= number.value <= last.first.day:
            return None
        return last.first.replace(day=int(number.value)), last.last, last.end
    first = read_stretch(said, at, today=today, is_ahead=False)
    if first is None:
        return None
    to = _TO.match(said.text, first.end)
    last = read_stretch(said, to.end(), today=today, is_ahead=False) if to else None
    if last is None:
        return (first.first, today, first.end)
    if last.has_year and not first.has_year:
        first = read_stretch(said, at, today=today, is_ahead=False, year=last.first.year) or first
    elif not last.has_year and to is not None:
        own = read_stretch(said, to.end(), today=today, is_ahead=False, year=first.first.year)
        if own is not None and own.first < first.first:
            own = read_stretch(said, to.end(), today=today, is_ahead=False, year=first.first.year + 1)
        last = own or last
    if first.first > last.last:
        first = read_stretch(said, at, today=today, is_ahead=False, year=last.first.year - 1) or first
    return first.first, last.last, last.end


def _named(said: Marked, today: date) -> Period | None:
    """ "за март 2025", "in Q1", "прошлый год", "the year before last", "2024–2025"."""
    about_future = is_about_future(said.text)
    anchors = [(each, False) for each in _IN.finditer(said.text)]
    anchors += [(each, True) for each in _UNPREPARED.finditer(said.text)]
    for anchor, needs_year in sorted(anchors, key=lambda each: (each[0].start(), each[1])):
        if anchor[0].startswith(("на", "for", "on", "at")) and _THE_WEEKEND.match(said.text, anchor.end()):
            continue  # "five games for the weekend"
        stretch = read_stretch(said, anchor.end(), today=today, is_ahead=False)
        if stretch is None or (needs_year and not _is_named_alone(said, anchor.end(), stretch)):
            continue
        if about_future and not stretch.has_year and stretch.last >= today.replace(day=1):
            continue
        if about_future and re.match(MONTH, said.text[anchor.end() :]) and not stretch.has_year:
            continue  # "what will I buy in December" is no question about the last one
        first, last, end = stretch.first, stretch.last, stretch.end
        if _GOES_ON.match(said.text, end) and (more := _range_from(said, anchor.end(), today)) is not None:
            first, last, end = more if more[2] > end else (first, last, end)
        is_open = last >= today
        last = min(last, today)
        if first > last:
            continue
        bare = None
        if unit := re.match(r"(?:эт[а-я]+|текущ[а-я]+|this|current)\s+(\S+)", said.text[anchor.end() :]):
            bare = _unit_days(unit[1]) if is_open else None
        elif re.match(MONTH, said.text[anchor.end() :]) and not stretch.has_year:
            ahead = read_stretch(said, anchor.end(), today=today, is_ahead=True)
            bare = None if ahead is None else (ahead.last - today).days
        said.strike_places(anchor.start(), end)
        return Period((last - first).days + 1, (first, last), bare)
    return None


def _is_named_alone(said: Marked, at: int, stretch: Stretch) -> bool:
    """Whether words are a stretch of time without "in" or "for" before them: a bare number is none, but "2024 года" is."""
    words = said.text[at : stretch.end]
    if not re.fullmatch(r"<\d+>(?:-?[а-я]{1,2})?", words.strip()):
        return True
    return _RANGE_OF_YEARS.match(said.text, at) is not None


def _unit_days(word: str) -> int | None:
    try:
        return round(DAYS_OF[unit_of(word.strip("?!.,"))])
    except StopIteration:
        return None


# --- rolling ----------------------------------------------------------------------------------------
_ROLLING = (
    pattern(
        r"\b(?:за|в)\s+(?:все\s+)?(?P<count><\d+>)\s+(?:последн|прошл|предыдущ|минувш|прошедш)[а-я]+\s+UNIT"
    ),
    pattern(r"\b(?:за|в)\s+(?:прошедш|минувш)[а-я]+\s+LENGTH"),
    pattern(r"(?:\b(?:за|в|в\s+течение|на\s+протяжении)\s+)?\bпоследн[а-я]+\s+LENGTH"),
    pattern(r"(?:\b(?:за|в)\s+)?\b(?:прошлые|предыдущие|минувшие|прошедшие)\s+COUNTED"),
    pattern(r"(?:\b(?:over|in|for|during|within)\s+)?\b(?:the\s+)?(?:<\d+>\s+)?(?:past|trailing)\s+LENGTH"),
    pattern(r"(?:\b(?:over|in|for|during|within)\s+)?\bthe\s+(?:last|previous)\s+LENGTH"),
    pattern(r"\b(?:last|previous)\s+COUNTED"),
)
_TTM = re.compile(r"\b[lt]tm\b")
_SO_FAR = pattern(r"(?:(?:this|my|the)\s+)?\bUNIT\s+so\s+far\b")
_DATED = re.compile(r"\b(?P<to>year|month|quarter|week)\s+to\s+date\b|\b(?P<short>[ymqw])td\b")
_SHORT = {"y": "year", "m": "month", "q": "quarter", "w": "week"}


def _rolling_back(said: Marked, today: date) -> Period | None:
    del today
    if match := _TTM.search(said.text):
        said.strike(match)
        return Period(365)
    for regex in _ROLLING:
        for match in regex.finditer(said.text):
            groups = match.groupdict()
            length = groups.get("length") or f"{groups.get('count')} {groups.get('unit')}"
            if (days := days_in(said, length)) is not None:
                said.strike(match)
                return Period(days)
    return None


def _to_date(said: Marked, today: date) -> Period | None:
    """ "year to date", "ytd", "this year so far"."""
    if match := _DATED.search(said.text):
        unit = match["to"] or _SHORT[match["short"]]
    elif (match := _SO_FAR.search(said.text)) and match["unit"]:
        unit = unit_of(match["unit"])
    else:
        return None
    begun = read_stretch(Marked(f"this {unit}", (), ()), 0, today=today, is_ahead=False)
    if begun is None:
        return None
    said.strike(match)
    return Period((today - begun.first).days + 1, (begun.first, today))


# --- others -----------------------------------------------------------------------------------------
_DAY_BEFORE = re.compile(r"\b(?:позавчера|вчера|yesterday)\b")
_AGO = pattern(r"(?<!\w)LENGTH\s+(?:назад|ago)\b")
_BARE = (
    pattern(r"\b(?:за|for|over|in|during)\s+(?:the\s+|весь\s+|целый\s+)?LENGTH"),
    pattern(r"\b(?:в\s+течение|на\s+протяжении)\s+LENGTH"),
    pattern(r"\bна\s+той\s+LENGTH"),
    pattern(r"\b(?:весь|целый|всю|целую|a\s+whole|the\s+whole)\s+LENGTH"),
    pattern(r"(?<![>\w])(?P<unit>лет|года|месяц[а-я]+|недел[а-я]+|дн[а-я]+)\s+за\s+(?P<count><\d+>)"),
    pattern(r"\bADJECTIVE"),
)


def _ago(said: Marked, today: date) -> Period | None:
    if match := _DAY_BEFORE.search(said.text):
        said.strike(match)
        day = today - timedelta(days=2 if match[0] == "позавчера" else 1)
        return Period(1, (day, day))
    for match in _AGO.finditer(said.text):
        if (days := days_in(said, match["length"])) is not None:
            said.strike(match)
            return Period(days)
    return None


def _bare(said: Marked, today: date) -> Period | None:
    """ "за год", "for three months": back, unless the intent looks ahead."""
    del today
    for regex in _BARE:
        for match in regex.finditer(said.text):
            groups = match.groupdict()
            length = groups.get("length") or f"{groups.get('count')} {groups.get('unit')}"
            if (days := days_in(said, length)) is not None:
                said.strike(match)
                return Period(days, bare_days=days)
    return None
