"""`nextbest market train`: our own transformer learns from candles and becomes a folder."""

import argparse
from datetime import timedelta
from pathlib import Path
from typing import Any

from nextbest.cli.candles import add_candles, add_teaching, read_panel
from nextbest.cli.output import a_day, emit, new_command, show_progress

EXAMPLES = """\
  nextbest market train --prices candles/*.parquet --step 1h --out candles
  nextbest market train --step 1d --until 2025-08-01 --out candles --checkpoints ck    # the same again goes on after a kill
  nextbest market forecast --model candles --step 1d"""
BY_STEP = {"hours": "candles", "days": "candles_days"}


def add_parser(inner: Any) -> None:
    """Declare the command in the group `market`."""
    parser = new_command(
        inner, "train", summary="Our own transformer learns from candles of many assets.", examples=EXAMPLES
    )
    add_candles(parser)
    add_teaching(parser)
    parser.add_argument(
        "--until", type=a_day, metavar="YYYY-MM-DD", help="learn nothing of this day or later (default: all)"
    )
    parser.add_argument("--members", type=int, default=1, metavar="N", help="networks whose mean answers")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Learn, write, print."""
    from nextbest.errors import DataError
    from nextbest.market.base import TRAINED
    from nextbest.market.candles.model import Candles
    from nextbest.models.store import check_free

    check_free(Path(args.out))
    panel = read_panel(args)
    if args.until is not None:
        panel = panel.period(None, args.until)
    if not panel.n_bars:
        raise DataError("candles", f"none before {args.until}", remedy="a later --until")
    kind = BY_STEP["days" if panel.step >= timedelta(days=1) else "hours"]
    preset: Any = TRAINED[kind](n_members=args.members)
    model = Candles(preset.settings, checkpoints=args.checkpoints, progress=show_progress(args))
    model.fit(panel, horizons=sorted(set(args.horizons)), rng=args.rng)
    model.save(Path(args.out))
    document = {
        "model": str(args.out),
        "kind": kind,
        "horizons": list(model.horizons_),
        "assets": list(panel.asset_ids),
        "n_bars": panel.n_bars,
        "last_bar": str(panel.time_T[-1]),
        "trained": model.trained_,
    }
    lines = [
        f"{kind} learned from {panel.n_bars:,} bars of {panel.n_assets} asset(s) up to {panel.time_T[-1]}, horizons {model.horizons_}",
        f"written to {args.out}; whether it is better than a random walk only `nextbest market bench --models {kind}` can say",
    ]
    emit(args, document, "\n".join(lines))
