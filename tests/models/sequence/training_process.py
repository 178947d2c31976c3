"""One process of a training, for tests that need one to kill or several to join. `python -m` it."""

import json
import math
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch.distributed
from safetensors.torch import save_file

from models.sequence.training_cases import (
    N_ITEMS,
    Bigram,
    always,
    batch,
    network,
    same,
    settings,
    stream,
    weights,
)
from nextbest.errors import InputError
from nextbest.models.sequence.batches import Batch
from nextbest.models.sequence.config import TrainConfig
from nextbest.models.sequence.distributed import rank_and_world
from nextbest.models.sequence.trainer import train

SHARES = ([[3, 2], [4], [2, 2, 1]], [[1, 1, 5]])
"""Lengths of the windows of each batch, by process: uneven on purpose."""
QUALITIES = ((0.4, 0.3, 0.2, 0.25, 0.9), (0.0, 0.3, 0.2, 0.25, 0.9))
"""What validation of each process says, epoch by epoch: patience 2 ends it after the fourth, by the first one's alone
after the third."""
QUESTIONS = ([1, 2], [2, 5, 4])
"""Lengths of the windows that each process is asked about; every target is the item it expects least."""


def share(rank: int) -> list[Batch]:
    """Batches of one process."""
    return [batch(lengths, seed=10 * rank + number) for number, lengths in enumerate(SHARES[rank])]


def asked(rank: int) -> Batch:
    """What one process is asked: other items than it learns, so that it soon gets worse."""
    one = batch(QUESTIONS[rank], seed=rank)
    wrong_BL = np.where(one.target_BL >= 0, (one.target_BL * (2 + rank) + 1) % N_ITEMS, -1)
    return Batch(one.input_BL, wrong_BL, one.length_B)


def quality(network: Bigram, questions: Batch) -> Callable[[], float]:
    """Mean log-probability of the questions' targets."""
    return lambda: -float(network.loss(questions, torch.Generator())[0])


def stopping() -> TrainConfig:
    """Small steps: quality rises a little before it falls."""
    return settings(n_epochs=30, patience=2, learning_rate=0.03)


def killed(folder: Path) -> None:
    """Train, and die without a word in the middle of the third epoch."""

    def batches(epoch: int) -> Iterator[Batch]:
        for number, one in enumerate(stream()(epoch)):
            if (epoch, number) == (2, 1):
                # torch's compiler takes seconds to load, and no step needs it
                assert "torch._dynamo" not in sys.modules
                os.kill(os.getpid(), signal.SIGKILL)
            yield one

    train(network(dropout=0.3, draws=True), batches, config=settings(n_epochs=5), checkpoints=folder, rng=3)


def one_of_several(folder: Path) -> None:
    """Train this process's share: once by itself with validation, then in two goes with checkpoints."""
    rank, world = rank_and_world()
    said = iter(QUALITIES[rank])
    one = network(seed=rank)  # the first one's weights must win
    trained = train(
        one,
        always(*share(rank)),
        config=settings(n_epochs=9, patience=2),
        validate=lambda: next(said),
    )
    assert trained.stopped_why == "patience"
    assert trained.best_epoch == 2
    assert trained.curve[0]["events"] == sum(sum(b) for s in SHARES for b in s)
    save_file(weights(one), folder / f"whole-{rank}.safetensors")

    questions = asked(rank)
    by_all = network()
    trained = train(
        by_all,
        always(*share(rank)),
        config=stopping(),
        validate=quality(by_all, questions),
        n_questions=questions.n_targets,
    )
    (folder / f"stopped-{rank}").write_text(json.dumps(trained.described()))
    by_one = network()  # the first has nothing to ask
    train(
        by_one,
        always(*share(rank)),
        config=stopping(),
        validate=quality(by_one, questions) if rank else None,
    )
    save_file(weights(by_one), folder / f"by_one-{rank}.safetensors")

    store = torch.distributed.FileStore(str(folder / "store"), world)
    torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=world)
    own = folder / f"disk-{rank}"  # only the first one's disk is written to and read from
    for n_epochs in (2, 4):
        two = network(seed=n_epochs + rank, dropout=0.2)
        train(two, always(*share(rank)), config=settings(n_epochs=n_epochs), checkpoints=own)
    straight = network(seed=2, dropout=0.2)
    train(straight, always(*share(rank)), config=settings(n_epochs=4))
    save_file(weights(two), folder / f"resumed-{rank}.safetensors")
    save_file(weights(straight), folder / f"straight-{rank}.safetensors")
    assert own.exists() == (rank == 0)

    three = network()
    before, plain = weights(three), three.loss
    if rank == 1:
        three.loss = lambda x, generator: (plain(x, generator)[0] * math.nan, 1)  # type: ignore[method-assign]
    try:
        train(three, always(*share(rank)), config=settings())
    except InputError as error:
        (folder / f"told-{rank}").write_text(f"{error} unchanged={same(weights(three), before)}")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    {"killed": killed, "one_of_several": one_of_several}[sys.argv[1]](Path(sys.argv[2]))
