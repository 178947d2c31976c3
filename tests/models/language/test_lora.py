import itertools
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from language_checkpoints import language_folder
from nextbest.errors import ArtifactError, InputError
from nextbest.models.language import lora
from nextbest.models.language.adapters import load_adapter, merge, merged, save_adapter, save_model
from nextbest.models.language.batches import Example, prompt_ids, text_batches, tokens_of
from nextbest.models.language.checkpoint import open_checkpoint
from nextbest.models.language.controls import from_scratch, shuffled
from nextbest.models.language.lora import LoRAConfig, completion_loss, fit_lora, fit_text
from nextbest.models.language.scoring import choice_log_probs, generate
from nextbest.models.sequence.batches import NO_TARGET

EXAMPLES = [
    Example("say up", "A"),
    Example("say down", "B"),
    Example("скажи, куда", "В лес"),
    Example("say low 0123456789", "middle", weight=0.9),
]
QUICK = LoRAConfig(
    rank=4, steps=12, validate_steps=4, batch_size=2, learning_rate=1e-2, max_length=64, warmup_steps=0
)
PROMPTS, CHOICES = ["the price went", "say up"], ["A", "B", " down again"]


def answers(checkpoint):
    return choice_log_probs(checkpoint, PROMPTS, CHOICES)


@pytest.fixture(scope="module")
def tuned(llama):
    return fit_text(llama, EXAMPLES, QUICK)


@pytest.mark.parametrize("family", ["llama", "mistral", "gemma3"])
def test_a_task_is_learned_by_heart_and_the_base_is_left_alone(tmp_path, family):
    base = open_checkpoint(language_folder(tmp_path / family, family=family))
    before = answers(base)
    tuned = fit_text(
        base, EXAMPLES, QUICK.model_copy(update={"steps": 80, "validate_steps": 40, "batch_size": 4})
    )
    losses = [line["loss"] for line in tuned.trained.curve]
    assert losses[1] < losses[0]
    found = generate(tuned.checkpoint, [one.prompt for one in EXAMPLES], max_new_tokens=12)
    assert [one.text for one in found] == [one.completion for one in EXAMPLES]
    assert all(one.why == "end" for one in found)
    np.testing.assert_array_equal(answers(base), before)


def test_the_loss_is_that_of_all_logits_at_completions_alone(llama):
    (batch,) = text_batches(tokens_of(llama, EXAMPLES, max_length=64), batch_size=4, rng=None)
    mean, n = completion_loss(llama.model, batch)
    total, count = 0.0, 0
    for one in EXAMPLES:
        read = prompt_ids(llama, one.prompt)
        said = [*llama.tokenizer(one.completion, add_special_tokens=False).input_ids, 1]
        logits = llama.model(torch.tensor([read + said])).logits[0].log_softmax(-1)
        total -= one.weight * sum(float(logits[len(read) - 1 + i, t]) for i, t in enumerate(said))
        count += len(said)
    assert n == count
    assert float(mean) == pytest.approx(total / count, abs=1e-5)


def test_the_output_layer_is_asked_at_targets_only(llama):
    (batch,) = text_batches(tokens_of(llama, EXAMPLES, max_length=64), batch_size=4, rng=None)
    asked = []
    head = llama.model.get_output_embeddings()
    handle = head.register_forward_hook(lambda _m, _i, out: asked.append(out.shape))
    completion_loss(llama.model, batch)
    handle.remove()
    assert asked == [(batch.n_targets, len(llama.tokenizer))]
    assert batch.n_targets == np.count_nonzero(batch.target_BL != NO_TARGET) < batch.input_BL.size / 2


def test_windows_share_a_batch_without_a_change(llama):
    tokens = tokens_of(llama, EXAMPLES, max_length=64)
    (whole,) = text_batches(tokens, batch_size=4, rng=None)
    parts = [completion_loss(llama.model, whole.windows(slice(i, i + 1))) for i in range(4)]
    mean, n = completion_loss(llama.model, whole)
    assert sum(m * k for m, k in parts) / n == pytest.approx(float(mean), abs=1e-5)


def test_every_example_is_read_once_a_pass(llama):
    tokens = tokens_of(llama, EXAMPLES * 9, max_length=64)
    batches = list(text_batches(tokens, batch_size=5, rng=1))
    assert sum(len(b.length_B) for b in batches) == 36
    again = list(text_batches(tokens, batch_size=5, rng=1))
    assert all((a.input_BL == b.input_BL).all() for a, b in zip(batches, again, strict=True))


@pytest.mark.parametrize("rng", [None, 1])
def test_long_windows_come_in_smaller_batches(llama, rng):
    examples = [Example("a" * (1 + 3 * (i % 15)), " b") for i in range(60)]
    tokens = tokens_of(llama, examples, max_length=128)
    batches = list(text_batches(tokens, batch_size=8, batch_tokens=120, rng=rng))
    assert sum(len(batch.length_B) for batch in batches) == 60
    assert all(batch.input_BL.size <= 120 for batch in batches if len(batch.length_B) > 1)
    assert max(len(batch.length_B) for batch in batches) == 8
    lone = list(text_batches(tokens, batch_size=8, batch_tokens=1, rng=rng))
    assert [len(batch.length_B) for batch in lone] == [1] * 60


class KilledError(Exception):
    pass


@pytest.mark.parametrize("killed_at", [5, 9])
def test_a_killed_training_goes_on_to_the_same_weights(llama, tmp_path, monkeypatch, killed_at):
    config = QUICK.model_copy(update={"dropout": 0.2})
    unbroken = fit_text(llama, EXAMPLES, config, validation=EXAMPLES[:2])
    real, count = completion_loss, itertools.count(1)

    def dying(model, batch):
        if torch.is_grad_enabled() and next(count) == killed_at:
            raise KilledError
        return real(model, batch)

    monkeypatch.setattr(lora, "completion_loss", dying)
    with pytest.raises(KilledError):
        fit_text(llama, EXAMPLES, config, validation=EXAMPLES[:2], checkpoints=tmp_path / "kept")
    monkeypatch.setattr(lora, "completion_loss", real)
    gone_on = fit_text(llama, EXAMPLES, config, validation=EXAMPLES[:2], checkpoints=tmp_path / "kept")
    assert gone_on.trained.resumed_after == (killed_at - 1) // 4
    assert gone_on.checkpoint.adapter == unbroken.checkpoint.adapter
    assert [x["loss"] for x in gone_on.trained.curve] == [x["loss"] for x in unbroken.trained.curve]


def test_checkpoints_hold_the_adapter_not_the_base(llama, tmp_path):
    fit_text(llama, EXAMPLES, QUICK, checkpoints=tmp_path)
    kept = load_file(next(iter(sorted(tmp_path.glob("epoch-*")))) / "state.safetensors")
    assert kept
    assert all(".lora_" in name for name in kept)


@pytest.mark.parametrize("change", [{"rank": 2}, {"learning_rate": 2e-3}])
def test_checkpoints_of_other_settings_are_refused(llama, tmp_path, change):
    fit_text(llama, EXAMPLES, QUICK, checkpoints=tmp_path)
    with pytest.raises(ArtifactError, match="another training"):
        fit_text(llama, EXAMPLES, QUICK.model_copy(update=change), checkpoints=tmp_path)


def test_checkpoints_of_other_examples_are_refused(llama, tmp_path):
    fit_text(llama, EXAMPLES, QUICK, checkpoints=tmp_path)
    with pytest.raises(ArtifactError, match="another training"):
        fit_text(llama, EXAMPLES[:3], QUICK, checkpoints=tmp_path)


def test_training_stops_when_validation_gets_worse_and_keeps_the_best(llama):
    held = [Example("say up", "B"), Example("say down", "A")]  # the opposite: learning makes it worse
    config = QUICK.model_copy(
        update={"steps": 200, "patience": 2, "validate_steps": 10, "learning_rate": 3e-2}
    )
    tuned = fit_text(llama, EXAMPLES[:2], config, validation=held)
    curve = tuned.trained.curve
    assert tuned.trained.stopped_why == "patience"
    assert tuned.trained.best_epoch == len(curve) - 2
    held_batch = next(text_batches(tokens_of(llama, held, max_length=64), batch_size=2, rng=None))
    mean, _ = completion_loss(tuned.checkpoint.model, held_batch)
    assert -float(mean) == pytest.approx(tuned.trained.best_validation, abs=1e-6)


def test_steps_are_counted_over_passes_and_the_last_round_may_be_short(llama):
    seen = []

    def counting(model, batch):
        seen.append(len(batch.length_B))
        return completion_loss(model, batch)

    tokens = tokens_of(llama, EXAMPLES, max_length=64)
    config = QUICK.model_copy(update={"steps": 7, "validate_steps": 3, "accumulate": 2, "batch_size": 4})
    tuned = fit_lora(llama, lambda epoch: text_batches(tokens, batch_size=4, rng=epoch), counting, config)
    assert len(seen) == 14
    assert len(tuned.trained.curve) == 3
    metrics = tuned.metrics()
    assert metrics["tokens"] == 14 * sum(len(t.ids) - 1 for t in tokens)
    assert metrics["cpu_s"] > 0


def test_a_loss_that_is_no_number_is_refused_and_named(llama):
    def broken(model, batch):
        mean, n = completion_loss(model, batch)
        return mean * float("nan"), n

    tokens = tokens_of(llama, EXAMPLES, max_length=64)
    with pytest.raises(InputError, match="loss must be finite"):
        fit_lora(llama, lambda epoch: text_batches(tokens, batch_size=4, rng=epoch), broken, QUICK)


@pytest.mark.parametrize(
    ("examples", "words"),
    [
        ([], "one at least"),
        ([Example("a", "")], r"1 lack prompt or completion, first: numbers \[0\]"),
        ([Example("a", "b", weight=0.0)], "weight that isn't above 0"),
        (
            [Example("9" * 80, "8")],
            r"longer than max_length=64 tokens, first \(number, tokens\): \[\(0, 83\)\]",
        ),
    ],
)
def test_examples_that_cannot_be_learned_are_named(llama, examples, words):
    with pytest.raises(InputError, match=words):
        fit_text(llama, examples, QUICK)


def test_more_tokens_than_the_context_are_refused(llama):
    with pytest.raises(InputError, match="128 tokens at most"):
        fit_text(llama, EXAMPLES, LoRAConfig())


def test_an_adapter_comes_back_as_it_was(llama, llama_folder, tuned, tmp_path):
    base = replace(llama, seen_until=date(2024, 1, 1))
    save_adapter(
        replace(tuned, checkpoint=replace(tuned.checkpoint, seen_until=date(2024, 1, 1))), tmp_path / "a"
    )
    again = load_adapter(base, tmp_path / "a")
    np.testing.assert_array_equal(answers(again), answers(tuned.checkpoint))
    assert again.adapter == tuned.checkpoint.adapter
    assert np.abs(answers(base) - answers(again)).max() > 0.01
    opened = open_checkpoint(llama_folder, adapter=tmp_path / "a")
    np.testing.assert_array_equal(answers(opened), answers(tuned.checkpoint))


def test_an_adapter_moves_the_cut_off_to_the_end_of_what_it_was_taught(llama, tuned, tmp_path):
    base = replace(llama, seen_until=date(2024, 1, 1))
    later = replace(tuned, checkpoint=replace(tuned.checkpoint, seen_until=date(2024, 1, 1)))
    save_adapter(later, tmp_path / "a", seen_until=date(2025, 6, 1))
    assert load_adapter(base, tmp_path / "a").seen_until == date(2025, 6, 1)


def test_an_adapter_of_another_base_is_refused(tuned, tmp_path):
    save_adapter(tuned, tmp_path / "a")
    other = language_folder(tmp_path / "other", seed=5)
    with pytest.raises(InputError, match=r"was taught on .*not on this base"):
        open_checkpoint(other, adapter=tmp_path / "a")


def test_a_changed_adapter_is_refused(llama, tuned, tmp_path):
    save_adapter(tuned, tmp_path / "a")
    path = tmp_path / "a" / "adapter_model.safetensors"
    save_file({k: v + 1 for k, v in load_file(path).items()}, path)
    with pytest.raises(ArtifactError, match="was changed"):
        load_adapter(llama, tmp_path / "a")


def test_an_adapter_of_others_making_is_read_by_its_shapes(llama, tuned, tmp_path):
    folder = tmp_path / "theirs"
    tuned.checkpoint.model.save_pretrained(folder)
    np.testing.assert_array_equal(answers(load_adapter(llama, folder)), answers(tuned.checkpoint))
    wider = open_checkpoint(language_folder(tmp_path / "wide", hidden=48))
    with pytest.raises(ArtifactError, match="doesn't fit the base"):
        load_adapter(wider, folder)


def test_a_pickled_adapter_is_refused(llama, tmp_path):
    (tmp_path / "adapter_model.bin").write_bytes(b"")
    with pytest.raises(InputError, match="pickled"):
        load_adapter(llama, tmp_path)


def test_base_and_adapter_merged_answer_the_same(llama, tuned, tmp_path):
    folder = merge(tuned.checkpoint, tmp_path / "whole")
    for one in (merged(tuned.checkpoint), open_checkpoint(folder)):
        np.testing.assert_allclose(answers(one), answers(tuned.checkpoint), atol=1e-5)
        assert one.adapter is None
        assert one.digest != llama.digest


def test_only_a_plain_model_is_taught_shuffled_or_saved_whole(tuned, tmp_path):
    for act in (
        lambda: fit_text(tuned.checkpoint, EXAMPLES, QUICK),
        lambda: shuffled(tuned.checkpoint, 0),
        lambda: from_scratch(tuned.checkpoint, 0),
        lambda: save_model(tuned.checkpoint, tmp_path / "m"),
        lambda: load_adapter(tuned.checkpoint, tmp_path),
    ):
        with pytest.raises(InputError, match="adapter"):
            act()


def test_all_weights_learn_where_there_is_no_adapter(llama, tmp_path):
    new = from_scratch(llama, 0)
    assert new.seen_until is None
    config = QUICK.model_copy(update={"target": "all-weights", "steps": 60, "batch_size": 4})
    tuned = fit_text(new, EXAMPLES, config)
    assert tuned.trained.curve[-1]["loss"] < 0.1
    assert [one.text for one in generate(tuned.checkpoint, ["say up"], max_new_tokens=4)] == ["A"]
    with pytest.raises(InputError, match="save_model"):
        save_adapter(tuned, tmp_path / "a")


def test_extra_modules_learn_and_are_kept_with_the_adapter(llama, tmp_path):
    head = nn.Linear(32, 2)
    before = head.weight.clone()

    def loss(model, batch):
        hidden = model.get_input_embeddings()(torch.from_numpy(batch.input_BL)).mean((0, 1))
        mean, n = completion_loss(model, batch)
        return mean + nn.functional.cross_entropy(head(hidden), torch.tensor(1)), n

    tokens = tokens_of(llama, EXAMPLES, max_length=64)
    tuned = fit_lora(
        llama,
        lambda epoch: text_batches(tokens, batch_size=4, rng=epoch),
        loss,
        QUICK,
        extra_modules={"head": head},
        validate=lambda model: 0.0,
    )
    assert (head.weight != before).any()
    save_adapter(tuned, tmp_path / "a")
    fresh = nn.Linear(32, 2)
    load_adapter(llama, tmp_path / "a", extra_modules={"head": fresh})
    assert torch.equal(fresh.weight, head.weight)
    with pytest.raises(InputError, match="saved with the adapter"):
        load_adapter(llama, tmp_path / "a")
    with pytest.raises(InputError, match="aren't those that were saved"):
        load_adapter(llama, tmp_path / "a", extra_modules={"head": nn.Linear(32, 3)})


def test_shuffled_weights_are_the_same_numbers_elsewhere(llama):
    mixed = shuffled(llama, 0)
    for ours, theirs in zip(llama.model.parameters(), mixed.model.parameters(), strict=True):
        assert torch.equal(ours.flatten().sort().values, theirs.flatten().sort().values)
        assert torch.equal(ours, theirs) == (ours.ndim < 2)
    assert shuffled(llama, 0).digest == mixed.digest != shuffled(llama, 1).digest
    assert mixed.digest != llama.digest
