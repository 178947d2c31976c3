"""The fake that ships, and the liar that always lies."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.providers.chat_server import TOOLS, until_it_breaks
from nextbest.assistant.base import ToolCall
from nextbest.assistant.providers.liar import LIES, LiarProvider, LieKind, tell_lie, truthful_draft
from nextbest.assistant.providers.protocol import ChatRequest, Message, ProviderError
from nextbest.assistant.providers.scripted import Cut, ScriptedProvider
from nextbest.errors import InputError

HELLO = (Message("user", "Hi"),)
DRAFT = "Доходность портфеля — 12,3 % за год до 20 ноября 2026. Вам подойдёт «Hades II», цена 1 200 ₽."


def test_answers_come_in_order_and_the_last_one_stays() -> None:
    provider = ScriptedProvider(["one", "two"])
    assert [provider.complete(ChatRequest(HELLO)).text for _ in range(3)] == ["one", "two", "two"]
    assert len(provider.requests) == 3


def test_a_script_is_checked_like_a_model() -> None:
    call = '{"tool": "recommend_items", "arguments": {"k": 2}}'
    provider = ScriptedProvider([call, '{"tool": "steal", "arguments": {}}', "", "no json", Cut("Half a wo")])
    request = ChatRequest(HELLO, tools=TOOLS, tool_choice="required")
    assert provider.complete(request).tool_calls == (ToolCall("recommend_items", {"k": 2}),)
    kinds = []
    for asked in (
        request,
        ChatRequest(HELLO),
        ChatRequest(HELLO, schema={"type": "object"}),
        ChatRequest(HELLO),
    ):
        with pytest.raises(ProviderError) as caught:
            provider.complete(asked)
        kinds.append(caught.value.kind)
    assert kinds == ["unknown_tool", "empty", "broken_json", "cut"]


def test_a_cut_stream_delivers_what_there_was() -> None:
    got, error = until_it_breaks(
        ScriptedProvider([Cut("Half a wo")], piece_size=4).stream(ChatRequest(HELLO))
    )
    assert (got, error.partial) == (["Half", " a w", "o"], "Half a wo")


@pytest.mark.parametrize("kind", LIES)
def test_each_lie_changes_what_it_says(kind: LieKind) -> None:
    lie = tell_lie(DRAFT, rng=np.random.default_rng(0), kinds=[kind])
    assert lie.kind == kind
    if kind == "added_item":
        assert lie.text.startswith(DRAFT)
        assert lie.after in lie.text
    else:
        assert DRAFT.replace(lie.before, lie.after, 1) == lie.text or lie.before in DRAFT
        assert lie.before != lie.after


@given(
    st.integers(0, 10_000),
    st.floats(0, 1e6, allow_nan=False),
    st.integers(0, 3),
    st.sampled_from(["ru", "en"]),
)
def test_a_figure_that_is_lied_about_is_another_figure(
    seed: int, value: float, n: int, language: str
) -> None:
    said = f"{value:.{n}f}".replace(".", "," if language == "ru" else ".")
    draft = f"Доходность {said} годовых" if language == "ru" else f"The return is {said} a year"
    lie = tell_lie(draft, rng=np.random.default_rng(seed), kinds=["figure"])
    new = re.search(r"\d+(?:[.,]\d+)?", lie.text)
    assert new is not None
    told = float(new[0].replace(",", "."))
    assert abs(told - float(said.replace(",", "."))) >= 0.9


@given(st.text(min_size=1), st.integers(0, 999))
def test_the_liar_never_tells_the_truth(draft: str, seed: int) -> None:
    if not draft.strip():
        with pytest.raises(InputError):
            tell_lie(draft, rng=np.random.default_rng(seed))
        return
    assert tell_lie(draft, rng=np.random.default_rng(seed)).text != draft


def test_the_same_seed_lies_the_same_way_and_another_one_otherwise() -> None:
    def told(seed: int) -> list[str]:
        liar = LiarProvider(truth=lambda _: DRAFT, seed=seed)
        texts = [liar.complete(ChatRequest(HELLO)).text for _ in range(8)]
        assert texts == [lie.text for lie in liar.lies]
        return texts

    assert told(1) == told(1) != told(2)
    assert {tell_lie(DRAFT, rng=np.random.default_rng(n)).kind for n in range(40)} == set(LIES)


def test_placeholders_are_told_and_lied_about() -> None:
    asked = '<data kind="results">\n| название {i1}, причина {r1}\n| {f1} = доходность\n</data>'
    request = ChatRequest((Message("user", asked),))
    assert truthful_draft(request) == "{i1}: {r1}. {f1}."
    for seed in range(20):
        liar = LiarProvider(seed=seed)
        "".join(p.text for p in liar.stream(request))
        assert liar.lies[0].text != truthful_draft(request)
