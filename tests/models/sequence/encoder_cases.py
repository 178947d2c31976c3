"""Small encoders of every kind with random weights, and ragged windows, for tests of what all encoders promise."""

import torch

from nextbest.models.sequence.encoders.gru import GRUEncoder
from nextbest.models.sequence.encoders.lstm import LSTMEncoder
from nextbest.models.sequence.encoders.transformer import TransformerEncoder

DIM, MAX_LEN = 8, 7


def sasrec(**options):
    return TransformerEncoder(DIM, max_len=MAX_LEN, is_causal=True, **options)


def bert4rec(**options):
    return TransformerEncoder(DIM, max_len=MAX_LEN, is_causal=False, **options)


CASES = {
    "gru": lambda **o: GRUEncoder(DIM, **o),
    "gru, two layers, other size": lambda **o: GRUEncoder(DIM, hidden_size=12, n_layers=2, **o),
    "lstm": lambda **o: LSTMEncoder(DIM, **o),
    "lstm, two layers, other size": lambda **o: LSTMEncoder(DIM, hidden_size=6, n_layers=2, **o),
    "sasrec": sasrec,
    "sasrec, heads, post-norm, relu": lambda **o: sasrec(
        n_heads=2, norm="post", activation="relu", feed_forward=2, **o
    ),
    "sasrec, one block": lambda **o: sasrec(n_blocks=1, **o),
    "bert4rec": lambda **o: bert4rec(n_heads=2, feed_forward=4, **o),
    "bert4rec, post-norm, three blocks": lambda **o: bert4rec(n_blocks=3, norm="post", **o),
}
CAUSAL = [name for name in CASES if not name.startswith("bert4rec")]


def encoder(name, *, seed=0, **options):
    """In evaluation; biases and norms are random too, so that a forgotten one shows."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = CASES[name](**options)
        for weight in made.parameters():
            if weight.ndim == 1:
                torch.nn.init.normal_(weight)
    return made.eval()


def windows(*lengths, n_places=None, seed=1):
    """Random vectors (padded places too, which must not matter) and lengths."""
    generator = torch.Generator().manual_seed(seed)
    x_BLD = torch.randn(len(lengths), n_places or max(lengths), DIM, generator=generator)
    return x_BLD, torch.tensor(lengths)
