"""`nextbest market forecast`, `audit` and `simulate`: what a model says now, whether it cheats, and candles to try both on."""

import argparse
from pathlib import Path
from typing import Any

from nextbest.cli.candles import add_candles, add_horizons, read_panel
from nextbest.cli.output import emit, new_command, note, text_file
from nextbest.errors import ExternalError, InputError

FORECAST_EXAMPLES = """\
  nextbest market forecast --model rw_garch_t --assets BTC/USDT
  nextbest market forecast --prices candles/*.parquet --step 1d --model rw_hist_sim --horizons 1 5 --json
  nextbest market forecast --model har --out forecasts.parquet      # a table for other programs
  nextbest market forecast --model candles --step 1h                # a folder of `nextbest market train` or `finetune`"""
AUDIT_EXAMPLES = """\
  nextbest market audit --model lgbm_quantile --prices candles/*.parquet --step 1d"""
SIMULATE_EXAMPLES = """\
  nextbest market simulate --out walks.csv
  nextbest market simulate --out planted.parquet --ic 0.1 --pattern momentum --bars 2000"""
SUFFIXES = (".csv", ".parquet")
CHECKS = {
    "forecast_at_cutoff": "the bars after a cutoff were changed: do forecasts at the cutoff change?",
    "forecast_beside_later": "later cutoffs stand in the same call: does an earlier one read their bars?",
}


def add_parsers(inner: Any) -> None:
    """Declare the commands in the group `market`."""
    forecast = new_command(
        inner,
        "forecast",
        summary="Quantiles of the prices to come, and how the model stood.",
        examples=FORECAST_EXAMPLES,
    )
    add_candles(forecast)
    _add_model(forecast)
    forecast.add_argument(
        "--levels", nargs="+", type=float, default=[], metavar="LEVEL", help="besides .1 to .9"
    )
    forecast.add_argument(
        "--out", type=text_file, metavar="FILE", help="also write the table `forecasts` (.csv or .parquet)"
    )
    forecast.set_defaults(run=run_forecast)
    audit = new_command(
        inner, "audit", summary="Does a model know more than it may?", examples=AUDIT_EXAMPLES
    )
    add_candles(audit)
    _add_model(audit)
    audit.set_defaults(run=run_audit)
    _add_simulate(inner)


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        required=True,
        metavar="NAME",
        help="a forecaster, as `nextbest market bench` names it; of `forecast` also a folder of `nextbest market train` or `finetune`",
    )
    add_horizons(parser)
    parser.add_argument("--rng", type=int, default=0, help="seed (default: %(default)s)")


def _add_simulate(inner: Any) -> None:
    parser = new_command(
        inner,
        "simulate",
        summary="Candles with a known truth: walks, or series that can be predicted.",
        examples=SIMULATE_EXAMPLES,
    )
    parser.add_argument(
        "--out", required=True, type=text_file, metavar="FILE", help="to write: .csv or .parquet"
    )
    parser.add_argument("--n-assets", type=int, default=3, metavar="N", help="series (default: %(default)s)")
    parser.add_argument("--bars", type=int, default=1000, metavar="N", help="of each (default: %(default)s)")
    parser.add_argument("--step", default="1d", metavar="STEP", help="of a bar (default: %(default)s)")
    parser.add_argument(
        "--law", choices=("gaussian", "garch_t"), default="gaussian", help="of the shocks (default: %(default)s)"
    )  # fmt: skip
    parser.add_argument(
        "--ic", type=float, default=0.0, help="what the best forecast knows of the next return; 0 (default): a walk"
    )  # fmt: skip
    parser.add_argument(
        "--pattern", choices=("momentum", "reversal", "leader"), default="momentum", help="of what is known"
    )
    parser.add_argument("--rng", type=int, default=0, help="seed (default: %(default)s)")
    parser.set_defaults(run=run_simulate)


def run_forecast(args: argparse.Namespace) -> None:
    """Fit, ask, print, keep where asked."""
    from nextbest.market.base import LEVELS, load_forecaster, make_forecaster
    from nextbest.market.forecast_document import forecast_document
    from nextbest.market.forecast_table import forecast_table
    from nextbest.market.standing import read_leaderboard

    if args.out is not None:
        _check_suffix(args.out)
    panel = read_panel(args)
    has_learned = Path(args.model).is_dir()
    model = load_forecaster(args.model) if has_learned else make_forecaster(args.model)
    found = forecast_table(
        panel,
        model,
        horizons=sorted(set(args.horizons)),
        levels=sorted({*LEVELS, *args.levels}),
        rng=args.rng,
        fit=not has_learned,
    )
    for asset, why in list(found.missing.items())[:5]:
        note(args, f"{asset}: {why}")
    answered = found.table["asset_id"].unique().sort().to_list()
    if not answered:
        asset, why = next(iter(found.missing.items()))
        raise InputError("assets", f"none is answered; the first: {why}", value=asset)
    board = read_leaderboard(args.store, panel.step)
    documents = [forecast_document(found, asset, board=board) for asset in answered]
    if args.out is not None:
        _write(args.out, found.table)
        note(args, f"table written to {args.out}")
    emit(args, {"forecasts": documents, "missing": found.missing}, _text(documents))


def _text(documents: list[dict[str, Any]]) -> str:
    lines: list[str] = []
    for document in documents:
        lines += [
            f"{document['asset_id']}: close {document['close']:.6g}, last bar {document['cutoff']}, {document['model']}",
            f"{'bars':>6}  {'time':<26}{'q10':>12}{'q50':>12}{'q90':>12}",
        ]
        lines += [
            f"{row['horizon']:>6}  {row['time']:<26}{row['q10']:>12.6g}{row['q50']:>12.6g}{row['q90']:>12.6g}"
            for row in document["forecasts"]
        ]
        lines.append("")
    lines += dict.fromkeys(text for document in documents for text in document["standing"]["texts"]["en"])
    lines += sorted({each["en"] for document in documents for each in document["notes"]})
    return "\n".join([*lines, documents[0]["disclaimer"]["en"]])


def run_audit(args: argparse.Namespace) -> None:
    """Change the future, look at what changes with it, print."""
    from nextbest.market.audited import audit_model
    from nextbest.market.base import make_forecaster

    panel = read_panel(args)
    found = audit_model(
        lambda _: make_forecaster(args.model), panel, horizons=sorted(set(args.horizons)), rng=args.rng
    )
    document = {
        "model": args.model,
        "assets": list(panel.asset_ids),
        "n_bars": panel.n_bars,
        "passed": found.passed,
        "checks": [{"name": name, "question": CHECKS[name]} for name in found.checks],
        "findings": [vars(finding) for finding in found.findings],
    }
    lines = [f"{args.model} on {panel.n_assets} asset(s), {panel.n_bars} bars", "checked:"]
    lines += [f"  {CHECKS[name]}" for name in found.checks]
    lines.append("found:" if found.findings else "nothing found; that proves no more than these checks")
    lines += [f"  {finding.leak}: {finding.text}" for finding in found.findings]
    emit(args, document, "\n".join(lines))


def run_simulate(args: argparse.Namespace) -> None:
    """Draw, write, say what is true of them."""
    from nextbest.data.prices.steps import parse_step
    from nextbest.simulate.market import planted, random_walks

    _check_suffix(args.out)
    step = parse_step(args.step)
    size = {"n_assets": args.n_assets, "n_bars": args.bars}
    if args.ic:
        market = planted(ic=args.ic, pattern=args.pattern, law=args.law, rng=args.rng, step=step, **size)
    else:
        market = random_walks(law=args.law, rng=args.rng, step=step, **size)
    table = market.panel.table()
    _write(args.out, table)
    document = {"file": str(args.out), "rows": len(table), "assets": list(market.panel.asset_ids), "ic": market.ic}  # fmt: skip
    truth = "nothing can be predicted" if market.ic == 0 else f"the best forecast has an IC of {market.ic:g}"
    emit(args, document, f"{len(table):,} candles of {market.panel.n_assets} series: {truth}")


def _check_suffix(path: Path) -> None:
    if path.suffix not in SUFFIXES:
        raise InputError("--out", f"must end in one of {SUFFIXES}", value=str(path))


def _write(path: Path, table: Any) -> None:
    try:
        if path.suffix == ".parquet":
            table.write_parquet(path)
        else:
            table.write_csv(path)
    except OSError as error:
        raise ExternalError("disk", f"{path}: {error.strerror}", retryable=False) from error
