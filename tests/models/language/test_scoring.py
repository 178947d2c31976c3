from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from language_checkpoints import CONTEXT, language_folder
from nextbest.errors import InputError
from nextbest.models.language import scoring
from nextbest.models.language.batches import completion_ids, prompt_ids
from nextbest.models.language.checkpoint import open_checkpoint
from nextbest.models.language.scoring import choice_log_probs, generate, generate_stream

PROMPTS = ["the price went up", "цена", "low middle high low middle high low middle high low", "a"]
CHOICES = ["x", " up.", " down again.", " снова"]


@pytest.fixture(scope="module", params=["llama", "mistral", "gemma3"])
def checkpoint(request, tmp_path_factory):
    folder = language_folder(tmp_path_factory.mktemp("scored") / request.param, family=request.param)
    return open_checkpoint(folder)


@torch.no_grad()
def by_brute_force(checkpoint, prompts, choices):
    """Each prompt and choice read together, alone, all logits."""
    found = np.empty((len(prompts), len(choices)))
    for n, prompt in enumerate(prompts):
        for c, choice in enumerate(choices):
            read, said = prompt_ids(checkpoint, prompt), completion_ids(checkpoint, choice)
            logits = checkpoint.model(torch.tensor([read + said])).logits[0].double().log_softmax(-1)
            found[n, c] = sum(float(logits[len(read) - 1 + i, token]) for i, token in enumerate(said))
    return found


def test_choices_are_scored_as_by_brute_force(checkpoint):
    np.testing.assert_allclose(
        choice_log_probs(checkpoint, PROMPTS, CHOICES),
        by_brute_force(checkpoint, PROMPTS, CHOICES),
        atol=1e-4,
        rtol=0,
    )


@pytest.mark.parametrize("batch_tokens", [1, 20, 60])
def test_the_batch_does_not_matter(checkpoint, batch_tokens):
    np.testing.assert_allclose(
        choice_log_probs(checkpoint, PROMPTS, CHOICES, batch_tokens=batch_tokens),
        choice_log_probs(checkpoint, PROMPTS, CHOICES),
        atol=1e-4,
        rtol=0,
    )


def test_all_single_tokens_together_have_probability_one(llama):
    tokens = [llama.tokenizer.decode([i]) for i in range(2, len(llama.tokenizer))]
    single = [t for t in dict.fromkeys(tokens) if len(completion_ids(llama, t)) == 1]
    total = np.exp(choice_log_probs(llama, ["the price"], single)).sum()
    assert 0.3 < total <= 1


def test_a_batch_writes_what_each_prompt_writes_alone(checkpoint):
    together = generate(checkpoint, PROMPTS, max_new_tokens=10)
    alone = [generate(checkpoint, [prompt], max_new_tokens=10)[0] for prompt in PROMPTS]
    assert together == alone


@torch.no_grad()
def test_greedy_writing_takes_the_most_probable_token_each_time(checkpoint):
    ids = prompt_ids(checkpoint, PROMPTS[0])
    expected = []
    for _ in range(10):
        expected.append(int(checkpoint.model(torch.tensor([ids + expected])).logits[0, -1].argmax()))
    (found,) = generate(checkpoint, PROMPTS[:1], max_new_tokens=10)
    assert found.text == checkpoint.tokenizer.decode(expected, skip_special_tokens=True)


def test_pieces_add_up_to_the_answer(checkpoint):
    for prompt in PROMPTS:
        (whole,) = generate(checkpoint, [prompt], max_new_tokens=12)
        assert "".join(generate_stream(checkpoint, prompt, max_new_tokens=12)) == whole.text


def test_who_reads_a_stream_half_way_still_learns(checkpoint):
    pieces = generate_stream(checkpoint, PROMPTS[0], max_new_tokens=12)
    next(pieces)
    assert not torch.is_inference_mode_enabled()
    weight = torch.ones(2, requires_grad=True)
    (weight * 3).sum().backward()
    assert weight.grad.tolist() == [3, 3]
    assert next(pieces)  # and the stream goes on


def test_each_piece_may_be_read_on_another_thread(checkpoint):
    (whole,) = generate(checkpoint, PROMPTS[:1], max_new_tokens=12)
    pieces = generate_stream(checkpoint, PROMPTS[0], max_new_tokens=12)
    modes = []

    def read() -> str:
        piece = next(pieces, "")
        modes.append((torch.is_grad_enabled(), torch.is_inference_mode_enabled()))
        return piece

    text = ""
    while True:
        with ThreadPoolExecutor(1) as reader:
            piece = reader.submit(read).result()
        text += piece
        if not piece:
            break
    assert text == whole.text
    assert set(modes) == {(True, False)}


def written(text, llama):
    """An `allowed` that lets exactly a text be written."""
    ids = completion_ids(llama, text)
    return lambda so_far: [ids[len(so_far)]] if len(so_far) < len(ids) else []


def test_a_piece_never_ends_inside_a_character(llama):
    text = "цена ₽ 5"
    pieces = list(generate_stream(llama, "a", max_new_tokens=40, allowed=written(text, llama)))
    assert "".join(pieces) == text
    assert len(pieces) > 5
    assert not any("\ufffd" in piece for piece in pieces)


def test_a_stop_text_ends_the_answer_and_is_no_part_of_it(llama):
    allowed = written("up 0END down", llama)
    (found,) = generate(llama, ["a"], max_new_tokens=40, allowed=allowed, stop=["END"])
    assert (found.text, found.why) == ("up 0", "stop")
    pieces = list(generate_stream(llama, "a", max_new_tokens=40, allowed=allowed, stop=["END"]))
    assert "".join(pieces) == "up 0"


def test_what_only_begins_as_a_stop_text_is_written_after_all(llama):
    pieces = list(
        generate_stream(llama, "a", max_new_tokens=9, allowed=written("up EN", llama), stop=["END"])
    )
    assert "".join(pieces) == "up EN"


def test_draws_are_repeated_by_their_seed_and_differ_by_prompt_place(llama):
    first = generate(llama, ["a", "a"], max_new_tokens=8, temperature=1.0, rng=3)
    assert first == generate(llama, ["a", "a"], max_new_tokens=8, temperature=1.0, rng=3)
    assert first[0] != first[1]


def test_draws_follow_the_probabilities(llama):
    low, high = completion_ids(llama, "0")[0], completion_ids(llama, "1")[0]
    scores = choice_log_probs(llama, ["a"], ["0", "1"])[0]
    drawn = generate(
        llama, ["a"] * 400, max_new_tokens=1, temperature=1.0, rng=0, allowed=lambda _: [low, high]
    )
    share = np.mean([one.text == "0" for one in drawn])
    assert share == pytest.approx(1 / (1 + np.exp(scores[1] - scores[0])), abs=0.08)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda c: choice_log_probs(c, [], ["a"]), "prompts: there must be one"),
        (lambda c: choice_log_probs(c, ["a"], []), "choices: there must be one"),
        (lambda c: choice_log_probs(c, ["a"], ["a", ""]), "none may be empty"),
        (lambda c: choice_log_probs(c, ["a"], ["9", "98"]), "'98' begins with '9'"),
        (lambda c: choice_log_probs(c, ["9" * CONTEXT], ["8"]), "longer than the 127 tokens"),
        (lambda c: generate(c, ["a"], max_new_tokens=0), "max_new_tokens"),
        (lambda c: generate(c, ["a"], max_new_tokens=CONTEXT), "leave room for 128 more"),
        (lambda c: generate(c, ["a"], max_new_tokens=1, temperature=-1), "temperature"),
    ],
)
def test_what_cannot_be_asked_is_refused(llama, ask, words):
    with pytest.raises(InputError, match=words):
        ask(llama)


def test_nothing_is_written_where_nothing_is_allowed(llama):
    (found,) = generate(llama, ["a"], max_new_tokens=5, allowed=lambda _: [])
    assert found == scoring.Generated("", 0, "end")
