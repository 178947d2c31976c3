"""`nextbest recommend`: the next items of one user from a model folder."""

import argparse
from typing import Any

from nextbest.cli.output import emit, new_command

EXAMPLES = """\
  nextbest recommend --model models/shop --user 42 -k 10
  nextbest recommend --model models/shop --user 42 --json
  nextbest recommend --model models/shop --history 85123A 22423      # somebody without an id
  nextbest recommend --model models/shop --user 42 --where category=books --lang ru"""


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser = new_command(
        commands, "recommend", summary="The next items of one user, with reasons.", examples=EXAMPLES
    )
    parser.add_argument("--model", required=True, metavar="DIR", help="folder written by `nextbest train`")
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument(
        "--user", metavar="ID", help="user id as in the log; an unknown one gets what is popular"
    )
    who.add_argument(
        "--history", nargs="+", metavar="ITEM", help="item ids, oldest first, in place of a user"
    )
    parser.add_argument("-k", type=int, default=10, help="length of the list (default: %(default)s)")
    parser.add_argument("--include-seen", action="store_true", help="also items the user already has")
    parser.add_argument(
        "--deny", nargs="+", default=None, metavar="ITEM", help="items that must not be shown"
    )
    parser.add_argument("--allow", nargs="+", default=None, metavar="ITEM", help="only these items")
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="COLUMN=VALUE",
        help="only items with this catalogue value",
    )
    parser.add_argument("--lang", choices=("en", "ru"), default="en", help="language of the reasons")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Load the folder, ask one question, print the answer."""
    from dataclasses import asdict

    from nextbest.cli.maps import pairs
    from nextbest.pipeline.pipeline import Pipeline
    from nextbest.pipeline.query import Query

    where: dict[str, list[object]] = {}
    for column, value in pairs(args.where, name="--where"):
        where.setdefault(column, []).append(value)
    pipeline = Pipeline.load(args.model)
    query = Query(
        user_id=args.user,
        history=None if args.history is None else [(item, None) for item in args.history],
        k=args.k,
        exclude_seen=False if args.include_seen else None,
        allow=args.allow,
        deny=args.deny,
        where=where or None,
        lang=args.lang,
    )
    answer = pipeline.recommend([query])[0]
    document = asdict(answer)
    lines = [
        f"user {args.user if args.user is not None else '(history)'}"
        + ("" if answer.known else " (not in the log)")
    ]
    lines += [
        f"{item.rank:>3}  {item.item_id}  {item.title or ''}  [{item.source} {item.score:.3g}]  {item.reason}"
        for item in answer.items
    ]
    emit(args, document, "\n".join(lines))
