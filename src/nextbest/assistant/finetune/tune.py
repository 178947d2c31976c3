"""Teach a language model on this machine to call the assistant's tools and to word their answers; write its adapter.

The model comes by `models/language`; nothing of torch is imported before it is needed.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextbest.assistant.finetune.data import Trace, TuningData
from nextbest.assistant.prompts.taught import VERSION
from nextbest.assistant.providers.plain import prompt_text

if TYPE_CHECKING:
    from nextbest.models.language.batches import Example
    from nextbest.models.language.checkpoint import Checkpoint
    from nextbest.models.language.lora import LoRAConfig

log = logging.getLogger(__name__)
MAX_VALIDATION = 100
"""Held-out examples that training stops by; all of them would cost more than they tell."""


@dataclass(frozen=True, slots=True)
class Finetuned:
    """A taught model, and what it cost."""

    checkpoint: "Checkpoint"
    metrics: dict[str, Any]


def finetune(
    checkpoint: "Checkpoint",
    data: TuningData,
    folder: Path,
    *,
    config: "LoRAConfig | None" = None,
    seen_until: date | None = None,
    checkpoints: Path | None = None,
    progress: bool = False,
) -> Finetuned:
    """Teach an adapter by examples and write it to `folder`.

    Parameters
    ----------
    checkpoint
        Of `models.language.checkpoint.open_checkpoint`; it is left as it is.
    data
        Of `data.tuning_data`.
    config
        None: `default_config()`.
    seen_until
        Last day that the examples may know; templates know none, so it may be left out.
    checkpoints
        Where a killed training goes on from; None: it begins anew.

    Raises
    ------
    InputError
        As `models.language.lora.fit_text`, or `folder` holds something else.
    ArtifactError
        `checkpoints` belongs to another training.
    """
    from nextbest.models.language.adapters import save_adapter
    from nextbest.models.language.lora import fit_text
    from nextbest.models.store import check_free

    check_free(Path(folder))
    tuned = fit_text(
        checkpoint,
        examples(data.learned, checkpoint.tokenizer),
        config or default_config(),
        validation=examples(data.held_out[:MAX_VALIDATION], checkpoint.tokenizer) or None,
        checkpoints=checkpoints,
        progress=progress,
    )
    about = {"forms": VERSION, "n_examples": len(data.learned), "n_held_out": len(data.held_out)}
    save_adapter(tuned, Path(folder), seen_until=seen_until, metrics={"assistant": about})
    return Finetuned(tuned.checkpoint, tuned.metrics() | about)


def default_config() -> "LoRAConfig":
    """Settings that were tried (`benchmarks/assistant_finetune.md`)."""
    from nextbest.models.language.lora import LoRAConfig

    return LoRAConfig(
        rank=16, alpha=32, steps=580, validate_steps=116, batch_size=32, batch_tokens=700, learning_rate=8e-4, warmup_steps=15,
        schedule="cosine", max_length=400, patience=6,
    )  # fmt: skip


def examples(traces: Sequence[Trace], tokenizer: Any) -> "list[Example]":
    """Traces as `models.language` learns them: the very text that a provider asks with, then the answer."""
    from nextbest.models.language.batches import Example

    found = []
    for one in traces:
        prompt = prompt_text(one.messages, tokenizer)
        # behind a colon an answer begins with a blank; behind a template's own mark it doesn't
        found.append(Example(prompt, f" {one.completion}" if prompt.endswith(":") else one.completion))
    return found
