"""What a bank's month costs: raw CSV to stored panel to features, a fit, and offers for every client.

    nextbest products simulate --scale 1 --out bank
    python benchmarks/products_speed.py bank/train_ver2.csv --work bench_products

Each step runs in a process of its own, so that its peak is its own. CPU-seconds are user + system of all
threads; memory is the highest resident size.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

STEPS = ("ingest", "features", "train", "batch")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("raw", type=Path, help="train_ver2.csv, simulated or a user's own")
    parser.add_argument(
        "--work", type=Path, required=True, help="folder for the panel, the model and the offers"
    )
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=STEPS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--attributes", choices=("month_end", "scoring_time"), default="month_end")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    if args.step:
        _run(args)
        return
    for step in args.steps:
        call = [sys.executable, __file__, str(args.raw), "--work", str(args.work), "--step", step]
        call += ["--threads", str(args.threads), "--attributes", args.attributes]
        subprocess.run(call, check=True)


def _run(args: argparse.Namespace) -> None:
    start = time.perf_counter()
    said = {"ingest": _ingest, "features": _features, "train": _train, "batch": _batch}[args.step](args)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(
        f"{args.step}: {usage.ru_utime + usage.ru_stime:.0f} CPU-s, {time.perf_counter() - start:.0f} s, "
        f"{usage.ru_maxrss / 1e6:.2f} GB; {said}",
        flush=True,
    )


def _ingest(args: argparse.Namespace) -> str:
    from nextbest.data.panel.reading import ingest_panel

    report = ingest_panel([args.raw], args.work / "panel")
    return f"{report.read:,} rows read, {report.stored:,} stored, {report.quarantined:,} quarantined"


def _features(args: argparse.Namespace) -> str:
    """Features of every client of every month that has the month before it: what training could ever ask for."""
    from nextbest.data.panel.panel import Panel, additions
    from nextbest.models.products.features.config import FeatureConfig
    from nextbest.models.products.features.steps import FeatureSteps

    panel = Panel.open(args.work)
    steps = FeatureSteps(FeatureConfig(attributes=args.attributes)).fit(panel, panel.months[1:-1])
    n_rows = 0
    for month in panel.months[1:]:
        rows = additions(panel, month).row_N
        clients = steps.clients(panel, month)
        for at in range(0, len(rows), 65_536):
            n_rows += len(steps.transform(clients.inputs(rows[at : at + 65_536])))
    return f"{n_rows:,} rows x {steps.n_features} features"


def _train(args: argparse.Namespace) -> str:
    from nextbest.data.panel.panel import Panel
    from nextbest.experiments.products.train import train_products
    from nextbest.models.products.config import ProductConfig

    config = ProductConfig.of({"features": {"attributes": args.attributes}})
    result = train_products(Panel.open(args.work), args.work / "model", config=config, n_threads=args.threads)
    return json.dumps(result.metrics, default=str)


def _batch(args: argparse.Namespace) -> str:
    from nextbest.pipeline.products.advisor import ProductAdvisor
    from nextbest.pipeline.products.batch import batch

    advisor = ProductAdvisor.load(args.work / "model", panel=args.work)
    return batch(advisor, args.work / "offers", replace=True).to_text().replace("\n", "; ")


if __name__ == "__main__":
    main()
