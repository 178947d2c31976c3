"""`nextbest products simulate|train|evaluate|batch`: the monthly panel of a bank."""

import argparse
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextbest.cli.as_typed import as_typed
from nextbest.cli.output import emit, new_command, note, show_progress, text_file, write_text
from nextbest.errors import DataError, InputError

if TYPE_CHECKING:
    import polars as pl

    from nextbest.data.panel.panel import Panel
    from nextbest.models.products.config import ProductConfig

EXAMPLES = """\
  nextbest products simulate --scale 0.02 --out bank       # bank/train_ver2.csv, as a bank would send it
  nextbest ingest bank/train_ver2.csv --source santander   # checked, repaired, packed
  nextbest products evaluate --months 4                    # baselines and models, month by month
  nextbest products train --out models/products
  nextbest products batch --model models/products --out offers
  nextbest serve --model models/products"""
SIMULATE_EXAMPLES = """\
  nextbest products simulate --scale 0.02 --out bank
  nextbest products simulate --scale 1 --format parquet --out bank --rng 7
  nextbest products simulate --scale 0.01 --dirt duplicate_rows --dirt bad_province --out dirty"""
TRAIN_EXAMPLES = """\
  nextbest products train --out models/products
  nextbest products train --panel train_ver2.csv --out models/products --attributes scoring_time --target 2016-05
  nextbest products train --out models/products --target 2016-03 --set months=6 --set rerank=null"""
EVALUATE_EXAMPLES = """\
  nextbest products evaluate --months 4
  nextbest products evaluate --models masked_popularity multiclass product_model --months 2 --json
  nextbest products evaluate --panel train_ver2.csv --refit once --markdown products.md"""
BATCH_EXAMPLES = """\
  nextbest products batch --model models/products --out offers
  nextbest products batch --model models/products --policy policy.toml --out offers --json
  nextbest products batch --model models/products --out offers --decision-log decisions"""

DIRT = "duplicate_rows, mixed_types, late_month, schema_drift, shuffled_columns, bad_province, negative_seniority"
FLAGS = {
    "scale": "--scale",
    "dirt": "--dirt",
    "target": "--target",
    "before": "--target",
    "months": "--months",
    "models": "--models",
    "month": "--month",
    "config": "--set",
    "folder": "--out",
    "out": "--out",
    "decision_log": "--decision-log",
    "n_resamples": "--resamples",
    "n_threads": "--threads",
}
"""Argument of the library -> flag."""


def add_parser(commands: Any) -> None:
    """Declare the group and its four commands."""
    group = commands.add_parser(
        "products",
        help="Bank products: who adds what next month.",
        description="Bank products: who adds what next month, calibrated, with reasons, as offers.",
        epilog=f"examples:\n{EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    inner = group.add_subparsers(dest="subcommand", metavar="COMMAND", required=True)
    _add_simulate(inner)
    _add_train(inner)
    _add_evaluate(inner)
    _add_batch(inner)


def _add_simulate(commands: Any) -> None:
    parser = new_command(
        commands, "simulate", summary="Write a bank's panel with known truth.", examples=SIMULATE_EXAMPLES
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the files")
    parser.add_argument(
        "--scale", type=float, default=0.02, help="1 = the real bank's 956,645 clients (default: %(default)s)"
    )
    parser.add_argument("--format", choices=("csv", "parquet"), default="csv", help="(default: %(default)s)")
    parser.add_argument(
        "--dirt", action="append", default=[], metavar="KIND", help=f"dirt to add, repeatable: {DIRT}"
    )
    _add_rng(parser)
    parser.set_defaults(run=run_simulate)


def _add_train(commands: Any) -> None:
    parser = new_command(
        commands,
        "train",
        summary="Fit the product model on a panel and write a model folder.",
        examples=TRAIN_EXAMPLES,
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="model folder; replaced in one step")
    _add_panel_flags(parser)
    _add_model_flags(parser)
    parser.add_argument(
        "--target", metavar="YYYY-MM", help="month to predict (default: the one after the panel's last)"
    )
    parser.set_defaults(run=run_train)


def _add_evaluate(commands: Any) -> None:
    parser = new_command(
        commands,
        "evaluate",
        summary="Baselines and models on months they have not seen, with intervals.",
        examples=EVALUATE_EXAMPLES,
    )
    _add_panel_flags(parser)
    _add_model_flags(parser)
    parser.add_argument(
        "--months", type=int, default=4, help="newest months to test on (default: %(default)s)"
    )
    parser.add_argument(
        "--models",
        nargs="+",
        metavar="NAME",
        help="rows of the table (default: all but catboost_multilogloss)",
    )
    parser.add_argument(
        "--refit",
        choices=("every", "once"),
        default="every",
        help="fit anew for each month, or once before the first (default: %(default)s)",
    )
    parser.add_argument(
        "--resamples", type=int, default=1000, help="bootstrap resamples (default: %(default)s)"
    )
    parser.add_argument("--markdown", type=text_file, metavar="FILE", help="also write the tables to a file")
    parser.set_defaults(run=run_evaluate)


def _add_batch(commands: Any) -> None:
    parser = new_command(
        commands,
        "batch",
        summary="Offers for every client of the newest month; a second run of the same changes nothing.",
        examples=BATCH_EXAMPLES,
    )
    parser.add_argument("--model", required=True, metavar="DIR", help="folder written by `products train`")
    parser.add_argument(
        "--out", required=True, metavar="DIR", help="folder for the offers, one part a month and model"
    )
    parser.add_argument(
        "--policy", metavar="FILE", help="TOML with the bank's rules (default: the shipped one)"
    )
    parser.add_argument(
        "--contacts", metavar="FILE", help="Parquet or CSV with what was offered to whom before"
    )
    parser.add_argument("--month", metavar="YYYY-MM", help="newest month known (default: the panel's newest)")
    parser.add_argument(
        "--decision-log", metavar="DIR", help="keep every decision here too, in a chain that shows any change"
    )
    parser.add_argument(
        "--replace", action="store_true", help="write a month's folder anew that is there already"
    )
    _add_panel_flags(parser)
    parser.set_defaults(run=run_batch)


def _add_panel_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--panel",
        nargs="+",
        metavar="FILE",
        help="read these raw files into the workspace first (default: the panel that is there)",
    )


def _add_model_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--attributes",
        choices=("month_end", "scoring_time"),
        default="month_end",
        help="attributes known: to the end of the month before, or of the target month (default: %(default)s)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="settings",
        metavar="NAME=VALUE",
        help="a setting of the model, JSON or text (members, months, refit, ...); a wrong name lists them all",
    )
    parser.add_argument(
        "--threads", type=int, default=1, help="threads of the boosters (default: %(default)s)"
    )
    _add_rng(parser)


def _add_rng(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rng", type=_seed, default=0, help="seed of everything random, 0 or more (default: %(default)s)"
    )


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"must be an integer of 0 or more; got {text!r}")
    return int(text)


def run_simulate(args: argparse.Namespace) -> None:
    """Write the panel's raw file, its offers and the truth behind them."""
    from nextbest.simulate.panel.files import write_panel_files

    with as_typed(FLAGS, typed={}):
        written = write_panel_files(
            Path(args.out),
            scale=args.scale,
            rng=args.rng,
            file_format=args.format,
            dirt=args.dirt,
            progress=show_progress(args),
        )
    emit(args, written.to_dict(), written.to_text())


def run_train(args: argparse.Namespace) -> None:
    """Fit and write a model folder."""
    from nextbest.experiments.products.train import train_products

    with as_typed(FLAGS, typed={"--target": args.target}):
        result = train_products(
            _panel(args),
            Path(args.out),
            target=_month(args.target, flag="--target"),
            config=_config(args),
            rng=args.rng,
            n_threads=args.threads,
            progress=show_progress(args),
        )
    emit(args, result.to_dict(), result.to_text())


def run_evaluate(args: argparse.Namespace) -> None:
    """Score models on months that they have not seen."""
    from nextbest.experiments.products.contenders import DEFAULT_ROWS
    from nextbest.experiments.products.evaluate import evaluate_products

    with as_typed(FLAGS, typed={"--months": args.months}), _told_by_month(args):
        report = evaluate_products(
            _panel(args),
            months=args.months,
            models=args.models or DEFAULT_ROWS,
            config=_config(args),
            refit=args.refit,
            rng=args.rng,
            n_resamples=args.resamples,
            n_threads=args.threads,
            progress=show_progress(args),
        )
    if args.markdown:
        write_text(args.markdown, report.to_markdown())
    emit(args, report.to_dict(), report.to_markdown())


@contextmanager
def _told_by_month(args: argparse.Namespace) -> Iterator[None]:
    """Where no bar is drawn, as in a redirected log, a line a month: the work takes minutes and more."""
    log = logging.getLogger("nextbest.experiments.products.evaluate")
    before = log.level
    if not args.quiet and not show_progress(args) and args.log_level == "warning":
        log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.setLevel(before)


def run_batch(args: argparse.Namespace) -> None:
    """Offers for everybody."""
    from nextbest.pipeline.decisions.decision_log import DecisionLog
    from nextbest.pipeline.products.advisor import ProductAdvisor
    from nextbest.pipeline.products.batch import batch

    with as_typed(FLAGS, typed={"--month": args.month}, contacts=args.contacts):
        advisor = ProductAdvisor.load(args.model, panel=_panel(args).folder, policy=args.policy)
        result = batch(
            advisor,
            Path(args.out),
            month=_month(args.month, flag="--month"),
            contacts=_contacts(Path(args.contacts)) if args.contacts else None,
            replace=args.replace,
            decision_log=DecisionLog(args.decision_log) if args.decision_log else None,
            progress=show_progress(args),
        )
    emit(args, result.to_dict(), result.to_text())


def _contacts(path: Path) -> "pl.DataFrame":
    """The contact history in a file, as it stands: `decide` checks it."""
    import polars as pl

    if not path.is_file():
        raise InputError("--contacts", "must be a file", value=str(path))
    try:
        return pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, try_parse_dates=True)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(str(path), f"can't be read: {str(error).splitlines()[0]}") from error


def _panel(args: argparse.Namespace) -> "Panel":
    """The workspace's panel, after reading the raw files that the call names into it."""
    from nextbest.data.panel.manifest import FOLDER
    from nextbest.data.panel.panel import Panel
    from nextbest.data.panel.reading import ingest_panel

    if args.panel:
        folder = Path(args.store) / FOLDER
        report = ingest_panel(args.panel, folder, source="santander", progress=show_progress(args))
        note(args, f"read {report.read:,} rows, stored {report.stored:,}, quarantined {report.quarantined:,}")
    return Panel.open(Path(args.store))


def _config(args: argparse.Namespace) -> "ProductConfig":
    """The model's settings: `--set NAME=VALUE`, a name with dots for a setting inside a setting."""
    from nextbest.models.products.config import ProductConfig

    fields: dict[str, Any] = ProductConfig().model_dump(mode="json")  # a part that is set leaves the others
    for part in ("features", "profile_features"):  # clients with and without history are known alike
        fields[part]["attributes"] = args.attributes
    for text in args.settings:
        name, separator, value = text.partition("=")
        if not separator or not name.strip():
            raise InputError("--set", "must be NAME=VALUE", value=text)
        *parents, last = name.strip().split(".")
        place = fields
        for parent in parents:
            inner = place.setdefault(parent, {})
            if not isinstance(inner, dict):
                raise InputError("--set", f"{parent} has a value and can't have parts too", value=text)
            place = inner
        place[last] = _value(value)
    return ProductConfig.of(fields)


def _value(text: str) -> Any:
    """JSON where it is JSON, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _month(text: str | None, *, flag: str) -> date | None:
    """A month as YYYY-MM or a day of it; None stays None.

    Raises
    ------
    InputError
        Neither.
    """
    if text is None:
        return None
    try:
        return date.fromisoformat(text if len(text) > 7 else f"{text}-01")
    except ValueError as error:
        raise InputError(flag, "must be YYYY-MM or a date", value=text) from error
