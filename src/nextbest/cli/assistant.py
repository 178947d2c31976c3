"""`nextbest assistant ...`: what the assistant is made of - intents, a model of one's own, providers compared, any data embedded."""

import argparse
from typing import Any

from nextbest.cli import assistant_bench, assistant_finetune, assistant_intents, assistant_neighbours

EXAMPLES = """\
  nextbest assistant train-intents --out .nextbest/intents
  nextbest assistant bench --provider gguf:gemma3-270m
  nextbest assistant embed games.parquet --map user_id=user,item_id=game,text=description"""


def add_parser(commands: Any) -> None:
    """Declare the group and its commands."""
    group = commands.add_parser(
        "assistant",
        help="Intents, providers, a small model of your own, any data embedded.",
        description="What `nextbest chat` is made of: taught, measured, renewed.",
        epilog=f"examples:\n{EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    inner = group.add_subparsers(dest="subcommand", metavar="COMMAND", required=True)
    for module in (assistant_intents, assistant_bench, assistant_finetune, assistant_neighbours):
        module.add_parser(inner)
