"""`nextbest recommend`: the next items of one user from a model folder."""

import argparse
from pathlib import Path
from typing import Any

from nextbest.cli.output import emit, new_command
from nextbest.errors import InputError

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
    parser.add_argument("-k", "--k", type=int, default=10, help="length of the list (default: %(default)s)")
    seen = parser.add_mutually_exclusive_group()
    seen.add_argument(
        "--include-seen",
        dest="exclude_seen",
        action="store_false",
        default=None,
        help="also items the user already has (default: as `train` found right for this log)",
    )
    seen.add_argument(
        "--exclude-seen", action="store_true", default=None, help="only items the user doesn't have yet"
    )
    parser.add_argument(
        "--deny", nargs="+", default=None, metavar="ITEM", help="items that must not be shown"
    )
    parser.add_argument("--allow", nargs="+", default=None, metavar="ITEM", help="only these items")
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="COLUMN=VALUE",
        help="only items with this catalogue value; again for another one of the same column, or another column",
    )
    parser.add_argument("--lang", choices=("en", "ru"), default="en", help="language of the reasons")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Load the folder, ask one question, print the answer."""
    from dataclasses import asdict

    from nextbest.data.event_log import EVENTS_FILE, EventLog
    from nextbest.pipeline.pipeline import Pipeline
    from nextbest.pipeline.query import Query
    from nextbest.service.filters import filters_from_text

    filters: dict[str, list[str]] = {}
    for text in args.where:
        column, equals, value = text.partition("=")
        if not equals:
            raise InputError("--where", "must look like COLUMN=VALUE", value=text)
        filters.setdefault(column.strip(), []).append(value.strip())
    pipeline = Pipeline.load(args.model)
    events = Path(args.store) / EVENTS_FILE
    if events.is_file():  # what was posted to the service counts here too
        with EventLog(events) as posted:
            pipeline.attach(posted)
    query = Query(
        user_id=args.user,
        history=None if args.history is None else [(item, None) for item in args.history],
        k=args.k,
        exclude_seen=args.exclude_seen,
        allow=args.allow,
        deny=args.deny,
        where=filters_from_text(filters, pipeline.catalog_columns) if filters else None,
        lang=args.lang,
    )
    answer = pipeline.recommend([query])[0]
    document = asdict(answer)
    who = f"user {args.user}" if args.user is not None else "history of " + ", ".join(args.history)
    lines = [who if answer.known or args.user is None else f"{who} (not in the log)"]
    lines += [
        f"{item.rank:>3}  {item.item_id}  {item.title or ''}  [{item.source} {item.score:.3g}]  {item.reason}"
        for item in answer.items
    ]
    if not answer.items:
        lines.append("  no item is left: all are filtered out or taken already")
    emit(args, document, "\n".join(lines))
