"""`nextbest renew`: a model folder learns the days since it was made."""

import argparse
from pathlib import Path
from typing import Any

from nextbest.cli.output import emit, new_command, show_progress
from nextbest.cli.train import parse_moment

EXAMPLES = """\
  nextbest ingest yesterday.csv --map user_id=client,item_id=sku,time=at
  nextbest renew --model models/shop --out models/shop    # in place: readers see the old folder or the new one
  nextbest renew --model models/shop --out models/next --since 2011-12-01 --json"""


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser = new_command(
        commands,
        "renew",
        summary="A sequence model, or a blend with one, goes on learning from new days; the rest is counted anew.",
        examples=EXAMPLES,
    )
    parser.add_argument("--model", required=True, metavar="DIR", help="folder written by `nextbest train`")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write; may be the same")
    parser.add_argument(
        "--since",
        metavar="TIME",
        help="first new moment (ISO, UTC unless it says so; default: after the newest event the folder has seen)",
    )
    parser.add_argument("--rng", type=int, default=0, help="seed (default: %(default)s)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Read the journal from the workspace, renew, write."""
    from nextbest.data.store import Workspace
    from nextbest.experiments.lists import journal_columns
    from nextbest.experiments.renew import made_by, renew

    workspace = Workspace(Path(args.store))
    folder = Path(args.model)
    result = renew(
        workspace.journal(journal_columns([made_by(folder)])).collect(),
        folder,
        Path(args.out),
        since=parse_moment(args.since, flag="--since"),
        clients=workspace.clients(),
        catalog=workspace.catalog(),
        rng=args.rng,
        progress=show_progress(args),
    )
    emit(args, result.to_dict(), result.to_text())
