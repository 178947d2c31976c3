"""Examples of text as batches of tokens: a prompt that is read, a completion that is learned.

Prompt and completion are cut into tokens apart, here, in training, in scoring and in generation alike, so that
a completion has the same tokens wherever it stands. Axes: B windows, L places.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextbest.errors import InputError
from nextbest.models.language.checkpoint import Checkpoint
from nextbest.models.sequence.batches import NO_TARGET, Batch

PAD = 0
"""Stands after a window's tokens; a causal model never looks there, so that any token will do."""
_SORTED = 16
"""Batches whose windows are sorted by length together, so that few places are padding."""


@dataclass(frozen=True)
class Example:
    """One thing to be learned."""

    prompt: str
    completion: str
    weight: float = 1.0
    """How much each token of the completion counts, beside others' 1."""


@dataclass(frozen=True, eq=False)
class TokenBatch(Batch):
    """Windows of tokens. `target_BL` is the token after a place, `NO_TARGET` where it isn't asked for."""

    weight_B: NDArray[np.float32]  # noqa: N815 - axes in the name, as in the torch code

    def windows(self, rows: slice) -> "TokenBatch":
        """Some of its windows, padded to their own longest."""
        fewer = super().windows(rows)
        return TokenBatch(fewer.input_BL, fewer.target_BL, fewer.length_B, self.weight_B[rows])


@dataclass(frozen=True, eq=False)
class Tokens:
    """An example, cut."""

    ids: NDArray[np.int64]
    n_prompt: int
    weight: float


def prompt_ids(checkpoint: Checkpoint, prompt: str) -> list[int]:
    """Tokens of a prompt, with the mark that the family begins every text with, without one of its end.

    Raises
    ------
    InputError
        It holds a special mark that the weights know nothing of.
    """
    tokenizer = checkpoint.tokenizer
    ids = list(tokenizer(prompt).input_ids)
    is_ended = (
        bool(ids) and ids[-1] == tokenizer.eos_token_id and not prompt.endswith(str(tokenizer.eos_token))
    )
    return _known(checkpoint, ids[:-1] if is_ended else ids)


def completion_ids(checkpoint: Checkpoint, completion: str) -> list[int]:
    """Tokens of what follows a prompt, no marks added; errors as `prompt_ids`."""
    return _known(checkpoint, list(checkpoint.tokenizer(completion, add_special_tokens=False).input_ids))


def _known(checkpoint: Checkpoint, ids: list[int]) -> list[int]:
    n_rows = checkpoint.model.get_input_embeddings().num_embeddings
    if strange := [i for i in ids if i >= n_rows]:
        marks = checkpoint.tokenizer.convert_ids_to_tokens(strange[:5])
        raise InputError("text", f"holds mark(s) that the weights know nothing of: {marks}")
    return ids


def tokens_of(checkpoint: Checkpoint, examples: Sequence[Example], *, max_length: int) -> list[Tokens]:
    """Each example cut, its end marked so that the model learns to stop.

    Raises
    ------
    InputError
        There are none, one has no completion, a weight isn't positive, or one is longer than `max_length`: nothing
        is cut off in silence.
    """
    if not examples:
        raise InputError("examples", "there must be one at least")
    end = checkpoint.tokenizer.eos_token_id
    cut, long, empty, weights = [], [], [], []
    for number, example in enumerate(examples):
        prompt = prompt_ids(checkpoint, example.prompt)
        completion = completion_ids(checkpoint, example.completion) + ([] if end is None else [end])
        if not example.completion or not prompt:
            empty.append(number)
        if len(prompt) + len(completion) > max_length:
            long.append((number, len(prompt) + len(completion)))
        if not (example.weight > 0 and np.isfinite(example.weight)):
            weights.append(number)
        cut.append(Tokens(np.array(prompt + completion, np.int64), len(prompt), example.weight))
    if empty:
        raise InputError("examples", f"{len(empty)} lack prompt or completion, first: numbers {empty[:5]}")
    if weights:
        raise InputError(
            "examples", f"{len(weights)} have a weight that isn't above 0, first: numbers {weights[:5]}"
        )
    if long:
        raise InputError(
            "examples",
            f"{len(long)} are longer than max_length={max_length} tokens, first (number, tokens): {long[:5]}",
            remedy="shorten them, leave them out, or raise max_length",
        )
    return cut


def text_batches(
    tokens: Sequence[Tokens], *, batch_size: int, rng: int | None, batch_tokens: int | None = None
) -> Iterator[TokenBatch]:
    """One pass over all, windows of like length together; `rng` None: in order of length.

    `batch_tokens`: fewer windows where these are long, so that no batch has more places than that (one window may).
    """
    length = np.array([len(one.ids) for one in tokens])
    if rng is None:
        groups = _groups(np.argsort(length, kind="stable"), length, batch_size, batch_tokens)
    else:
        generator = np.random.default_rng(rng)
        order, groups = generator.permutation(len(tokens)), []
        for start in range(0, len(order), batch_size * _SORTED):
            chunk = order[start : start + batch_size * _SORTED]
            chunk = chunk[np.argsort(length[chunk], kind="stable")]
            groups += _groups(chunk, length, batch_size, batch_tokens)
        groups = [groups[i] for i in generator.permutation(len(groups))]
    for group in groups:
        yield _batch([tokens[i] for i in group])


def _groups(
    order: NDArray[np.int64], length: NDArray[np.int64], batch_size: int, batch_tokens: int | None
) -> list[NDArray[np.int64]]:
    """Neighbours of an order by length, shortest first, cut into batches."""
    found, start = [], 0
    for end in range(1, len(order) + 1):
        n = end - start + 1
        is_full = end == len(order) or n > batch_size
        if is_full or (batch_tokens is not None and n * length[order[end]] > batch_tokens):
            found.append(order[start:end])
            start = end
    return found


def _batch(rows: Sequence[Tokens]) -> TokenBatch:
    # the last token is a target only
    lengths = np.array([len(row.ids) - 1 for row in rows], np.int64)
    input_BL = np.full((len(rows), lengths.max()), PAD, np.int64)
    target_BL = np.full_like(input_BL, NO_TARGET)
    for b, row in enumerate(rows):
        input_BL[b, : lengths[b]] = row.ids[:-1]
        target_BL[b, row.n_prompt - 1 : lengths[b]] = row.ids[row.n_prompt :]
    return TokenBatch(input_BL, target_BL, lengths, np.array([row.weight for row in rows], np.float32))


def examples_digest(examples: Sequence[Example]) -> str:
    """SHA-256 of examples in their order."""
    total = hashlib.sha256()
    for one in examples:
        total.update(json.dumps([one.prompt, one.completion, one.weight]).encode())
    return total.hexdigest()
