"""What every command shares: the flags, standard output, and errors as exit codes."""

import argparse
import json
import logging
import sys
import warnings
from datetime import date
from pathlib import Path
from typing import Any

from nextbest.errors import (
    ArtifactError,
    DataError,
    ExternalError,
    InputError,
    NextbestError,
    NotFittedError,
)

_EXIT_CODES: tuple[tuple[type[NextbestError], int], ...] = (
    (InputError, 2),
    (DataError, 3),
    (NotFittedError, 4),
    (ArtifactError, 4),
    (ExternalError, 5),
)
LOG_LEVELS = ("debug", "info", "warning", "error")


def new_command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    *,
    summary: str,
    examples: str,
) -> argparse.ArgumentParser:
    """A sub-parser with the shared flags and its examples under the help text."""
    from nextbest.settings import Settings

    parser = commands.add_parser(
        name,
        help=summary,
        description=summary,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    settings = Settings.from_env()
    parser.add_argument(
        "--store", default=str(settings.store), metavar="DIR", help="workspace folder (default: %(default)s)"
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document and nothing else on stdout"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    parser.add_argument("--log-level", choices=LOG_LEVELS, default=settings.log_level, help=argparse.SUPPRESS)
    return parser


def emit(args: argparse.Namespace, document: dict[str, Any], text: str) -> None:
    """Print the result: the document with `--json`, else the text for people."""
    if args.json:
        sys.stdout.write(json.dumps(document, ensure_ascii=False, default=_plain, allow_nan=False) + "\n")
    else:
        sys.stdout.write(text.rstrip("\n") + "\n")
    sys.stdout.flush()


def note(args: argparse.Namespace, text: str) -> None:
    """A line about progress, on standard error, unless `--quiet`."""
    if not args.quiet:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def text_file(text: str) -> Path:
    """A file to be written at the end: a folder that isn't there is told before the work, not after it."""
    path = Path(text)
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"must name a file in a folder that exists; got {text!r}")
    return path


def a_day(text: str) -> date:
    """A flag's day, `YYYY-MM-DD`."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a day such as 2026-03-31; got {text!r}") from None


def write_text(path: Path, text: str) -> None:
    """Write a report that the caller asked for beside standard output.

    Raises
    ------
    ExternalError
        The file can't be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ExternalError("disk", f"{path}: {error.strerror}", retryable=False) from error


def show_progress(args: argparse.Namespace) -> bool:
    """Whether long work draws bars: a terminal is watching and `--quiet` is not given."""
    return not args.quiet and sys.stderr.isatty()


def exit_code_of(error: NextbestError) -> int:
    """2 wrong call, 3 bad data, 4 not fitted or missing artifact, 5 outside system."""
    return next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), 1)


def report_error(error: NextbestError, *, as_json: bool) -> None:
    """The error's words on standard error; with `--json` also as the one document on standard output."""
    sys.stderr.write(f"nextbest: {error}\n")
    if as_json:
        sys.stdout.write(
            json.dumps({"error": type(error).__name__, "detail": str(error)}, ensure_ascii=False) + "\n"
        )


def set_up_logging(level: str) -> None:
    """Log lines and warnings to standard error; called by `main` only, never at import."""
    warnings.formatwarning = _plain_warning
    logging.basicConfig(
        level=level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )


def _plain_warning(message: Warning | str, *_where: object, **_line: object) -> str:
    """A warning's words without the place in our code that gave it."""
    return f"nextbest: warning: {message}\n"


def _plain(value: object) -> object:
    """JSON form of the few non-JSON values that results hold: times and array scalars."""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "item"):
        return value.item()
    if hasattr(value, "__fspath__"):
        return value.__fspath__()
    raise TypeError(f"{type(value).__name__} has no JSON form")
