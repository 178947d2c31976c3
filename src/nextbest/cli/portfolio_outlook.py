"""`--forecasts` of `nextbest portfolio outlook` and `report`: a table of forecasts laid over what a client holds."""

import argparse
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nextbest.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from nextbest.charts_page.drawing import Words
    from nextbest.data.holdings.book import Book


def add_flags(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """The file, who made it, how old it may be."""
    parser.add_argument(
        "--forecasts",
        required=required,
        metavar="FILE",
        help="table `forecasts`, .csv or .parquet, as `nextbest market forecast --out` writes it",
    )
    parser.add_argument("--model", metavar="NAME", help="who made the forecasts, to be named")
    parser.add_argument(
        "--step",
        metavar="STEP",
        help="of the forecasts' bars, as 1d: then the model's standing in the workspace's leaderboard is told",
    )
    parser.add_argument(
        "--max-age",
        type=int,
        default=7,
        metavar="DAYS",
        help="how old a forecast and a last price may be (default: %(default)s)",
    )


def outlook_of(args: argparse.Namespace, book: "Book", now: datetime) -> dict[str, Any] | None:
    """The document that the flags ask for; None without a table."""
    if args.forecasts is None:
        for flag, value in (("--model", args.model), ("--step", args.step)):
            if value is not None:
                raise InputError(flag, "goes with --forecasts", value=value)
        return None
    from nextbest.portfolio.forecasts import read_forecasts
    from nextbest.portfolio.outlook import outlook_document

    table = read_forecasts(args.forecasts)
    return outlook_document(
        book,
        args.client,
        table,
        now=now,
        currency=args.currency,
        model=args.model,
        standing=_standing(args, table),
        max_age_days=args.max_age,
    )


def _standing(args: argparse.Namespace, table: "pl.DataFrame") -> "Words | None":
    """What the leaderboard says of the model at the horizons forecast; None where nobody asked."""
    from nextbest.data.prices.steps import parse_step
    from nextbest.market.standing import read_leaderboard, standing_of

    if args.step is None:
        return None
    if args.model is None:
        raise InputError("--step", "goes with --model: a standing is a model's")
    if "horizon" not in table.columns:
        raise InputError(
            "--step",
            "needs the column `horizon` in the forecasts: a standing is one of horizons",
            remedy="leave --step out, or write the table with `nextbest market forecast --out`",
        )
    board = read_leaderboard(args.store, parse_step(args.step))
    horizons = table["horizon"].unique().sort().to_list()
    headline: Words = standing_of(board, args.model, horizons, asset_id=None)["headline"]
    return headline
