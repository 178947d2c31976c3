"""Candles for a command: of files or of the workspace, on one clock."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from nextbest.cli.output import note
from nextbest.errors import InputError

if TYPE_CHECKING:
    from nextbest.data.prices.panel import PricePanel


def add_candles(parser: argparse.ArgumentParser) -> None:
    """Flags that say which candles, for `read_panel`."""
    parser.add_argument(
        "--prices", nargs="+", metavar="FILE", help="candles (default: those of the workspace)"
    )
    add_reading(parser)
    parser.add_argument(
        "--step", metavar="STEP", help="length of a bar: 1h, 1d, ...; finer candles are joined"
    )
    parser.add_argument("--assets", nargs="+", metavar="ID", help="only these")


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Flags that say how files of candles are read."""
    parser.add_argument("--source", metavar="NAME", help="layout of a known archive without a header")
    parser.add_argument(
        "--asset", metavar="ID", help="the one asset of the files (default: a column, else the file's name)"
    )
    parser.add_argument("--zone", default="UTC", help="zone of times without one (default: %(default)s)")


def add_horizons(parser: argparse.ArgumentParser) -> None:
    """The flag that says how far ahead is forecast."""
    parser.add_argument(
        "--horizons",
        nargs="+",
        type=int,
        default=[1, 6, 24],
        metavar="BARS",
        help="bars ahead (default: 1 6 24)",
    )


def add_teaching(parser: argparse.ArgumentParser) -> None:
    """Flags of a command that teaches a forecaster and writes a folder: `--out`, `--horizons`, `--checkpoints`, `--rng`."""
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write; replaced in one step")
    add_horizons(parser)
    parser.add_argument(
        "--checkpoints", type=Path, metavar="DIR", help="keep the training's state here; a killed one goes on"
    )
    parser.add_argument("--rng", type=int, default=0, help="seed (default: %(default)s)")


def read_panel(args: argparse.Namespace) -> "PricePanel":
    """The candles asked for, on one clock."""
    from nextbest.data.prices.panel import PricePanel
    from nextbest.data.prices.reading import read_prices
    from nextbest.data.prices.steps import parse_step
    from nextbest.data.prices.store import PriceStore

    step = None if args.step is None else parse_step(args.step)
    if args.prices:
        table = read_prices(args.prices, source=args.source, asset_id=args.asset, zone=args.zone)
        if table.report.quarantined:
            note(args, "\n".join(table.report.lines()))
        panel = PricePanel.of(table.prices, step=table.step, assets=args.assets)
        return panel if step in (None, panel.step) else panel.resample(step)
    store = PriceStore.open(args.store)
    steps = store.assets()["step"].unique().sort().to_list()
    if not steps:
        raise InputError(
            "--prices", "the workspace has no candles", remedy="name files, or nextbest market ingest"
        )
    if step is None and len(steps) > 1:
        raise InputError(
            "--step", f"the workspace has candles of {len(steps)} steps", value=[str(s) for s in steps]
        )
    if step is None or step in steps:
        return store.panel(steps[0] if step is None else step, args.assets)
    finer = [s for s in steps if s < step and step % s == s * 0]
    if not finer:
        raise InputError("--step", f"the workspace has only {[str(s) for s in steps]}", value=args.step)
    return store.panel(finer[-1], args.assets).resample(step)
