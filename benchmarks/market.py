"""The market leaderboard: every classical model on the four panels of the reference, by rolling origins.

    python benchmarks/market.py leaderboard --data FOLDER --panel crypto_daily [--models a,b] [--ledger FOLDER]
    python benchmarks/market.py leaderboard --data FOLDER --frozen          # all four, small: minutes

Prints Markdown tables; `--json FILE` keeps the rows. The panels are defined in `market_panels.py`.
"""

import argparse
import json
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

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
    args = parser.parse_args()
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


if __name__ == "__main__":
    main()
