"""`nextbest market ...`: candles in, models tested against a random walk, and whether money could have been made."""

import argparse
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextbest.cli import market_finetune, market_forecast, market_train
from nextbest.cli.candles import add_candles, add_horizons, add_reading, read_panel
from nextbest.cli.market_models import add_seen_until, model_of
from nextbest.cli.output import a_day, emit, new_command, note, show_progress, text_file
from nextbest.errors import InputError

if TYPE_CHECKING:
    from nextbest.data.prices.panel import PricePanel
    from nextbest.market.bench.leaderboard import Leaderboard
    from nextbest.market.bench.origins import Origins
    from nextbest.market.ledger import Ledger

FOLDER = "market"
"""Of the workspace: where the ledger is."""
MODELS = (
    "rw_gauss", "rw_ewma", "rw_hist_sim", "rw_garch_t", "drift", "seasonal_naive", "auto_ets", "auto_theta", "lgbm_quantile",
)  # fmt: skip
"""Asked unless told: those that take seconds."""
EXAMPLES = """\
  nextbest market bench --prices candles/*.parquet --step 1d
  nextbest market verdict --prices candles/*.parquet --step 1d --funding 0.0003 --html verdict.html"""
INGEST_EXAMPLES = """\
  nextbest market ingest candles/*.csv
  nextbest market ingest eurofxref-hist.zip --json"""
FETCH_EXAMPLES = """\
  nextbest market fetch binance BTC/USDT ETH/USDT --step 1h --since 2023-01-01    # again: goes on where it stopped"""
BENCH_EXAMPLES = """\
  nextbest market bench --prices candles/*.parquet --step 1d
  nextbest market bench --prices BTC.csv --models rw_garch_t lgbm_quantile --horizons 1 7 --json
  nextbest market bench --step 1d --start 2025-08-01      # candles of the workspace; a killed run goes on
  nextbest market bench --step 1d --models rw_hist_sim llm   # llm: a folder of `nextbest market finetune` or `train`
  nextbest market bench --step 1d --models rw_hist_sim llm:ollama:llama3.1 --llm-seen-until 2023-12-31 --every 7"""
VERDICT_EXAMPLES = """\
  nextbest market verdict --prices candles/*.parquet --step 1d --funding 0.0003 --html verdict.html
  nextbest market verdict --prices shares/*.csv --funding 0 --models drift auto_theta --json"""


def add_parser(commands: Any) -> None:
    """Declare the group and its commands."""
    group = commands.add_parser(
        "market",
        help="Prices: models against a random walk, and a verdict on money.",
        description="Candles in, models tested against a random walk, and whether money could have been made.",
        epilog=f"examples:\n{EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    inner = group.add_subparsers(dest="subcommand", metavar="COMMAND", required=True)
    _add_ingest(inner)
    _add_fetch(inner)
    bench = new_command(
        inner, "bench", summary="A leaderboard of models at rolling origins.", examples=BENCH_EXAMPLES
    )
    _add_study(bench)
    bench.set_defaults(run=run_bench)
    verdict = new_command(
        inner,
        "verdict",
        summary="Every model by every trading rule, after costs, with all trials counted.",
        examples=VERDICT_EXAMPLES,
    )
    _add_study(verdict)
    verdict.add_argument(
        "--funding",
        metavar="RATE_OR_FILE",
        help="what a long position pays: a fraction a day (0 for what is owned), or a table asset_id, time, rate; "
        "without it the gate says that nobody has said",
    )
    verdict.add_argument(
        "--capital", type=float, metavar="MONEY", help="at the start; cuts trades too large for a bar"
    )
    verdict.add_argument("--html", type=text_file, metavar="FILE", help="also write a self-contained page")
    verdict.add_argument("--language", choices=("en", "ru"), default="en", help="of the page and the text")
    verdict.set_defaults(run=run_verdict)
    market_forecast.add_parsers(inner)
    market_train.add_parser(inner)
    market_finetune.add_parser(inner)


def _add_ingest(inner: Any) -> None:
    parser = new_command(
        inner, "ingest", summary="Check candles and keep them in the workspace.", examples=INGEST_EXAMPLES
    )
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="CSV, Parquet, Feather, zip, or a database URL"
    )
    add_reading(parser)
    parser.set_defaults(run=run_ingest)


def _add_fetch(inner: Any) -> None:
    parser = new_command(
        inner, "fetch", summary="Candles from an exchange into the workspace.", examples=FETCH_EXAMPLES
    )
    parser.add_argument("exchange", help="as ccxt names it")
    parser.add_argument(
        "symbols", nargs="+", metavar="SYMBOL", help="BTC/USDT; BTC/USDT:USDT for a perpetual"
    )
    parser.add_argument("--step", required=True, metavar="STEP", help="15m, 1h, 1d, ...")
    parser.add_argument("--since", required=True, type=a_day, metavar="YYYY-MM-DD", help="first day, UTC")
    parser.add_argument(
        "--until", type=a_day, metavar="YYYY-MM-DD", help="first day no more asked for (default: now)"
    )
    parser.set_defaults(run=run_fetch)


def _add_study(parser: argparse.ArgumentParser) -> None:
    add_candles(parser)
    parser.add_argument(
        "--models",
        nargs="+",
        default=list(MODELS),
        metavar="NAME",
        help="names, folders of `nextbest market train` and `finetune`, llm:PROVIDER as of `nextbest chat` (default: %(default)s)",
    )
    add_seen_until(parser)
    add_horizons(parser)
    parser.add_argument(
        "--start", type=a_day, metavar="YYYY-MM-DD", help="of the test (default: the newest fifth)"
    )
    parser.add_argument(
        "--every", type=int, default=1, metavar="BARS", help="between two origins (default: %(default)s)"
    )
    parser.add_argument(
        "--refit-every",
        type=int,
        default=20,
        metavar="ORIGINS",
        help="between two fits (default: %(default)s)",
    )
    parser.add_argument("--rng", type=int, default=0, help="seed (default: %(default)s)")


def run_ingest(args: argparse.Namespace) -> None:
    """Read, check, keep."""
    from nextbest.data.prices.reading import read_prices
    from nextbest.data.prices.store import PriceStore

    table = read_prices(args.files, source=args.source, asset_id=args.asset, zone=args.zone)
    additions = PriceStore.open(args.store).add(table)
    document = {
        "report": table.report.model_dump(mode="json"),
        "assets": [a.model_dump(mode="json") for a in additions],
    }
    kept = [f"{a.asset_id}: {a.added:,} added, {a.same:,} known, {a.changed:,} changed" for a in additions]
    emit(args, document, "\n".join([*table.report.lines(), *kept]))


def run_fetch(args: argparse.Namespace) -> None:
    """Ask the exchange, keep."""
    from nextbest.data.prices.exchange import fetch
    from nextbest.data.prices.steps import parse_step
    from nextbest.data.prices.store import PriceStore

    until = None if args.until is None else _midnight(args.until)
    done = fetch(
        PriceStore.open(args.store),
        args.exchange,
        args.symbols,
        parse_step(args.step),
        _midnight(args.since),
        until,
    )
    lines = [f"{d.symbol}: {d.status}, {d.added:,} added, newest {d.last}" for d in done]
    emit(args, {"symbols": [d.model_dump(mode="json") for d in done]}, "\n".join(lines))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def run_bench(args: argparse.Namespace) -> None:
    """Ask, score, print."""
    from nextbest.market.ledger import Ledger
    from nextbest.market.standing import keep_leaderboard

    panel = read_panel(args)
    with Ledger.open(Path(args.store) / FOLDER) as ledger:
        board, origins = _benched(args, panel, ledger)
    document = board_document(board, panel, origins)
    keep_leaderboard(args.store, panel.step, document)
    emit(args, document, _table(board))


def board_document(board: "Leaderboard", panel: "PricePanel", origins: "Origins") -> dict[str, Any]:
    """The leaderboard as it is printed and kept."""
    return {
        "assets": list(panel.asset_ids),
        "step": str(panel.step),
        "origins": {"n": len(origins), "first": str(board.dates[0]), "last": str(board.dates[-1])},
        "rows": [_row(row) for row in board.rows],
        "failures": [vars(failure) for failure in board.failures],
    }


def run_verdict(args: argparse.Namespace) -> None:
    """Ask, trade, count, judge, print."""
    import numpy as np

    from nextbest.charts_page.page import write_page
    from nextbest.market.ledger import Ledger
    from nextbest.market.strategies import tried
    from nextbest.market.trading.backtest import Costs
    from nextbest.market.verdict.document import verdict_document

    panel = read_panel(args)
    costs = Costs(funding=_funding(args.funding, panel), capital=args.capital)
    has_opens = bool(np.isfinite(panel.open_AT).any())
    with Ledger.open(Path(args.store) / FOLDER) as ledger:
        board, origins = _benched(args, panel, ledger)
        verdict = tried(
            board,
            panel,
            origins,
            costs=costs,
            ledger=ledger,
            rng=args.rng,
            fill="open" if has_opens else "close",
        )
    document = verdict_document(verdict)
    if args.html:
        write_page(document, args.html, language=args.language)
        note(args, f"page written to {args.html}")
    emit(
        args, document, "\n".join([*document["texts"][args.language], document["disclaimer"][args.language]])
    )


def _benched(
    args: argparse.Namespace, panel: "PricePanel", ledger: "Ledger"
) -> "tuple[Leaderboard, Origins]":
    from nextbest.market.bench.harness import bench
    from nextbest.market.bench.origins import origins_of

    origins = origins_of(
        panel,
        horizons=tuple(args.horizons),
        start=args.start,
        every=args.every,
        refit_every=args.refit_every,
    )
    models = [model_of(name, seen_until=args.llm_seen_until) for name in args.models]
    board = bench(panel, models, origins, ledger=ledger, rng=args.rng, progress=show_progress(args))
    for failure in board.failures[:5]:
        note(args, f"{failure.model} failed at origins {failure.first}-{failure.stop - 1}: {failure.words}")
    return board, origins


def _funding(text: str | None, panel: "PricePanel") -> Any:
    """A rate a day, a table's rates, or nothing said."""
    import polars as pl

    from nextbest.market.trading.backtest import funding_of

    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        pass
    path = Path(text)
    if not path.is_file():
        raise InputError("--funding", "must be a number, a fraction a day, or a file", value=text)
    table = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, try_parse_dates=True)
    if "time" in table.columns and isinstance(table["time"].dtype, pl.Datetime):
        zone = table["time"].dtype.time_zone
        utc = (
            pl.col("time").dt.replace_time_zone("UTC")
            if zone is None
            else pl.col("time").dt.convert_time_zone("UTC")
        )
        table = table.with_columns(utc)
    return funding_of(table, panel)


def _row(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the leaderboard with the names that scripts rely on."""
    crps = row["crps_x100"]
    return {
        **row,
        "crps": None if crps is None else crps / 100,
        "interval_coverage": row["coverage80"],
        "dm_p": row["dm_crps_p"],
    }


def _table(board: "Leaderboard") -> str:
    """The leaderboard for people: a block a horizon, the best CRPS first."""
    lines = [
        f"{len(board.dates)} origins from {board.dates[0]} to {board.dates[-1]} (opens of the last known bars, UTC)"
    ]
    for horizon in board.horizons:
        lines += ["", f"{horizon} bars ahead", _HEAD]
        for row in (r for r in board.rows if r["horizon"] == horizon):
            lines.append(_line(row))
    lines += ["", "DM t of CRPS > 0: worse than the random walk. * in the 90 % model confidence set."]
    spa = [r for r in board.rows if r.get("spa_squared_p") is not None]
    lines += [
        f"{r['horizon']} bars ahead: is any model better than the random walk in squared error? SPA p {r['spa_squared_p']:.2f} "
        "(below 0.05 would say yes)"
        for r in spa
    ]
    return "\n".join(lines)


_HEAD = (
    f"{'model':<18}{'MASE':>8}{'CRPSx100':>10}{'rel':>7}{'cov80':>7}{'dir':>7}{'DM t':>7}{'p':>7}{'CPU s':>8}"
)


def _line(row: dict[str, Any]) -> str:
    def cell(key: str, width: int, digits: int) -> str:
        value = row.get(key)
        return f"{'-' if value is None else f'{value:.{digits}f}':>{width}}"

    star = "*" if row.get("in_mcs") else " "
    seen = "  may have been seen in pretraining" if row.get("maybe_seen") else ""
    why = f"  {row['failed_origins']} origins failed: {row['failure']}" if row.get("failure") else ""
    return (
        f"{row['model'] + star:<18}{cell('mase', 8, 3)}{cell('crps_x100', 10, 4)}{cell('crps_relative', 7, 3)}"
        f"{cell('coverage80', 7, 2)}{cell('direction', 7, 3)}{cell('dm_crps_t', 7, 1)}{cell('dm_crps_p', 7, 3)}"
        f"{cell('cpu_s', 8, 1)}{seen}{why}"
    )
