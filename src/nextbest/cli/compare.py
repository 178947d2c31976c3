"""`nextbest compare`: several models on one split, with intervals and a paired test."""

import argparse
from pathlib import Path
from typing import Any

from nextbest.cli.output import new_command, show_progress, text_file, write_text
from nextbest.cli.tracked import add_tracking_flag, emit_tracked, tracked

EXAMPLES = """\
  nextbest compare --recipe baselines                          # global time split, the honest default
  nextbest compare --recipe baselines pipeline --k 20 --json
  nextbest compare --recipe my.toml --protocol leave-last --no-refit
  nextbest compare --recipe baselines --markdown comparison.md
  nextbest compare --recipe baselines pipeline --mlflow runs    # also kept in MLflow, a run for each model"""


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser = new_command(
        commands,
        "compare",
        summary="Run several models and recipes on one split and print the table.",
        examples=EXAMPLES,
    )
    parser.add_argument(
        "--recipe", nargs="+", required=True, metavar="NAME_OR_FILE", help="shipped name or TOML file"
    )
    parser.add_argument(
        "--protocol",
        choices=("time", "leave-last", "random"),
        default="time",
        help="how the log is cut (default: %(default)s; random only for a log without time)",
    )
    parser.add_argument(
        "--refit",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="fit on the validation part too before the test (default: yes)",
    )
    parser.add_argument("-k", "--k", type=int, default=10, help="length of the lists (default: %(default)s)")
    add_split_flags(parser)
    parser.add_argument("--max-users", type=int, metavar="N", help="evaluate a random sample of target users")
    parser.add_argument(
        "--resamples", type=int, default=1000, help="bootstrap resamples (default: %(default)s)"
    )
    parser.add_argument("--markdown", type=text_file, metavar="FILE", help="also write the table to a file")
    add_tracking_flag(parser)
    parser.set_defaults(run=run)


def add_split_flags(parser: argparse.ArgumentParser) -> None:
    """Flags of the time cut, shared with `train`."""
    parser.add_argument(
        "--test-fraction",
        type=float,
        default=0.1,
        help="newest share of events, or share of pairs if cut at random (default: %(default)s)",
    )
    parser.add_argument(
        "--test-days",
        type=float,
        metavar="D",
        help="length of the test part in days, instead; only if cut by time",
    )
    parser.add_argument("--rng", type=int, default=0, help="seed of everything random (default: %(default)s)")


def run(args: argparse.Namespace) -> None:
    """Read the journal from the workspace, compare, print."""
    from nextbest.data.store import Workspace
    from nextbest.experiments.compare import compare
    from nextbest.experiments.lists import journal_columns
    from nextbest.experiments.processes import check_alone
    from nextbest.experiments.recipe import load_recipe
    from nextbest.experiments.splitting import SplitPlan
    from nextbest.experiments.tracked import track_comparison

    check_alone("compare")
    recipes = [load_recipe(r) for r in args.recipe]
    workspace = Workspace(Path(args.store))
    with tracked(args, "compare", params=("recipe", "test_fraction", "test_days", "max_users")) as run:
        report = compare(
            workspace.journal(journal_columns(recipes)).collect(),
            recipes,
            plan=SplitPlan(
                protocol=args.protocol,
                refit=args.refit,
                test_fraction=args.test_fraction,
                test_days=args.test_days,
                time_kind=workspace.time_kind,
                rng=args.rng,
            ),
            k=args.k,
            rng=args.rng,
            clients=workspace.clients(),
            catalog=workspace.catalog(),
            max_users=args.max_users,
            n_resamples=args.resamples,
            progress=show_progress(args),
        )
        if args.markdown:
            write_text(args.markdown, report.to_markdown())
        emit_tracked(
            args, report.to_dict(), report.to_markdown(), run, lambda run: track_comparison(run, report)
        )
