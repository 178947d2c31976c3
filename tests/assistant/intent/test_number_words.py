"""Numbers in words and digits: every Russian case, both languages' scales, and the law that what is written is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.assistant.intent.number_words import find_numbers, folded

ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
ONES_RU = "ноль один два три четыре пять шесть семь восемь девять десять одиннадцать двенадцать тринадцать четырнадцать пятнадцать шестнадцать семнадцать восемнадцать девятнадцать"
TENS_RU = "двадцать тридцать сорок пятьдесят шестьдесят семьдесят восемьдесят девяносто"
HUNDREDS_RU = "сто двести триста четыреста пятьсот шестьсот семьсот восемьсот девятьсот"


def in_english(value: int) -> str:
    """0 to 999,999 in words, plainly."""
    if value >= 1000:
        rest = value % 1000
        return f"{in_english(value // 1000)} thousand" + (f" {in_english(rest)}" if rest else "")
    if value >= 100:
        rest = value % 100
        return f"{ONES.split()[value // 100]} hundred" + (f" and {in_english(rest)}" if rest else "")
    if value >= 20:
        return TENS.split()[value // 10 - 2] + (f"-{ONES.split()[value % 10]}" if value % 10 else "")
    return ONES.split()[value]


def in_russian(value: int) -> str:
    """0 to 999,999 in words, plainly; the form of "тысяча" doesn't matter here."""
    if value >= 1000:
        rest = value % 1000
        return f"{in_russian(value // 1000)} тысяч" + (f" {in_russian(rest)}" if rest else "")
    if value >= 100:
        rest = value % 100
        return HUNDREDS_RU.split()[value // 100 - 1] + (f" {in_russian(rest)}" if rest else "")
    if value >= 20:
        return TENS_RU.split()[value // 10 - 2] + (f" {ONES_RU.split()[value % 10]}" if value % 10 else "")
    return ONES_RU.split()[value]


def values(text: str) -> list[float]:
    return [number.value for number in find_numbers(folded(text))]


@given(st.integers(0, 999_999))
def test_a_number_in_words_is_read_as_written(value: int) -> None:
    assert values(in_english(value)) == [value]
    assert values(in_russian(value)) == [value]


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("с двумястами пятьюдесятью тысячами", 250_000),
        ("около ста", 100),
        ("трёхсот сорока", 340),
        ("к семи", 7),
        ("одиннадцатью", 11),
        ("девяноста девяти", 99),
        ("полутора тысяч", 1_500),
        ("полмиллиона", 500_000),
        ("половина миллиона", 500_000),
        ("три с половиной тысячи", 3_500),
        ("сотня", 100),
        ("half a million", 500_000),
        ("a hundred", 100),
        ("two and a half million", 2_500_000),
        ("1.5k", 1_500),
        ("12,5 млрд", 12_500_000_000),
    ],
)
def test_cases_halves_and_scales(words: str, value: float) -> None:
    assert values(words) == [value]


@pytest.mark.parametrize(
    "text", ["", "с нами", "dota2", "c000003", "сотовый", "тоннель", "done", "often", "стол"]
)
def test_a_text_without_a_number_has_none(text: str) -> None:
    assert values(text) == []


def test_every_case_of_every_number_word_is_known() -> None:
    morph = pytest.importorskip("pymorphy3").MorphAnalyzer()
    words = [*ONES_RU.split(), *TENS_RU.split(), *HUNDREDS_RU.split()]
    for value, word in zip([*range(20), *range(20, 100, 10), *range(100, 1000, 100)], words, strict=True):
        parse = next(p for p in morph.parse(word) if "NUMR" in p.tag or "Apro" in p.tag or word == "ноль")
        for case in ("nomn", "gent", "datv", "accs", "ablt", "loct"):
            form = parse.inflect({case})
            assert form is not None, (word, case)
            assert values(form.word) == [value], (word, case, form.word)


@given(st.text(max_size=200))
def test_numbers_lie_in_order_inside_the_text(text: str) -> None:
    plain = folded(text)
    assert len(plain) == len(text)
    at = 0
    for number in find_numbers(plain):
        assert at <= number.start < number.end <= len(plain)
        at = number.end
