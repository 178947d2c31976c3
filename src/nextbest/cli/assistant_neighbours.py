"""`nextbest assistant embed`: a file of interactions with texts becomes vectors, neighbours, a measured report and a workspace."""

import argparse
from pathlib import Path
from typing import Any

from nextbest.cli.maps import mapping
from nextbest.cli.output import new_command, note, text_file, write_text
from nextbest.cli.tracked import add_tracking_flag, emit_tracked, tracked

EXAMPLES = """\
  nextbest assistant embed games.parquet --map user_id=user,item_id=game,title=name,text=about
  nextbest assistant embed reviews.csv --map user_id=who,item_id=what,text=description --report neighbours.md
  nextbest train --model ease && nextbest chat"""


def add_parser(inner: Any) -> None:
    """Declare the command in the group `assistant`."""
    parser = new_command(
        inner,
        "embed",
        summary="Embed a file of interactions with texts, measure the neighbours, and store it to train and chat on.",
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
    parser.add_argument("--no-evaluation", action="store_true", help="store and embed only")
    parser.add_argument("--report", type=text_file, metavar="FILE", help="also write the report as Markdown")
    add_tracking_flag(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Embed, measure, store, print."""
    from nextbest.assistant.neighbours.embedding import FOLDER, embed_file
    from nextbest.experiments.tracked import track_embedding
    from nextbest.text.encoder import make_encoder

    with tracked(args, "embed", params=("files", "map", "users")) as run:
        result = embed_file(
            args.files,
            workspace=Path(args.store),
            mapping=mapping(args.map, name="--map") or None,
            encoder=make_encoder(args.encoder),
            k=args.k,
            n_users=args.users,
            evaluate=not args.no_evaluation,
        )
        report = result.to_markdown()
        if args.report:
            write_text(args.report, report)
        note(
            args,
            f"vectors and neighbours: {Path(args.store) / FOLDER}; next: `nextbest train`, then `nextbest chat`",
        )
        emit_tracked(args, result.document(), report, run, lambda run: track_embedding(run, result))
