"""Several processes take the steps that one would, and end with the same weights."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from models.sequence.training_cases import always, distance, joined, network, same, settings, weights
from models.sequence.training_process import asked, quality, share, stopping
from nextbest.errors import InputError
from nextbest.models.sequence.distributed import World, own_device, rank_and_world
from nextbest.models.sequence.trainer import train

TESTS = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """Folder with the weights that two processes wrote."""
    folder = tmp_path_factory.mktemp("two")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent / "src")]),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": "2",
        "OMP_NUM_THREADS": "1",
        **({"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}),
    }
    command = [sys.executable, "-m", "models.sequence.training_process", "one_of_several", str(folder)]
    processes = [
        subprocess.Popen(command, env={**environment, "RANK": str(rank)}, stderr=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    try:
        for process in processes:
            _, errors = process.communicate(timeout=600)
            assert process.returncode == 0, errors
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return folder


def test_two_processes_with_uneven_shares_equal_one_with_both_in_one_batch(ended):
    (a0, a1, a2), (b0,) = share(0), share(1)
    alone = network(seed=0)
    train(alone, always(joined([a0, b0]), a1, a2), config=settings(n_epochs=2))  # the best epoch of four
    assert distance(weights(alone), load_file(ended / "whole-0.safetensors")) < 1e-5


def test_two_processes_stop_where_one_does_with_the_questions_of_both(ended):
    (a0, a1, a2), (b0,) = share(0), share(1)

    def alone(questions):
        one = network()
        batches = always(joined([a0, b0]), a1, a2)
        return train(one, batches, config=stopping(), validate=quality(one, questions)).described()

    both = alone(joined([asked(0), asked(1)]))
    assert both["stopped_why"] == "patience"
    assert both["best_epoch"] != alone(asked(0))["best_epoch"]
    for rank in range(2):
        got = json.loads((ended / f"stopped-{rank}").read_text())
        assert got["best_epoch"] == both["best_epoch"]
        assert got["stopped_why"] == both["stopped_why"]
        assert [line["validation"] for line in got["curve"]] == pytest.approx(
            [line["validation"] for line in both["curve"]], rel=1e-5
        )


def test_a_first_process_without_questions_stops_by_those_of_the_others(ended):
    (a0, a1, a2), (b0,) = share(0), share(1)
    alone = network()
    batches = always(joined([a0, b0]), a1, a2)
    train(alone, batches, config=stopping(), validate=quality(alone, asked(1)))
    for rank in range(2):
        assert distance(weights(alone), load_file(ended / f"by_one-{rank}.safetensors")) < 1e-5


@pytest.mark.parametrize("name", ["whole", "resumed", "straight"])
def test_processes_end_with_equal_weights(ended, name):
    first, second = (load_file(ended / f"{name}-{rank}.safetensors") for rank in range(2))
    assert same(first, second)


def test_two_processes_resume_where_they_were(ended):
    resumed, straight = (load_file(ended / f"{name}-0.safetensors") for name in ("resumed", "straight"))
    assert same(resumed, straight)


def test_a_bad_loss_of_one_process_stops_all_before_the_step(ended):
    other, own = ((ended / f"told-{rank}").read_text() for rank in range(2))
    assert "loss must be finite, is nan in epoch 1, near batch 1 of one of 2 processes" in other
    assert "loss must be finite, is nan in epoch 1, batch 1 (3 windows x 5 places" in own
    assert other.endswith("unchanged=True")
    assert own.endswith("unchanged=True")


def test_alone_nothing_is_joined(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert rank_and_world() == (0, 1)
    world = World(torch.device("cpu"))
    assert world.sums(1.5, 2) == [1.5, 2]
    assert world.is_first


def test_several_processes_without_a_rank_are_told(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(InputError, match="RANK: must be set when WORLD_SIZE is 2; start with torchrun"):
        rank_and_world()


def test_more_processes_than_gpus_on_a_machine_are_told(monkeypatch):
    for name, value in {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(InputError, match=r"must be at most the 1 GPU\(s\) of a machine, one each; got 2"):
        own_device(torch.device("cuda"))
    assert own_device(torch.device("cpu")) == torch.device("cpu")
