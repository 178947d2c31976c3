"""A training learns, stops when it should, and comes to the same whatever happens on the way."""

import logging
import math
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from models.sequence.training_cases import (
    always,
    batch,
    distance,
    joined,
    network,
    same,
    settings,
    stream,
    weights,
)
from nextbest.errors import ArtifactError, InputError
from nextbest.models.sequence import trainer as trainer_module
from nextbest.models.sequence.distributed import World
from nextbest.models.sequence.optimizers import Optimizer
from nextbest.models.sequence.steps import CHECK_EVERY, Stepper, Where
from nextbest.models.sequence.trainer import train

TESTS = Path(__file__).parents[2]


def qualities(*numbers):
    """A validation that says these numbers in turn."""
    said = iter(numbers)
    return lambda: next(said)


# --- learning ---------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["adam", "adamw", "adagrad"])
def test_each_optimizer_learns_what_follows(kind):
    one = network()
    rate = 0.5 if kind == "adagrad" else 0.1
    trained = train(one, stream(), config=settings(n_epochs=40, optimizer=kind, learning_rate=rate))
    item_I = torch.arange(7)
    assert torch.equal(one.out(one.vectors(item_I)).argmax(1), (item_I + 1) % 7)
    assert trained.curve[-1]["loss"] < 0.2 < trained.curve[0]["loss"]


def test_the_curve_tells_mean_loss_over_targets_events_and_growing_cost():
    one = network()
    a, b = batch([3, 2]), batch([1], seed=1)
    with torch.no_grad():
        losses = [float(one.loss(x, torch.Generator())[0]) for x in (a, b)]
    trained = train(one, always(a, b), config=settings(n_epochs=2, learning_rate=1e-9))
    assert trained.curve[0]["loss"] == pytest.approx((5 * losses[0] + losses[1]) / 6, rel=1e-5)
    assert [line["epoch"] for line in trained.curve] == [1, 2]
    assert [line["events"] for line in trained.curve] == [6, 6]
    assert 0 < trained.curve[0]["cpu_s"] < trained.curve[1]["cpu_s"]
    assert (trained.n_parameters, trained.device, trained.precision) == (8 * 4 + 4 * 7 + 7, "cpu", "float32")
    assert trained.peak_memory_bytes > 10_000_000
    assert trained.described()["curve"] == trained.curve


def test_two_halves_accumulated_equal_the_whole_batch():
    a, b = batch([3, 2, 5]), batch([1], seed=1)
    halves, whole = network(), network()
    train(halves, always(a, b), config=settings(accumulate=2))
    train(whole, always(joined([a, b])), config=settings())
    assert distance(weights(halves), weights(whole)) < 1e-6
    assert distance(weights(whole), weights(network())) > 0.1


def test_what_is_left_of_an_epoch_is_a_step_too():
    one, other = network(), network()
    a, b, c = (batch([3], seed=seed) for seed in range(3))
    train(one, always(a, b, c), config=settings(accumulate=2, n_epochs=1))
    train(other, always(joined([a, b]), c), config=settings(n_epochs=1))
    assert distance(weights(one), weights(other)) < 1e-6


def test_a_long_gradient_is_shortened_to_clip_norm():
    """With plain steps of Adagrad's first kind the length itself would vanish, so the gradient is read."""
    lengths = []
    for clip_norm in (None, 1e-3):
        one = network()
        train(one, always(batch([5])), config=settings(n_epochs=1, clip_norm=clip_norm))
        lengths.append(math.sqrt(sum(float((p.grad**2).sum()) for p in one.parameters())))
    assert lengths[0] > 0.1
    assert lengths[1] == pytest.approx(1e-3)


def test_a_batch_without_targets_changes_nothing():
    nothing = batch([2])
    nothing.target_BL[:] = -1
    with_it, without = network(), network()
    train(with_it, always(batch([3]), nothing), config=settings())
    train(without, always(batch([3])), config=settings())
    assert same(weights(with_it), weights(without))


@pytest.mark.parametrize("batches", [[], ["nothing"]])
def test_an_epoch_without_targets_ends_the_training(batches, caplog):
    nothing = batch([2])
    nothing.target_BL[:] = -1
    one = network()
    before = weights(one)
    trained = train(one, always(*[nothing for _ in batches]), config=settings())
    assert trained.stopped_why == "no targets"
    assert same(weights(one), before)
    assert "epoch 1 has no target" in caplog.text


# --- when to stop -----------------------------------------------------------------------------
def test_patience_ends_it_and_the_best_weights_come_back():
    one, best = network(), network()
    trained = train(
        one, stream(), config=settings(n_epochs=9, patience=2), validate=qualities(0.1, 0.3, 0.3, 0.2, 9)
    )
    assert (trained.stopped_why, trained.best_epoch, trained.best_validation) == ("patience", 2, 0.3)
    assert len(trained.curve) == 4
    train(best, stream(), config=settings(n_epochs=2))
    assert same(weights(one), weights(best))


def test_without_validation_all_epochs_are_run():
    trained = train(network(), stream(), config=settings(n_epochs=7, patience=1))
    assert (trained.stopped_why, trained.best_epoch, len(trained.curve)) == ("epochs", 7, 7)


def test_validation_is_asked_every_so_often_and_after_the_last_epoch_in_eval_mode():
    one = network()
    modes = []

    def validate():
        modes.append((one.training, torch.is_grad_enabled()))
        return 1.0

    trained = train(one, stream(), config=settings(n_epochs=5, validate_every=2), validate=validate)
    assert [line["validation"] for line in trained.curve] == [None, 1, None, 1, 1]
    assert modes == [(False, False)] * 3


def test_the_epoch_that_passes_the_budget_is_the_last(monkeypatch):
    clock = iter(range(0, 1000, 2))
    monkeypatch.setattr(trainer_module.devices, "seconds", lambda device: float(next(clock)))
    trained = train(network(), stream(), config=settings(n_epochs=50, seconds=20))
    assert trained.stopped_why == "seconds"
    costs = [line["cpu_s"] for line in trained.curve]
    assert costs[-2] < 20 <= costs[-1]


def test_validation_that_gives_nan_is_refused():
    with pytest.raises(InputError, match="validate: must give a number; got nan"):
        train(network(), stream(), config=settings(), validate=lambda: math.nan)


# --- the same again ---------------------------------------------------------------------------
def test_the_same_rng_gives_the_same_weights_and_another_one_others():
    found = []
    for rng in (5, 5, 6):
        one = network(dropout=0.5, draws=True)
        torch.manual_seed(len(found))  # what others drew before doesn't count
        train(one, stream(), config=settings(), rng=rng)
        found.append(weights(one))
    assert same(found[0], found[1])
    assert not same(found[0], found[2])


def test_threads_random_state_and_mode_are_put_back():
    before, state = torch.get_num_threads(), torch.get_rng_state()
    inside = []
    one = network().eval()

    def batches(epoch):
        inside.append(torch.get_num_threads())
        return stream()(epoch)

    train(one, batches, config=settings(n_epochs=1, n_threads=before + 1))
    assert inside == [before + 1]
    assert torch.get_num_threads() == before
    assert torch.equal(torch.get_rng_state(), state)
    assert not one.training


# --- checkpoints ------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["adamw", "adagrad"])
@pytest.mark.parametrize("quality", [None, (0.5, 0.1, 0.2, 0.3, 0.4)])
def test_resumed_after_some_epochs_equals_uninterrupted(tmp_path, kind, quality):
    config = {"optimizer": kind, "weight_decay": 0.1, "warmup_steps": 7, "patience": 9}
    straight, resumed = (network(dropout=0.3, draws=True) for _ in range(2))
    whole = train(
        straight, stream(), config=settings(n_epochs=5, **config), validate=quality and qualities(*quality)
    )
    for start, n_epochs in ((0, 2), (2, 5)):
        resumed = network(seed=n_epochs if start else 0, dropout=0.3, draws=True)
        parts = train(
            resumed,
            stream(),
            config=settings(n_epochs=n_epochs, **config),
            validate=quality and qualities(*quality[start:]),
            checkpoints=tmp_path,
        )
    assert same(weights(straight), weights(resumed))
    assert parts.resumed_after == 2
    assert parts.best_epoch == whole.best_epoch
    assert [(x["loss"], x["validation"]) for x in parts.curve] == [
        (x["loss"], x["validation"]) for x in whole.curve
    ]


def test_a_training_that_was_done_is_answered_from_its_checkpoint(tmp_path):
    one, other = network(), network(seed=1)
    config = settings(patience=1, n_epochs=9)
    done = train(one, stream(), config=config, validate=qualities(2, 1), checkpoints=tmp_path)
    again = train(other, stream(), config=config, validate=qualities(), checkpoints=tmp_path)
    assert same(weights(one), weights(other))
    assert (again.stopped_why, again.curve, again.resumed_after) == ("patience", done.curve, 2)


def test_killed_in_the_middle_of_an_epoch_it_goes_on_to_the_same_weights(tmp_path):
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent / "src")]),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "models.sequence.training_process", "killed", str(tmp_path)]
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    options = {"dropout": 0.3, "draws": True}
    resumed, straight = network(seed=9, **options), network(**options)
    trained = train(resumed, stream(), config=settings(n_epochs=5), checkpoints=tmp_path, rng=3)
    train(straight, stream(), config=settings(n_epochs=5), rng=3)
    assert trained.resumed_after == 2
    assert same(weights(resumed), weights(straight))


def test_a_checkpoint_of_other_settings_is_refused_in_words(tmp_path):
    train(network(), stream(), config=settings(n_epochs=1), checkpoints=tmp_path)
    with pytest.raises(
        ArtifactError, match=r"of another training: learning_rate was 0\.1, is 0\.2; name another"
    ):
        train(network(), stream(), config=settings(learning_rate=0.2), checkpoints=tmp_path)
    with pytest.raises(ArtifactError, match="rng was 0, is 1"):
        train(network(), stream(), config=settings(), checkpoints=tmp_path, rng=1)


def test_a_checkpoint_of_another_network_is_refused_in_words(tmp_path):
    train(network(), stream(), config=settings(n_epochs=1), checkpoints=tmp_path)
    other = network()
    other.out = nn.Linear(4, 9)
    with pytest.raises(
        ArtifactError, match=r"out.weight was 'float32 \(7, 4\)', is 'float32 \(9, 4\)'; out.bias was"
    ):
        train(other, stream(), config=settings(), checkpoints=tmp_path)


def test_the_cosine_refuses_another_number_of_epochs_because_its_rates_would_differ(tmp_path):
    config = {"schedule": "cosine"}
    train(network(), stream(), config=settings(n_epochs=1, **config), checkpoints=tmp_path)
    with pytest.raises(ArtifactError, match="n_epochs was 1, is 2"):
        train(network(), stream(), config=settings(n_epochs=2, **config), checkpoints=tmp_path)


def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path, caplog):
    straight, resumed = network(), network(seed=4)
    train(straight, stream(), config=settings(n_epochs=4))
    train(network(), stream(), config=settings(n_epochs=3), checkpoints=tmp_path)
    state = tmp_path / "epoch-00003" / "state.safetensors"
    state.write_bytes(state.read_bytes()[:-1] + b"?")
    trained = train(resumed, stream(), config=settings(n_epochs=4), checkpoints=tmp_path)
    assert trained.resumed_after == 2
    assert same(weights(straight), weights(resumed))
    assert "epoch-00003 is passed over: state.safetensors has changed since it was written" in caplog.text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch-00003", "epoch-00004"]


# --- what goes wrong --------------------------------------------------------------------------
def bad_after(n_calls, *, gradient=False):
    """A network whose loss, or only its gradient, is NaN in call number `n_calls`, and every one after."""
    one = network()
    plain, calls = one.loss, []

    def loss(x, generator):
        mean, n = plain(x, generator)
        calls.append(weights(one))
        if len(calls) >= n_calls:
            # the slope of sqrt at 0 is infinite, and infinite times 0 is NaN
            mean = mean + (0 * mean).sqrt() if gradient else mean * math.nan
        return mean, n

    one.loss = loss
    return one, calls


@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("clip_norm", [None, 1.0])
def test_a_bad_number_names_its_batch_and_leaves_weights_and_checkpoint(tmp_path, gradient, clip_norm):
    one, calls = bad_after(5, gradient=gradient)
    what = "gradient" if gradient else "loss"
    with pytest.raises(InputError) as caught:
        train(one, stream(), config=settings(clip_norm=clip_norm), checkpoints=tmp_path)
    assert str(caught.value).startswith(f"training: {what} must be finite, is nan in epoch 2, batch 2 ")
    assert "(3 windows x 3 places, first lengths [3, 2, 2]), learning rate 0.1" in str(caught.value)
    assert "1 epoch(s) are kept in" in str(caught.value)
    assert "lower learning_rate" in str(caught.value)
    assert same(weights(one), calls[4])
    assert (tmp_path / "epoch-00001").is_dir()


def test_a_bad_batch_among_accumulated_ones_is_named():
    one, _ = bad_after(5)
    with pytest.raises(InputError, match=r"epoch 1, batch 5 \(3 windows x 5 places\), learning rate"):
        train(one, stream(6), config=settings(accumulate=3))


@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("kind", ["adam", "adamw", "adagrad"])
def test_where_numbers_are_looked_at_late_the_weights_stop_at_the_bad_step_all_the_same(gradient, kind):
    one, calls = bad_after(4, gradient=gradient)
    stepper = late(one, kind)
    what = "gradient must be finite" if gradient else "loss must be finite, is nan"

    def steps(*numbers):
        for number in numbers:
            stepper.step([batch([3])], Where.of([batch([3])], epoch=1, batch=number, rate=0.1))

    steps(*range(1, CHECK_EVERY))
    with pytest.raises(InputError, match=f"{what} in epoch 1, batch 4 "):
        steps(CHECK_EVERY)
    assert len(calls) == CHECK_EVERY
    assert same(weights(one), calls[3])


def test_looked_at_late_or_at_once_the_steps_are_the_same():
    one, other = network(), network()
    train(one, always(*[batch([3])] * 12), config=settings(n_epochs=1, accumulate=2, clip_norm=0.1))
    stepper = late(other, "adamw", clip_norm=0.1)
    for _ in range(6):
        two = [batch([3])] * 2
        stepper.step(two, Where.of(two, epoch=1, batch=1, rate=0.1))
    assert stepper.sums.n_targets == 0
    stepper.look()
    assert stepper.sums.n_targets == 36
    assert distance(weights(one), weights(other)) < 1e-6


def late(one, kind, clip_norm=None):
    """A stepper as on a GPU, on the CPU."""
    return Stepper(
        one,
        Optimizer(one, settings(optimizer=kind)),
        world=World(torch.device("cpu")),
        generator=torch.Generator(),
        precision=torch.float32,
        clip_norm=clip_norm,
        deferred=True,
    )


def test_full_memory_splits_the_batch_and_the_steps_stay_the_same(caplog):
    small, large = network(memory=2), network()
    batches = always(batch([5, 4, 3, 2, 1, 1, 1]), batch([2, 2, 2], seed=1))
    trained = train(small, batches, config=settings(accumulate=2))
    train(large, batches, config=settings(accumulate=2))
    assert distance(weights(small), weights(large)) < 1e-6
    assert trained.stopped_why == "epochs"
    # 7 don't fit, 4 don't, 2 do: 10 places; of 2 places each there may then be 5, of which 2 fit
    assert [shape[0] for shape in small.sizes[:6]] == [7, 4, 2, 2, 2, 1]
    assert "out of memory with 7 windows x 5 places: from now on at most 20 places at once" in caplog.text
    assert "out of memory with 4 windows x 5 places: from now on at most 10 places at once" in caplog.text
    n_epochs_after = small.sizes[small.sizes.index((3, 2)) + 1 :]
    assert max(b for b, _ in n_epochs_after) <= 2


def test_after_full_memory_the_same_random_numbers_are_drawn_again():
    found = []
    for lengths, memory in (([3, 3], 1), ([3, 3], 1)):
        one = network(memory=memory, draws=True, dropout=0.5)
        train(one, always(batch(lengths)), config=settings(n_epochs=1))
        found.append(weights(one))
    assert same(*found)
    failed, split = network(memory=1, draws=True), network(draws=True)
    for one, largest in ((failed, None), (split, 3)):
        generator = torch.Generator().manual_seed(1)
        stepper = Stepper(
            one,
            Optimizer(one, settings()),
            world=World(torch.device("cpu")),
            generator=generator,
            precision=torch.float32,
            clip_norm=None,
            deferred=False,
            largest=largest,
        )
        stepper.step([batch([3, 3])], Where.of([batch([3, 3])], epoch=1, batch=1, rate=0.1))
    assert same(weights(failed), weights(split))


def test_one_window_that_memory_does_not_hold_is_told():
    with pytest.raises(
        InputError, match="max_len: memory doesn't hold one window of 5 places; lower max_len"
    ):
        train(network(memory=0), always(batch([5, 2])), config=settings())


def test_an_error_that_is_not_about_memory_passes():
    one = network()

    def loss(x, generator):
        raise RuntimeError("shapes differ")

    one.loss = loss
    with pytest.raises(RuntimeError, match="shapes differ"):
        train(one, stream(), config=settings())


@pytest.mark.parametrize(("kept", "words"), [(True, "2 epoch.s. are kept in"), (False, "begun anew")])
def test_an_interruption_says_how_to_resume(tmp_path, kept, words, caplog):
    def batches(epoch):
        if epoch == 2:
            raise KeyboardInterrupt
        return stream()(epoch)

    with pytest.raises(KeyboardInterrupt) as caught:
        train(network(), batches, config=settings(n_epochs=4), checkpoints=tmp_path if kept else None)
    assert re.search(words, caught.value.__notes__[0])
    assert "training interrupted" in caplog.text
    resumed, straight = network(seed=1), network()
    if kept:
        train(resumed, stream(), config=settings(n_epochs=4), checkpoints=tmp_path)
        train(straight, stream(), config=settings(n_epochs=4))
        assert same(weights(resumed), weights(straight))


def test_an_interruption_of_the_first_epoch_says_that_nothing_is_kept(tmp_path):
    def batches(epoch):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        train(network(), batches, config=settings(), checkpoints=tmp_path)
    assert "no epoch was finished" in caught.value.__notes__[0]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="device: torch sees no GPU; got 'cuda'"):
        train(network(), stream(), config=settings(device="cuda"))


def test_a_seed_below_0_is_refused():
    with pytest.raises(InputError, match="rng: must be 0 or more; got -1"):
        train(network(), stream(), config=settings(), rng=-1)


def test_a_mean_over_no_questions_is_told():
    with pytest.raises(InputError, match="n_questions: must be 1 or more; got 0"):
        train(network(), stream(), config=settings(), validate=lambda: 0.5, n_questions=0)


def test_a_cpu_that_multiplies_bfloat16_may_be_asked_to_and_does_not_unasked(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    asked = train(network(), stream(), config=settings(precision="bfloat16", n_epochs=1))
    unasked = train(network(), stream(), config=settings(n_epochs=1))
    assert (asked.precision, unasked.precision) == ("bfloat16", "float32")


@pytest.mark.parametrize("told", [{}, {"avx512_bf16": False, "avx512_f": True}])
def test_a_precision_that_the_cpu_lacks_is_refused(monkeypatch, told):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: told, raising=False)
    with pytest.raises(InputError, match="precision: cpu doesn't calculate in it; got 'bfloat16'"):
        train(network(), stream(), config=settings(precision="bfloat16"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_comes_to_what_the_cpu_does():
    class OnGpu(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network()

        def loss(self, x, generator):
            device = self.inner.out.weight.device
            logits = self.inner.out(self.inner.vectors(torch.from_numpy(x.input_BL).to(device)))
            target = torch.from_numpy(x.target_BL).to(device)
            asked = target >= 0
            return nn.functional.cross_entropy(logits[asked], target[asked]), int((x.target_BL >= 0).sum())

    cpu, gpu = OnGpu(), OnGpu()
    train(cpu, stream(), config=settings(device="cpu"))
    trained = train(gpu, stream(), config=settings(device="cuda", precision="float32"))
    assert trained.device.startswith("cuda")
    assert distance(weights(cpu), {name: x.cpu() for name, x in weights(gpu).items()}) < 1e-4


# --- what is shown ----------------------------------------------------------------------------
def test_the_bar_shows_epoch_loss_validation_and_speed(capsys):
    train(network(), stream(CHECK_EVERY), config=settings(n_epochs=2), validate=lambda: 0.25, progress=True)
    shown = capsys.readouterr().err
    assert "epoch 2/2" in shown
    assert "loss=" in shown
    assert "validation=0.2500" in shown


def test_without_progress_nothing_is_shown(capsys, caplog):
    caplog.set_level(logging.INFO)
    train(network(), stream(), config=settings(n_epochs=1))
    assert capsys.readouterr().err == ""
    assert "epoch 1: loss" in caplog.text
