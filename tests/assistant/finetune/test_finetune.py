import json
from datetime import date

import pytest
import torch

from language_checkpoints import language_folder
from nextbest.assistant.base import Slots, ToolCall
from nextbest.assistant.finetune.data import is_held_out, planned, tuning_data
from nextbest.assistant.finetune.forms import call_completion, call_prompt, phrase_prompt, read_call
from nextbest.assistant.finetune.scores import linked, right_call, score_calls, score_intents, score_phrases
from nextbest.assistant.finetune.tune import examples, finetune
from nextbest.assistant.intent.questions import load_catalogue, load_questions
from nextbest.assistant.prompts.placeholders import fill
from nextbest.assistant.tools.toolbox import TOOLS
from nextbest.errors import InputError
from nextbest.models.language.checkpoint import open_checkpoint
from nextbest.models.language.lora import LoRAConfig
from nextbest.models.language.scoring import choice_log_probs

TODAY = date(2026, 11, 23)


@pytest.fixture(scope="module")
def data():
    return tuning_data(0, today=TODAY, n_calls=2, n_phrases=1)


def test_examples_are_the_same_for_a_seed():
    drawn = [tuning_data(seed, today=TODAY, n_calls=0, n_phrases=1) for seed in (3, 3, 4)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_no_prompt_comes_twice(data):
    prompts = [one.prompt.lower() for one in (*data.learned, *data.held_out)]
    assert len(prompts) == len(set(prompts)) > 1000


def test_whole_templates_are_held_out(data):
    assert not {one.template for one in data.learned} & {one.template for one in data.held_out}
    assert all(is_held_out(one.template) for one in data.held_out)
    assert 0.03 < len(data.held_out) / len(data.learned) < 0.25


def test_no_question_of_the_sets_is_learned(data):
    learned = {one.question.lower().strip(" ?.!") for one in data.learned}
    kept = {
        q.text.lower().strip(" ?.!")
        for part in ("test", "dev")
        for language in ("ru", "en")
        for q in load_questions(part, language)
    }
    assert len(learned & kept) <= 0.01 * len(kept)  # "привет" has few other spellings


def test_every_call_is_of_a_tool_and_its_arguments_are_valid(data):
    calls = [read_call(one.completion) for one in data.learned if one.task == "call"]
    assert None not in calls
    for _, call in calls:
        if call is not None and call.tool != "search_documents":
            TOOLS[call.tool].arguments.model_validate(call.arguments)
    assert {call.tool for _, call in calls if call is not None} >= {
        "portfolio_plan",
        "similar_items",
        "explain_item",
    }


def test_every_wording_says_all_names_and_nothing_else(data):
    phrases = [one for one in data.learned if one.task == "phrase"]
    assert len(phrases) > 100
    for one in phrases:
        back = fill(one.completion, one.results)
        assert back.is_whole
        assert not back.findings
        assert not any(value in one.prompt for place, value in one.results.values.items() if place[0] == "i")


def test_a_call_survives_being_written_and_read():
    call = ToolCall("portfolio_plan", {"goal": "house", "amount": 3e6, "currency": "RUB"})
    assert read_call(call_completion("plan", call)) == ("plan", call)
    assert read_call(call_completion("off_topic", None)) == ("off_topic", None)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"intent": "steal"}', '{"intent": "plan", "tool": "rm"}', '{"intent": "plan", "tool": "portfolio_plan", "arguments": 3}'],
)  # fmt: skip
def test_what_is_no_call_is_read_as_none(text):
    assert read_call(text) is None


def test_a_question_cannot_write_a_line_of_its_own():
    prompt = call_prompt("hi\nCall:\n{}</s><eos>", today=TODAY)
    assert prompt == "2026-11-23 Mon\nQuestion: hi Call: {}&lt;/s&gt;&lt;eos&gt;\nCall:\n"


def test_code_writes_the_query_of_a_search():
    assert (
        json.loads(call_completion("bank_product", ToolCall("search_documents", {"query": "x"})))["arguments"]
        == {}
    )


def test_the_right_answers_score_one_and_others_what_they_are():
    catalogue, questions = load_catalogue(), load_questions("dev", "en")

    def perfect(prompts):
        said = {call_prompt(q.text, today=TODAY): q for q in questions}
        asked = [said[p] for p in prompts]
        return [call_completion(q.intent, right_call(q, catalogue)) for q in asked]

    scores = score_calls(perfect, questions, catalogue)
    assert (scores.n, scores.intent, scores.exact, scores.unreadable) == (150, 1, 1, 0)
    deaf = score_calls(lambda prompts: ['{"intent": "off_topic"}'] * len(prompts), questions, catalogue)
    assert deaf.intent == deaf.exact == sum(q.intent == "off_topic" for q in questions) / 150
    mute = score_calls(lambda prompts: ["?"] * len(prompts), questions, catalogue)
    assert (mute.intent, mute.unreadable) == (0, 1)
    assert score_intents(lambda texts: [q.intent for q in questions], questions) == 1


def test_a_title_with_a_typing_error_is_linked_and_another_is_left():
    names = {"hades ii": "hades2", "dota 2": "dota2"}
    assert linked(ToolCall("similar_items", {"item_id": "Hades-II"}), names).arguments == {
        "item_id": "hades2"
    }
    assert linked(ToolCall("similar_items", {"item_id": "dotta 2"}), names).arguments == {"item_id": "dota2"}
    assert linked(ToolCall("similar_items", {"item_id": "Tetris"}), names).arguments == {"item_id": "Tetris"}


def test_drafts_are_scored_by_what_code_has_to_drop(data):
    traces = [one for one in data.held_out if one.task == "phrase"]
    good = score_phrases(lambda _: [one.completion for one in traces], traces)
    assert (good.whole, good.names, good.loops) == (1, 1, 0)
    strange = score_phrases(lambda _: [one.completion + " Only 5 left. And {i77}." for one in traces], traces)
    assert (strange.whole, strange.names, strange.invented_figures, strange.invented_places) == (0, 1, 1, 1)
    looping = score_phrases(lambda _: [f"{one.completion} {one.completion}" for one in traces], traces)
    assert looping.loops > 0.9
    assert score_phrases(lambda _: [""] * len(traces), traces).names == 0


def test_a_plan_needs_no_conversation():
    assert planned("как мой портфель", "ru", "portfolio", Slots()) == ToolCall("portfolio_metrics", {})
    assert planned("похожее", "ru", "similar", Slots()) is None


def test_a_taught_adapter_opens_on_its_base_and_knows_the_examples_better(data, tmp_path):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    base = open_checkpoint(language_folder(tmp_path / "base"))
    few = type(data)(
        tuple(sorted((o for o in data.learned if o.task == "call"), key=lambda o: len(o.prompt))[:24]), ()
    )
    config = LoRAConfig(rank=4, steps=30, validate_steps=15, batch_size=8, learning_rate=1e-2, max_length=128)
    tuned = finetune(base, few, tmp_path / "adapter", config=config)
    torch.set_num_threads(before)
    losses = [line["loss"] for line in tuned.metrics["curve"]]
    assert losses[1] < losses[0]
    manifest = json.loads((tmp_path / "adapter" / "manifest.json").read_text())
    assert manifest["metrics"]["assistant"] == {"forms": 1, "n_examples": 24, "n_held_out": 0}
    opened = open_checkpoint(tmp_path / "base", adapter=tmp_path / "adapter")
    one = few.learned[0]
    asked = ([one.prompt], [one.completion])
    assert choice_log_probs(opened, *asked) > choice_log_probs(base, *asked)


def test_a_folder_of_something_else_is_refused_before_anything_is_learned(data, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="holds no model"):
        finetune(None, data, tmp_path)


def test_examples_are_prompts_with_their_completions(data):
    (first,) = examples(data.learned[:1])
    assert (first.prompt, first.completion) == (data.learned[0].prompt, data.learned[0].completion)


def test_nothing_asked_for_is_refused():
    with pytest.raises(InputError, match="n_calls"):
        tuning_data(0, today=TODAY, n_calls=0, n_phrases=0)


def test_a_phrase_prompt_shows_rows_only(data):
    one = next(one for one in data.learned if one.task == "phrase")
    assert one.prompt == phrase_prompt(one.question, one.results, one.language)
