"""Models with an adapter of `nextbest assistant finetune`: asked in the form they were taught, through the whole voice."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import torch

from language_checkpoints import language_folder, language_gguf
from nextbest.assistant.agent.voice import Spoken, Voice
from nextbest.assistant.base import Figure, ItemFact, ToolResult, Understood
from nextbest.assistant.finetune.data import tuning_data
from nextbest.assistant.finetune.tune import finetune
from nextbest.assistant.prompts.placeholders import masked
from nextbest.assistant.prompts.taught import VERSION, phrase_messages
from nextbest.assistant.providers.adapters import KEY, is_taught
from nextbest.assistant.providers.bench import bench_providers
from nextbest.assistant.providers.fallback import FallbackProvider
from nextbest.assistant.providers.folder import FolderProvider
from nextbest.assistant.providers.plain import plain_prompt
from nextbest.assistant.providers.protocol import ChatRequest, Completion, Message, Piece, as_read
from nextbest.assistant.providers.scripted import ScriptedProvider
from nextbest.assistant.providers.settings import make_provider
from nextbest.errors import ArtifactError, InputError
from nextbest.models.language.adapters import save_adapter
from nextbest.models.language.batches import Example
from nextbest.models.language.checkpoint import open_checkpoint
from nextbest.models.language.gguf_adapter import write_gguf_adapter
from nextbest.models.language.lora import LoRAConfig, fit_text

UNDERSTOOD = Understood("what next?", "en", "recommend", 1.0)
RESULT = ToolResult(
    "recommend_items", "ok", "shop", items=(ItemFact("h", {"en": "Hades", "ru": "Hades"}, rank=1),)
)
SAID = "Try {i1}."


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A tiny base, and an adapter that learned one answer by heart."""
    folder = tmp_path_factory.mktemp("taught")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    base = open_checkpoint(language_folder(folder / "base", context=256))
    prompt = plain_prompt(phrase_messages(UNDERSTOOD.text, masked([RESULT], "en"), "en"))
    config = LoRAConfig(rank=8, steps=60, validate_steps=60, batch_size=1, learning_rate=3e-2, max_length=128)
    tuned = fit_text(base, [Example(prompt, f" {SAID}")], config)
    torch.set_num_threads(before)
    save_adapter(tuned, folder / "adapter", metrics={"assistant": {"forms": VERSION}})
    language_gguf(base, folder / "base.gguf")
    write_gguf_adapter(tuned.checkpoint, folder / "adapter.gguf", about={KEY: VERSION})
    write_gguf_adapter(tuned.checkpoint, folder / "old.gguf", about={KEY: VERSION - 1})
    write_gguf_adapter(tuned.checkpoint, folder / "other.gguf")
    return folder, folder / "adapter"


def said(voice: Voice) -> tuple[list[str], Spoken]:
    *pieces, last = voice.say(
        UNDERSTOOD, [RESULT], fallback="Fallback.", notes="", mode="information", linker=None
    )
    assert isinstance(last, Spoken)
    return [p for p in pieces if isinstance(p, str)], last


def test_a_folder_with_its_adapter_answers_in_its_own_form_through_the_gate(taught) -> None:
    folder, adapter = taught
    provider = make_provider(f"folder:{folder / 'base'}+{adapter}")
    assert provider.name == "folder:base+adapter"
    pieces, spoken = said(Voice(provider))
    assert spoken.text == "Try “Hades”."
    assert not spoken.fell_back
    assert "".join(pieces) == spoken.text


def test_the_same_from_a_gguf_file_and_a_settings_file(taught, tmp_path) -> None:
    pytest.importorskip("xllamacpp")
    folder, _ = taught
    file = tmp_path / "providers.toml"
    file.write_text(
        f'[[provider]]\nkind = "gguf"\nmodel = "{folder}/base.gguf"\nadapter = "{folder}/adapter.gguf"\n'
    )
    provider = make_provider(file)
    voice = Voice(provider)
    voice.warm()
    _, spoken = said(voice)
    provider.close()
    assert (spoken.text, spoken.fell_back) == ("Try “Hades”.", False)


def test_without_the_adapter_it_says_nothing_of_use_and_the_phrasebook_answers(taught) -> None:
    folder, _ = taught
    _, spoken = said(Voice(FolderProvider(folder / "base")))
    assert (spoken.text, spoken.fell_back) == ("Fallback.", True)


def test_an_adapter_of_another_version_is_refused_at_once(taught, tmp_path) -> None:
    folder, adapter = taught
    old = tmp_path / "old"
    old.mkdir()
    for file in adapter.iterdir():
        (old / file.name).write_bytes(file.read_bytes())
    manifest = json.loads((old / "manifest.json").read_text())
    manifest["metrics"]["assistant"]["forms"] = VERSION - 1
    (old / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match=f"version {VERSION - 1} .* version {VERSION}.*finetune"):
        FolderProvider(folder / "base", adapter=old)
    with pytest.raises(ArtifactError, match=f"taught version {VERSION - 1}"):
        is_taught(folder / "old.gguf")


def test_somebody_else_s_adapter_is_asked_like_any_model(taught, tmp_path) -> None:
    folder, adapter = taught
    assert not is_taught(None)
    assert not is_taught(folder / "other.gguf")
    plain = tmp_path / "plain"
    plain.mkdir()
    assert not is_taught(plain)
    provider = FolderProvider(folder / "base", adapter=adapter)
    request = ChatRequest(
        (Message("user", "long"),), grammar='root ::= "a"', taught=(Message("user", "short"),)
    )
    read = as_read(provider, request)
    assert (read.messages, read.grammar) == (request.taught, None)
    assert as_read(ScriptedProvider(["x"]), request) is request
    unasked = replace(request, taught=())
    assert as_read(provider, unasked) is unasked


def test_a_damaged_manifest_is_told(taught, tmp_path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "manifest.json").write_text("{")
    with pytest.raises(ArtifactError, match="manifest"):
        is_taught(broken)


class _Writer:
    """Can do nothing but stream what it was asked."""

    features = frozenset({"stream"})

    def __init__(self, name: str, *, is_taught: bool) -> None:
        self.name, self.is_taught = name, is_taught

    def stream(self, request: ChatRequest):
        yield Piece(as_read(self, request).messages[0].content)
        yield Piece("", finish="stop")


def test_in_a_fallback_order_each_reads_its_own_form() -> None:
    request = ChatRequest((Message("user", "long"),), taught=(Message("user", "short"),))
    for taught_first in (True, False):
        order = FallbackProvider([_Writer("a", is_taught=taught_first), _Writer("b", is_taught=False)])
        assert next(order.stream(request)).text == ("short" if taught_first else "long")
    able = ScriptedProvider(["x"])
    gated = replace(request, grammar='root ::= "a"')
    order = FallbackProvider([_Writer("a", is_taught=True), able])
    if "grammar" in able.features:
        assert next(order.stream(gated)).text == "short"


def test_a_bench_reads_the_intent_that_a_taught_model_names(monkeypatch) -> None:
    class Router(ScriptedProvider):
        is_taught = True

        def complete(self, request: ChatRequest) -> Completion:
            assert as_read(self, request).messages[0].content.startswith("Which tool? ")
            return Completion("off_topic")

    monkeypatch.setattr("nextbest.assistant.providers.bench.make_provider", lambda _: Router([SAID]))
    (row,) = bench_providers(["truthful"], n_questions=11, n_drafts=1).rows
    assert row.routing == pytest.approx(1 / 11)
    assert not row.failures


def test_an_answer_has_as_many_tokens_as_its_rows_need() -> None:
    asked: list[ChatRequest] = []

    def answer(request: ChatRequest) -> str:
        asked.append(request)
        return SAID

    voice = Voice(ScriptedProvider(answer))
    said(voice)
    many = tuple(ItemFact(f"h{i}", {"en": f"Hades {i}", "ru": "Hades"}, rank=i) for i in range(1, 9))
    figures = tuple(
        Figure("price", 5.0, "USD", {"en": "a rather long name of a figure", "ru": "цена"}, of=f"h{i}")
        for i in range(1, 9)
    )
    more = replace(RESULT, items=many, figures=figures)
    list(voice.say(UNDERSTOOD, [more], fallback="-", notes="", mode="information", linker=None))
    list(
        Voice(ScriptedProvider(answer), max_tokens=50).say(
            UNDERSTOOD, [more], fallback="-", notes="", mode="information", linker=None
        )
    )
    few, enough, capped = (request.max_tokens for request in asked)
    assert few < 60 < 300 < enough < 700
    assert capped == 50


def test_a_taught_model_learns_from_the_very_words_it_is_asked_with(tmp_path) -> None:
    base = open_checkpoint(language_folder(tmp_path / "base", context=256))
    data = tuning_data(0, today=date(2026, 11, 23), n_calls=0, n_written=0, n_phrases=30)
    few = type(data)(tuple(one for one in data.learned if len(one.messages[0].content) < 90)[:4], ())
    assert few.learned, "the seed draws short examples"
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    finetune(
        base, few, tmp_path / "adapter", config=LoRAConfig(rank=2, steps=1, validate_steps=1, max_length=256)
    )
    torch.set_num_threads(before)
    assert is_taught(tmp_path / "adapter")
    with pytest.raises(InputError, match="no such folder"):
        FolderProvider(tmp_path / "base", adapter=tmp_path / "none")
