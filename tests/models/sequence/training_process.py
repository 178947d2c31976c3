"""One process of a training, for tests that need one to kill or several to join. `python -m` it."""

import math
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import torch.distributed
from safetensors.torch import save_file

from models.sequence.training_cases import always, batch, network, same, settings, stream, weights
from nextbest.errors import InputError
from nextbest.models.sequence.batches import Batch
from nextbest.models.sequence.distributed import rank_and_world
from nextbest.models.sequence.trainer import train

SHARES = ([[3, 2], [4], [2, 2, 1]], [[1, 1, 5]])
"""Lengths of the windows of each batch, by process: uneven on purpose."""
QUALITIES = (0.1, 0.3, 0.2, 0.25, 0.9)
"""What validation says, epoch by epoch: patience 2 ends it after the fourth."""


def share(rank: int) -> list[Batch]:
    """Batches of one process."""
    return [batch(lengths, seed=10 * rank + number) for number, lengths in enumerate(SHARES[rank])]


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
    said = iter(QUALITIES)
    one = network(seed=rank)  # the first one's weights must win
    trained = train(
        one,
        always(*share(rank)),
        config=settings(n_epochs=9, patience=2),
        validate=(lambda: next(said)) if rank == 0 else never,
    )
    assert trained.stopped_why == "patience"
    assert trained.best_epoch == 2
    assert trained.curve[0]["events"] == sum(sum(b) for s in SHARES for b in s)
    save_file(weights(one), folder / f"whole-{rank}.safetensors")

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


def never() -> float:
    """Only the first process validates."""
    raise AssertionError


if __name__ == "__main__":
    {"killed": killed, "one_of_several": one_of_several}[sys.argv[1]](Path(sys.argv[2]))
