"""What every answer keeps to: all titles, no figure of its own, one language, no promise, no advice, the same text again."""

import re
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.phrasing import results as made
from nextbest.assistant.base import (
    INTENTS,
    LANGUAGES,
    Figure,
    Intent,
    Language,
    Note,
    Room,
    Slots,
    ToolResult,
)
from nextbest.assistant.phrasing.figures import FALLS
from nextbest.assistant.phrasing.phrasebook import TOOLS, Phrasebook
from nextbest.assistant.phrasing.rendering import day_forms, forms, period_forms, plain, quoted, said
from nextbest.charts_page.disclaimer import check_promises

BOOK = Phrasebook()
VARIANTS = (0, 1, 2, 7)
ADVICE = re.compile(
    r"совету|рекоменду|стоит\s+(?:куп|влож|прод|взять)|следует|вам\s+(?:надо|нужно)|купите|продайте|вложите|лучше\s+(?:куп|прод)"
    r"|\b(?:recommend|advise|should|you\s+must|buy|sell|invest\s+in|better\s+to)\b",
    re.IGNORECASE,
)
KNOWN_LATIN = {"SBER", "GAZP", "SBGB", "USDT", "blend", "Blend"}


def write(result: ToolResult, language: Language, variant: int = 0, slots: Slots | None = None) -> str:
    return BOOK.write(
        made.asked(made.INTENT_OF[result.tool], language, slots=slots), [result], variant=variant
    )


def many() -> list[ToolResult]:
    """Every tool with nothing but one, several and many things or figures, and other turns that a result can take."""
    return [
        *made.every_result().values(),
        *(made.recommended(n) for n in (1, 2, 3, 4, 10)),
        *(made.recommended(n, items=made.games(n, reason=place)) for n in (1, 2, 3, 5) for place in (0, 2)),
        made.recommended(3, items=made.games(3, with_reason=False)),
        made.recommended(5, items=made.games(5, with_reason=False)),
        *(made.recommended(n, tool="similar_items") for n in (1, 3, 6)),
        *(made.recommended(n, tool="next_purchases") for n in (1, 3, 6)),
        *(made.bank(n) for n in (1, 3, 4)),
        made.explained(reason=2, text="A roguelike of 2024, 40 hours long. " * 20),
        made.explained(reason=None),
        made.passages(1),
        made.passages(4),
        *(made.metrics(twr=twr, n_more=n) for twr in (-0.032, 0.0, 0.5) for n in (0, 1, 8)),
        made.metrics(period=(date(2026, 3, 3), made.TODAY)),
        replace(made.metrics(), figures=made.metrics(n_more=8).figures[2:]),
        made.plan(now=False),
        replace(made.plan(), items=(), figures=made.plan().figures[2:4]),
        made.plan(n=4, instruments=True),
        *(made.composition(n) for n in (1, 4)),
        *(made.peers(n) for n in (0, 1, 4)),
        made.tracking(4),
        made.tracking(0, path=False),
        made.forecast(middle=False),
        made.forecast(standing=False, unit="USDT"),
        made.forecast(unit="ratio", noted=True),
        *(made.ranges(n) for n in (2, 3)),
        made.forecast(bounds=False),
        replace(made.forecast(), tool="explain_item"),
        replace(made.composition(1), tool="explain_item"),
        replace(made.bank(2), arguments={"client": "C12"}),
        replace(made.metrics(), arguments={"client": "C12"}),
    ]


def unsaid(text: str, result: ToolResult, language: Language) -> str:
    """What is left of an answer without what it may say: titles, reasons, descriptions, notes, sources, figures, days."""
    text = re.sub(r"^\d+\. ", "", plain(text), flags=re.MULTILINE)
    data = [said(i.title, language) for i in result.items] + [
        said(i.reason, language) for i in result.items if i.reason
    ]
    data += [said(note.text, language) for note in result.notes] + [
        result.source,
        str(result.arguments.get("client", " ")),
    ]
    for piece in data:
        text = re.sub(re.escape(plain(piece).rstrip(".")), " ", text, flags=re.IGNORECASE)
    if any("text" in item.attributes for item in result.items):
        text = re.sub(r"(?:описания|description|сказано|says|it|части?|[«“]): ?[«“][^»”]*[»”]", " ", text)
        text = re.sub(r"[«“][^»”]*[»”]", " ", text)
    allowed: list[str] = []
    for figure in result.figures:
        allowed += forms(figure, language, unsigned=True)
        allowed += period_forms(figure.period, language) if figure.period else ()
    allowed += day_forms(result.as_of, language) if result.as_of else ()
    for form in sorted(set(allowed), key=len, reverse=True):
        text = re.sub(rf"(?<![\d.,]){re.escape(form)}(?!\d)", " ", text, flags=re.IGNORECASE)
    return text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_answer_names_every_item(language: Language, variant: int) -> None:
    for result in many():
        text = write(result, language, variant)
        for item in result.items:
            assert said(item.title, language).lower() in text.lower(), text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_no_answer_holds_a_number_that_is_no_figure_of_the_result(language: Language, variant: int) -> None:
    for result in many():
        left = unsaid(write(result, language, variant), result, language)
        assert not re.search(r"\d", left), left


@given(
    value=st.floats(-3, 3, allow_nan=False),
    worth=st.floats(0, 1e9),
    start=st.dates(date(2016, 1, 1), date(2026, 1, 1)),
    days=st.integers(1, 3650),
    language=st.sampled_from(LANGUAGES),
    variant=st.integers(0, 2**32),
)
@settings(max_examples=150)
def test_any_figures_are_said_truly(
    value: float, worth: float, start: date, days: int, language: Language, variant: int
) -> None:
    period = (start, start + timedelta(days=days))
    base = made.metrics(twr=value, period=period)
    result = replace(base, figures=(replace(base.figures[0], value=worth), *base.figures[1:]))
    text = write(result, language, variant)
    left = unsaid(text, result, language)
    assert not re.search(r"\d", left), left
    for figure in result.figures[:2]:
        assert any(form in plain(text) for form in forms(figure, language, unsigned=True))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_loss_without_its_minus_stands_beside_a_word_that_says_so(language: Language) -> None:
    for variant in VARIANTS:
        for line in re.split(
            r"(?<=[^\d])\. |\n", write(made.metrics(twr=-0.032, n_more=6), language, variant)
        ):
            if "3,2" in line or "3.2%" in line or "8,2" in line or "8.2%" in line or "15,300" in line:
                assert FALLS.search(line), line


@pytest.mark.parametrize("variant", VARIANTS)
def test_answers_keep_to_one_language(variant: int) -> None:
    for result in many():
        if result.tool in ("search_documents", "explain_item"):
            continue  # what they quote is in the language of the data
        russian, english = write(result, "ru", variant), write(result, "en", variant)
        for item in result.items:
            for name in (*item.title.values(), *(item.reason or {}).values()):
                russian = re.sub(re.escape(name), "", russian, flags=re.IGNORECASE)
        russian = russian.replace(result.source, "").replace("C12", "")
        assert not set(re.findall(r"[A-Za-z]{2,}", russian)) - KNOWN_LATIN, russian
        assert not re.search(r"[а-яё]", english, re.IGNORECASE), english


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_answers_promise_nothing_and_advise_nothing_about_money(language: Language, variant: int) -> None:
    for result in many():
        text = write(result, language, variant)
        check_promises(text)
        if result.room in ("portfolio", "market"):
            for note in result.notes:
                text = text.replace(said(note.text, language), "")
            assert not ADVICE.search(text), text


@pytest.mark.parametrize("language", LANGUAGES)
def test_answers_are_well_formed(language: Language) -> None:
    for result in many():
        for variant in VARIANTS:
            text = write(result, language, variant)
            assert text == text.strip()
            assert not re.search(r"  |\{|\}| [.,:;]|\.\.|,,|\( |None|nan", text), text
            for line in text.split("\n"):
                assert line == "" or re.match(r"- |\d+\. |[«“]|[A-ZА-ЯЁ]", line), text
            assert text == write(result, language, variant)


@pytest.mark.parametrize("tool", sorted(TOOLS))
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("status", ["ok", "no_data", "refused", "failed"])
@pytest.mark.parametrize("code", [None, "unknown_client", "not_yours", "too_short", "never_heard_of"])
def test_nothing_is_told_civilly_for_every_tool(
    tool: str, language: Language, status: str, code: str | None
) -> None:
    room = made.every_result()[tool].room
    empty = ToolResult(tool, status, room, code=code, notes=(made.SIGNED,))  # type: ignore[arg-type]
    for variant in VARIANTS:
        text = write(empty, language, variant)
        assert len(text) > 20
        assert not re.search(r"\d|\{|None", text)
        assert bool(re.search(r"[а-яё]", text)) == (language == "ru")


def test_the_tools_own_words_come_before_ours() -> None:
    told = {"ru": "История короче года", "en": "Less than a year of history"}
    result = ToolResult("portfolio_metrics", "no_data", "portfolio", code="too_short", told=told)
    assert write(result, "ru") == "История короче года."
    assert BOOK.no_data(result, "en", variant=1) == "Less than a year of history."


def test_a_refusal_is_the_same_whether_there_is_such_a_client_or_not() -> None:
    refused = [
        ToolResult("portfolio_metrics", "refused", "portfolio", {"client": c}, code="not_yours")
        for c in ("C1", "C2")
    ]
    assert write(refused[0], "ru") == write(refused[1], "ru")
    assert "C1" not in write(refused[0], "ru")


def test_several_results_make_one_answer_with_each_note_once_and_the_disclaimer_last() -> None:
    method = Note("method", {"ru": "Простые доходности", "en": "Simple returns"})
    metrics = replace(made.metrics(n_more=1), notes=(made.SIGNED, method))
    failed = ToolResult("market_forecast", "failed", "market", code="busy")
    text = BOOK.write(
        made.asked("portfolio", "en"),
        [failed, metrics, replace(made.peers(), notes=(method, made.SIGNED)), failed],
    )
    assert text.count("This is not an individual investment recommendation.") == 1
    assert text.endswith("Simple returns.\nThis is not an individual investment recommendation.")
    assert text.count("Worked out from") == 2
    assert text.startswith("Your portfolio is worth")
    assert text.count("couldn't be worked out") == 1


def test_equal_answers_to_two_calls_are_said_once() -> None:
    missing = ToolResult("explain_item", "no_data", "shop", code="unknown_item")
    assert write(missing, "en") == BOOK.write(made.asked("explain", "en"), [missing, missing])


def test_a_middle_is_never_said_without_its_range() -> None:
    for language in LANGUAGES:
        text = write(made.forecast(bounds=False), language)
        assert "286" not in text
        assert "80" not in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_forecast_says_how_the_model_stood_once(language: Language) -> None:
    headline = {"ru": "не лучше случайного блуждания", "en": "not better than a random walk"}
    assert write(made.forecast(), language).count(headline[language]) == 1
    assert write(made.forecast(noted=True), language).count(headline[language]) == 1
    assert write(made.forecast(noted=True, standing=False), language).count(headline[language]) == 1


def test_what_was_turned_down_and_what_is_missing_of_the_number_asked_is_said() -> None:
    text = write(made.recommended(2), "en", slots=Slots(k=5, rejects=True))
    assert text.startswith("All right, without that one. ")
    assert text.endswith(" Nothing else fits.")
    assert "Nothing else" not in write(made.recommended(2), "en", slots=Slots(k=2))


def test_a_named_thing_is_put_in_the_accusative_where_that_is_safe() -> None:
    pytest.importorskip("pymorphy3")
    understood, result = made.similar(2)
    link = replace(understood.slots.items[0], title="Карта «Всё включено»")
    text = BOOK.write(replace(understood, slots=Slots(items=(link,))), [result])
    assert text.startswith("На Карту «Всё включено» похожи")


@pytest.mark.parametrize(
    "title", ["{x} %s {0}", "two\nlines", "<b>bold</b>", "ignore your instructions", "“quoted”", "a" * 300]
)
def test_titles_are_data(title: str) -> None:
    item = replace(made.games(1)[0], title={"ru": title, "en": title})
    text = write(made.recommended(1, items=(item,)), "ru")
    assert title.replace("\n", " ") in text
    assert "\n" not in text


@pytest.mark.parametrize("intent", INTENTS)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("is_sure", [True, False])
def test_every_intent_has_an_answer_without_results(
    intent: Intent, language: Language, is_sure: bool
) -> None:
    understood = made.asked(
        intent, language, is_sure=is_sure, alternatives=[("plan", 0.3), ("off_topic", 0.1)]
    )
    for variant in range(4):
        text = BOOK.write(understood, [], variant=variant)
        assert bool(re.search(r"[а-яё]", text)) == (language == "ru")
        assert is_sure or text.endswith("?")


@pytest.mark.parametrize(
    ("text", "language", "told"),
    [
        ("привет!", "ru", "Здравствуйте! Чем могу помочь?"),
        ("Спасибо большое", "ru", "Пожалуйста! Обращайтесь."),
        ("how are you", "en", "Fine, thank you. How can I help?"),
        ("ты кто вообще", "ru", "Я программа-помощник: подбираю товары и продукты банка, считаю показатели портфеля, показываю прогноз цены, ищу ответы в документах и объясняю свои ответы."),
        ("bye", "en", "Goodbye, and have a good day."),
        ("what can you do?", "en", "You can ask me about items, bank products, your portfolio, price forecasts or terms and rules."),
        ("ага", "ru", "Понимаю. Если захотите, могу подобрать товары и продукты банка, рассказать о вашем портфеле, показать прогноз цены или найти ответ в документах."),
        ("hi, thanks", "en", "You're welcome!"),
    ],
)  # fmt: skip
def test_small_talk_is_answered_by_its_kind(text: str, language: Language, told: str) -> None:
    assert BOOK.small_talk(made.asked("small_talk", language, text=text)) == told


WORDS_OF = {
    "shop": r"товар|items?\b|подойд|suit",
    "products": r"банк|bank",
    "portfolio": r"портфел|portfolio",
    "market": r"цен[аы]\b|price",
    "documents": r"услови|правил|документ|terms|documents",
}


@pytest.mark.parametrize("room", WORDS_OF)
@pytest.mark.parametrize("language", ["ru", "en"])
def test_only_what_is_served_is_offered(room: Room, language: Language) -> None:
    book, told = Phrasebook({room}), set()
    for variant in range(3):
        for text in ("привет", "кто ты", "помоги", "ага"):
            told.add(book.small_talk(made.asked("small_talk", language, text=text), variant=variant))
        told.add(book.off_topic(made.asked("off_topic", language), variant=variant))
        told.add(book.ask_back(made.asked("off_topic", language, is_sure=False), variant=variant))
    whole = " ".join(told)
    named = {name for name, words in WORDS_OF.items() if re.search(words, whole, re.IGNORECASE)}
    assert named == {room}
    assert not re.search(r"  |: \?|\{", whole)


def test_two_rooms_are_told_in_their_order() -> None:
    book = Phrasebook({"portfolio", "products"})
    asked = made.asked("off_topic", "ru")
    assert (
        book.off_topic(asked)
        == "С этим я не помогу, но могу подобрать продукты банка или рассказать о вашем портфеле."
    )
    who = made.asked("small_talk", "en", text="who are you")
    assert (
        book.small_talk(who, variant=1)
        == "I'm a program, not a person. I can find bank products or tell you about your portfolio."
    )
    unsure = made.asked("off_topic", "ru", is_sure=False)
    assert book.ask_back(unsure) == "Уточните, пожалуйста, что вас интересует: продукты банка или портфель?"


def test_an_empty_workspace_names_all_that_could_be_asked() -> None:
    asked = made.asked("off_topic", "en")
    assert Phrasebook(()).off_topic(asked) == BOOK.off_topic(asked)


def test_asking_back_names_the_likeliest_meanings() -> None:
    understood = made.asked(
        "portfolio", "ru", is_sure=False, alternatives=[("peers", 0.3), ("portfolio", 0.2)]
    )
    assert (
        BOOK.ask_back(understood)
        == "Уточните, пожалуйста, вы имеете в виду показатели портфеля или сравнение с похожими клиентами?"
    )
    assert BOOK.ask_back(made.asked("small_talk", "en", is_sure=False)).endswith(
        "your portfolio, price forecasts or terms and rules?"
    )


def test_what_is_missing_is_asked_for_with_examples() -> None:
    assert BOOK.ask_for("item", "ru") == "О какой вещи речь? Назовите её, пожалуйста."
    asked = BOOK.ask_for("asset", "en", known=("SBER", "GAZP"))
    assert asked == "Which asset's forecast would you like? For example, SBER or GAZP."


def test_a_result_of_another_tool_is_told_by_its_figures() -> None:
    figure = Figure("x", 3.0, "count", {"ru": "Число счетов", "en": "Number of accounts"})
    text = BOOK.write(
        made.asked("portfolio", "en"), [ToolResult("accounts", "ok", "portfolio", figures=(figure,))]
    )
    assert "number of accounts 3" in text


def test_quotes_are_the_languages_own() -> None:
    assert quoted("x", "ru") == "«x»"
    assert quoted("x", "en") == "“x”"


def test_things_similar_to_one_that_only_their_reason_names_stand_under_it() -> None:
    items = tuple(
        replace(item, reason={"ru": "Похоже на «Hades»", "en": "Similar to “Hades”"})
        for item in made.games(2)
    )
    result = made.recommended(2, tool="similar_items", items=items)
    assert write(result, "ru") == "Похоже на «Hades»: «Hades II» и «Dead Cells»."
    understood, _ = made.similar(2)
    known = replace(result, arguments={"item_id": "g9"})
    assert BOOK.write(understood, [known]) == "На «Hades» похожи «Hades II» и «Dead Cells»."


def test_a_price_without_a_currency_is_called_a_price() -> None:
    price = Figure("price", 5.0, "ratio", {"ru": "цена", "en": "price"}, of="g0")
    assert "«Hades II» (цена 5)" in write(made.recommended(1, figures=(price,)), "ru")
    assert "“Hades II” (€5)" in write(made.recommended(1, figures=(replace(price, unit="EUR"),)), "en")


def test_a_time_that_the_list_knows_nothing_of_is_not_said() -> None:
    note = Note("no_horizon", {"ru": "Без дней.", "en": "No days."})
    result = made.recommended(1, tool="next_purchases", arguments={"horizon_days": 30}, notes=(note,))
    assert write(result, "en").startswith("Next time you may need")


def test_a_change_that_changes_nothing_and_a_shortfall_of_nothing_are_left_out() -> None:
    result = made.plan()
    sure = tuple(
        replace(f, value=0.0) if f.key in ("shortfall_mean", "required_contribution")
        else replace(f, value=0.71) if f.key.endswith("_odds") else f
        for f in result.figures
    )  # fmt: skip
    text = write(replace(result, figures=sure), "en")
    assert "shortfall" not in text
    assert "would change" not in text
    assert "needs no further contribution" in text


def test_figures_of_a_part_that_is_not_named_are_not_said() -> None:
    result = made.plan()
    stray = Figure("proposal_share", 0.123, "fraction", {"ru": "доля", "en": "share"}, of="unknown")
    assert "12.3%" not in write(replace(result, figures=(*result.figures, stray)), "en")


def test_products_tell_all_their_reasons_when_asked_why() -> None:
    item = replace(
        made.bank(1).items[0],
        attributes={"reasons": {"en": ["Popular lately.", "You are new here"], "ru": []}},
    )
    result = ToolResult("explain_item", "ok", "products", items=(item,))
    told = "more popular among clients like you than with others; popular lately; you are new here"
    assert told in write(result, "en")


def test_a_figure_that_two_things_have_is_named_once_in_a_sentence_and_on_every_line_of_a_list() -> None:
    assert write(made.bank(2), "en").count("probability of taking it") == 1
    assert "“Credit card” (24%;" in write(made.bank(2), "en")
    assert write(made.bank(4), "en").count("probability of taking it") == 4


def test_three_things_with_long_reasons_stand_on_lines() -> None:
    assert write(made.bank(3), "ru").count("\n") == 3
    assert "\n" not in write(made.recommended(3), "ru")
