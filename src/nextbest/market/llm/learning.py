"""A language model taught the class words after prompts, and asked for their log-probabilities.

Axes: N questions, C classes, P patches, F facts, L places, D embedding.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nextbest.errors import InputError
from nextbest.market.llm.config import LLMConfig
from nextbest.market.llm.windows import SYMBOLS, Prompt, n_facts
from nextbest.models.language.batches import Example, completion_ids, prompt_ids
from nextbest.models.language.checkpoint import Checkpoint
from nextbest.models.language.lora import LoRAConfig, Tuned, fit_lora, fit_text, logits_at
from nextbest.models.language.scoring import choice_log_probs
from nextbest.models.sequence.batches import Batch

PATCHES = "patches"
"""Name of the map among the adapter's extra modules."""
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PatchBatch(Batch):
    """Questions of arrays; all have as many places. `input_BL` holds their numbers, `target_BL` the word's token."""

    patch_BPF: NDArray[np.float32]  # noqa: N815 - axes in the name

    def windows(self, rows: slice) -> "PatchBatch":
        """Some of them."""
        fewer = super().windows(rows)
        return PatchBatch(fewer.input_BL, fewer.target_BL, fewer.length_B, self.patch_BPF[rows])


class PatchMap(nn.Module):
    """Facts of a patch -> a place in the embedding space, as far from 0 as a word is."""

    def __init__(self, n_facts: int, width: int, size: float, *, seed: int) -> None:
        super().__init__()
        self.linear = nn.Linear(n_facts, width)
        with torch.no_grad():
            generator = torch.Generator().manual_seed(seed)
            self.linear.weight.normal_(std=size / n_facts**0.5, generator=generator)
            self.linear.bias.zero_()

    def forward(self, patch_BPF: Tensor) -> Tensor:
        """Shape (B, P, D)."""
        return cast(Tensor, self.linear(patch_BPF))


def symbols_of(checkpoint: Checkpoint, n: int) -> tuple[tuple[str, ...], str]:
    """`n` symbols that are one token each beside any other, and what stands between them.

    Raises
    ------
    InputError
        The tokenizer has too few.
    """
    for between in (" ", ""):
        ids = {s: completion_ids(checkpoint, between + s) for s in SYMBOLS}
        single = [s for s, i in ids.items() if len(i) == 1 and s.isalnum()][:n]
        alone = {s: ids[s][0] for s in single}
        joined = completion_ids(
            checkpoint, "".join(between + a + between + b for a in single for b in single)
        )
        if len(single) == n and joined == [alone[s] for a in single for b in single for s in (a, b)]:
            return tuple(single), between
    raise InputError(
        "window", f"the tokenizer has no {n} symbols of one token each", remedy="fewer n_bins, or window text"
    )


def answers_of(checkpoint: Checkpoint, words: Sequence[str]) -> tuple[str, ...]:
    """Class words as this tokenizer has them with the fewest tokens, different from the first token on.

    Raises
    ------
    InputError
        They aren't, with or without a space before them.
    """
    found = []
    for before in (" ", ""):
        ids = [completion_ids(checkpoint, before + word) for word in words]
        if len({i[0] for i in ids}) == len(words):
            found.append((sum(map(len, ids)), tuple(before + word for word in words)))
    if not found:
        raise InputError("target", "two class words begin with the same token", value=list(words))
    return min(found, key=lambda one: one[0])[1]


def patch_map(checkpoint: Checkpoint, config: LLMConfig, *, seed: int) -> PatchMap:
    """A new map for this model's embeddings."""
    embedding = checkpoint.model.get_input_embeddings()
    with torch.no_grad():
        # as the model has them: some families scale what the table holds
        some = embedding(torch.arange(min(1000, embedding.num_embeddings), device=checkpoint.model.device))
    made = PatchMap(n_facts(config), some.shape[-1], float(some.float().std()), seed=seed)
    return made.to(checkpoint.model.device)


def teach(
    checkpoint: Checkpoint,
    prompts: Sequence[Prompt],
    class_N: Ints,
    answers: Sequence[str],
    config: LLMConfig,
    *,
    seed: int,
    all_weights: bool = False,
    checkpoints: Path | None = None,
    progress: bool = False,
) -> Tuned:
    """The model with what it learned of `config.steps` steps, and the map of patches where there is one.

    Raises
    ------
    InputError
        A prompt is longer than the model's context, or as `lora.fit_lora`.
    """
    taught = LoRAConfig(
        rank=config.rank,
        alpha=2.0 * config.rank,
        target="all-weights" if all_weights else "all-linear",
        learning_rate=config.learning_rate,
        warmup_steps=min(10, config.steps),
        steps=config.steps,
        validate_steps=config.validate_steps,
        batch_size=config.batch_size,
        max_length=checkpoint.context_length,
        dtype=config.dtype,
        n_threads=config.n_threads,
        seed=seed,
    )
    if config.window != "patches":
        examples = [Example(p.before, answers[c]) for p, c in zip(prompts, class_N, strict=True)]
        return fit_text(checkpoint, examples, taught, checkpoints=checkpoints, progress=progress)
    token_C = np.array([completion_ids(checkpoint, answer)[0] for answer in answers])
    module = patch_map(checkpoint, config, seed=seed)
    words = _words(checkpoint, prompts[0])
    patch_NPF = np.stack([cast(Any, p.patch_PF) for p in prompts]).astype(np.float32)
    said = hashlib.sha256(patch_NPF.tobytes() + np.ascontiguousarray(class_N).tobytes())
    said.update(repr([*words, *answers]).encode())

    def batches(epoch: int) -> Iterator[PatchBatch]:
        order = np.random.default_rng([seed, epoch]).permutation(len(prompts))
        for start in range(0, len(order), config.batch_size):
            rows = order[start : start + config.batch_size]
            length = np.full(len(rows), len(words[0]) + patch_NPF.shape[1] + len(words[1]), np.int64)
            yield PatchBatch(rows[:, None], token_C[class_N[rows]][:, None], length, patch_NPF[rows])

    def loss(model: Any, batch: PatchBatch) -> tuple[Tensor, int]:
        logits_NV = _last_logits(model, module, words, batch.patch_BPF)
        target_N = torch.from_numpy(batch.target_BL[:, 0]).to(logits_NV.device)
        return nn.functional.cross_entropy(logits_NV.float(), target_N), len(target_N)

    tuned = fit_lora(
        checkpoint,
        batches,
        loss,
        taught,
        extra_modules={PATCHES: module},
        checkpoints=checkpoints,
        about={"patches": said.hexdigest()},
        progress=progress,
    )
    return replace(tuned, data_digest=said.hexdigest())


def scores(
    checkpoint: Checkpoint,
    prompts: Sequence[Prompt],
    answers: Sequence[str],
    config: LLMConfig,
    extra: Mapping[str, nn.Module],
) -> NDArray[np.float64]:
    """Log-probability of each class word after each prompt, shape (N, C), not normalised."""
    if not prompts:
        return np.empty((0, len(answers)))
    if config.window != "patches":
        asked = [p.before for p in prompts]
        return choice_log_probs(checkpoint, asked, answers, batch_tokens=config.batch_tokens)
    token_C = torch.tensor([completion_ids(checkpoint, answer)[0] for answer in answers])
    words = _words(checkpoint, prompts[0])
    patch_NPF = np.stack([cast(Any, p.patch_PF) for p in prompts]).astype(np.float32)
    n_places = len(words[0]) + patch_NPF.shape[1] + len(words[1])
    size = max(1, config.batch_tokens // n_places)
    found = []
    with torch.inference_mode():
        for start in range(0, len(prompts), size):
            logits_NV = _last_logits(checkpoint.model, extra[PATCHES], words, patch_NPF[start : start + size])
            found.append(logits_NV.double().log_softmax(-1)[:, token_C.to(logits_NV.device)].cpu().numpy())
    return np.concatenate(found)


def _words(checkpoint: Checkpoint, prompt: Prompt) -> tuple[list[int], list[int]]:
    """Tokens before and after the patches; the same in every prompt of a reader."""
    return prompt_ids(checkpoint, prompt.before), completion_ids(checkpoint, prompt.after)


def _last_logits(
    model: Any, module: nn.Module, words: tuple[list[int], list[int]], patch_BPF: NDArray[np.float32]
) -> Tensor:
    """What is said after the last word, shape (B, V)."""
    embedding = model.get_input_embeddings()
    table = embedding.weight
    before_LD, after_LD = (embedding(torch.tensor(ids, device=table.device)) for ids in words)
    place_BPD = module(torch.from_numpy(patch_BPF).to(table.device)).to(before_LD.dtype)
    n = len(patch_BPF)
    input_BLD = torch.cat([before_LD.expand(n, -1, -1), place_BPD, after_LD.expand(n, -1, -1)], dim=1)
    is_asked_BL = torch.zeros(input_BLD.shape[:2], dtype=torch.bool, device=table.device)
    is_asked_BL[:, -1] = True
    return logits_at(model, None, is_asked_BL, inputs_embeds=input_BLD)
