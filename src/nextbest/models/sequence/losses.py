"""What a state is punished for: one function for each loss, with its paper, and `loss`, which chooses.

A target is the item that came next; negatives are items drawn once for a batch and shared by its places. A
negative that is the place's own target ("accidental hit") doesn't count. Every loss is a mean over the places
that have a target, 0 where there is none. Knows no encoder and no training loop.

Axes: N places with a target, D dims, I items, K drawn negatives, U different items among them.
"""

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from nextbest.errors import InputError
from nextbest.models.sequence.config import LossConfig
from nextbest.models.sequence.negatives import Candidates, NegativeSampler
from nextbest.models.sequence.softmax import softmax_over


class Table(Protocol):
    """Item vectors, as `ItemTable` has them."""

    def vectors(self, items: Tensor) -> Tensor:
        """Vectors of items, shape (..., D)."""
        ...

    def all_vectors(self) -> Tensor:
        """Shape (I, D)."""
        ...

    def bias(self, items: Tensor) -> Tensor | None:
        """Numbers of items, shape (...,), or None where items have none."""
        ...

    def all_bias(self) -> Tensor | None:
        """Shape (I,), or None."""
        ...


def loss(
    states_ND: Tensor,
    targets_N: Tensor,
    table: Table,
    *,
    config: LossConfig,
    sampler: NegativeSampler | None,
    generator: torch.Generator,
) -> Tensor:
    """The loss that `config` names, mean over N places.

    Parameters
    ----------
    states_ND
        What the encoder says at places with a target. Shape (N, D).
    targets_N
        Item row numbers. Shape (N,), int64.
    table
        Vectors of items, and numbers of items or None.
    config
        Which loss, how many negatives, which corrections.
    sampler
        Draws negatives; needed by every kind but `softmax`, and `in_batch` without `logq`.
    generator
        Of the draw; the same state gives the same negatives.

    Returns
    -------
    Tensor
        One number; 0 with a gradient of 0 where N = 0. NaN or infinite only if states or vectors are.

    Raises
    ------
    InputError
        The kind needs a sampler and there is none.

    Notes
    -----
    Memory beside the table and its gradient: the three kinds of softmax hold `softmax.CELLS_AT_ONCE` scores, or
    `softmax.ROWS_AT_LEAST` rows of them; the others a few arrays of (N, min(K, I)). None ever holds (N, I).
    """
    if sampler is None and (config.kind not in {"softmax", "in_batch"} or _corrects_batch(config)):
        raise InputError("sampler", f"the loss {config.kind!r} needs one", value=sampler)
    if not len(targets_N):
        return states_ND.sum() * 0
    states_ND = states_ND / config.temperature if config.temperature != 1 else states_ND
    scale = 1 / config.temperature
    if config.kind == "softmax":
        return softmax_loss(states_ND, targets_N, table, bias_scale=scale)
    if config.kind == "in_batch":
        return in_batch_loss(
            states_ND, targets_N, table, sampler=sampler if config.logq else None, bias_scale=scale
        )
    assert sampler is not None
    n = config.n_negatives
    negatives = Candidates.of(sampler.draw(n, generator).to(states_ND.device))
    if config.kind == "sampled_softmax":
        log_expected_U = sampler.log_expected(negatives.items_U, n=n) if config.logq else None
        return sampled_softmax_loss(
            states_ND, targets_N, table, negatives, log_expected_U=log_expected_U, bias_scale=scale
        )
    target_N, negative_NU, hits = _scores(states_ND, targets_N, table, negatives, bias_scale=scale)
    if config.kind == "bce":
        return bce_loss(target_N, negative_NU, hits, times_U=negatives.times_U)
    if config.kind == "gbce":
        power = gbce_power(min(n, sampler.n_items), n_items=sampler.n_items, calibration=config.calibration)
        return bce_loss(target_N, negative_NU, hits, times_U=negatives.times_U, target_power=power)
    if config.kind == "bpr_max":
        return bpr_max_loss(
            target_N, negative_NU, hits, times_U=negatives.times_U, regularization=config.bpr_regularization
        )
    return top1_max_loss(target_N, negative_NU, hits, times_U=negatives.times_U)


Hits = tuple[Tensor, Tensor]
"""Rows and columns of (N, U) where the negative is the place's own target."""


def softmax_loss(states_ND: Tensor, targets_N: Tensor, table: Table, *, bias_scale: float = 1.0) -> Tensor:
    """Cross-entropy among all items: -log(exp(r_t) / sum over all items of exp(r_i)).

    Never holds (N, I): rows are worked out in chunks with their gradients (see `softmax.softmax_over`).
    """
    return softmax_over(
        states_ND,
        table.all_vectors(),
        offset_C=_scaled(table.all_bias(), bias_scale),
        target_N=None,
        found=(torch.arange(len(targets_N), device=targets_N.device), targets_N),
    )


def sampled_softmax_loss(
    states_ND: Tensor,
    targets_N: Tensor,
    table: Table,
    negatives: Candidates,
    *,
    log_expected_U: Tensor | None,
    bias_scale: float = 1.0,
) -> Tensor:
    """Cross-entropy of the target among drawn items, which stand for all the others.

    -log(exp(r_t) / (exp(r_t) + sum over drawn j, not t, of exp(r_j - log e_j))), with e_j = K q_j the
    number of times j is expected in the draw: the sum is then an unbiased estimate of the one over all items
    but t. With every item drawn once it is full softmax. `log_expected_U` None: no correction.

    Notes
    -----
    Importance sampling of the partition function: Bengio & Senecal 2008; a draw shared by the batch: Jean et
    al. 2015. Variant: the target, which is there with certainty, isn't corrected (Khrylchenko et al. 2025);
    Jean et al. take log q off its logit too.
    """
    return _among(
        states_ND, targets_N, table, negatives, log_expected_U=log_expected_U, bias_scale=bias_scale
    )


def in_batch_loss(
    states_ND: Tensor,
    targets_N: Tensor,
    table: Table,
    *,
    sampler: NegativeSampler | None,
    bias_scale: float = 1.0,
) -> Tensor:
    """Cross-entropy of the target among the targets of all places of the batch.

    As `sampled_softmax_loss` with the N targets as the draw, and e_j = N times j's share of the events.
    `sampler` None: no correction, popular items are then punished for being met often.

    Notes
    -----
    Yi et al. 2019, with the target itself uncorrected (Khrylchenko et al. 2025). Equal targets are worked out
    once: at most (N, U) cells with U different targets, in chunks.
    """
    met = Candidates.of(targets_N)
    log_expected_U = None if sampler is None else sampler.log_expected_in_batch(met.items_U, n=len(targets_N))
    return _among(states_ND, targets_N, table, met, log_expected_U=log_expected_U, bias_scale=bias_scale)


def bce_loss(
    target_N: Tensor, negative_NU: Tensor, hits: Hits, *, times_U: Tensor, target_power: float = 1.0
) -> Tensor:
    """Yes for the target, no for each negative: -(b log s(r_t) + sum_j log(1 - s(r_j))) / (1 + K), s the sigmoid.

    Parameters
    ----------
    target_N
        Score of each place's target. Shape (N,).
    negative_NU
        Scores of different negatives. Shape (N, U).
    hits
        Where a negative is the target: it doesn't count.
    times_U
        How often each negative was drawn; their sum is K.
    target_power
        b: 1 is SASRec's loss (Kang & McAuley 2018), `gbce_power` makes it gBCE (Petrov & Macdonald 2023).
    """
    no_NU = functional.softplus(negative_NU.index_put(hits, _low(negative_NU)))
    total_N = no_NU @ times_U.to(no_NU.dtype) - target_power * functional.logsigmoid(target_N)
    return total_N.mean() / (1 + float(times_U.sum()))


def gbce_power(n_negatives: int, *, n_items: int, calibration: float) -> float:
    """gBCE's power of the target's sigmoid: b = a (t (1 - 1/a) + 1/a), a = K / (I - 1), t = `calibration`.

    Petrov & Macdonald 2023 (gSASRec): 1 at t = 0, which is BCE, and a at t = 1, where the sigmoid of a score
    becomes the chance that the item is the target. a is 1 at most: there are no more negatives than that.
    """
    rate = min(1.0, n_negatives / (n_items - 1)) if n_items > 1 else 1.0
    return rate * (calibration * (1 - 1 / rate) + 1 / rate)


def bpr_max_loss(
    target_N: Tensor, negative_NU: Tensor, hits: Hits, *, times_U: Tensor, regularization: float = 1.0
) -> Tensor:
    """The target above the strongest negatives: -log sum_j w_j s(r_t - r_j) + `regularization` sum_j w_j r_j^2.

    w is the softmax of the negatives' scores, s the sigmoid. Hidasi & Karatzoglou 2018, with their score
    regularisation; the gradient passes through w, as theirs does. Shapes as in `bce_loss`; a place without
    negatives (all are its target) counts 0.
    """
    log_w_NU, any_N = _log_weights(negative_NU, hits, times_U)
    log_beaten_NU = log_w_NU + functional.logsigmoid(target_N[:, None] - negative_NU)
    loss_N = -torch.logsumexp(log_beaten_NU, dim=1)
    if regularization:
        loss_N = loss_N + regularization * (log_w_NU.exp() * negative_NU.square()).sum(dim=1)
    return torch.where(any_N, loss_N, 0).mean()


def top1_max_loss(target_N: Tensor, negative_NU: Tensor, hits: Hits, *, times_U: Tensor) -> Tensor:
    """The target above the strongest negatives, those near 0: sum_j w_j (s(r_j - r_t) + s(r_j^2)).

    w is the softmax of the negatives' scores, s the sigmoid. Hidasi & Karatzoglou 2018. Shapes and places
    without negatives as in `bpr_max_loss`.
    """
    log_w_NU, any_N = _log_weights(negative_NU, hits, times_U)
    terms_NU = torch.sigmoid(negative_NU - target_N[:, None]) + torch.sigmoid(negative_NU.square())
    loss_N = (log_w_NU.exp() * terms_NU).sum(dim=1)
    return torch.where(any_N, loss_N, 0).mean()


def _corrects_batch(config: LossConfig) -> bool:
    return config.kind == "in_batch" and config.logq


def _scaled(bias: Tensor | None, scale: float) -> Tensor | None:
    return bias if bias is None or scale == 1 else bias * scale


def _target_scores(states_ND: Tensor, targets_N: Tensor, table: Table, *, bias_scale: float) -> Tensor:
    score_N = (states_ND * table.vectors(targets_N)).sum(dim=1)
    bias_N = _scaled(table.bias(targets_N), bias_scale)
    return score_N if bias_N is None else score_N + bias_N


def _scores(
    states_ND: Tensor, targets_N: Tensor, table: Table, negatives: Candidates, *, bias_scale: float
) -> tuple[Tensor, Tensor, Hits]:
    """Scores of targets (N,) and of negatives (N, U), float32 at least, and where these are the same item."""
    target_N = _target_scores(states_ND, targets_N, table, bias_scale=bias_scale)
    negative_NU = states_ND @ table.vectors(negatives.items_U).T
    bias_U = _scaled(table.bias(negatives.items_U), bias_scale)
    negative_NU = negative_NU if bias_U is None else negative_NU + bias_U
    wide = torch.promote_types(negative_NU.dtype, torch.float32)
    return target_N.to(wide), negative_NU.to(wide), negatives.column_of(targets_N)


def _among(
    states_ND: Tensor,
    targets_N: Tensor,
    table: Table,
    candidates: Candidates,
    *,
    log_expected_U: Tensor | None,
    bias_scale: float,
) -> Tensor:
    """Cross-entropy of the target among candidates, each as often as it was drawn, the target's own left out."""
    offset_U = candidates.times_U.log()
    if log_expected_U is not None:
        offset_U = offset_U - log_expected_U
    bias_U = _scaled(table.bias(candidates.items_U), bias_scale)
    return softmax_over(
        states_ND,
        table.vectors(candidates.items_U),
        offset_C=offset_U if bias_U is None else offset_U + bias_U,
        target_N=_target_scores(states_ND, targets_N, table, bias_scale=bias_scale),
        found=candidates.column_of(targets_N),
    )


def _log_weights(negative_NU: Tensor, hits: Hits, times_U: Tensor) -> tuple[Tensor, Tensor]:
    """Log of the softmax of the negatives' scores, hits near -inf, and which places have a negative."""
    any_N = torch.ones(len(negative_NU), dtype=torch.bool, device=negative_NU.device)
    if negative_NU.shape[1] == 1:
        any_N[hits[0]] = False
    scores_NU = negative_NU + times_U.log().to(negative_NU.dtype)
    return functional.log_softmax(scores_NU.index_put(hits, _low(negative_NU)), dim=1), any_N


def _low(like: Tensor) -> Tensor:
    """A score that no other is below, finite so that its products with 0 are 0."""
    return torch.full((), torch.finfo(like.dtype).min / 4, dtype=like.dtype, device=like.device)
