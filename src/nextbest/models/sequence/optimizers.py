"""Optimiser, learning rate and gradient length of a training. Knows no model."""

import math

import torch
from torch import Tensor, nn
from torch.optim import Adagrad, Adam, AdamW, Optimizer

from nextbest.models.sequence.config import TrainConfig

_COSINE_FLOOR = 0.01
"""Share of the learning rate that the cosine falls to."""
_NEVER_DECAYED = (nn.Embedding, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.modules.batchnorm._BatchNorm)


def make_optimizer(network: nn.Module, config: TrainConfig) -> Optimizer:
    """The optimiser of all weights that learn, in one fused kernel a group.

    Weight decay is for matrices of products only: weights of one axis (biases, norms), of embeddings and
    norms, and those that their module names in an attribute `no_weight_decay` (a set of names) have none.

    Notes
    -----
    Adam: Kingma & Ba 2015 with the decay added to the gradient; AdamW: Loshchilov & Hutter 2019; Adagrad:
    Duchi, Hazan & Singer 2011. Moments' constants are torch's.
    """
    decayed, kept = decay_groups(network)
    groups: list[dict[str, object]] = (
        [
            {"params": decayed, "weight_decay": config.weight_decay},
            {"params": kept, "weight_decay": 0.0},
        ]
        if config.weight_decay
        else [{"params": [p for p in network.parameters() if p.requires_grad], "weight_decay": 0.0}]
    )
    groups = [group for group in groups if group["params"]]
    rate = config.learning_rate
    if config.optimizer == "adagrad":
        return Adagrad(groups, lr=rate, fused=True)
    return (AdamW if config.optimizer == "adamw" else Adam)(groups, lr=rate, fused=True)


def decay_groups(network: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Weights that decay and weights that don't, each once, in the network's order."""
    exempt: set[int] = set()
    for module in network.modules():
        named = getattr(module, "no_weight_decay", ())
        for name, weight in module.named_parameters(recurse=False):
            if isinstance(module, _NEVER_DECAYED) or name in named or weight.ndim < 2:
                exempt.add(id(weight))
    learning = [p for p in network.parameters() if p.requires_grad]
    return [p for p in learning if id(p) not in exempt], [p for p in learning if id(p) in exempt]


def learning_rate(config: TrainConfig, *, step: int, progress: float) -> float:
    """The rate of step number `step` (0 = first), `progress` (0-1) through the whole training."""
    rate = config.learning_rate
    if step < config.warmup_steps:
        rate *= (step + 1) / config.warmup_steps
    if config.schedule == "cosine":
        fall = 0.5 * (1 + math.cos(math.pi * min(max(progress, 0.0), 1.0)))
        rate *= _COSINE_FLOOR + (1 - _COSINE_FLOOR) * fall
    return rate


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Make the next step with this rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def gradient_norm(weights: list[nn.Parameter]) -> Tensor:
    """Euclidean length of all gradients as one vector; a scalar on their device, 0 where there are none."""
    gradients = [w.grad for w in weights if w.grad is not None]
    if not gradients:
        return torch.zeros(())
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))


def scale_gradients(weights: list[nn.Parameter], factor: float | Tensor) -> None:
    """Multiply every gradient by `factor` (on their device, if it is a tensor)."""
    gradients = [w.grad for w in weights if w.grad is not None]
    if gradients:
        torch._foreach_mul_(gradients, factor)
