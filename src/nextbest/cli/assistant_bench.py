"""`nextbest assistant bench`: models compared by first words, speed, routing and how often their words may be sent."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextbest.cli.output import new_command, note
from nextbest.cli.tracked import add_tracking_flag, emit_tracked, tracked

if TYPE_CHECKING:
    from nextbest.assistant.providers.bench import BenchResult, ProviderRow

EXAMPLES = """\
  nextbest assistant bench --provider gguf:gemma3-270m
  nextbest assistant bench --provider ollama:t-tech/t-lite-it-2.1 --provider gguf:my.gguf+shop.gguf --budget-ms 1500
  nextbest assistant bench --provider providers.toml --json"""


def add_parser(inner: Any) -> None:
    """Declare the command in the group `assistant`."""
    parser = new_command(
        inner, "bench", summary="Compare language models and pick one by latency.", examples=EXAMPLES
    )
    parser.add_argument(
        "--provider",
        action="append",
        required=True,
        metavar="NAME",
        help="ollama:MODEL, openai:MODEL@URL, gguf:FILE, folder:DIR, with +ADAPTER a taught one ... or a .toml file; may be given again",
    )
    parser.add_argument(
        "--budget-ms",
        type=float,
        default=2500.0,
        metavar="MS",
        help="until the first token, 95th percentile (default: %(default)s)",
    )
    parser.add_argument(
        "--questions",
        type=int,
        default=22,
        metavar="N",
        help="to route, of each language (default: %(default)s)",
    )
    parser.add_argument(
        "--drafts",
        type=int,
        default=8,
        metavar="N",
        help="answers to word, of each language (default: %(default)s)",
    )
    parser.add_argument(
        "--part",
        choices=("dev", "test"),
        default="dev",
        help="of the questions; test only for figures that are reported (default: %(default)s)",
    )
    parser.add_argument(
        "--timeout-s", type=float, default=60.0, metavar="S", help="of one answer (default: %(default)s)"
    )
    parser.add_argument(
        "--no-grammar",
        action="store_true",
        help="let models write freely that could be held to a grammar",
    )
    add_tracking_flag(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Measure, print, pick."""
    from nextbest.assistant.providers.bench import bench_providers
    from nextbest.assistant.providers.settings import Given, read_settings
    from nextbest.experiments.tracked import track_bench

    given: list[Given] = []
    for text in args.provider:
        # each provider of a file is a row of its own here
        given += read_settings(Path(text)) if text.endswith(".toml") else [text]
    with tracked(args, "bench", params=("part", "questions", "drafts", "timeout_s", "no_grammar")) as run:
        result = bench_providers(
            given,
            budget_ms=args.budget_ms,
            part=args.part,
            n_questions=args.questions,
            n_drafts=args.drafts,
            timeout_s=args.timeout_s,
            with_grammar=not args.no_grammar,
            told=lambda line: note(args, line),
        )
        emit_tracked(args, result.document(), as_text(result), run, lambda run: track_bench(run, result))


def as_text(result: "BenchResult") -> str:
    """The rows for people."""
    head = (
        f"{'provider':<26}{'open s':>8}{'first ms':>10}{'p95':>8}{'answer p95':>12}{'CPU s':>7}{'tok/s':>8}"
        f"{'worded':>8}{'routing':>9}{'missed':>8}"
    )
    lines = [head]
    lines += [_line(row) for row in result.rows]
    told = [(row, row.failed) for row in result.rows if row.failed]
    lines += ["", *(why if why.startswith(row.name) else f"{row.name}: {why}" for row, why in told)]
    lines += [
        f"{row.name}: caught " + ", ".join(f"{kind} {n}" for kind, n in sorted(row.findings.items()))
        for row in result.rows
        if row.findings
    ]
    chosen = result.pick or "none; the phrasebook needs no model"
    lines.append(f"within {result.budget_ms:g} ms to the first token: {chosen}")
    return "\n".join(lines)


def _line(row: "ProviderRow") -> str:
    def cell(value: float | None, width: int, digits: int = 0) -> str:
        return f"{'-' if value is None else f'{value:,.{digits}f}':>{width}}"

    opened = None if row.open_ms is None else row.open_ms / 1000
    return (
        f"{row.name[:25]:<26}{cell(opened, 8, 1)}{cell(row.first_token_ms, 10)}{cell(row.first_token_p95_ms, 8)}"
        f"{cell(row.answer_p95_ms, 12)}{cell(row.answer_cpu_s, 7, 2)}{cell(row.tokens_per_s, 8, 1)}{cell(row.worded, 8, 2)}{cell(row.routing, 9, 2)}"
        f"{row.n_missed:>8}"
    )
