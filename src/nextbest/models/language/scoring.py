"""Ask a language model: how probable is each of some answers, and what would it say.

Prompts are read in batches padded on the left, so that all end together; a prompt is read once, its answers go on from
there. Axes: N prompts, C choices, L places, V tokens.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nextbest.errors import InputError
from nextbest.models.language.batches import PAD, completion_ids, prompt_ids
from nextbest.models.language.checkpoint import Checkpoint

Allowed = Callable[[Sequence[int]], Sequence[int] | None]
"""Tokens written so far for a prompt -> those that may come next: None = any, none = the end."""


@dataclass(frozen=True)
class Generated:
    """What was written after a prompt."""

    text: str
    n_tokens: int
    why: Literal["end", "stop", "length"]
    """The model's own end (or `allowed` left nothing), a stop text (not part of `text`), or as long as may be."""


@torch.inference_mode()
def choice_log_probs(
    checkpoint: Checkpoint, prompts: Sequence[str], choices: Sequence[str], *, batch_tokens: int = 4096
) -> NDArray[np.float64]:
    """Log-probability of each choice after each prompt, shape (N, C): the sum over its tokens, not normalised.

    The same up to 1e-4 whatever else is in the batch.

    Parameters
    ----------
    choices
        None may begin with another, as tokens: the longer one would always be less probable.
    batch_tokens
        Places of a batch of prompts, padding counted; a longer prompt is a batch alone.

    Raises
    ------
    InputError
        No prompts or choices, an empty one, one that begins with another, or one that doesn't fit the context.
    """
    chosen = [completion_ids(checkpoint, choice) for choice in choices]
    _check_choices(choices, chosen)
    asked = _cut(checkpoint, prompts, room=max(map(len, chosen)))
    found = np.empty((len(prompts), len(choices)))
    for rows in _groups([len(ids) for ids in asked], batch_tokens):
        found[rows] = _choices_after(checkpoint.model, [asked[row] for row in rows], chosen).cpu().numpy()
    return found


@torch.inference_mode()
def generate(
    checkpoint: Checkpoint,
    prompts: Sequence[str],
    *,
    max_new_tokens: int,
    temperature: float = 0.0,
    rng: int | np.random.Generator = 0,
    stop: Sequence[str] = (),
    allowed: Allowed | None = None,
    batch_tokens: int = 4096,
) -> list[Generated]:
    """What the model writes after each prompt.

    Parameters
    ----------
    temperature
        0: the most probable token each time; else drawn from softmax(logits / temperature).
    rng
        Seed or Generator of the draws; each prompt draws from its own.
    stop
        Texts that end the answer.
    allowed
        Which tokens may come next, by what was written so far.

    Raises
    ------
    InputError
        No prompts, an empty one, one that leaves no room for `max_new_tokens`, or a temperature below 0.
    """
    _check_settings(max_new_tokens, temperature)
    asked = _cut(checkpoint, prompts, room=max_new_tokens)
    generators = np.random.default_rng(rng).spawn(len(prompts))
    written: dict[int, _Writer] = {}
    for rows in _groups([len(ids) + max_new_tokens for ids in asked], batch_tokens):
        writers = [_Writer(checkpoint, stop, allowed, temperature, generators[row]) for row in rows]
        for _ in _decode(checkpoint.model, [asked[row] for row in rows], writers, max_new_tokens):
            pass
        written.update(zip(rows, writers, strict=True))
    return [written[row].result() for row in range(len(prompts))]


def generate_stream(
    checkpoint: Checkpoint,
    prompt: str,
    *,
    max_new_tokens: int,
    temperature: float = 0.0,
    rng: int | np.random.Generator = 0,
    stop: Sequence[str] = (),
    allowed: Allowed | None = None,
) -> Generator[str, None, None]:
    """The answer of `generate` to one prompt, piece by piece: never half a character, never part of a stop text.

    Raises
    ------
    InputError
        As `generate`, when the first piece is asked for.
    """
    _check_settings(max_new_tokens, temperature)
    (ids,) = _cut(checkpoint, [prompt], room=max_new_tokens)
    writer = _Writer(checkpoint, stop, allowed, temperature, np.random.default_rng(rng).spawn(1)[0])
    steps, sent = _decode(checkpoint.model, [ids], [writer], max_new_tokens), 0
    while True:
        # not around the loop: the mode is a thread's, and whoever reads goes on in it between two pieces, or on
        # another thread, or never
        with torch.inference_mode():
            ended = not next(steps, False)
        safe = writer.text if ended else writer.settled()
        if len(safe) > sent:
            piece, sent = safe[sent:], len(safe)
            yield piece
        if ended:
            return


class _Writer:
    """What is written after one prompt, and when it ends."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        stop: Sequence[str],
        allowed: Allowed | None,
        temperature: float,
        rng: np.random.Generator,
    ) -> None:
        self._tokenizer, self._stop, self._allowed = checkpoint.tokenizer, [s for s in stop if s], allowed
        self._temperature, self._rng = temperature, rng
        self._ends = _ends(checkpoint)
        self.ids: list[int] = []
        self.text = ""
        self.why: Literal["end", "stop", "length"] | None = None

    def choose(self, logits_V: Tensor) -> int | None:
        """The next token, or None where the answer has ended."""
        may = None if self._allowed is None else self._allowed(self.ids)
        if may is not None and not len(may):
            self.why = "end"
            return None
        scores = logits_V.double().cpu().numpy()
        if may is not None:
            kept = np.full_like(scores, -np.inf)
            kept[list(may)] = scores[list(may)]
            scores = kept
        if self._temperature == 0:
            token = int(scores.argmax())
        else:
            weights = np.exp((scores - scores.max()) / self._temperature)
            token = int(self._rng.choice(len(weights), p=weights / weights.sum()))
        if token in self._ends:
            self.why = "end"
            return None
        self.ids.append(token)
        self.text = str(self._tokenizer.decode(self.ids, skip_special_tokens=True))
        at = min((i for i in map(self.text.find, self._stop) if i >= 0), default=-1)
        if at >= 0:
            self.text, self.why = self.text[:at], "stop"
            return None
        return token

    def settled(self) -> str:
        """What no further token can change: whole characters, and no beginning of a stop text."""
        text = self.text.rstrip("\ufffd")
        if self.why == "stop":
            return text
        held = max((n for s in self._stop for n in range(1, len(s)) if text.endswith(s[:n])), default=0)
        return text[: len(text) - held]

    def result(self) -> Generated:
        return Generated(self.text, len(self.ids), self.why or "length")


def _decode(
    model: Any, prompts: list[list[int]], writers: list[_Writer], max_new_tokens: int
) -> Iterator[bool]:
    """Let each writer choose, token after token, until all have ended; True after each step."""
    logits_NV, cache, mask_NL = _read(model, prompts)
    length_N = mask_NL.sum(1)
    for step in range(max_new_tokens):
        tokens = [PAD] * len(writers)
        for n, writer in enumerate(writers):
            if writer.why is None and (token := writer.choose(logits_NV[n])) is not None:
                tokens[n] = token
        yield True
        if all(writer.why is not None for writer in writers) or step + 1 == max_new_tokens:
            return
        mask_NL = torch.cat([mask_NL, mask_NL.new_ones(len(writers), 1)], 1)
        output = model(
            input_ids=torch.tensor(tokens, device=model.device)[:, None],
            attention_mask=mask_NL,
            position_ids=(length_N + step)[:, None],
            past_key_values=cache,
            use_cache=True,
        )
        logits_NV, cache = output.logits[:, -1], output.past_key_values


def _read(model: Any, prompts: list[list[int]]) -> tuple[Tensor, Any, Tensor]:
    """Logits after each prompt, what was computed of them for whoever goes on, and which places are real."""
    longest = max(map(len, prompts))
    input_NL = torch.tensor([[PAD] * (longest - len(ids)) + ids for ids in prompts], device=model.device)
    mask_NL = torch.tensor(
        [[0] * (longest - len(ids)) + [1] * len(ids) for ids in prompts], device=model.device
    )
    output = model(
        input_ids=input_NL,
        attention_mask=mask_NL,
        position_ids=(mask_NL.cumsum(1) - 1).clamp(min=0),
        use_cache=True,
        logits_to_keep=1,
    )
    return output.logits[:, -1], output.past_key_values, mask_NL


def _choices_after(model: Any, prompts: list[list[int]], choices: list[list[int]]) -> Tensor:
    """Sum of log-probabilities, shape (N, C), float64."""
    logits_NV, cache, mask_NL = _read(model, prompts)
    first = torch.tensor([ids[0] for ids in choices], device=model.device)
    total_NC = logits_NV.double().log_softmax(-1)[:, first]
    more = [c for c, ids in enumerate(choices) if len(ids) > 1]
    if not more:
        return total_NC
    # every longer choice goes on from its prompt's cache: (N x C') rows of all tokens but the last
    longest = max(len(choices[c]) for c in more) - 1
    n_prompts, n_more = len(prompts), len(more)
    input_CL = torch.tensor([_padded(choices[c][:-1], longest) for c in more], device=model.device)
    target_CL = torch.tensor([_padded(choices[c][1:], longest) for c in more], device=model.device)
    is_real_CL = torch.tensor(
        [[i < len(choices[c]) - 1 for i in range(longest)] for c in more], device=model.device
    )
    cache.batch_repeat_interleave(n_more)
    input_RL = input_CL.repeat(n_prompts, 1)
    mask_RL = torch.cat([mask_NL.repeat_interleave(n_more, 0), torch.ones_like(input_RL)], 1)
    start_R = mask_NL.sum(1).repeat_interleave(n_more)
    logits_RLV = model(
        input_ids=input_RL,
        attention_mask=mask_RL,
        position_ids=start_R[:, None] + torch.arange(longest, device=model.device),
        past_key_values=cache,
        use_cache=True,
    ).logits
    target_RL = target_CL.repeat(n_prompts, 1)
    picked_RL = logits_RLV.gather(-1, target_RL[..., None])[..., 0].double() - logits_RLV.double().logsumexp(
        -1
    )
    rest_R = (picked_RL * is_real_CL.repeat(n_prompts, 1)).sum(1)
    total_NC[:, more] += rest_R.view(n_prompts, n_more)
    return total_NC


def _padded(ids: list[int], length: int) -> list[int]:
    return ids + [PAD] * (length - len(ids))


def _cut(checkpoint: Checkpoint, prompts: Sequence[str], *, room: int) -> list[list[int]]:
    if not prompts:
        raise InputError("prompts", "there must be one at least")
    cut = [prompt_ids(checkpoint, prompt) for prompt in prompts]
    if empty := [n for n, ids in enumerate(cut) if not ids]:
        raise InputError("prompts", f"{len(empty)} are empty, first: numbers {empty[:5]}")
    limit = checkpoint.context_length - room
    if long := [(n, len(ids)) for n, ids in enumerate(cut) if len(ids) > limit]:
        raise InputError(
            "prompts",
            f"{len(long)} are longer than the {limit} tokens that leave room for {room} more, "
            f"first (number, tokens): {long[:5]}",
            remedy="shorten them",
        )
    return cut


def _check_choices(choices: Sequence[str], chosen: list[list[int]]) -> None:
    if not choices:
        raise InputError("choices", "there must be one at least")
    if not all(chosen):
        raise InputError("choices", "none may be empty", value=list(choices)[:5])
    for a, one in enumerate(chosen):
        for b, other in enumerate(chosen):
            if a != b and other[: len(one)] == one:
                raise InputError(
                    "choices",
                    f"{choices[b]!r} begins with {choices[a]!r}, so that it could never be the more probable one",
                    remedy="end both by a mark, such as a full stop",
                )


def _check_settings(max_new_tokens: int, temperature: float) -> None:
    if max_new_tokens < 1:
        raise InputError("max_new_tokens", "must be 1 or more", value=max_new_tokens)
    if not (temperature >= 0 and np.isfinite(temperature)):
        raise InputError("temperature", "must be 0 or more", value=temperature)


def _groups(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Numbers of prompts of like length, together `batch_tokens` places at most."""
    group: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: (lengths[row], row)):
        if group and lengths[row] * (len(group) + 1) > batch_tokens:
            yield group
            group = []
        group.append(row)
    yield group


def _ends(checkpoint: Checkpoint) -> set[int]:
    """Tokens that end a text, by the tokenizer and by what the model's makers say of writing."""
    told = getattr(checkpoint.model.generation_config, "eos_token_id", None)
    ids = told if isinstance(told, list) else [told]
    return {int(i) for i in [*ids, checkpoint.tokenizer.eos_token_id] if i is not None}
