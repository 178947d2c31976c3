"""`--mlflow WHERE`: the one flag by which a command's run is also kept by MLflow."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nextbest.cli.output import emit

if TYPE_CHECKING:
    from nextbest.tracking import Run

FLAG = "--mlflow"


def add_tracking_flag(parser: argparse.ArgumentParser) -> None:
    """Declare the flag; `NEXTBEST_MLFLOW` is its default."""
    from nextbest.settings import Settings

    parser.add_argument(
        FLAG,
        default=Settings.from_env().mlflow,
        metavar="URI_OR_FOLDER",
        help="also keep settings, figures and reports in MLflow: a folder, sqlite:///file.db, http://host:5000 (default: %(default)s)",
    )


@contextmanager
def tracked(args: argparse.Namespace, name: str, *, params: Sequence[str] = ()) -> Iterator["Run"]:
    """A run of the tracker that the flag names, or one that writes nothing.

    A tracker that fails costs one line on standard error, never the command.

    Parameters
    ----------
    name
        Of the run: the command's.
    params
        Flags that are written as settings.

    Raises
    ------
    InputError
        The extra isn't installed, or the flag names neither a folder nor an address; before any work.
    """
    from nextbest.tracking import NullTracker, Tolerant

    if args.mlflow is None:
        with NullTracker().run(name) as run:
            yield run
        return
    from nextbest.ops.tracking import open_tracker

    tracker = Tolerant(open_tracker(args.mlflow), told=_tell)
    with tracker.run(name) as run:
        run.params({name: getattr(args, name) for name in params})
        yield run


def emit_tracked(
    args: argparse.Namespace, document: dict[str, Any], text: str, run: "Run", write: Callable[["Run"], None]
) -> None:
    """Write to the tracker, then print the result, whatever became of the writing.

    Parameters
    ----------
    document, text
        As `output.emit`; with `--mlflow` the document also says where the run is kept (`mlflow`: uri, experiment, run_id,
        and the error where something couldn't be written).
    write
        Gives the run what is to be kept.
    """
    try:
        write(run)
    finally:  # also where somebody stops the writing: the result took longer to make
        kept = run.describe()
        emit(args, document | {"mlflow": kept} if kept else document, text)


def _tell(failure: str) -> None:
    sys.stderr.write(f"nextbest: warning: not tracked: {failure}\n")
