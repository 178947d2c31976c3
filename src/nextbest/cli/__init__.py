"""The command line: `nextbest COMMAND`, a file per command, thin over the library.

Standard output carries the result (with `--json` exactly one JSON document); progress and logs
go to standard error. Exit codes: 0 done, 2 wrong call, 3 bad data, 4 not fitted or missing
artifact, 5 an outside system failed.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from nextbest.cli import (
    assistant,
    chat,
    compare,
    demo,
    explore,
    ingest,
    market,
    portfolio,
    products,
    recommend,
    renew,
    serve,
    train,
    tune,
)
from nextbest.cli.output import exit_code_of, report_error, set_up_logging
from nextbest.errors import InputError, NextbestError
from nextbest.version import __version__

COMMANDS = (
    demo,
    ingest,
    explore,
    compare,
    tune,
    train,
    renew,
    recommend,
    serve,
    products,
    portfolio,
    market,
    chat,
    assistant,
)


class WrongCall(SystemExit):
    """The command line breaks its grammar: exit code 2, and what is wrong in words."""

    def __init__(self, detail: str) -> None:
        super().__init__(2)
        self.detail = detail


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        raise WrongCall(f"{self.prog}: {message}")


def parser() -> argparse.ArgumentParser:
    """The whole command line, with help and examples for every command."""
    top = _Parser(
        prog="nextbest",
        description="From a log of purchases to served recommendations, with the proof beside them.",
        epilog="Start with `nextbest demo`; then `nextbest ingest --help`.",
    )
    top.add_argument("--version", action="version", version=f"nextbest {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for module in COMMANDS:
        module.add_parser(commands)
    return top


def _prints() -> bool:
    """Whether standard output is this process': of several started by torchrun it is the first one's."""
    return os.environ.get("WORLD_SIZE", "1") == "1" or os.environ.get("RANK", "0") == "0"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    as_json = "--json" in (sys.argv if argv is None else argv) and _prints()
    try:
        args = parser().parse_args(argv)
        set_up_logging(args.log_level)
        args.run(args)
    except WrongCall as wrong:
        report_error(InputError("command line", wrong.detail), as_json=as_json)
        raise
    except NextbestError as error:
        report_error(error, as_json=as_json)
        return exit_code_of(error)
    except KeyboardInterrupt:
        sys.stderr.write("stopped; what was committed stays\n")
        return 130
    except BrokenPipeError:
        return 0
    return 0
