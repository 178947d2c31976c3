"""PatchTST and N-HiTS, small, with quantiles: a path of closes, free of units -> quantiles of what comes.

Axes: N windows, C closes of a window, L patches, P closes of a patch, D dims, H horizons, Q learned levels.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from nextbest.market.candles.network import rising
from nextbest.market.candles.quantiles import LEARNED_LEVELS
from nextbest.market.neural.config import NeuralConfig
from nextbest.models.sequence.encoders.dropout import Dropout
from nextbest.models.sequence.encoders.transformer import TransformerEncoder

_N_LEVELS = len(LEARNED_LEVELS)


class PatchTST(nn.Module):
    """Overlapping patches, attention both ways, all places flattened into one linear head.

    Nie et al. 2023, the supervised, channel-independent form; normalised before each half of a block, by layers
    instead of by batches.
    """

    def __init__(self, config: NeuralConfig, *, n_horizons: int) -> None:
        super().__init__()
        self.patch, self.stride = config.patch, config.stride
        n_patches = (config.window - config.patch) // config.stride + 1
        self.entry = nn.Linear(config.patch, config.dim)
        nn.init.normal_(self.entry.weight, std=(config.patch * config.dim) ** -0.5)
        self.encoder = TransformerEncoder(
            config.dim,
            max_len=n_patches,
            is_causal=False,
            n_blocks=config.n_blocks,
            n_heads=config.n_heads,
            feed_forward=2,
            dropout=config.dropout,
        )
        self.dropout = Dropout(config.dropout)
        self.head = nn.Linear(n_patches * config.dim, n_horizons * _N_LEVELS)
        self.n_horizons = n_horizons

    def forward(self, path_NC: Tensor) -> Tensor:
        """Quantiles, (N, H, Q)."""
        patch_NLP = (
            path_NC.flip(-1).unfold(-1, self.patch, self.stride).flip(1, 2)
        )  # the newest close in a patch
        x_NLD = self.entry(patch_NLP)
        length_N = torch.full((len(x_NLD),), x_NLD.shape[1], dtype=torch.int64, device=x_NLD.device)
        flat = self.dropout(self.encoder(x_NLD, length_N).flatten(1))
        return rising(self.head(flat).view(-1, self.n_horizons, _N_LEVELS))


class NHiTS(nn.Module):
    """Stacks of networks that each read the path at another rate, explain a part of it and hand on the rest.

    Challu et al. 2023. A forecast at the horizons alone is asked, so that each stack's answer is its own sum of the
    horizons' numbers, not interpolated from knots; the backcast is interpolated from knots at the stack's rate.
    """

    def __init__(self, config: NeuralConfig, *, n_horizons: int) -> None:
        super().__init__()
        self.rates, self.n_horizons, self.window = config.rates, n_horizons, config.window
        self.stacks = nn.ModuleList()
        for rate in self.rates:
            n_pooled = -(-config.window // rate)
            n_knots = max(2, n_pooled // 2)
            self.stacks.append(
                nn.ModuleDict(
                    {
                        "body": nn.Sequential(
                            nn.Linear(n_pooled, config.dim),
                            nn.ReLU(),
                            Dropout(config.dropout),
                            nn.Linear(config.dim, config.dim),
                            nn.ReLU(),
                        ),
                        "back": nn.Linear(config.dim, n_knots),
                        "ahead": nn.Linear(config.dim, n_horizons * _N_LEVELS),
                    }
                )
            )

    def forward(self, path_NC: Tensor) -> Tensor:
        """Quantiles, (N, H, Q)."""
        rest_NC = path_NC
        total = path_NC.new_zeros(len(path_NC), self.n_horizons * _N_LEVELS)
        for rate, stack in zip(self.rates, self.stacks, strict=True):
            assert isinstance(stack, nn.ModuleDict)
            pooled = functional.max_pool1d(rest_NC[:, None], rate, ceil_mode=True)[:, 0]
            h = stack["body"](pooled)
            back = functional.interpolate(stack["back"](h)[:, None], size=self.window, mode="linear")
            rest_NC = rest_NC - back[:, 0]
            total = total + stack["ahead"](h)
        return rising(total.view(-1, self.n_horizons, _N_LEVELS))


def make_network(config: NeuralConfig, *, n_horizons: int) -> nn.Module:
    """The network of that kind."""
    return (PatchTST if config.kind == "patchtst" else NHiTS)(config, n_horizons=n_horizons)
