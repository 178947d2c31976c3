"""`nextbest tune`: search the ranges of a recipe on the validation part, within a budget."""

import argparse
from pathlib import Path
from typing import Any

from nextbest.cli.compare import add_split_flags
from nextbest.cli.output import emit, new_command, note, show_progress

EXAMPLES = """\
  nextbest tune --recipe my.toml --out tuned --seconds 3600      # CPU-seconds, shared out among the models
  nextbest tune --recipe my.toml --out tuned --trials 100        # goes on in the same folder
  nextbest tune --recipe baselines --out tuned --trials 20 --protocol leave-last --json
  nextbest compare --recipe my.toml tuned/best.toml              # default and found settings on the test part"""


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser = new_command(
        commands,
        "tune",
        summary="Search the ranges of a recipe on the validation part, within a budget, and write the recipe found.",
        examples=EXAMPLES,
    )
    parser.add_argument("--recipe", required=True, metavar="NAME_OR_FILE", help="shipped name or TOML file")
    parser.add_argument(
        "--out",
        required=True,
        metavar="DIR",
        help="folder of the search: best.toml, trials.csv, study.log; the same folder again goes on",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        metavar="S",
        help="budget of CPU-seconds, in equal parts for the models that have ranges",
    )
    parser.add_argument(
        "--trials", type=int, metavar="N", help="trials of each model, the default settings being the first"
    )
    parser.add_argument(
        "--protocol",
        choices=("time", "leave-last", "random"),
        default="time",
        help="how the log is cut, as in compare (default: %(default)s)",
    )
    parser.add_argument("-k", "--k", type=int, default=10, help="length of the lists (default: %(default)s)")
    add_split_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Read the journal from the workspace, search, write, print."""
    from nextbest.data.store import Workspace
    from nextbest.experiments.lists import journal_columns
    from nextbest.experiments.processes import check_alone
    from nextbest.experiments.recipe import load_recipe
    from nextbest.experiments.splitting import SplitPlan
    from nextbest.experiments.tune import tune

    check_alone("tune")
    recipe = load_recipe(args.recipe)
    workspace = Workspace(Path(args.store))
    try:
        report = tune(
            workspace.journal(journal_columns([recipe])).collect(),
            recipe,
            Path(args.out),
            plan=SplitPlan(
                protocol=args.protocol,
                test_fraction=args.test_fraction,
                test_days=args.test_days,
                time_kind=workspace.time_kind,
                rng=args.rng,
            ),
            k=args.k,
            rng=args.rng,
            seconds=args.seconds,
            trials=args.trials,
            clients=workspace.clients(),
            catalog=workspace.catalog(),
            progress=show_progress(args),
        )
    except KeyboardInterrupt:
        note(args, f"finished trials are in {args.out}; the same command goes on from there")
        raise
    emit(args, report.to_dict(), report.to_text())
