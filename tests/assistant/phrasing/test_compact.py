"""Results with placeholders for a model, and its words with them filled in."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.phrasing import results as made
from nextbest.assistant.base import LANGUAGES, Figure, ItemFact, Language, ToolResult
from nextbest.assistant.phrasing.compact import Placeholder, compact, fill
from nextbest.assistant.phrasing.rendering import plain


def places(
    *figures: Figure, language: Language = "ru", items: tuple[ItemFact, ...] = ()
) -> dict[str, Placeholder]:
    return compact(
        [ToolResult("portfolio_metrics", "ok", "portfolio", items=items, figures=figures)], language
    )[1]


def figure(value: float, unit: str, period: tuple[date, date] | None = None) -> Figure:
    return Figure("x", value, unit, {"ru": "Доходность", "en": "Return"}, period)


def test_results_are_a_few_lines() -> None:
    text, _ = compact(
        [
            made.recommended(2),
            made.metrics(n_more=0),
            ToolResult("bank_products", "no_data", "products", code="too_short"),
        ],
        "ru",
    )
    assert plain(text).split("\n") == [
        "[recommend_items]",
        "{i1} «Hades II»; {r1} потому что вы выбирали «Hades»",
        "{i2} «Dead Cells»; {r2} часто берут после «Portal 2»",
        "[portfolio_metrics]",
        "{f1} стоимость портфеля = 1 234 568 ₽",
        "{f2} доходность = 12,3 % {p1} за 12 месяцев до 20 ноября 2026",
        "[bank_products] no_data: too_short",
    ]


def test_figures_of_an_item_point_at_it() -> None:
    text, _ = compact([made.bank(1)], "en")
    assert "{f1} probability of taking it = 34% (of {i1})" in text


@pytest.mark.parametrize(
    ("draft", "told"),
    [
        ("Вам подойдёт {i1}, {r1}.", "Вам подойдёт «Hades II», потому что вы выбирали «Hades»."),
        ("Вам подойдёт «{i1}» ({r1}).", "Вам подойдёт «Hades II» (потому что вы выбирали «Hades»)."),
        ("{ I1 } подойдёт, потому что {r1}.", "«Hades II» подойдёт, потому что вы выбирали «Hades»."),
        ("{{i1}}! {r1}.", "«Hades II»! Потому что вы выбирали «Hades»."),
        ("- {r1}: {i1}", "- Потому что вы выбирали «Hades»: «Hades II»"),
    ],
)
def test_names_and_reasons_are_put_in_so_that_the_sentence_holds(draft: str, told: str) -> None:
    filled = fill(draft, compact([made.recommended(1)], "ru")[1])
    assert filled.text == told
    assert filled.is_whole


@pytest.mark.parametrize(
    ("draft", "value", "unit", "told"),
    [
        ("Это {f1}.", 0.123, "fraction", "Это 12,3 %."),
        ("Это {f1} %.", 0.123, "fraction", "Это 12,3 %."),
        ("Это {f1} процентов.", 0.123, "fraction", "Это 12,3 %."),
        ("Портфель потерял {f1}.", -0.032, "fraction", "Портфель потерял 3,2 %."),
        ("Доходность {f1}.", -0.032, "fraction", "Доходность -3,2 %."),
        ("Это займёт до {f1}.", 3, "years", "Это займёт до 3 лет."),
        ("Это займёт {f1} лет.", 3, "years", "Это займёт 3 года."),
        ("За {f1} накопите.", 1, "years", "За 1 год накопите."),
        ("В течение {f1} рост.", 1, "months", "В течение 1 месяца рост."),
        ("Нужно {f1} рублей.", 25000, "RUB", "Нужно 25 000 ₽."),
        ("Нужно {f1} ₽ сразу.", 25000, "RUB", "Нужно 25 000 ₽ сразу."),
        ("{f1} клиентов.", 50, "count", "50 клиентов."),
    ],
)
def test_figures_agree_with_the_words_around_them(draft: str, value: float, unit: str, told: str) -> None:
    assert plain(fill(draft, places(figure(value, unit))).text) == told


@pytest.mark.parametrize(
    ("draft", "told"),
    [
        ("You need ${f1}.", "You need $25,000."),
        ("You need {f1} dollars.", "You need $25,000."),
        ("You need {f1}.", "You need $25,000."),
    ],
)
def test_a_currency_is_said_once(draft: str, told: str) -> None:
    assert fill(draft, places(figure(25000, "USD"), language="en")).text == told


def test_a_period_brings_its_own_preposition() -> None:
    known = places(figure(0.1, "fraction", made.YEAR))
    assert (
        plain(fill("За {p1} доходность {f1}.", known).text)
        == "За 12 месяцев до 20 ноября 2026 доходность 10 %."
    )
    assert (
        plain(fill("Доходность {p1}: {f1}.", known).text)
        == "Доходность за 12 месяцев до 20 ноября 2026: 10 %."
    )


def test_a_sentence_with_an_unknown_placeholder_is_dropped_and_told() -> None:
    filled = fill("Вот {i1}. А ещё {i7}, {f9}. Приятного вечера!", compact([made.recommended(1)], "ru")[1])
    assert filled.text == "Вот «Hades II». Приятного вечера!"
    assert [(f.kind, f.text, f.action) for f in filled.findings] == [
        ("placeholder", "{i7}", "dropped"),
        ("placeholder", "{f9}", "dropped"),
    ]


def test_half_a_placeholder_is_no_text_for_a_client() -> None:
    filled = fill("Вот {i1}. Ещё {i", compact([made.recommended(1)], "ru")[1])
    assert filled.text == "Вот «Hades II»."
    assert [finding.kind for finding in filled.findings] == ["placeholder"]


def test_items_that_were_not_named_are_missing() -> None:
    filled = fill("Вот {i2}.", compact([made.recommended(3)], "ru")[1])
    assert [finding.text for finding in filled.findings] == ["{i1}", "{i3}"]
    assert {finding.kind for finding in filled.findings} == {"missing"}


def test_both_ends_of_a_range_are_needed() -> None:
    text, known = compact([made.forecast()], "en")
    assert "{f2} lower bound" in text
    filled = fill("The price of {i1} may be {f3}.", known)
    assert {finding.text for finding in filled.findings} == {"{f2}", "{f4}"}


def test_a_title_with_braces_stays_as_it_is() -> None:
    item = ItemFact(1, {"ru": "{i2} {x}", "en": "{i2} {x}"})
    assert fill("Вот {i1}.", places(items=(item,))).text == "Вот «{i2} {x}»."


@given(
    draft=st.text(st.sampled_from("ab {}iIfr1234.\n«»%"), max_size=60), language=st.sampled_from(LANGUAGES)
)
def test_no_draft_leaves_a_brace_or_fails(draft: str, language: Language) -> None:
    _, known = compact([made.recommended(3), made.metrics(n_more=1)], language)
    filled = fill(draft, known)
    assert not {"{", "}"} & set(filled.text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_tool_can_be_told_compactly(language: Language) -> None:
    for result in made.every_result().values():
        text, known = compact([result], language)
        assert text.startswith(f"[{result.tool}]\n")
        filled = fill(" ".join(f"{{{name}}}" for name in known), known)
        assert filled.is_whole
        assert "{" not in filled.text
