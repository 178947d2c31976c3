"""Russian agreement: the form of a noun after a number, number words, the case after a preposition, titles in a case.

Nouns that answers count stand in a table. Any other is asked of pymorphy3 where it is installed, of a table of endings
else. A title is inflected only where it is a known noun with a name in quotes ("карта «Всё включено»").
"""

import re
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from nextbest.charts_page.numbers import russian_form
from nextbest.text.number_words import ONES_RU, ONES_RU_GENITIVE, TENS_RU, TENS_RU_GENITIVE
from nextbest.text.russian_dictionary import dictionary

Case = Literal["nominative", "genitive", "accusative"]
Gender = Literal["masculine", "feminine", "neuter"]


class Forms(NamedTuple):
    """A noun as it stands after numbers."""

    one: str
    """After 1: "год"."""
    few: str
    """After 2-4 and fractions, which is its genitive: "года"."""
    many: str
    """After 5-20 and 0, the plural's genitive: "лет"."""
    one_accusative: str
    """After 1 where it is what happens to: "неделю"."""
    gender: Gender = "masculine"


def _masculine(one: str, few: str, many: str) -> Forms:
    return Forms(one, few, many, one)


NOUNS: dict[str, Forms] = {
    "год": _masculine("год", "года", "лет"),
    "месяц": _masculine("месяц", "месяца", "месяцев"),
    "неделя": Forms("неделя", "недели", "недель", "неделю", "feminine"),
    "день": _masculine("день", "дня", "дней"),
    "процент": _masculine("процент", "процента", "процентов"),
    "базисный пункт": _masculine("базисный пункт", "базисных пункта", "базисных пунктов"),
    "рубль": _masculine("рубль", "рубля", "рублей"),
    "доллар": _masculine("доллар", "доллара", "долларов"),
    "евро": Forms("евро", "евро", "евро", "евро", "neuter"),
    "фунт": _masculine("фунт", "фунта", "фунтов"),
    "юань": _masculine("юань", "юаня", "юаней"),
    "иена": Forms("иена", "иены", "иен", "иену", "feminine"),
    "тенге": Forms("тенге", "тенге", "тенге", "тенге", "neuter"),
    "тысяча": Forms("тысяча", "тысячи", "тысяч", "тысячу", "feminine"),
    "миллион": _masculine("миллион", "миллиона", "миллионов"),
    "миллиард": _masculine("миллиард", "миллиарда", "миллиардов"),
    "вариант": _masculine("вариант", "варианта", "вариантов"),
    "продукт": _masculine("продукт", "продукта", "продуктов"),
    "товар": _masculine("товар", "товара", "товаров"),
    "раз": _masculine("раз", "раза", "раз"),
}
_CASES: dict[Case, str] = {"nominative": "nomn", "genitive": "gent", "accusative": "accs"}
_HISSING, _VELAR = "жшщч", "гкхжшщч"
_OTHER_GENDER: dict[tuple[int, Gender], str] = {
    (1, "feminine"): "одна",
    (1, "neuter"): "одно",
    (2, "feminine"): "две",
}
_WANTS_GENITIVE = re.compile(
    r"(?:^|[^\w])(?:до|из|от|с|со|без|для|после|около|более|менее|больше|меньше|свыше|порядка|выше|ниже|дольше|раньше|позже|"
    r"в\s+течение|на\s+протяжении|сроком\s+до|кроме|вместо|у)\s+$",
    re.IGNORECASE,
)
_WANTS_ACCUSATIVE = re.compile(r"(?:^|[^\w])(?:за|через|на|в|спустя|про)\s+$", re.IGNORECASE)
_NAMED = re.compile(r"(?P<noun>[А-Яа-яЁё]+) (?P<name>[«\"“„].+[»\"”“])")


def agreed(n: float, noun: str, *, case: Case = "nominative") -> str:
    """A noun as it stands after a number.

    Parameters
    ----------
    n
        Any number; a fraction asks for the genitive.
    noun
        Its dictionary form.
    case
        Of the whole: "до 3 лет" is genitive, "за 1 неделю" accusative.

    >>> [agreed(n, "год") for n in (1, 2, 5, 11, 21, 1.5)]
    ['год', 'года', 'лет', 'лет', 'год', 'года']
    >>> agreed(1, "неделя", case="accusative"), agreed(3, "год", case="genitive")
    ('неделю', 'лет')
    """
    forms, form = noun_forms(noun), russian_form(n)
    if form == "one":
        return {"nominative": forms.one, "genitive": forms.few, "accusative": forms.one_accusative}[case]
    is_fraction = n != int(n)
    return forms.few if form == "few" and (case != "genitive" or is_fraction) else forms.many


@lru_cache(maxsize=4096)
def noun_forms(noun: str) -> Forms:
    """The forms of a noun: of the table, of pymorphy3, or by its ending."""
    known = NOUNS.get(noun)
    return known or _looked_up(noun) or by_ending(noun)


def by_ending(noun: str) -> Forms:
    """The forms that a noun's ending suggests; right for regular nouns.

    >>> by_ending("игра").many, by_ending("книга").few, by_ending("подписка").many, by_ending("сервис").many
    ('игр', 'книги', 'подписок', 'сервисов')
    """
    stem, last = noun[:-1], noun[-1:]
    if last in "ая":
        few = stem + ("и" if last == "я" or stem[-1:] in _VELAR else "ы")
        return Forms(noun, few, _without_vowel(stem, last), stem + {"а": "у", "я": "ю"}[last], "feminine")
    if last == "ь":
        return Forms(noun, stem + "и", stem + "ей", noun, "feminine")
    if last == "й":
        return _masculine(noun, stem + "я", stem + "ев")
    if last in "ое":
        many = stem if last == "о" else stem + ("й" if stem[-1:] == "и" else "ей")
        return Forms(noun, stem + {"о": "а", "е": "я"}[last], many, noun, "neuter")
    return _masculine(noun, noun + "а", noun + ("ей" if last in _HISSING else "ов"))


def _without_vowel(stem: str, last: str) -> str:
    """The plural's genitive of a noun in -а, -я: "игр", "недель", "карточек"."""
    if last == "я":
        return stem + ("й" if stem[-1:] == "и" else "ь")
    if re.search(r"[бвгджзклмнпрстфхцчшщ]к$", stem):
        return stem[:-1] + ("е" if stem[-2] in _HISSING else "о") + "к"
    return stem


def in_words(n: int, *, gender: Gender = "masculine", case: Case = "nominative") -> str | None:
    """A whole number from 0 to 100 in words; None beyond.

    >>> in_words(2, gender="feminine"), in_words(35), in_words(21, case="genitive")
    ('две', 'тридцать пять', 'двадцати одного')
    """
    if not 0 <= n <= 100:
        return None
    ones, tens = (ONES_RU_GENITIVE, TENS_RU_GENITIVE) if case == "genitive" else (ONES_RU, TENS_RU)
    if n < 20:
        return ones[n] if case == "genitive" else _OTHER_GENDER.get((n, gender), ones[n])
    rest = n % 10 if n < 100 else 0
    said = tens[n // 10 - 2]
    if not rest:
        return said
    return f"{said} {ones[rest] if case == 'genitive' else _OTHER_GENDER.get((rest, gender), ones[rest])}"


def case_after(text: str) -> Case:
    """The case that the end of a text asks of a number with its noun: after "до " the genitive.

    >>> case_after("не больше "), case_after("это займёт ")
    ('genitive', 'nominative')
    """
    if _WANTS_GENITIVE.search(text):
        return "genitive"
    return "accusative" if _WANTS_ACCUSATIVE.search(text) else "nominative"


@lru_cache(maxsize=4096)
def declined(title: str, case: Case) -> str | None:
    """A title in a case, if that is safe: a noun of the dictionary before a name in quotes; None else.

    >>> declined("Hades II", "genitive") is None
    True
    """
    found = _NAMED.fullmatch(title)
    if found is None:
        return None
    forms = _case_forms(found["noun"].lower())
    if forms is None:
        return None
    said = forms[case]
    return f"{said.capitalize() if found['noun'][0].isupper() else said} {found['name']}"


def _nominative(noun: str) -> Any:
    """The one reading of a word as a noun in the nominative singular; None where it has none or the word is unknown."""
    analyzer = dictionary()
    if analyzer is None or not analyzer.word_is_known(noun):
        return None
    readings = [r for r in analyzer.parse(noun) if {"NOUN", "nomn", "sing"} <= set(r.tag.grammemes)]
    return readings[0] if readings else None


def _looked_up(noun: str) -> Forms | None:
    reading = _nominative(noun)
    if reading is None:
        return None
    one, few, many = (reading.make_agree_with_number(n).word for n in (1, 2, 5))
    accusative = reading.inflect({"accs", "sing"})
    genders: dict[str, Gender] = {"masc": "masculine", "femn": "feminine", "neut": "neuter"}
    gender = genders.get(str(reading.tag.gender), "masculine")
    if gender == "masculine" and "inan" in reading.tag.grammemes:
        return Forms(one, few, many, one, gender)
    return Forms(one, few, many, accusative.word if accusative else one, gender)


def _case_forms(noun: str) -> dict[Case, str] | None:
    """A noun's singular by case; None where the dictionary has no single answer."""
    reading = _nominative(noun)
    if reading is None:
        return None
    made: dict[Case, str] = {}
    for case, tag in _CASES.items():
        word = reading.inflect({tag, "sing"})
        if word is None:
            return None
        made[case] = word.word
    return made
