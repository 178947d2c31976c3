"""The market leaderboard: every classical model on the four panels of the reference, by rolling origins.

    python benchmarks/market.py leaderboard --data FOLDER --panel crypto_daily [--models a,b] [--ledger FOLDER]
    python benchmarks/market.py leaderboard --data FOLDER --frozen          # all four, small: minutes

    python benchmarks/market.py cost --data FOLDER --panel stocks_daily     # beside each library called origin by origin

Prints Markdown tables; `--json FILE` keeps the rows. The panels are defined in `market_panels.py`.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from market_panels import PANELS, frozen
from nextbest.market.base import FORECASTERS, make_forecaster
from nextbest.market.bench.harness import bench
from nextbest.market.bench.leaderboard import Leaderboard
from nextbest.market.ledger import Ledger

REFITS = {"lgbm_quantile": 4}
"""Fits in the whole test, of models that don't keep to the panel's own rhythm."""
SEASONS = {"crypto_daily": 7, "crypto_hourly": 24, "fx_daily": 5, "stocks_daily": 5}
_COLUMNS = (
    ("model", "model", "{}"),
    ("MASE@h", "mase", "{:.3f}"),
    ("RMSE x100", "rmse_x100", "{:.3f}"),
    ("R2 vs RW", "r2", "{:.4f}"),
    ("CRPS x100", "crps_x100", "{:.4f}"),
    ("CRPS rel", "crps_relative", "{:.3f}"),
    ("cov80", "coverage80", "{:.2f}"),
    ("DA", "direction", "{:.3f}"),
    ("DA low", "direction_low", "{:.3f}"),
    ("DA high", "direction_high", "{:.3f}"),
    ("rank IC", "rank_ic", "{:.3f}"),
    ("DM sq t", "dm_squared_t", "{:+.1f}"),
    ("DM CRPS t", "dm_crps_t", "{:+.1f}"),
    ("p", "dm_crps_p", "{:.3f}"),
    ("MCS90", "in_mcs", "{}"),
    ("CPU s", "cpu_s", "{:.1f}"),
    ("failure", "failure", "{}"),
)


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    table = commands.add_parser("leaderboard", help="all models on a panel")
    table.add_argument("--data", type=Path, required=True, help="folder with the data sets, one folder each")
    table.add_argument("--panel", choices=sorted(PANELS), action="append", help="without it all four")
    table.add_argument("--models", default=",".join(FORECASTERS), help="names, with commas between")
    table.add_argument("--frozen", action="store_true", help="3 assets and 24 origins of each panel")
    table.add_argument("--ledger", type=Path, help="folder of a ledger, to go on after a kill")
    table.add_argument("--json", type=Path, help="write the rows there")
    cost = commands.add_parser("cost", help="our harness and each library called anew at every origin")
    cost.add_argument("--data", type=Path, required=True)
    cost.add_argument("--panel", choices=sorted(PANELS), default="stocks_daily")
    cost.add_argument(
        "--every",
        type=int,
        default=8,
        help="the libraries are asked at every n-th origin, the rest extrapolated",
    )
    args = parser.parse_args()
    if args.command == "cost":
        compare_cost(args.data, args.panel, args.every)
        return
    kept: dict[str, Any] = {}
    began = time.process_time()
    for name in args.panel or sorted(PANELS):
        panel, origins = PANELS[name].load(args.data)
        if args.frozen:
            panel, origins = frozen(panel, origins)
        models = []
        for wanted in args.models.split(","):
            seasonal = {"season": SEASONS[name]} if wanted == "seasonal_naive" else {}
            models.append(make_forecaster(wanted, **seasonal))
        refits = {m.name: -(-len(origins) // REFITS[m.name]) for m in models if m.name in REFITS}
        with Ledger.open(args.ledger) if args.ledger else nullcontext() as ledger:
            found = bench(panel, models, origins, ledger=ledger, progress=True, refits=refits)
        report(name, found)
        kept[name] = found.rows
    print(f"\nCPU-seconds in all: {time.process_time() - began:.0f}")
    if args.json:
        args.json.write_text(json.dumps(kept, indent=1))


def report(name: str, found: Leaderboard) -> None:
    """Print a table a horizon."""
    for horizon in found.horizons:
        print(f"\n**{name}, h = {horizon}** ({len(found.dates)} origins)\n")
        print("| " + " | ".join(title for title, _, _ in _COLUMNS) + " |")
        print("|" + "---|" * len(_COLUMNS))
        for row in found.rows:
            if row["horizon"] == horizon:
                cells = ["" if row[key] is None else form.format(row[key]) for _, key, form in _COLUMNS]
                print("| " + " | ".join(cells) + " |")
        best = next(
            row for row in found.rows if row["horizon"] == horizon and row["spa_squared_p"] is not None
        )
        print(
            f"\nSPA p against the random walk: squared {best['spa_squared_p']:.2f}, CRPS {best['spa_crps_p']:.2f}"
        )


def compare_cost(data: Path, name: str, every: int) -> None:
    """CPU-seconds of four models over all origins: ours by the harness, the library's by fitting at each origin."""
    panel, origins = PANELS[name].load(data)
    log_close_AT = np.log(panel.close_AT)
    print(f"{name}: {len(origins)} origins x {panel.n_assets} assets, libraries at every {every}th origin\n")
    print("| model | ours, CPU-s | library origin by origin, CPU-s (extrapolated) | ratio |")
    print("|---|---:|---:|---:|")
    total_ours = total_theirs = 0.0
    for model, ask in LIBRARY.items():
        began = time.process_time()
        bench(panel, [make_forecaster(model)], origins)
        ours = time.process_time() - began
        asked = origins.stops[::every]
        began = time.process_time()
        for stop in asked:
            for a in range(panel.n_assets):
                value = log_close_AT[a, :stop]
                ask(value[~np.isnan(value)])
        theirs = (time.process_time() - began) * len(origins) / len(asked)
        total_ours, total_theirs = total_ours + ours, total_theirs + theirs
        print(f"| {model} | {ours:.1f} | {theirs:.1f} | {theirs / ours:.1f} |", flush=True)
    print(f"| all four | {total_ours:.1f} | {total_theirs:.1f} | {total_theirs / total_ours:.1f} |")


def _statistical(kind: str) -> Callable[[NDArray[np.float64]], None]:
    def ask(log_close_T: NDArray[np.float64]) -> None:
        from statsforecast import models

        made = getattr(models, kind)(season_length=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made.forecast(log_close_T[-1000:], h=24, level=[20, 40, 60, 80])

    return ask


def _garch(log_close_T: NDArray[np.float64]) -> None:
    from arch import arch_model

    made = arch_model(np.diff(log_close_T)[-3000:] * 100, mean="Zero", vol="GARCH", p=1, q=1, dist="t")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.fit(disp="off").forecast(horizon=24)


LIBRARY: dict[str, Callable[[NDArray[np.float64]], None]] = {
    "rw_garch_t": _garch,
    "auto_ets": _statistical("AutoETS"),
    "auto_theta": _statistical("AutoTheta"),
    "auto_arima": _statistical("AutoARIMA"),
}
"""As their documentation calls them, with the windows of ours."""


if __name__ == "__main__":
    main()
