"""Results as nobody planned them: any titles, figures, units, statuses. An answer always comes, and it names what there is."""

from datetime import date
from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.phrasing import results as made
from nextbest.assistant.base import (
    INTENTS,
    LANGUAGES,
    Figure,
    ItemFact,
    Note,
    Room,
    Slots,
    Status,
    ToolResult,
)
from nextbest.assistant.phrasing.compact import compact, fill
from nextbest.assistant.phrasing.figures import capital
from nextbest.assistant.phrasing.phrasebook import TOOLS, Phrasebook
from nextbest.assistant.phrasing.wordings import wordings

BOOK = Phrasebook()
LETTERS = st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs"))
NAMES = st.text(LETTERS, min_size=1, max_size=25).map(str.strip).filter(bool)
WORDS = st.one_of(st.fixed_dictionaries({"ru": NAMES, "en": NAMES}), st.fixed_dictionaries({"en": NAMES}))
KEYS = sorted(
    {
        *wordings("figures").sections,
        "twr",
        "worth",
        "low",
        "high",
        "middle",
        "q10_30",
        "goal_probability",
        "n_peers",
        "x",
    }
)
UNITS = ["fraction", "RUB", "USD", "USDT", "count", "ratio", "days", "months", "years", "bps", "furlongs"]
DAYS = st.dates(date(1990, 1, 1), date(2040, 1, 1))
PERIODS = st.tuples(DAYS, DAYS).map(lambda days: (min(days), max(days)))
NUMBERS = st.one_of(st.floats(-1e12, 1e12, allow_nan=False), st.integers(-10, 1000).map(float), st.just(0.0))
FIGURES = st.one_of(
    st.builds(
        Figure, st.sampled_from(KEYS), NUMBERS, st.sampled_from(UNITS), WORDS,
        st.one_of(st.none(), PERIODS), st.sampled_from([None, 0, 1, "x"]),
    ),
    st.builds(Figure, st.just("target_day"), DAYS, st.just("date"), WORDS),
)  # fmt: skip
ITEMS = st.builds(
    ItemFact, st.integers(0, 5), WORDS, st.sampled_from(["item", "product", "asset", "allocation", "passage"]),
    st.one_of(st.none(), WORDS), st.one_of(st.none(), st.integers(1, 9)),
    st.fixed_dictionaries({}, optional={"text": NAMES, "price": NUMBERS, "reasons": st.just({"ru": ["да"], "en": [7]})}),
)  # fmt: skip
RESULTS = st.builds(
    ToolResult, st.sampled_from([*sorted(TOOLS), "another_tool"]), st.sampled_from(get_args(Status)), st.sampled_from(get_args(Room)),
    st.fixed_dictionaries({}, optional={"client": NAMES, "horizon_days": st.integers(-1, 4000), "item_id": st.integers(0, 3), "goal": st.sampled_from(["house", "boat"])}),
    st.one_of(st.none(), st.sampled_from(["not_yours", "too_short", "odd"])), st.one_of(st.none(), WORDS),
    st.lists(ITEMS, max_size=6).map(tuple), st.lists(FIGURES, max_size=12).map(tuple),
    st.lists(st.builds(Note, st.sampled_from(["standing", "x"]), WORDS, st.booleans()), max_size=2).map(tuple),
    st.text(LETTERS, max_size=10), st.one_of(st.none(), DAYS),
    st.sampled_from([{}, {"standing": None}, {"standing": {"headline": {"ru": "лучше", "en": "better"}}}]),
)  # fmt: skip
SLOTS = st.builds(
    Slots, k=st.one_of(st.none(), st.integers(1, 9)), cheaper=st.booleans(), rejects=st.booleans()
)


@given(
    results=st.lists(RESULTS, max_size=3),
    intent=st.sampled_from(INTENTS),
    language=st.sampled_from(LANGUAGES),
    slots=SLOTS,
    variant=st.integers(0, 2**32),
)
@settings(max_examples=120)
def test_any_results_make_an_answer_that_names_their_items(
    results: list[ToolResult], intent: str, language: str, slots: Slots, variant: int
) -> None:
    understood = made.asked(intent, language, slots=slots)  # type: ignore[arg-type]
    text = BOOK.write(understood, results, variant=variant)
    assert text.strip()
    assert text == BOOK.write(understood, results, variant=variant)
    for result in results:
        for item in result.items if result.is_ok else ():
            title = item.title.get(language) or item.title["en"]  # type: ignore[call-overload]
            assert title.lower() in text.lower() or capital(title).lower() in text.lower()


@given(results=st.lists(RESULTS, max_size=2), language=st.sampled_from(LANGUAGES))
@settings(max_examples=60)
def test_any_results_can_be_told_to_a_model_and_filled_in(results: list[ToolResult], language: str) -> None:
    text, known = compact(results, language)  # type: ignore[arg-type]
    assert all(f"{{{name}}}" in text for name in known)
    assert fill(". ".join(f"{{{name}}}" for name in known), known).is_whole
