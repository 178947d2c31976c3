"""`nextbest assistant embed`: a file of interactions with texts becomes vectors, neighbours, a measured report and a workspace to chat on."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextbest.cli.maps import mapping
from nextbest.cli.output import new_command, note, show_progress, text_file, write_text
from nextbest.cli.tracked import add_tracking_flag, emit_tracked, tracked

if TYPE_CHECKING:
    from nextbest.experiments.train import TrainResult

MODEL = "model"
"""Folder of a workspace where `nextbest chat` finds a shop's model."""
EXAMPLES = """\
  nextbest assistant embed games.parquet --map user_id=user,item_id=game,title=name,text=about
  nextbest assistant embed reviews.csv --map user_id=who,item_id=what,text=description --report neighbours.md
  nextbest chat --user 42                                       # the workspace has a model now, too"""


def add_parser(inner: Any) -> None:
    """Declare the command in the group `assistant`."""
    parser = new_command(
        inner,
        "embed",
        summary="Embed a file of interactions with texts, measure the neighbours, and fit a model to chat on.",
        examples=EXAMPLES,
    )
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="Parquet or CSV: a row for each event, with the item's texts"
    )
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="OURS=THEIRS,...",
        help="our column = their column; ours: user_id, item_id, time, title, text, category, hours, rating",
    )
    parser.add_argument(
        "--encoder", choices=("use", "ngrams"), help="default: use where it is installed, ngrams else"
    )
    parser.add_argument(
        "--k", type=int, default=10, metavar="N", help="length of lists (default: %(default)s)"
    )
    parser.add_argument(
        "--users", type=int, default=1000, metavar="N", help="users measured, drawn (default: %(default)s)"
    )
    parser.add_argument("--no-evaluation", action="store_true", help="don't measure the neighbours")
    parser.add_argument(
        "--recipe",
        metavar="NAME_OR_FILE",
        help="of the model to fit (default: baselines, and only where the workspace has no model yet)",
    )
    parser.add_argument("--no-model", action="store_true", help="don't fit one")
    parser.add_argument("--report", type=text_file, metavar="FILE", help="also write the report as Markdown")
    add_tracking_flag(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Embed, measure, store, print."""
    from nextbest.assistant.neighbours.embedding import embed_file
    from nextbest.assistant.neighbours.likeness import FOLDER
    from nextbest.errors import InputError
    from nextbest.experiments.recipe import load_recipe
    from nextbest.experiments.tracked import track_embedding
    from nextbest.models.language.sentence.encoder import open_encoder

    if args.recipe is not None:
        if args.no_model:
            raise InputError("--recipe", "doesn't go with --no-model")
        load_recipe(args.recipe)  # a wrong one is told before the work
    with tracked(args, "embed", params=("files", "map", "users")) as run:
        result = embed_file(
            args.files,
            workspace=Path(args.store),
            mapping=mapping(args.map, name="--map") or None,
            encoder=open_encoder(args.encoder),
            k=args.k,
            n_users=args.users,
            evaluate=not args.no_evaluation,
        )
        report = result.to_markdown()
        if args.report:
            write_text(args.report, report)
        note(args, f"vectors and neighbours: {Path(args.store) / FOLDER}")
        fitted = _fitted(args)
        model = str(Path(args.store) / MODEL)
        document = result.document() | {"model": None if fitted is None else fitted.model}
        if fitted is not None:
            report = f"{report}\n\n{fitted.to_text()}"
        if fitted is not None or Path(model).exists():
            note(args, f"next: nextbest chat --store {args.store} --user ID")
        else:
            note(
                args,
                f"next: nextbest train --recipe NAME --out {model}, then nextbest chat --store {args.store}",
            )
        emit_tracked(args, document, report, run, lambda run: track_embedding(run, result))


def _fitted(args: argparse.Namespace) -> "TrainResult | None":
    """A model of the workspace's log, put where `nextbest chat` looks; None where one is there, or none is wanted."""
    from nextbest.data.store import Workspace
    from nextbest.experiments.lists import journal_columns
    from nextbest.experiments.recipe import load_recipe
    from nextbest.experiments.train import train

    out = Path(args.store) / MODEL
    if args.no_model or (args.recipe is None and out.exists()):
        return None
    recipe = load_recipe(args.recipe or "baselines")
    workspace = Workspace(Path(args.store))
    return train(
        workspace.journal(journal_columns([recipe])).collect(),
        recipe,
        out,
        time_kind=workspace.time_kind,
        k=args.k,
        clients=workspace.clients(),
        catalog=workspace.catalog(),
        progress=show_progress(args),
    )
