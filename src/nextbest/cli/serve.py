"""`nextbest serve`: answer over HTTP from a model folder."""

import argparse
from typing import Any

from nextbest.cli.output import new_command, note

EXAMPLES = """\
  nextbest serve --model models/shop
  nextbest serve --model models/shop --port 8080 --workers 2
  curl localhost:8000/users/42/recommendations?k=5"""


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser = new_command(commands, "serve", summary="Serve a model folder over HTTP.", examples=EXAMPLES)
    parser.add_argument("--model", required=True, metavar="DIR", help="folder written by `nextbest train`")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="(default: %(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: %(default)s)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Serve until stopped; events are kept in the workspace, so they outlive the process."""
    from pathlib import Path

    from nextbest.service.server import serve

    note(args, f"serving {args.model} at http://{args.host}:{args.port} (docs at /docs), Ctrl+C stops")
    serve(
        Path(args.model),
        host=args.host,
        port=args.port,
        workers=args.workers,
        store=Path(args.store),
        log_level=args.log_level,
    )
