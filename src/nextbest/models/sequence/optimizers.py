"""Optimiser, learning rate and gradient length of a training. Knows no model.

The steps are torch's own kernels, called by its functional form: making a `torch.optim.Optimizer` loads
torch's compiler, which costs seconds before the first step and is not used here.
"""

import math

import torch
from torch import Tensor, nn
from torch.optim.adagrad import adagrad
from torch.optim.adam import adam
from torch.optim.adamw import adamw

from nextbest.models.sequence.config import TrainConfig

_COSINE_FLOOR = 0.01
"""Share of the learning rate that the cosine falls to."""
_BETA1, _BETA2, _ADAM_EPS, _ADAGRAD_EPS = 0.9, 0.999, 1e-8, 1e-10
_NEVER_DECAYED = (nn.Embedding, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.modules.batchnorm._BatchNorm)


class Optimizer:
    """Steps of all weights that learn, in one fused kernel for those that decay and one for the others.

    Weight decay is for matrices of products only: weights of one axis (biases, norms), of embeddings and
    norms, and those that their module names in an attribute `no_weight_decay` (a set of names) have none.

    Notes
    -----
    Adam: Kingma & Ba 2015 with the decay added to the gradient; AdamW: Loshchilov & Hutter 2019; Adagrad:
    Duchi, Hazan & Singer 2011. Constants are the usual ones.
    """

    state: dict[nn.Parameter, dict[str, Tensor]]
    """Moments and the number of steps, of each weight that ever had a gradient."""

    def __init__(self, network: nn.Module, config: TrainConfig) -> None:
        self.state = {}
        self._kind = config.optimizer
        decayed, kept = decay_groups(network)
        self._groups = (
            [(decayed, config.weight_decay), (kept, 0.0)] if config.weight_decay else [(decayed + kept, 0.0)]
        )

    @property
    def can_stay(self) -> bool:
        """Whether `step` obeys its `stay` on a GPU: Adagrad's kernel there doesn't."""
        return self._kind != "adagrad"

    @torch.no_grad()
    def step(self, rate: float, *, stay: Tensor | None = None) -> None:
        """Move every weight that has a gradient; not if `stay`, a scalar where the weights are, is 1."""
        for group, decay in self._groups:
            weights = [w for w in group if w.grad is not None]
            if not weights:
                continue
            gradients = [w.grad for w in weights if w.grad is not None]
            states = [self.state.get(w) or self._new_state(w) for w in weights]
            steps = [s["step"] for s in states]
            if self._kind == "adagrad":
                fused = weights[0].device.type == "cpu"
                adagrad(
                    list[Tensor](weights),
                    gradients,
                    [s["sum"] for s in states],
                    steps,
                    fused=fused,
                    foreach=not fused,
                    found_inf=stay if fused else None,
                    lr=rate,
                    weight_decay=decay,
                    lr_decay=0.0,
                    eps=_ADAGRAD_EPS,
                    maximize=False,
                )
                continue
            (adamw if self._kind == "adamw" else adam)(
                list[Tensor](weights),
                gradients,
                [s["exp_avg"] for s in states],
                [s["exp_avg_sq"] for s in states],
                [],
                steps,
                fused=True,
                found_inf=stay,  # the kernels' own switch, made for GradScaler
                amsgrad=False,
                beta1=_BETA1,
                beta2=_BETA2,
                lr=rate,
                weight_decay=decay,
                eps=_ADAM_EPS,
                maximize=False,
            )

    def _new_state(self, weight: nn.Parameter) -> dict[str, Tensor]:
        names = ("sum",) if self._kind == "adagrad" else ("exp_avg", "exp_avg_sq")
        # fused kernels count steps where the weight is, the other one of Adagrad on the CPU
        where = "cpu" if self._kind == "adagrad" else weight.device
        state = {"step": torch.zeros((), dtype=torch.float32, device=where)}
        state |= {name: torch.zeros_like(weight, requires_grad=False) for name in names}
        self.state[weight] = state
        return state

    def tensors(self, network: nn.Module) -> dict[str, Tensor]:
        """The state as `weight.key`: the tensors themselves, no copies."""
        return {
            f"{name}.{key}": value
            for name, weight in network.named_parameters()
            for key, value in self.state.get(weight, {}).items()
        }

    def put(self, network: nn.Module, tensors: dict[str, Tensor]) -> None:
        """Take up what `tensors` gave; weights that it names nothing of begin anew."""
        by_weight: dict[str, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            weight_name, key = name.rsplit(".", 1)
            by_weight.setdefault(weight_name, {})[key] = value
        self.state = {}
        for name, weight in network.named_parameters():
            if name in by_weight:
                for key, into in self._new_state(weight).items():
                    into.copy_(by_weight[name][key])


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


def gradient_norm(weights: list[nn.Parameter]) -> Tensor:
    """Euclidean length of all gradients as one vector; a scalar on their device, 0 where there are none."""
    gradients = [w.grad for w in weights if w.grad is not None]
    if not gradients:
        return torch.zeros(())
    length: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    return length


def scale_gradients(weights: list[nn.Parameter], factor: float | Tensor) -> None:
    """Multiply every gradient by `factor` (on their device, if it is a tensor)."""
    gradients = [w.grad for w in weights if w.grad is not None]
    if gradients:
        torch._foreach_mul_(gradients, factor)
