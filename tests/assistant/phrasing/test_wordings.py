"""The files of wordings: each variant of each section is said by some answer, and a broken file is found when it is read."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from assistant.phrasing import results as made
from nextbest.assistant.base import INTENTS, LANGUAGES, Figure, Language, Slots, ToolResult
from nextbest.assistant.phrasing import wordings
from nextbest.assistant.phrasing.parts import clause
from nextbest.assistant.phrasing.phrasebook import Phrasebook
from nextbest.assistant.tools.words import TOLD
from nextbest.charts_page.disclaimer import check_promises
from nextbest.errors import ArtifactError

BOOK = Phrasebook()
SMALL_TALK = ("привет", "спасибо", "пока", "как дела", "кто ты", "что ты умеешь", "ужасно", "ага")
GOALS = (None, "house", "education", "pension", "cushion", "travel", "car")


def shown() -> Iterator[tuple[ToolResult, Slots]]:
    """Results that between them use every section of the tools' files."""
    plain = Slots()
    for tool in ("recommend_items", "similar_items", "next_purchases", "bank_products"):
        for n in (1, 2, 3, 5):
            for reason in (None, 0, 2):
                items = made.games(n) if reason is None else made.games(n, reason=reason)
                yield made.recommended(n, tool=tool, items=items), Slots(k=9, rejects=True)
    link = made.similar()[0].slots.items
    for n in (2, 5):
        items = tuple(
            replace(item, reason={"ru": "Похоже на «Hades»", "en": "Similar to “Hades”"})
            for item in made.games(n)
        )
        yield (
            made.recommended(n, tool="similar_items", items=items, arguments={"item_id": "g9"}),
            Slots(items=link),
        )
    yield made.recommended(1), Slots(cheaper=True)
    yield from ((made.explained(reason=reason, text="?"), plain) for reason in (0, 2))
    yield replace(made.explained(), figures=made.metrics().figures[:1]), plain
    yield made.explained(reason=None), plain
    yield replace(made.composition(), tool="explain_item"), plain
    yield from ((made.passages(n), plain) for n in (1, 2))
    yield replace(made.passages(1), items=made.games(1, with_reason=False)), plain
    yield from _money()


def _money() -> Iterator[tuple[ToolResult, Slots]]:
    plain, metrics = Slots(), made.metrics(n_more=8)
    for twr in (-0.1, 0.1):
        for figures in (made.metrics(twr=twr, n_more=8).figures, made.metrics(twr=twr).figures[1:]):
            yield replace(metrics, figures=figures), plain
    for n in (3, 6):
        yield replace(metrics, figures=metrics.figures[2 : 2 + n]), plain
    yield made.metrics(n_more=1), plain
    yield replace(metrics, figures=metrics.figures[:1]), plain
    yield replace(metrics, arguments={"client": "C12"}), plain
    many = tuple(replace(item, kind="asset") for item in made.games(5))
    yield replace(made.composition(4), items=(*made.classes(4), *many)), plain
    yield made.composition(2), plain
    four = tuple(replace(f, of=None) for f in made.metrics(n_more=5).figures)
    yield made.peers(2), plain
    yield replace(made.peers(2), figures=four), plain
    yield replace(made.peers(2), arguments={"client": "C12"}, as_of=None), plain
    yield replace(made.metrics(), as_of=None, figures=four[2:3]), plain
    for goal in GOALS:
        yield replace(made.plan(now=False), arguments={}), Slots(goal=goal)
    yield made.plan(n=4, instruments=True), plain
    figures = made.plan().figures
    target = (replace(figures[9], key="target_less"), replace(figures[10], key="target_less_odds"))
    yield replace(made.plan(), figures=(*figures[1:], *four[2:], *target), items=many), plain
    yield (
        replace(
            made.plan(),
            figures=tuple(replace(f, value=0.0) if f.key == "required_contribution" else f for f in figures),
        ),
        plain,
    )
    for n, path in ((2, True), (5, True), (2, False)):
        yield replace(made.tracking(n, path=path), arguments={}), plain
    bare = made.tracking(2)
    yield (
        replace(bare, figures=tuple(f for f in bare.figures if f.key != "probability_then" and f.of is None)),
        plain,
    )
    yield replace(bare, figures=four), plain
    for unit in ("RUB", "fraction"):
        for middle in (True, False):
            yield made.forecast(unit=unit, middle=middle), plain
    several = made.ranges(2)
    yield several, plain
    yield replace(several, figures=tuple(f for f in several.figures if f.key != "q50")), plain
    yield made.forecast(bounds=False, standing=False), plain
    yield replace(made.forecast(), as_of=None), plain


def say_everything(language: Language, variant: int) -> None:
    book = Phrasebook()
    for result, slots in shown():
        book.write(made.asked(made.INTENT_OF[result.tool], language, slots=slots), [result], variant=variant)
    label = {"ru": "имя", "en": "name"}
    for key in (*wordings.wordings("figures").sections, "x_ann"):
        for unit, text in (("fraction", label), ("RUB", label), ("fraction", {"ru": "а, б", "en": "a, b"})):
            value = -0.5 if key.endswith("_down") else 0.5
            clause(Figure(key.removesuffix("_down"), value, unit, text), language)
    for tool in made.INTENT_OF:
        for status in ("no_data", "refused", "failed"):
            for code in wordings.wordings("statuses").sections:
                result = ToolResult(tool, status, "shop", code=code)  # type: ignore[arg-type]
                book.write(made.asked(made.INTENT_OF[tool], language), [result], variant=variant)
    for text in SMALL_TALK:
        book.small_talk(made.asked("small_talk", language, text=text), variant=variant)
    book.greeting(language, variant=variant)
    book.off_topic(made.asked("off_topic", language), variant=variant)
    for missing in ("item", "asset"):
        book.ask_for(missing, language, known=("A", "B"), variant=variant)
    for intent in INTENTS:
        for more in ((), (("plan", 0.2),)):
            book.ask_back(made.asked(intent, language, is_sure=False, alternatives=more), variant=variant)  # type: ignore[arg-type]


def test_every_variant_of_every_section_is_said_by_some_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    said: set[tuple[str, str, Language, int]] = set()
    original = wordings.Wordings.say

    def recorded(
        self: wordings.Wordings, section: str, language: Language, variant: int = 0, **places: str
    ) -> str:
        said.add((self.name, section, language, variant % len(self.sections[section][language])))
        return original(self, section, language, variant, **places)

    monkeypatch.setattr(wordings.Wordings, "say", recorded)
    for language in LANGUAGES:
        for variant in range(3):
            say_everything(language, variant)
    unsaid = [
        place
        for name in wordings.PLACES
        for section, both in wordings.wordings(name).sections.items()
        for language, variants in both.items()
        for place in ((name, section, language, n) for n in range(len(variants)))
        if place not in said
    ]
    assert unsaid == []


def test_no_wording_promises_anything_and_both_languages_are_there() -> None:
    for name in wordings.PLACES:
        for section, both in wordings.wordings(name).sections.items():
            assert set(both) == set(get_args(Language)), section
            check_promises(
                {language: list(texts) for language, texts in both.items()}, name=f"{name}.{section}"
            )


def test_all_files_are_known() -> None:
    assert {path.stem for path in wordings.FOLDER.glob("*.toml")} == set(wordings.PLACES)


def test_codes_that_tools_tell_in_their_own_words_need_none_of_ours() -> None:
    told = {
        code: ToolResult("portfolio_metrics", "no_data", "portfolio", code=code, told=words)
        for code, words in TOLD.items()
    }
    for code, result in told.items():
        assert BOOK.no_data(result, "en") == TOLD[code]["en"]


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("not toml", "can't be read"),
        ("version = 2\n", "must say version"),
        ('version = 1\n[one]\nru = ["а"]\n', "must hold a list of texts in 'en'"),
        ('version = 1\n[one]\nru = []\nen = ["a"]\n', "must hold a list of texts in 'ru'"),
        ('version = 1\n[one]\nru = ["{finall}"]\nen = ["a"]\n', "places that nothing fills: .'finall'"),
        ("version = 1\none = 3\n", "must hold a list"),
    ],
)
def test_a_broken_file_says_what_is_wrong_with_it(tmp_path: Path, body: str, rule: str) -> None:
    path = tmp_path / "recommend.toml"
    path.write_text(body, encoding="utf-8")
    with pytest.raises(ArtifactError, match=rule):
        wordings.read(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="can't be read as wordings"):
        wordings.read(tmp_path / "recommend.toml")


def test_variants_go_round(tmp_path: Path) -> None:
    path = tmp_path / "recommend.toml"
    path.write_text('version = 1\n[one]\nru = ["а", "б."]\nen = ["a"]\n', encoding="utf-8")
    book = wordings.read(path)
    told: Sequence[str] = [book.say("one", "ru", variant) for variant in (0, 1, 2, 10**9 + 1)]
    assert told == ["а", "Б.", "а", "Б."]
