"""The network: patches of candles -> width and shape of returns, one asset's places causal in time.

Axes: B windows, A assets, L places, P bars of a patch, C numbers of a bar, F of a state, K of the calendar, H
horizons, Q levels, D dims, N targets.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from nextbest.market.candles.config import CandlesConfig
from nextbest.market.candles.features import N_CALENDAR
from nextbest.market.candles.quantiles import LEARNED_LEVELS
from nextbest.models.sequence.encoders.transformer import Block, TransformerEncoder

_MIDDLE = LEARNED_LEVELS.index(0.5)
_SMALLEST = 1e-4
"""Of a ratio of variances, so that a bar that stood still has a finite loss."""


@dataclass(frozen=True, eq=False)
class Window:
    """What the network reads; places that aren't known hold zeros."""

    bars_BALX: Tensor  # noqa: N815 - axes in the name; X = P x C
    state_BALF: Tensor  # noqa: N815
    calendar_BLK: Tensor  # noqa: N815
    known_BAL: Tensor  # noqa: N815


@dataclass(frozen=True, eq=False)
class Answer:
    """In units of the scaling."""

    shape: Tensor
    """Quantile head: at the learned levels, (..., H, Q). Student head: location, log-scale, log(degrees - 2), (..., H, 3)."""
    log_variance: Tensor
    """Log of the realised variance over the scaling's own, (..., H)."""


class CandleNetwork(nn.Module):
    """Causal transformer over patches, a linear path beside it, and the heads.

    The linear path and the heads begin at zero: an untrained network answers with the scaling's width and the
    shape that `begin` was told, and can only learn to differ.
    """

    def __init__(
        self, config: CandlesConfig, *, n_bar: int, n_state: int, n_calendar: int, n_horizons: int
    ) -> None:
        super().__init__()
        self.config, self.n_horizons = config, n_horizons
        n_bar = n_bar * config.patch if config.bar_inputs else 0
        n_calendar = n_calendar if config.calendar else 0
        self.entry = nn.Linear(n_bar + n_state + n_calendar + 1, config.dim)
        self.encoder = TransformerEncoder(
            config.dim,
            max_len=config.n_patches,
            is_causal=True,
            n_blocks=config.n_blocks,
            n_heads=config.n_heads,
            feed_forward=config.feed_forward,
            dropout=config.dropout,
        )
        self.across = (
            Block(
                config.dim,
                is_causal=False,
                n_heads=config.n_heads,
                inner=config.feed_forward * config.dim,
                dropout=config.dropout,
                attention_dropout=0.0,
                norm="pre",
                activation="gelu",
                share=1.0,
            )
            if config.cross_asset
            else None
        )
        # of each horizon: a common log-scale, the log of the variance, and the shape's own numbers
        self.n_shape = len(LEARNED_LEVELS) if config.head == "quantile" else 2
        self.n_out = 2 + self.n_shape
        self.head = nn.Linear(config.dim, n_horizons * self.n_out)
        self.path = nn.Linear(n_state + n_calendar, n_horizons * self.n_out, bias=False)
        self.start = nn.Parameter(torch.zeros(n_horizons, self.n_out))
        nn.init.normal_(self.entry.weight, std=self.entry.in_features**-0.5 * config.dim**-0.5)
        nn.init.zeros_(self.entry.bias)
        for weight in (self.head.weight, self.head.bias, self.path.weight):
            nn.init.zeros_(weight)

    @torch.no_grad()
    def begin(self, quantile_HQ: Tensor, log_ratio_H: Tensor) -> None:
        """Tell the shape of standardised returns at the learned levels, and the log of their variance."""
        self.start.zero_()
        self.start[:, 1] = log_ratio_H
        if self.config.head == "student":
            self.start[:, 3] = 1.0  # some five degrees of freedom
            return
        steps = quantile_HQ.diff(dim=-1).clamp(min=1e-3)
        raw = steps + torch.log(-torch.expm1(-steps))  # softplus backwards
        self.start[:, 2 : 2 + _MIDDLE] = raw[:, :_MIDDLE]
        self.start[:, 3 + _MIDDLE :] = raw[:, _MIDDLE:]

    def forward(self, window: Window, *, n_last: int = 1) -> Answer:
        """At the newest `n_last` places of each asset: (B, A, n_last, H, ...)."""
        n_windows, n_assets, n_places = window.known_BAL.shape
        calendar_BALK = window.calendar_BLK[:, None].expand(-1, n_assets, -1, -1)
        known = [window.known_BAL.unsqueeze(-1).to(window.state_BALF.dtype)]
        parts = [window.bars_BALX] if self.config.bar_inputs else []
        parts += [window.state_BALF] + ([calendar_BALK] if self.config.calendar else [])
        x_ALD = self.entry(torch.cat(parts + known, -1)).flatten(0, 1)
        length = torch.full((len(x_ALD),), n_places, dtype=torch.int64, device=x_ALD.device)
        if n_last == 1:
            h = self.encoder.last(x_ALD, length)[:, None]
        else:
            h = self.encoder(x_ALD, length)[:, -n_last:]
        h_BALD = h.view(n_windows, n_assets, n_last, -1)
        if self.across is not None:
            h_BALD = self._mixed(h_BALD, window.known_BAL[..., -n_last:])
        beside = [window.state_BALF] + ([calendar_BALK] if self.config.calendar else [])
        out = self.head(h_BALD) + self.path(torch.cat([b[:, :, -n_last:] for b in beside], -1))
        out = out.view(n_windows, n_assets, n_last, self.n_horizons, self.n_out) + self.start
        return Answer(self._shape(out), out[..., 1])

    def _mixed(self, h_BALD: Tensor, known_BAL: Tensor) -> Tensor:
        """Attention over the assets at each place."""
        assert self.across is not None
        n_windows, n_assets, n_places, dim = h_BALD.shape
        h = h_BALD.transpose(1, 2).reshape(-1, n_assets, dim)
        seen = known_BAL.transpose(1, 2).reshape(-1, 1, 1, n_assets)
        seen = seen | ~seen.any(-1, keepdim=True)  # where nobody is known weights must stay finite
        mixed: Tensor = self.across(h, seen)
        return mixed.view(n_windows, n_places, n_assets, dim).transpose(1, 2)

    def _shape(self, out: Tensor) -> Tensor:
        # at most some twenty times wider or narrower than the scaling says
        log_scale = 3 * torch.tanh(out[..., :1] / 3)
        shape = out[..., 2:]
        if self.config.head == "student":
            location, degrees = shape.unbind(-1)
            if self.config.location == "constant":
                location = self.start[:, 2].expand_as(location)
            return torch.stack([location, log_scale[..., 0], degrees.clamp(-4, 6)], -1)
        if self.config.location == "constant":
            middle = self.start[:, 2 + _MIDDLE : 3 + _MIDDLE].expand_as(shape[..., :1])
            shape = torch.cat([shape[..., :_MIDDLE], middle, shape[..., _MIDDLE + 1 :]], -1)
        return rising(shape) * torch.exp(log_scale)

    def losses(self, answer: Answer, z: Tensor, log_ratio: Tensor) -> tuple[Tensor, Tensor]:
        """Loss of each standardised return `z` and of the log of the realised variance over the scaling's own.

        The first is twice the mean pinball loss over the learned levels, or minus the log density; the second
        QLIKE (Patton 2011).
        """
        if self.config.head == "quantile":
            first = pinball(z, answer.shape)
        else:
            location, log_scale, degrees = answer.shape.unbind(-1)
            first = -_student_log_density(z, location, log_scale, 2 + degrees.exp())
        distance = log_ratio.clamp(min=math.log(_SMALLEST)) - answer.log_variance
        return first, torch.exp(distance.clamp(max=8)) - distance - 1


def rising(raw: Tensor) -> Tensor:
    """Quantiles at the learned levels that can't cross: the median, and steps of any numbers' softplus around it."""
    middle, steps = raw[..., _MIDDLE : _MIDDLE + 1], functional.softplus(raw)
    down = steps[..., :_MIDDLE].flip(-1).cumsum(-1).flip(-1)
    up = steps[..., _MIDDLE + 1 :].cumsum(-1)
    return torch.cat([middle - down, middle, middle + up], -1)


def pinball(z: Tensor, quantile: Tensor) -> Tensor:
    """Twice the mean pinball loss over the learned levels (last axis of `quantile`) of each number."""
    levels = torch.tensor(LEARNED_LEVELS, device=z.device)
    error = z.unsqueeze(-1) - quantile
    return 2 * torch.maximum(levels * error, (levels - 1) * error).mean(-1)


def _student_log_density(z: Tensor, location: Tensor, log_scale: Tensor, degrees: Tensor) -> Tensor:
    y = (z - location) * torch.exp(-log_scale)
    constant = (
        torch.lgamma((degrees + 1) / 2) - torch.lgamma(degrees / 2) - 0.5 * torch.log(math.pi * degrees)
    )
    return constant - log_scale - (degrees + 1) / 2 * torch.log1p(y * y / degrees)


def network_of(config: CandlesConfig, weights: Mapping[str, Tensor], *, n_horizons: int) -> CandleNetwork:
    """A network of the sizes that kept weights were made for; KeyError or RuntimeError where they can't be."""
    n_bar = 3 if config.bar_inputs else 0
    n_entry, n_path = weights["entry.weight"].shape[1], weights["path.weight"].shape[1]
    # the entry reads bars, what the path reads, and whether the place is known
    if n_entry != n_bar * config.patch + n_path + 1:
        raise KeyError("entry.weight")
    n_calendar = n_horizons * N_CALENDAR if config.calendar else 0
    return CandleNetwork(
        config, n_bar=3, n_state=n_path - n_calendar, n_calendar=n_calendar, n_horizons=n_horizons
    )
