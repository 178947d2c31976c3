"""What a question means in its conversation."""

import pytest

from nextbest.assistant.agent import cues
from nextbest.assistant.agent.followups import resolve
from nextbest.assistant.base import Intent, Language, Link, Money, Shown, Slots, ToolCall, Turn, Understood
from nextbest.assistant.memory.past import Past

LIST = tuple(Shown(f"g{n}", {"ru": f"Игра {n}", "en": f"Game {n}"}, price=10.0 * n) for n in (1, 2, 3))


def past(
    intent: Intent = "recommend",
    *,
    slots: Slots | None = None,
    shown: tuple[Shown, ...] = LIST,
    **fields: object,
) -> Past:
    turn = Turn(
        question="q",
        answer="a",
        language="ru",
        intent=intent,
        slots=slots or Slots(k=3),
        shown=shown,
        **fields,
    )  # type: ignore[arg-type]
    return Past().with_turn(turn)


def asked(
    text: str,
    intent: Intent = "small_talk",
    slots: Slots | None = None,
    *,
    p: float = 0.5,
    sure: bool = False,
    language: Language = "ru",
) -> Understood:
    return Understood(text, language, intent, p, (), sure, slots or Slots())


@pytest.mark.parametrize(
    "text", ["почему вторая?", "А почему второй вариант?", "why the second one?", "Объясни вторую"]
)
def test_why_the_second_one_explains_it(text: str) -> None:
    wish = resolve(asked(text, slots=Slots(ordinal=2)), past())
    assert wish.understood.intent == "explain"
    assert wish.understood.is_followup
    assert [s.item_id for s in wish.about] == ["g2"]


def test_why_alone_asks_about_all_that_was_shown() -> None:
    assert [s.item_id for s in resolve(asked("почему именно эти?"), past()).about] == ["g1", "g2", "g3"]
    assert [s.item_id for s in resolve(asked("Why?", language="en"), past()).about] == ["g1", "g2", "g3"]


def test_why_with_nothing_shown_stays_as_it_was_understood() -> None:
    understood = asked("почему?", "explain", p=0.9, sure=True)
    assert resolve(understood, Past()).understood is understood


@pytest.mark.parametrize(
    ("last", "text", "slots", "kept"),
    [
        ("portfolio", "а за три года?", Slots(period_days=1095), {"period_days": 1095}),
        ("portfolio", "and over three years?", Slots(horizon_days=1095, undirected_days=1095), {"period_days": 1095, "horizon_days": None}),
        ("plan", "а если за пять лет?", Slots(period_days=1826, undirected_days=1826), {"horizon_days": 1826, "period_days": None}),
        ("plan", "а на машину?", Slots(goal="car"), {"goal": "car"}),
        ("plan", "а с 2 миллионами рублей", Slots(amount=Money(2e6, "RUB")), {"amount": Money(2e6, "RUB")}),
        ("forecast", "а биткоин?", Slots(asset="BTC"), {"asset": "BTC"}),
        ("forecast", "what about ethereum?", Slots(asset="ETH"), {"asset": "ETH"}),
        ("forecast", "а на неделю", Slots(horizon_days=7), {"horizon_days": 7}),
        ("recommend", "а пять?", Slots(k=5), {"k": 5}),
        ("portfolio", "а у клиента 884?", Slots(client="884"), {"client": "884"}),
    ],
)  # fmt: skip
def test_only_a_slot_asks_the_last_question_again(
    last: Intent, text: str, slots: Slots, kept: dict[str, object]
) -> None:
    wish = resolve(asked(text, slots=slots), past(last, slots=Slots(k=3)))
    assert wish.understood.intent == last
    assert wish.understood.is_followup
    for name, value in kept.items():
        assert getattr(wish.understood.slots, name) == value


def test_a_new_question_that_stands_on_its_own_is_left_alone() -> None:
    understood = asked(
        "Какой прогноз по биткоину на неделю",
        "forecast",
        Slots(asset="BTC", horizon_days=7),
        p=0.97,
        sure=True,
    )
    wish = resolve(understood, past())
    assert wish.understood == understood
    assert not wish.deny
    other = asked("а что с моим портфелем за год?", "portfolio", Slots(period_days=365), p=0.95, sure=True)
    assert resolve(other, past("forecast")).understood.intent == "portfolio"


def test_not_this_turns_it_down_for_the_whole_session() -> None:
    wish = resolve(
        asked("не эту, вторую не хочу", slots=Slots(ordinal=2, rejects=True)),
        past(slots=Slots(category="rpg")),
    )
    assert wish.understood.intent == "recommend"
    assert wish.rejected == ("g2",)
    assert set(wish.deny) == {"g1", "g2", "g3"}
    assert wish.understood.slots.category == "rpg"

    later = Past().with_turn(
        Turn(question="q", answer="a", language="ru", intent="recommend", slots=Slots(), rejected=("g2",))
    )
    again = resolve(asked("посоветуй игру", "recommend", p=0.99, sure=True), later)
    assert again.deny == ("g2",)


def test_something_else_turns_down_nothing_but_shows_others() -> None:
    wish = resolve(asked("а что-нибудь ещё?"), past())
    assert wish.rejected == ()
    assert set(wish.deny) == {"g1", "g2", "g3"}


def test_cheaper_than_what_was_shown_or_pointed_at() -> None:
    cheaper = Slots(cheaper=True)
    assert resolve(asked("подешевле", slots=cheaper), past()).max_price == 20.0
    assert (
        resolve(asked("cheaper than the third", slots=Slots(cheaper=True, ordinal=3)), past()).max_price
        == 30.0
    )
    free = tuple(Shown(s.item_id, s.title) for s in LIST)
    wish = resolve(asked("подешевле", slots=cheaper), past(shown=free))
    assert wish.no_prices
    assert wish.max_price is None


def test_taking_one_is_an_event_and_asks_for_the_next() -> None:
    wish = resolve(asked("Беру вторую", slots=Slots(ordinal=2)), past())
    assert wish.taken == ("g2",)
    assert wish.understood.intent == "recommend"
    assert "g2" in wish.deny
    assert resolve(asked("вторую не беру", slots=Slots(ordinal=2)), past()).taken == ()


def test_like_the_second_one_is_similar_to_it() -> None:
    wish = resolve(asked("покажи похожее на вторую", slots=Slots(ordinal=2)), past())
    assert wish.understood.intent == "similar"
    assert [link.item_id for link in wish.understood.slots.items] == ["g2"]


def test_like_the_first_one_is_no_explanation_though_the_classifier_is_sure_of_one() -> None:
    wish = resolve(asked("похожее на первое", "explain", Slots(ordinal=1), p=0.77, sure=True), past())
    assert (wish.understood.intent, wish.understood.slots.items[0].item_id) == ("similar", "g1")


def test_what_comes_next_is_a_question_of_its_own_and_other_ones_go_on_with_the_list() -> None:
    alone = resolve(asked("что я куплю дальше?", "next_purchase", p=0.97, sure=True), past())
    assert (alone.understood.intent, alone.deny) == ("next_purchase", ())
    more = resolve(asked("давай другие варианты", "recommend", p=0.97, sure=True), past("next_purchase"))
    assert (more.understood.intent, more.deny) == ("next_purchase", ("g1", "g2", "g3"))


def test_a_place_that_the_list_does_not_have_points_at_nothing() -> None:
    assert resolve(asked("почему девятая?", slots=Slots(ordinal=9)), past()).about == LIST
    assert resolve(asked("беру девятую", slots=Slots(ordinal=9)), past()).taken == ()


def test_the_last_one() -> None:
    assert resolve(asked("why the last one", slots=Slots(ordinal=-1)), past()).about == LIST[-1:]


def test_an_answer_to_which_item() -> None:
    waiting = past("similar", shown=(), asked_back=True)
    link = Link("g9", "Hades", 1.0, (0, 5))
    wish = resolve(asked("Hades", "off_topic", Slots(items=(link,))), waiting)
    assert wish.understood.intent == "similar"
    assert wish.understood.slots.items == (link,)


def test_an_answer_to_did_you_mean() -> None:
    waiting = past("portfolio", shown=(), asked_back=True, offered=("portfolio", "plan"))
    assert resolve(asked("второе", slots=Slots(ordinal=2)), waiting).understood.intent == "plan"
    assert resolve(asked("план", "plan", p=0.6), waiting).understood.intent == "plan"
    other = asked("посоветуй игру", "recommend", p=0.99, sure=True)
    assert resolve(other, waiting).understood.intent == "recommend"


def test_a_long_text_is_never_a_followup() -> None:
    text = "а " + "слово " * 200
    understood = asked(text, "off_topic", Slots(period_days=5))
    assert not resolve(understood, past("portfolio")).understood.is_followup


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("а за три года?", []),
        ("and over three years?", []),
        ("а на 2 млн рублей", []),
        ("what about $1.5k", []),
        ("а биткоин", ["биткоин"]),
        ("расскажи про погоду", ["расскажи", "погоду"]),
    ],
)
def test_what_is_left_of_an_elliptic_question(text: str, left: list[str]) -> None:
    assert cues.left_over(text) == left


def test_after_an_explanation_places_and_wishes_are_still_those_of_the_list() -> None:
    explained = Turn("почему вторая", "a", "ru", "explain", Slots(ordinal=2), shown=LIST[1:2])
    conversation = past().with_turn(explained)
    assert resolve(asked("а почему третья?", slots=Slots(ordinal=3)), conversation).about == LIST[2:]
    assert resolve(asked("почему она?"), conversation).about == LIST[1:2]
    cheaper = resolve(asked("а подешевле?", "off_topic", Slots(cheaper=True), p=0.9, sure=True), conversation)
    assert cheaper.understood.intent == "recommend"
    assert cheaper.max_price == 20.0
    taken = resolve(asked("беру первую", slots=Slots(ordinal=1)), conversation)
    assert taken.taken == ("g1",)
    assert taken.understood.intent == "recommend"


@pytest.mark.parametrize(
    ("text", "intent", "slots", "right"),
    [
        (
            "forecast for the month",
            "forecast",
            Slots(period_days=30, undirected_days=30),
            Slots(horizon_days=30),
        ),
        (
            "что сделал портфель за полгода",
            "portfolio",
            Slots(horizon_days=182, undirected_days=182),
            Slots(period_days=182),
        ),
        ("за последний год откладывал", "plan", Slots(period_days=365), Slots(period_days=365)),
        ("портфель в ближайший год", "portfolio", Slots(horizon_days=365), Slots(horizon_days=365)),
        ("forecast after the last month", "forecast", Slots(period_days=30), Slots(period_days=30)),
    ],
)
def test_a_time_without_direction_looks_where_the_intent_does(
    text: str, intent: Intent, slots: Slots, right: Slots
) -> None:
    assert resolve(asked(text, intent, slots, p=0.9, sure=True), Past()).understood.slots == right


def test_a_sure_wish_for_reasons_is_about_what_was_shown() -> None:
    wish = resolve(asked("аргументируй свой выбор", "explain", p=0.9, sure=True), past())
    assert [s.item_id for s in wish.about] == ["g1", "g2", "g3"]


def test_a_list_goes_on_within_the_price_and_without_what_was_shown_before() -> None:
    cheaper = ToolCall("recommend_items", {"max_price": 20.0, "deny": ["g7"]})
    conversation = past(calls=(cheaper,))
    wish = resolve(asked("не эту, первую не хочу", slots=Slots(ordinal=1, rejects=True)), conversation)
    assert wish.max_price == 20.0
    assert set(wish.deny) == {"g1", "g2", "g3", "g7"}
    assert wish.rejected == ("g1",)
    new = resolve(asked("посоветуй игру", "recommend", p=0.99, sure=True), conversation)
    assert new.max_price is None
