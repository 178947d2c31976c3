"""JSON of a schema, bounded schemas, grammars, folders: what is checked before anyone uses an answer."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.providers.chat_server import TOOLS, until_it_breaks
from language_checkpoints import language_folder
from nextbest.assistant.base import Language
from nextbest.assistant.grounding.lexicon import advice
from nextbest.assistant.providers import answers
from nextbest.assistant.providers.folder import FolderProvider, closed_choices
from nextbest.assistant.providers.grammar import locked_grammar
from nextbest.assistant.providers.protocol import ChatRequest, Message, ProviderError
from nextbest.errors import InputError

HELLO = (Message("user", "the price went up"),)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("value", "schema", "why"),
    [
        (True, {"type": "integer"}, "type"),
        (1.0, {"type": "integer"}, "type"),
        (1, {"type": "number"}, None),
        (None, {"anyOf": [{"type": "string"}, {"type": "null"}]}, None),
        (3, {"anyOf": [{"type": "string"}, {"type": "null"}]}, "fits none"),
        ({"a": 1}, {"type": "object", "properties": {}, "additionalProperties": False}, "may not"),
        ({}, {"type": "object", "required": ["a"]}, "lacks"),
        ([1, 2], {"type": "array", "maxItems": 1}, "more than 1"),
        ([], {"type": "array", "minItems": 1}, "fewer"),
        ({"a": ["x"]}, {"properties": {"a": {"items": {"type": "integer"}}}}, r"a\[0\]: isn't of type"),
        ("abc", {"maxLength": 2}, "longer"),
        ("", {"minLength": 1}, "shorter"),
        ("x", {"pattern": "^[0-9]$"}, "form"),
        (9, {"maximum": 8}, "above"),
        ("b", {"const": "a"}, "isn't 'a'"),
        ({"k": 7}, {"properties": {"k": {"$ref": "#/$defs/K"}}, "$defs": {"K": {"maximum": 5}}}, "above 5"),
    ],
)
def test_what_does_not_fit_says_where_and_why(
    value: object, schema: dict[str, object], why: str | None
) -> None:
    found = answers.misfit(value, schema)
    if why is None:
        assert found is None
    else:
        with pytest.raises(AssertionError, match=why):
            raise AssertionError(found)


@given(JSON)
def test_any_json_document_is_read_back(value: object) -> None:
    assert answers.parsed(json.dumps(value), {}, system="x") == value


@given(st.text(max_size=200))
def test_any_text_is_json_or_a_typed_error(text: str) -> None:
    try:
        assert isinstance(answers.parsed(text, {"type": "object"}, system="x"), dict)
    except ProviderError as error:
        if error.kind != "broken_json":
            raise


def test_deep_nesting_and_nan_are_broken_json() -> None:
    for text in ("[" * 100_000, "NaN", '{"a": Infinity}'):
        with pytest.raises(ProviderError, match="no JSON"):
            answers.parsed(text, {}, system="x")


def test_strings_and_lists_without_a_length_get_one() -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "string"},
            "b": {"type": "array", "items": {"type": "string", "maxLength": 3}},
        },
    }
    found = answers.bounded(schema)
    assert found["properties"]["a"]["maxLength"] == answers.MAX_STRING
    assert found["properties"]["b"]["maxItems"] == answers.MAX_LIST
    assert found["properties"]["b"]["items"]["maxLength"] == 3
    assert found["additionalProperties"] is False


def test_a_tied_call_has_the_arguments_of_its_own_tool() -> None:
    tied = answers.call_schema(TOOLS, tied=True)
    wrong = {"tool": "portfolio_metrics", "arguments": {"k": 3}}
    assert answers.misfit(wrong, tied) is not None
    assert answers.misfit({"tool": "recommend_items", "arguments": {"k": 3}}, tied) is None
    with pytest.raises(ProviderError) as caught:
        answers.call_from_text(json.dumps(wrong), TOOLS, system="x")
    assert caught.value.kind == "bad_arguments"


@pytest.mark.parametrize("language", ["ru", "en"])
def test_a_grammar_holds_each_literal_once_and_no_other_digit(language: str) -> None:
    text = locked_grammar([["Hades II", "цена 5 ₽"], ['a "b" \\']], language, gaps="words")  # type: ignore[arg-type]
    assert text.count('"Hades II"') == text.count('"цена 5 ₽"') == text.count(json.dumps('a "b" \\')) == 1
    assert text.startswith("root ::= first ")
    stated = locked_grammar([["return a year {p1}: {f1}"], ["Hades"]], "en")
    assert stated.splitlines()[0] == 'root ::= states "return a year {p1}: {f1}" "." " " next "Hades" "."'
    with pytest.raises(InputError):
        locked_grammar([], "en")
    with pytest.raises(InputError):
        locked_grammar([["a", " "]], "en")
    with pytest.raises(InputError):
        locked_grammar([["a"]] * 61, "en")


@pytest.mark.parametrize("language", ["ru", "en"])
def test_what_is_only_shown_has_no_opening_that_advises(language: Language) -> None:
    def advised(*, proposes: bool) -> list[str]:
        rules = locked_grammar([["{i1}"], ["{i2}"]], language, proposes=proposes).splitlines()
        openings = [
            words
            for rule in rules
            if rule.startswith(("first ", "next "))
            for words in re.findall(r'"([^"]+)"', rule)
        ]
        assert len(openings) >= 6
        return [words for words in openings if advice(words, about_investments=True, only_shows=True)]

    assert advised(proposes=True)
    assert not advised(proposes=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> FolderProvider:
    return FolderProvider(language_folder(tmp_path_factory.mktemp("models") / "tiny"))


def test_a_folder_writes_and_stops_at_its_limit(folder: FolderProvider) -> None:
    assert folder.name == "folder:tiny"
    pieces = list(folder.stream(ChatRequest(HELLO, max_tokens=12)))
    assert pieces[-1].finish in ("length", "stop")
    assert "".join(p.text for p in pieces) == folder.complete(ChatRequest(HELLO, max_tokens=12)).text


def test_a_folder_chooses_among_closed_answers(folder: FolderProvider) -> None:
    schema = {
        "type": "object",
        "properties": {"intent": {"enum": ["up", "down"]}},
        "required": ["intent"],
        "additionalProperties": False,
    }
    assert json.loads(folder.complete(ChatRequest(HELLO, schema=schema)).text)["intent"] in ("up", "down")
    tools = (TOOLS[1],)
    with pytest.raises(InputError, match="required"):
        folder.complete(ChatRequest(HELLO, tools=tools))


def test_a_folders_troubles_are_typed(folder: FolderProvider) -> None:
    _, late = until_it_breaks(folder.stream(ChatRequest(HELLO, max_tokens=60, timeout_s=1e-6)))
    assert late.kind == "timeout"
    _, long = until_it_breaks(folder.stream(ChatRequest(HELLO, max_tokens=5000)))
    assert long.kind == "too_long"
    free = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    with pytest.raises(ProviderError) as caught:
        folder.complete(ChatRequest(HELLO, schema=free, max_tokens=8))
    assert caught.value.kind in ("length", "broken_json", "empty")
    with pytest.raises(InputError, match="no such folder"):
        FolderProvider(Path("/no/such"))


def test_closed_choices_are_few_and_closed() -> None:
    assert closed_choices({"properties": {"n": {"type": "integer"}}, "required": ["n"]}) is None
    assert closed_choices({"properties": {"b": {"type": "boolean"}}}) is None
    many = {"properties": {c: {"enum": list(range(9))} for c in "ab"}, "required": ["a", "b"]}
    assert closed_choices(many) is None
