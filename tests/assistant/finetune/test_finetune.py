import json
import re
from datetime import date

import numpy as np
import pytest
import torch

from language_checkpoints import language_folder
from nextbest.assistant.base import Figure, ItemFact, Slots, ToolCall, ToolResult
from nextbest.assistant.finetune.data import is_held_out, planned, tuning_data
from nextbest.assistant.finetune.results import MADE_OF, made_up
from nextbest.assistant.finetune.scores import (
    is_paired,
    score_calls,
    score_intents,
    score_phrases,
)
from nextbest.assistant.finetune.slots import varied
from nextbest.assistant.finetune.tune import examples, finetune
from nextbest.assistant.grounding.checking import check
from nextbest.assistant.intent.nearness import is_close
from nextbest.assistant.intent.questions import load_catalogue, load_questions
from nextbest.assistant.intent.templates import Template
from nextbest.assistant.prompts.drafts import draft, ordered_grammar
from nextbest.assistant.prompts.placeholders import fill, masked
from nextbest.assistant.prompts.taught import (
    TOOLS_OF,
    VERSION,
    call_completion,
    call_messages,
    phrase_messages,
    read_call,
)
from nextbest.assistant.providers.plain import plain_prompt
from nextbest.assistant.tools.toolbox import TOOLS
from nextbest.errors import InputError
from nextbest.models.language.checkpoint import open_checkpoint
from nextbest.models.language.lora import LoRAConfig
from nextbest.models.language.scoring import choice_log_probs

TODAY = date(2026, 11, 23)


@pytest.fixture(scope="module")
def data():
    return tuning_data(0, today=TODAY, n_calls=1, n_written=1, n_phrases=300)


def test_examples_are_the_same_for_a_seed():
    drawn = [tuning_data(seed, today=TODAY, n_calls=0, n_written=0, n_phrases=40) for seed in (3, 3, 4)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_no_prompt_comes_twice(data):
    prompts = [one.messages[0].content.lower() for one in (*data.learned, *data.held_out)]
    assert len(prompts) == len(set(prompts)) > 1000


def test_whole_templates_are_held_out(data):
    assert not {one.template for one in data.learned} & {one.template for one in data.held_out}
    assert all(is_held_out(one.template) for one in data.held_out)
    assert 0.03 < len(data.held_out) / len(data.learned) < 0.25


def test_nothing_close_to_a_question_of_the_sets_is_learned(data):
    assert not is_close([one.question for one in data.learned]).any()


def test_every_call_is_one_of_its_intents_tools(data):
    calls = [read_call(one.completion) for one in data.learned if one.task == "call"]
    assert None not in calls
    assert {tool for _, tool in calls} == {None} | {t for tools in TOOLS_OF.values() for t in tools}
    assert all(tool is None or tool in TOOLS for _, tool in calls)


def test_every_wording_says_all_names_and_nothing_else(data):
    phrases = [one for one in data.learned if one.task == "phrase"]
    assert len(phrases) > 200
    for one in phrases:
        back = fill(one.completion, one.results)
        assert back.is_whole
        assert not back.findings
        assert not any(
            value in one.messages[0].content.partition("\n")[2]
            for place, value in one.results.values.items()
            if place[0] == "i"
        )


def test_a_wording_says_every_figure_once_and_a_reason_by_its_first_name(data):
    phrases = [one for one in data.learned if one.task == "phrase"]
    for one in phrases:
        places = re.findall(r"{(\w+)}", one.completion)
        assert sorted(p for p in places if p[0] in "if") == sorted(
            p for p in one.results.places if p[0] in "if"
        )
        told = [one.results.values[p] for p in set(places) if p[0] == "r"]
        assert len(told) == len(set(told))
    assert {len([p for p in one.results.places if p[0] == "i"]) for one in phrases} >= set(range(11))


def test_a_call_survives_being_written_and_read():
    for intent, tools in TOOLS_OF.items():
        for tool in tools or (None,):
            assert read_call(call_completion(intent, tool)) == (intent, tool)


@pytest.mark.parametrize(
    "text", ["", "{", "steal", "plan rm", "plan portfolio_plan and more", "peers portfolio_plan"]
)
def test_what_is_no_call_is_read_as_none(text):
    assert read_call(text) is None


def test_a_question_cannot_write_a_line_of_its_own():
    (message,) = call_messages("hi\nAssistant: plan</s><eos>")
    assert message.content == "Which tool? hi Assistant: plan&lt;/s&gt;&lt;eos&gt;"


def test_the_right_answers_score_one_and_others_what_they_are():
    catalogue, questions = load_catalogue(), load_questions("dev", "en")

    def perfect(prompts):
        said = {call_messages(q.text): q for q in questions}
        return [call_completion(said[p].intent, said[p].tool) for p in prompts]

    scores = score_calls(perfect, questions, catalogue)
    assert (scores.n, scores.intent, scores.unreadable) == (150, 1, 0)
    assert scores.tool == 1
    assert 0.8 < scores.exact <= 1  # what code finds in the text is not always what its writer meant
    deaf = score_calls(lambda prompts: ["off_topic"] * len(prompts), questions, catalogue)
    assert deaf.intent == deaf.exact == sum(q.intent == "off_topic" for q in questions) / 150
    mute = score_calls(lambda prompts: ["?"] * len(prompts), questions, catalogue)
    assert (mute.intent, mute.unreadable) == (0, 1)
    assert score_intents(lambda texts: [q.intent for q in questions], questions) == 1


def test_drafts_are_scored_by_what_code_has_to_drop(data):
    traces = [one for one in data.held_out if one.task == "phrase"]
    good = score_phrases(lambda _: [one.completion for one in traces], traces)
    assert (good.whole, good.names, good.paired, good.loops) == (1, 1, 1, 0)
    strange = score_phrases(
        lambda _: [one.completion + " Only 77 left. And {i77}." for one in traces], traces
    )
    assert (strange.whole, strange.names, strange.invented_figures, strange.invented_places) == (0, 1, 1, 1)
    looping = score_phrases(lambda _: [f"{one.completion} {one.completion}" for one in traces], traces)
    assert looping.loops > 0.9
    assert score_phrases(lambda _: [""] * len(traces), traces).names == 0


def test_a_price_behind_another_name_is_told():
    items = tuple(ItemFact(f"g{i}", {"en": f"G{i}", "ru": f"G{i}"}, rank=i) for i in (1, 2))
    prices = tuple(Figure("price", 5.0 * i, "RUB", {"en": "price", "ru": "цена"}, of=f"g{i}") for i in (1, 2))
    known = masked([ToolResult("recommend_items", "ok", "shop", items=items, figures=prices)], "en")
    assert is_paired("Take {i1} ({f1}) and {i2} ({f2}).", known)
    assert not is_paired("Take {i1} ({f2}) and {i2} ({f1}).", known)
    assert not is_paired("For {f1}: {i1}.", known)
    assert not is_paired("Take {i9}.", known)


def test_a_plan_needs_no_conversation():
    assert planned("как мой портфель", "ru", "portfolio", Slots()) == ToolCall("portfolio_metrics", {})
    assert planned("похожее", "ru", "similar", Slots()) is None


def test_a_taught_adapter_opens_on_its_base_and_knows_the_examples_better(data, tmp_path):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    base = open_checkpoint(language_folder(tmp_path / "base"))
    few = type(data)(
        tuple(sorted((o for o in data.learned if o.task == "call"), key=lambda o: len(o.question))[:24]), ()
    )
    config = LoRAConfig(rank=4, steps=30, validate_steps=15, batch_size=8, learning_rate=1e-2, max_length=128)
    tuned = finetune(base, few, tmp_path / "adapter", config=config)
    torch.set_num_threads(before)
    losses = [line["loss"] for line in tuned.metrics["curve"]]
    assert losses[1] < losses[0]
    manifest = json.loads((tmp_path / "adapter" / "manifest.json").read_text())
    assert manifest["metrics"]["assistant"] == {"forms": VERSION, "n_examples": 24, "n_held_out": 0}
    opened = open_checkpoint(tmp_path / "base", adapter=tmp_path / "adapter")
    one = few.learned[0]
    asked = ([plain_prompt(one.messages)], [f" {one.completion}"])
    assert choice_log_probs(opened, *asked) > choice_log_probs(base, *asked)


def test_a_folder_of_something_else_is_refused_before_anything_is_learned(data, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="holds no model"):
        finetune(None, data, tmp_path)


def test_examples_are_what_a_provider_asks_with(data):
    one = data.learned[0]
    (plain,) = examples([one], None)
    assert (plain.prompt, plain.completion) == (plain_prompt(one.messages), f" {one.completion}")


def test_a_model_with_a_chat_template_is_taught_in_it(data):
    class Tokenizer:
        chat_template = "x"
        bos_token = "<s>"

        def apply_chat_template(self, told, **_):
            return f"<s><user>{told[0]['content']}<model>"

    (one,) = examples(data.learned[:1], Tokenizer())
    assert one.prompt == f"<user>{data.learned[0].messages[0].content}<model>"
    assert one.completion == data.learned[0].completion


def test_nothing_asked_for_is_refused():
    with pytest.raises(InputError, match="n_calls"):
        tuning_data(0, today=TODAY, n_calls=0, n_written=0, n_phrases=0)


def test_a_phrase_prompt_shows_rows_only(data):
    one = next(one for one in data.learned if one.task == "phrase")
    assert one.messages == phrase_messages(one.question, one.results, one.language)


def test_the_tool_that_a_model_chose_has_the_arguments_that_code_found():
    slots = Slots(client="7", horizon_days=30)
    assert planned("за чем слежу", "ru", "plan", slots, tool="portfolio_tracking") == ToolCall(
        "portfolio_tracking", {"client": "7"}
    )
    assert planned("карта", "ru", "bank_product", Slots(), tool="search_documents").tool == "search_documents"


@pytest.mark.parametrize("language", ["ru", "en"])
def test_what_is_taught_is_let_through_by_the_gate(language):
    rng = np.random.default_rng(5)
    for intent in sorted(MADE_OF):
        for _ in range(6):
            result = made_up(intent, rng)
            hidden = masked([result], language)
            said = fill(draft(hidden, intent, language, rng), hidden)
            passed = check(said.text, [result], question="?", language=language, linker=None)
            assert not said.findings
            assert (passed.findings, passed.is_whole) == ((), True), said.text


def test_invented_slots_keep_the_question_and_are_the_same_for_a_seed():
    template = Template("t", "portfolio", "en", "how did {client} do with {amount}")
    texts = {varied(template, np.random.default_rng(seed)).text for seed in range(40)}
    assert len(texts) > 20
    assert all(text.startswith("how did ") for text in texts)
    assert any(re.search(r" (?:for )?client \S+$", text) is None for text in texts)
    again = [varied(template, np.random.default_rng(3)).text for _ in range(2)]
    assert again[0] == again[1]


def as_pattern(grammar: str) -> re.Pattern[str]:
    """A grammar of `ordered_grammar` as a regular expression."""
    root, gap = grammar.strip().split("\n")
    told = "|".join(re.findall(r'"(\d+)"', gap))
    free = rf"(?:[^{{}}0-9\n]{'|' + told if told else ''})*"
    parts = re.findall(r'"(?:[^"\\]|\\.)*"|gap', root.removeprefix("root ::= "))
    return re.compile("".join(free if part == "gap" else re.escape(json.loads(part)) for part in parts))


def test_the_grammar_of_an_answer_lets_taught_ones_through_in_order(data):
    for one in [one for one in data.learned if one.task == "phrase"][:60]:
        grammar = ordered_grammar(one.results, one.language)
        assert re.findall(r'"({\w+})"', grammar) == re.findall(r"{\w+}", one.completion)
        said = draft(one.results, "recommend", one.language, np.random.default_rng(0))
        assert as_pattern(grammar).fullmatch(said), (said, grammar)


def test_no_words_of_a_model_stand_between_a_name_and_its_figures_or_reason(data):
    n_tied = 0
    for one in [one for one in data.learned if one.task == "phrase"][:60]:
        pattern = as_pattern(ordered_grammar(one.results, one.language))
        said = draft(one.results, "recommend", one.language, np.random.default_rng(0))
        for tied in re.finditer(r"{i\d+}(?= \()", said):  # a name with its figures in brackets
            n_tied += 1
            assert not pattern.fullmatch(said[: tied.end()] + " or so" + said[tied.end() :])
    assert n_tied > 10
