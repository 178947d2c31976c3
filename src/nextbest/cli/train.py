"""`nextbest train`: fit a recipe on the whole log and write a model folder."""

import argparse
from pathlib import Path
from typing import Any

from nextbest.cli.compare import add_split_flags
from nextbest.cli.output import emit, new_command, show_progress

EXAMPLES = """\
  nextbest train --recipe pipeline --out models/shop
  nextbest train --recipe my.toml --out models/shop --json
  nextbest train --recipe pipeline --out models/shop --cutoff 2011-12-01    # as if it were that day"""


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser = new_command(
        commands,
        "train",
        summary="Choose the best model of a recipe on a validation split, fit it on everything, write a model folder.",
        examples=EXAMPLES,
    )
    parser.add_argument("--recipe", required=True, metavar="NAME_OR_FILE", help="shipped name or TOML file")
    parser.add_argument(
        "--out", required=True, metavar="DIR", help="model folder to write; replaced in one step"
    )
    parser.add_argument("-k", "--k", type=int, default=10, help="length of the lists that validation counts")
    parser.add_argument(
        "--cutoff", metavar="TIME", help="use nothing at or after this moment (ISO, UTC unless it says so)"
    )
    add_split_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Read the journal from the workspace, train, write."""
    from nextbest.data.store import Workspace
    from nextbest.experiments.lists import journal_columns
    from nextbest.experiments.recipe import load_recipe
    from nextbest.experiments.train import train

    recipe = load_recipe(args.recipe)
    workspace = Workspace(Path(args.store))
    result = train(
        workspace.journal(journal_columns([recipe])).collect(),
        recipe,
        Path(args.out),
        time_kind=workspace.time_kind,
        cutoff=parse_moment(args.cutoff),
        test_fraction=args.test_fraction,
        test_days=args.test_days,
        k=args.k,
        rng=args.rng,
        clients=workspace.clients(),
        catalog=workspace.catalog(),
        progress=show_progress(args),
    )
    emit(args, result.to_dict(), result.to_text())


def parse_moment(text: str | None) -> Any:
    """An ISO moment, taken as UTC when it names no zone; None stays None.

    Raises
    ------
    InputError
        Not a moment.
    """
    from datetime import UTC, datetime

    from nextbest.errors import InputError

    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError("--cutoff", "must be an ISO date or moment", value=text) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
