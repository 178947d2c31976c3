"""Numbers as people write them: digits with their marks, words of both languages in every case, thousands and millions.

"полмиллиона" and "half a million" are 500,000, "два с половиной миллиона" is 2,500,000, "10 000" and "10,000" are ten
thousand. Knows nothing of money or time; those modules ask for the numbers and look at the words around them.
"""

import re
from dataclasses import dataclass

from nextbest.text.number_words import SCALES, UNITS

_SLANG = ((1e3, r"косар(?:ь|я|ей|и)|т(?=\.?\s?р\b)"), (1e6, r"mils?"))
"""Scales that are said in haste, and only after a number."""
_SCALE = re.compile(
    r"\s*(?:"
    + "|".join(f"(?P<s{i}>{words})" for i, (_, words) in enumerate((*SCALES, *_SLANG)))
    + r")(?:(?![^\W\d_])|(?=р\b))\.?"
)
_DIGITS = re.compile(
    r"(?<![\w.,])(?:\d{1,3}(?:\.\d{3}){2,}|\d{1,3}\.\d00(?![\d.,])|\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?:[.,]\d+)?|\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?)"
    r"(?![\d])"
)
_WORD = re.compile(r"[^\W\d_]+")
_HALF = re.compile(
    r"\b(?:пол[-\s]?(?=(?:миллион|миллиард|тысяч|лям[ау])[а-я]*)|полови[нуае]+\s+(?=миллион|миллиард)|"
    r"half\s+(?:of\s+)?(?:an?\s+)?(?=thousand|million|billion)|"
    r"(?P<quarter>четверт(?:ь|и|ью)\s+(?=миллион|миллиард|лям)|quarter\s+(?:of\s+)?(?:an?\s+)?(?=million|billion)))"
)
_AND_A_HALF = re.compile(r"\s+(?:с\s+половиной|and\s+a\s+half)\b")


_MOST = 1e100
"""Of digits alone: a longer row of them is no number of anything, and must not become infinite."""


@dataclass(frozen=True, slots=True)
class Number:
    """One number of a text."""

    value: float
    start: int
    end: int
    """Characters of the text; the words of scale ("тысяч") are inside."""
    has_scale: bool = False
    """Thousands, millions or more were said in words or letters."""
    is_word: bool = False
    """Written out, no digits."""


def folded(text: str) -> str:
    """Lower case with е for ё, of the same length, so that places of one are places of the other."""
    lowered = "".join(low if len(low := char.lower()) == 1 else char for char in text)
    return lowered.replace("ё", "е")


def find_numbers(text: str) -> tuple[Number, ...]:
    """Numbers of a text from left to right, none overlapping.

    Parameters
    ----------
    text
        As `folded` returns it.

    Notes
    -----
    A scale alone is a number ("тысяча долларов" is 1,000); a letter as scale ("100к", "1.5k", "2m") only right after
    digits. Two numbers side by side that don't add up ("два 5") stay two.

    >>> [(n.value, n.has_scale) for n in find_numbers("два с половиной миллиона, 10 000 и полтора")]
    [(2500000.0, True), (10000.0, False), (1.5, False)]
    """
    found: list[Number] = []
    at = 0
    while at < len(text):
        number = _read(text, at)
        if number is None:
            break
        before = found[-1] if found else None
        if before is not None and _is_about(text, before, number):  # "тысяч до семи", "тысяч двадцать"
            number = Number(
                before.value * number.value, before.start, number.end, has_scale=True, is_word=True
            )
            found.pop()
        elif before is not None and _goes_on(text, before, number):
            number = Number(before.value + number.value, before.start, number.end, has_scale=True)
            found.pop()
        found.append(number)
        at = number.end
    return tuple(found)


def _goes_on(text: str, before: Number, number: Number) -> bool:
    """Whether thousands follow millions in digits: "1 млн 200 тыс"."""
    if before.is_word or number.is_word or not (before.has_scale and number.has_scale):
        return False
    return text[before.end : number.start].isspace() and before.value >= 1e6 > number.value


_ABOUT = frozenset({"тысяч", "тыщ", "миллионов"})
"""A scale in the case that only a number before it or after it asks for: "миллионов восемь"."""
_OF_TIME = re.compile(r"\s*(?:д(?:ень|ня|ней)|недел|месяц|год|лет\b|квартал)")
_ROUGH = re.compile(r"(?:тысяч|тыщ|миллионов|тысячи(?=\s+(?:за|до)\s))(?:\s+(?:до|за|на|в|по|под|около))?\s+")


def _is_about(text: str, before: Number, number: Number) -> bool:
    """Whether a scale stands before its number, as in Russian of what is only about so much."""
    if number.has_scale or not before.is_word or before.value not in (1e3, 1e6) or number.value >= 1000:
        return False
    if " за " in text[before.start : number.start] and _OF_TIME.match(text, number.end):
        return False  # "тысячи за три года"
    return _ROUGH.fullmatch(text, before.start, number.start) is not None


def _read(text: str, at: int) -> Number | None:
    """The first number at or after a place."""
    digits = _DIGITS.search(text, at)
    half = _HALF.search(text, at)
    word = next(
        (w for w in _WORD.finditer(text, at) if w[0] in UNITS or w[0] == "hundred" or _is_scale_word(w[0])),
        None,
    )
    starts = [m for m in (digits, half, word) if m is not None]
    if not starts:
        return None
    first = min(starts, key=lambda m: m.start())
    if first is digits:
        return _with_scale(text, _digits_value(first[0]), first.start(), first.end(), is_word=False)
    if first is half:
        return _with_scale(text, 0.25 if first["quarter"] else 0.5, first.start(), first.end(), is_word=True)
    return _words(text, first.start())


def _is_scale_word(word: str) -> bool:
    return (
        len(word) > 2
        and _size(word) is not None
        and word not in {"тыс", "mio", "mil"}
        and word[:5] != "косар"
    )


def _digits_value(said: str) -> float:
    """ "10 000", "10,000", "1,5" and "1.5" as numbers: a comma before three digits parts thousands, else the fraction."""
    plain = re.sub(r"[ \u00a0\u202f]", "", said)
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", plain):
        plain = plain.replace(",", "")
    elif re.fullmatch(r"\d{1,3}(\.\d{3}){2,}|\d{1,3}\.\d00", plain):  # "1.500.000", "100.000"
        plain = plain.replace(".", "")
    return min(float(plain.replace(",", ".")), _MOST)


def _with_scale(text: str, value: float, start: int, end: int, *, is_word: bool) -> Number:
    """A number with the half and the scales that follow it: "2 с половиной тысячи миллионов"."""
    if more := _AND_A_HALF.match(text, end):
        scale = _SCALE.match(text, more.end())
        if scale or is_word or re.match(r"\s+(?:год|лет|мес|year|month)", text[more.end() :]):
            value, end = value + 0.5, more.end()
    has_scale = False
    while scale := _SCALE.match(text, end):
        letter = scale[0].strip(" .")
        is_english = is_word and letter == "k" and text[start:end].isascii()  # "fifty k"
        if len(letter) == 1 and letter != "т" and not is_english and (is_word or scale[0][0].isspace()):
            break  # "2 к 3" is no two thousand
        value *= _size_of(scale)
        has_scale, end = True, scale.end() - (scale[0].endswith(".") and _ends_sentence(text, scale.end()))
    return Number(value, start, end, has_scale, is_word)


def _ends_sentence(text: str, end: int) -> bool:
    """Whether the dot before `end` is the sentence's and not the abbreviation's."""
    return end >= len(text) or text[end : end + 1].isspace() is False


def _words(text: str, start: int) -> Number:
    """A number in words from `start`: "триста пятьдесят две тысячи", "one hundred and twenty"."""
    total, part, size, end, last, has_scale = 0.0, 0.0, 1.0, start, float("inf"), False
    at = start
    while word := _WORD.match(text, at):
        said = word[0]
        if said == "and" and part and (after := _WORD.match(text, _skip(text, word.end()))):
            half = _AND_A_HALF.match(text, end)
            if half or after[0] not in UNITS or part < 100:
                break
            at = after.start()
            continue
        if said == "hundred" and 1 <= part < 10:
            part, last = part * 100, 100
        elif said == "hundred" and not part:
            part, last = 100, 100
        elif said in UNITS and _adds(UNITS[said], last, part):
            part, last = part + UNITS[said], UNITS[said]
        elif not part and not total and said in _ABOUT:
            return Number(_size(said) or 1.0, start, word.end(), has_scale=True, is_word=True)
        elif (scale := _size(said)) and (part or not total) and (part or _is_scale_word(said)):
            size, total, part, last, has_scale = scale, total + (part or 1) * scale, 0.0, float("inf"), True
        else:
            break
        end = word.end()
        at = _skip(text, end)
    if not has_scale:
        return _with_scale(text, part, start, end, is_word=True)
    if size >= 1e6 and 100 <= part < 1000 and not text[start:end].isascii():
        part *= size / 1000  # "миллион двести" leaves the thousands out
    number = Number(total + part, start, end, has_scale=True, is_word=True)
    more = _AND_A_HALF.match(text, end)
    if more is None or part:
        return number
    return Number(total + size / 2, start, more.end(), has_scale=True, is_word=True)


def _adds(value: float, last: float, part: float) -> bool:
    """Whether a word goes on the number before it: hundreds, then tens, then ones."""
    if not part:
        return True
    if value != int(value) or last < 20:
        return False
    return value < 100 if last >= 100 else value < 10


def _size(word: str) -> float | None:
    match = _SCALE.fullmatch(word)
    if match is None or len(word) < 2:
        return None
    return _size_of(match)


def _size_of(scale: re.Match[str]) -> float:
    return next(size for i, (size, _) in enumerate((*SCALES, *_SLANG)) if scale[f"s{i}"])


def _skip(text: str, at: int) -> int:
    """Past blanks and a hyphen: "twenty-five"."""
    while at < len(text) and text[at] in " \u00a0-":
        at += 1
    return at
