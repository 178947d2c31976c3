"""`nextbest serve`: answer over HTTP from a model folder."""

import argparse
from typing import Any

from nextbest.cli.output import new_command, note

EXAMPLES = """\
  nextbest serve --model models/shop
  nextbest serve --model models/shop --port 8080 --workers 2
  nextbest serve --model models/products                    # a bank's products; its panel is in --store
  nextbest serve --model models/shop --model models/products
  curl localhost:8000/users/42/recommendations?k=5
  curl localhost:8000/chat -H "Content-Type: application/json" -d '{"user_id": 42, "text": "Что взять дальше?"}'"""


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser = new_command(commands, "serve", summary="Serve a model folder over HTTP.", examples=EXAMPLES)
    parser.add_argument(
        "--model",
        default=[],
        action="append",
        metavar="DIR",
        help="folder written by `nextbest train` or `nextbest products train`; twice for one of each; may be "
        "left out when the workspace has a book of portfolios or candles, which are served beside any model",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="(default: %(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: %(default)s)")
    bank = parser.add_argument_group("bank products")
    bank.add_argument(
        "--policy", metavar="FILE", help="TOML with the bank's rules (default: the shipped ones)"
    )
    bank.add_argument(
        "--names",
        choices=("seed", "corrected", "code"),
        default="seed",
        help="names in answers of POST /predict: as its first contract had them, corrected, or product ids "
        "(default: %(default)s)",
    )
    bank.add_argument(
        "--profiles-only",
        action="store_true",
        help="ready without a panel: every client is answered from what the request says of them",
    )
    bank.add_argument(
        "--decision-log",
        metavar="DIR",
        help="keep every offer of POST /products/recommendations in this folder, in a chain that shows any change",
    )
    market = parser.add_argument_group("prices")
    market.add_argument(
        "--forecasters",
        nargs="+",
        metavar="NAME",
        help="models that may be asked for forecasts, the first where a request names none "
        "(default: those that are fitted in seconds)",
    )
    chat = parser.add_argument_group("chat")
    chat.add_argument(
        "--no-chat", action="store_true", help="leave out POST /chat, which talks about all that is served"
    )
    chat.add_argument(
        "--chat-provider",
        metavar="NAME",
        help="a model that words the answers of POST /chat, as `nextbest chat --provider` (default: none)",
    )
    chat.add_argument(
        "--conversations",
        metavar="WHERE",
        help="folder (one worker) or redis:// URL that keeps conversations (default: in the worker, gone with it)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Serve until stopped; events are kept in the workspace, so they outlive the process."""
    from pathlib import Path

    from nextbest.cli.portfolio import house_list
    from nextbest.market.base import make_forecaster
    from nextbest.service.config import ServiceConfig
    from nextbest.service.server import serve
    from nextbest.settings import Settings

    for name in args.forecasters or ():
        make_forecaster(name)  # a name that isn't one is better told here than at the first request
    models = " and ".join(args.model) or "the workspace"
    serve(
        [Path(model) for model in args.model],
        host=args.host,
        port=args.port,
        workers=args.workers,
        store=Path(args.store),
        policy=args.policy,
        chat=not args.no_chat,
        config=ServiceConfig(
            product_names=args.names,
            needs_panel=not args.profiles_only,
            advice=house_list(),
            decision_log=Path(args.decision_log).absolute() if args.decision_log else None,
            forecasters=tuple(args.forecasters or ServiceConfig().forecasters),
            chat_provider=args.chat_provider,
            conversations=args.conversations,
            clerk_token=Settings.from_env().clerk_token,
        ),
        log_level=args.log_level,
        announce=lambda url: note(args, f"serving {models} at {url} (docs at /docs), Ctrl+C stops"),
    )
