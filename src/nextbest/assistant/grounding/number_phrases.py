"""One number from where it starts: digits with their marks, or words of both languages in every case, up to the scale.

"двадцати пяти", "полтора миллиона", "двенадцать целых три десятых", "twenty-first", "two thirds". Knows no units.
"""

import re
from dataclasses import dataclass

from nextbest.text.number_words import SCALES, UNITS, VAGUE, ordinal_value

_DIGITS = re.compile(
    r"\d{1,3}(?:[ \u00a0\u202f\u2009'’]\d{3})+(?!\d)(?:[.,]\d+(?!\d))?"
    r"|\d{1,3}(?:,\d{3}){2,}(?!\d)(?:\.\d+)?|\d{1,3}(?:\.\d{3}){2,}(?!\d)(?:,\d+)?"
    r"|\d{1,3},\d{3}\.\d+|\d+[.,]\d+(?![.,]?\d)|\d+"
)
_WORD = re.compile(r"[^\W\d_]+")
_GAP = re.compile(r"[\s\u00a0]*[-‐‑]?[\s\u00a0]*")
_ORDINAL_MARK = re.compile(
    r"(?:[-‐‑]?(?:ый|ий|ой|ая|ое|ые|ого|его|ому|ему|ым|ую|[йеяюм]|го|му)|st|nd|rd|th)(?!\w)"
)
_CARDINAL_MARK = re.compile(r"[-‐‑](?:ти|и|мя|х|ми|ью|ех|ем)(?!\w)")
_GLUED_SCALE = re.compile(r"(k|к|m|mn|mln|bn|b|тыс|млн|млрд|трлн)(?![^\W\d_])\.?")
_ABBREVIATED = frozenset({"тыс", "млн", "млрд", "трлн", "mln", "bn"})
_GOES_ON = re.compile(r"\.[\s\u00a0]*[a-zа-я₽$€£%]")
"""A dot of an abbreviation: something follows that isn't a new sentence's number or the end."""
_SCALE = re.compile("|".join(f"(?P<s{i}>{words})" for i, (_, words) in enumerate(SCALES)))
_AND_A_HALF = re.compile(r"[\s\u00a0]+(?:с[\s\u00a0]+половиной|and[\s\u00a0]+a[\s\u00a0]+half)(?!\w)")
_FRACTIONS = (
    (1 / 2, r"половин(?:а|ы|е|у|ой|ою|ка|ку|ки)|half|halves"),
    (1 / 3, r"треть|трети|третей|thirds"),
    (1 / 4, r"четверт(?:ь|и|ью|ей)|quarters?"),
)
_DENOMINATORS = (
    (1 / 3, r"треть[яюей]|третьих|third"),
    (1 / 5, r"пят(?:ая|ой|ую|ых)|fifths?"),
    (1 / 6, r"шест(?:ая|ой|ую|ых)|sixths?"),
    (1 / 8, r"восьм(?:ая|ой|ую|ых)|eighths?"),
    (1 / 10, r"десят(?:ая|ой|ую|ых)|tenths?"),
    (1 / 100, r"сот(?:ая|ой|ую|ых)|hundredths?"),
    (1 / 1000, r"тысячн(?:ая|ой|ую|ых)|thousandths?"),
)
_FRACTION = re.compile("|".join(f"(?P<f{i}>{words})" for i, (_, words) in enumerate(_FRACTIONS)))
_DENOMINATOR = re.compile("|".join(f"(?P<d{i}>{words})" for i, (_, words) in enumerate(_DENOMINATORS)))
_WHOLE = re.compile(r"цел(?:ая|ой|ую|ых)|point")
_HALF_PREFIX = re.compile(
    r"пол(?=(?:миллион|миллиард|тысяч|год|месяц|процент|час|недел|рубл|евро|доллар)\w*)|полу(?=годи|год)"
)
_TIMES = {
    "вдвое": 2, "вдвоем": None, "дважды": 2, "twice": 2, "double": 2, "doubled": 2, "doubles": 2, "twofold": 2,
    "удвоил": 2, "удвоила": 2, "удвоился": 2, "удвоилась": 2, "удвоилось": 2, "удвоились": 2, "двукратный": 2,
    "двойной": 2, "двойная": 2, "двойную": 2, "двойное": 2, "втрое": 3, "трижды": 3, "thrice": 3, "triple": 3,
    "tripled": 3, "triples": 3, "threefold": 3, "утроил": 3, "утроила": 3, "утроился": 3, "утроилась": 3,
    "вчетверо": 4, "четырежды": 4, "quadrupled": 4, "fourfold": 4, "впятеро": 5, "вшестеро": 6, "вдесятеро": 10,
    "tenfold": 10,
}  # fmt: skip
_SIGNS = {"½": 0.5, "¼": 0.25, "¾": 0.75, "⅓": 1 / 3, "⅔": 2 / 3, "⅛": 0.125}


@dataclass(frozen=True, slots=True)
class Spoken:
    """One number before its unit is known."""

    value: float
    start: int
    end: int
    step: float
    """Value of one in the last place said: 0.1 of "12,3", 1,000 of "15 тыс."; 0.01 of a fraction in words."""
    is_word: bool = False
    is_ordinal: bool = False
    is_fraction: bool = False
    """A share in words: half, two thirds."""
    is_times: bool = False
    is_alone_one: bool = False
    """"один", "one": more often a pronoun than a count."""
    other: float | None = None
    """The other reading of "1,234"."""


def spoken_at(text: str, at: int, *, comma_groups: bool) -> Spoken | None:
    """The number that starts just here, None if none does.

    Parameters
    ----------
    text
        Folded: lower case, е for ё.
    at
        Where a word or a run of digits starts.
    comma_groups
        Whether "1,234" is first of all 1234, as in English.
    """
    if digits := _DIGITS.match(text, at):
        return _digits(text, digits, comma_groups)
    if text[at] in _SIGNS:
        return Spoken(_SIGNS[text[at]], at, at + 1, 0.01, is_fraction=True)
    word = _WORD.match(text, at)
    return None if word is None else _words(text, word)


def _digits(text: str, match: re.Match[str], comma_groups: bool) -> Spoken:
    said, end = re.sub(r"[ \u00a0\u202f\u2009'’]", "", match[0]), match.end()
    other: float | None = None
    if re.fullmatch(r"\d{1,3}(,\d{3}){2,}(\.\d+)?|\d{1,3},\d{3}\.\d+", said):
        said = said.replace(",", "")
    elif re.fullmatch(r"\d{1,3}(\.\d{3}){2,}(,\d+)?", said):
        said = said.replace(".", "").replace(",", ".")
    elif re.fullmatch(r"\d{1,3},\d{3}", said) and comma_groups:
        said, other = said.replace(",", ""), float(said.replace(",", "."))
    elif re.fullmatch(r"\d{1,3}[.,]\d{3}", said):
        other = float(re.sub(r"[.,]", "", said))
    said = said.replace(",", ".")
    step = 10.0 ** -len(said.partition(".")[2])
    value = float(said)
    if mark := _CARDINAL_MARK.match(text, end):
        end = mark.end()
    elif "." not in said and (mark := _ORDINAL_MARK.match(text, end)):
        return Spoken(value, match.start(), mark.end(), step, is_ordinal=True)
    if half := _AND_A_HALF.match(text, end):
        value, end, step = value + 0.5, half.end(), 0.1
    if glued := _GLUED_SCALE.match(text, end):
        size = _size(glued[1].replace("к", "k"))
        end += len(glued[0].rstrip("."))
        end += glued[1] in _ABBREVIATED and _GOES_ON.match(text, end) is not None
        return Spoken(value * (size or 1), match.start(), end, step * (size or 1))
    value, step, end = _scaled(text, value, step, end)
    return Spoken(value, match.start(), end, step, other=other)


def _scaled(text: str, value: float, step: float, end: int) -> tuple[float, float, int]:
    """With the words of scale that follow."""
    while word := _WORD.match(text, _GAP.match(text, end).end()):  # type: ignore[union-attr]
        size = _size(word[0]) if len(word[0]) > 1 else None
        if size is None:
            break
        value, step, end = value * size, step * size, word.end()
        end += word[0] in _ABBREVIATED and _GOES_ON.match(text, end) is not None
    return value, step, end


def _size(word: str) -> float | None:
    match = _SCALE.fullmatch(word)
    return None if match is None else next(size for i, (size, _) in enumerate(SCALES) if match[f"s{i}"])


def _words(text: str, first: re.Match[str]) -> Spoken | None:
    start, word = first.start(), first[0]
    if word in _TIMES:
        times = _TIMES[word]
        return None if times is None else Spoken(times, start, first.end(), 0.1, is_word=True, is_times=True)
    if prefix := _HALF_PREFIX.match(word):
        end = start + prefix.end()
        rest = _WORD.match(text, end)
        size = _size(rest[0]) if rest else None
        if size is not None and rest is not None:
            return Spoken(size / 2, start, rest.end(), size / 10, is_word=True)
        return Spoken(0.5, start, end, 0.01, is_word=True)
    if match := _FRACTION.fullmatch(word):
        share = next(value for i, (value, _) in enumerate(_FRACTIONS) if match[f"f{i}"])
        end = first.end()
        if word == "half" and (
            more := re.compile(r"\s+(?:of\s+)?an?\s+(?=thousand|million|billion)").match(text, end)
        ):
            value, step, end = _scaled(text, share, 0.1, more.end())
            return Spoken(value, start, end, step, is_word=True)
        value, step, end = _scaled(text, share, 0.01, end)
        return Spoken(value, start, end, step, is_word=True, is_fraction=value == share)
    return _cardinal(text, start)


def _cardinal(text: str, start: int) -> Spoken | None:
    """A number in words: hundreds, tens and ones, scales; the last word may be an ordinal."""
    total, part, last, step = 0.0, 0.0, float("inf"), 1.0
    at, end, n_words, is_ordinal, part_step = start, start, 0, False, 1.0
    while word := _WORD.match(text, at):
        said = word[0]
        value = None if said in VAGUE else UNITS.get(said)
        if (
            said == "and"
            and (part >= 100 or (total and not part))
            and (after := _WORD.match(text, _skip(text, word.end())))
        ):
            if after[0] not in UNITS:
                break
            at = after.start()
            continue
        if said == "hundred" and (1 <= part < 10 or not part):
            part, last = (part or 1) * 100, 100
        elif value is not None and (not part or _adds(value, last)):
            part, last = part + value, value
            step, part_step = 1.0, 0.1 if value != int(value) else 1.0
        elif (size := _size(said) if len(said) > 1 else None) and (part or not total):
            total, part, last, step = total + (part or 1) * size, 0.0, float("inf"), size
        elif (place := ordinal_value(said)) is not None and (
            not n_words or _adds(place, last) or (total and not part)
        ):
            part, end, is_ordinal, n_words = part + place, word.end(), True, n_words + 1
            break
        else:
            break
        end, n_words = word.end(), n_words + 1
        at = _skip(text, end)
    if not n_words:
        return None
    spoken = Spoken(
        total + part, start, end, part_step if part else step, is_word=True, is_ordinal=is_ordinal,
        is_alone_one=n_words == 1 and part == 1 and not is_ordinal,
    )  # fmt: skip
    return spoken if is_ordinal else _with_parts(text, spoken, total, part)


def _with_parts(text: str, whole: Spoken, total: float, part: float) -> Spoken:
    """With what follows of fractions: "с половиной", "целых три десятых", "трети", "point three"."""
    if half := _AND_A_HALF.match(text, whole.end):
        value = total * 1.5 if total and not part else whole.value + 0.5
        value, step, end = _scaled(text, value, 0.1, half.end())
        return Spoken(value, whole.start, end, step, is_word=True)
    word = _WORD.match(text, _skip(text, whole.end))
    if word is None:
        return whole
    if match := _FRACTION.fullmatch(word[0]):
        share = next(value for i, (value, _) in enumerate(_FRACTIONS) if match[f"f{i}"])
        return Spoken(whole.value * share, whole.start, word.end(), 0.01, is_word=True, is_fraction=True)
    if (match := _DENOMINATOR.fullmatch(word[0])) and whole.value < 100:
        share = next(value for i, (value, _) in enumerate(_DENOMINATORS) if match[f"d{i}"])
        is_decimal = share in {0.1, 0.01, 0.001}
        return Spoken(
            whole.value * share, whole.start, word.end(), share if is_decimal else 0.01, is_word=True,
            is_fraction=not is_decimal,
        )  # fmt: skip
    if _WHOLE.fullmatch(word[0]):
        return _decimal(text, whole, word)
    return whole


def _decimal(text: str, whole: Spoken, word: re.Match[str]) -> Spoken:
    at = _skip(text, word.end())
    if word[0] == "point":
        digits = ""
        end = whole.end
        while (said := _WORD.match(text, at)) and UNITS.get(said[0], 10) < 10 and said[0] not in VAGUE:
            digits, end = digits + str(int(UNITS[said[0]])), said.end()
            at = _skip(text, end)
        if not digits:
            return whole
        return Spoken(
            float(f"{whole.value:.0f}.{digits}"), whole.start, end, 10.0 ** -len(digits), is_word=True
        )
    said = _WORD.match(text, at)
    if said is not None and said[0] == "и":
        at = _skip(text, said.end())
        said = _WORD.match(text, at)
    rest = None if said is None else _cardinal(text, at)
    if rest is None or rest.step >= 1:
        return Spoken(whole.value, whole.start, word.end(), 1.0, is_word=True)
    return Spoken(whole.value + rest.value, whole.start, rest.end, rest.step, is_word=True)


def _adds(value: float, last: float) -> bool:
    """Whether a word goes on the number before it: hundreds, then tens, then ones."""
    if value != int(value) or last < 20 or last == float("inf"):
        return False
    return value < 100 if last >= 100 else value < 10


def _skip(text: str, at: int) -> int:
    """Past blanks and a hyphen: "twenty-five"."""
    return _GAP.match(text, at).end()  # type: ignore[union-attr]
