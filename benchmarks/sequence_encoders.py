"""CPU time of sequence encoders: the GRU layer against torch's own, and answering by ONNX Runtime against torch.

    OMP_NUM_THREADS=1 python benchmarks/sequence_encoders.py layer      forward and backward, CPU-ms a batch
    OMP_NUM_THREADS=1 python benchmarks/sequence_encoders.py answer     users per CPU-second

One thread; the best of a few runs, in CPU time of the process. On a machine whose cores are shared the figures of
one line compare, those of two runs don't.
"""

import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from nextbest.models.sequence.encoders.gru import GRUEncoder
from nextbest.models.sequence.encoders.gru_layer import gru_layer
from nextbest.models.sequence.encoders.lstm import LSTMEncoder
from nextbest.models.sequence.encoders.transformer import TransformerEncoder
from nextbest.models.sequence.encoding import OnnxEncoder, TorchEncoder


def best_ms(runs: list[Callable[[], object]], *, times: int = 4) -> list[float]:
    """CPU-milliseconds of each, the best of `times` after one to warm up; they take turns, so that load is shared."""
    best = [float("inf")] * len(runs)
    for turn in range(times + 1):
        for number, run in enumerate(runs):
            start = time.process_time()
            run()
            if turn:
                best[number] = min(best[number], 1e3 * (time.process_time() - start))
    return best


def layer() -> None:
    print("| B | L | H | torch | ours | torch / ours |\n|---|---|---|---|---|---|")
    for hidden in (64, 100, 128):
        theirs = nn.GRU(hidden, hidden)
        for n_windows in (32, 128, 256):
            for n_places in (20, 50, 100):
                x = torch.randn(n_places, n_windows, hidden, requires_grad=True)
                grad = torch.randn(n_places, n_windows, hidden)
                a, b = best_ms(
                    [
                        lambda: theirs(x)[0].backward(grad),  # noqa: B023  (called before the next turn)
                        lambda: gru_layer(x, *theirs.all_weights[0]).backward(grad),  # noqa: B023  (same)
                    ]
                )
                print(
                    f"| {n_windows} | {n_places} | {hidden} | {a:.1f} | {b:.1f} | {a / b:.2f} |", flush=True
                )


def answer(dim: int = 64, n_places: int = 50) -> None:
    rng = np.random.default_rng(0)
    encoders = {
        "GRU": GRUEncoder(dim),
        "LSTM": LSTMEncoder(dim),
        "SASRec, 2 blocks": TransformerEncoder(dim, max_len=n_places, is_causal=True),
        "BERT4Rec, 2 blocks, 2 heads": TransformerEncoder(
            dim, max_len=n_places, is_causal=False, n_heads=2, feed_forward=4
        ),
    }
    print("| encoder | B | torch | ONNX Runtime |\n|---|---|---|---|")
    for name, encoder in encoders.items():
        by_torch, by_onnx = TorchEncoder(encoder), OnnxEncoder(encoder.onnx())
        for n_windows in (1, 256):
            x_BLD = rng.standard_normal((n_windows, n_places, dim)).astype(np.float32)
            length_B = rng.integers(n_places // 2, n_places + 1, n_windows)
            times = 200 if n_windows == 1 else 6
            a, b = best_ms([lambda: by_torch(x_BLD, length_B), lambda: by_onnx(x_BLD, length_B)], times=times)  # noqa: B023
            print(
                f"| {name} | {n_windows} | {1e3 * n_windows / a:,.0f} | {1e3 * n_windows / b:,.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    torch.set_num_threads(1)
    {"layer": layer, "answer": answer}[sys.argv[1]]()
