"""`nextbest train`: fit a recipe on the whole log and write a model folder."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextbest.cli.compare import add_split_flags
from nextbest.cli.output import new_command, note, show_progress
from nextbest.cli.tracked import add_tracking_flag, emit_tracked, tracked

if TYPE_CHECKING:
    from nextbest.experiments.processes import Crew
    from nextbest.experiments.train import TrainResult

EXAMPLES = """\
  nextbest train --recipe pipeline --out models/shop
  nextbest train --recipe my.toml --out models/shop --json
  nextbest train --recipe pipeline --out models/shop --cutoff 2011-12-01    # as if it were that day
  nextbest train --recipe gru4rec --out models/shop --checkpoints ck    # the same again goes on after a kill
  torchrun --nproc-per-node 2 -m nextbest train --recipe gru4rec --out models/shop    # sequence models only"""


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
    parser.add_argument(
        "--checkpoints",
        metavar="DIR",
        help="keep the state after each epoch here, and go on from it; removed when the model folder stands",
    )
    add_split_flags(parser)
    add_tracking_flag(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Train and print; of several processes the first one, while the others fit what it asks for."""
    from nextbest.experiments.processes import several
    from nextbest.experiments.tracked import track_training

    with several(Path(args.out)) as crew:
        if crew is not None and not crew.is_first:
            crew.work()
            return
        with tracked(args, "train", params=("recipe", "k", "test_fraction", "test_days", "rng")) as run:
            try:
                result = _trained(args, crew)
            except KeyboardInterrupt:
                if args.checkpoints:
                    note(
                        args,
                        f"finished epochs are in {args.checkpoints}; the same command goes on from there",
                    )
                raise
            emit_tracked(
                args, result.to_dict(), result.to_text(), run, lambda run: track_training(run, result)
            )


def _trained(args: argparse.Namespace, crew: "Crew | None") -> "TrainResult":
    """Read the journal from the workspace, train, write."""
    from nextbest.data.store import Workspace
    from nextbest.experiments.lists import journal_columns
    from nextbest.experiments.recipe import load_recipe
    from nextbest.experiments.train import train

    recipe = load_recipe(args.recipe)
    workspace = Workspace(Path(args.store))
    return train(
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
        checkpoints=Path(args.checkpoints) if args.checkpoints else None,
        crew=crew,
    )


def parse_moment(text: str | None, *, flag: str = "--cutoff") -> Any:
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
        raise InputError(flag, "must be an ISO date or moment", value=text) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
