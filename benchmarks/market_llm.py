"""Stage 3 on a real small model: does a fine-tuned language model know anything of next week's volatility?

    python benchmarks/market_llm.py --data DIR --checkpoint FOLDER [--out FILE] [--steps 60] [--target volatility]

DIR/binance_perp_hourly/*_1h.parquet: 33 perpetuals, joined to days. Taught on what is known before 2025-08-01 of all pairs that are there
from 2023 on, asked about 12 of them each seventh day after it: the model was published in August 2024, so that no question may have been seen.
Nothing was chosen on the test weeks: one setting, one seed. Rows are written as they come (FILE.json, FILE.md).
"""

import argparse
import json
import time
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import torch

from nextbest.data.prices.panel import PricePanel
from nextbest.market.llm.before_and_after import Comparison, Variant, compare
from nextbest.market.llm.config import LLMConfig
from nextbest.market.llm.judging import Row
from nextbest.market.llm.wording import sentences, table
from nextbest.models.language.checkpoint import open_checkpoint

TEST = date(2025, 8, 1)
ASKED = ("BTC", "ETH", "BNB", "SOL", "XRP", "ADA", "DOGE", "LINK", "LTC", "TRX", "BCH", "DOT")
VARIANTS = (
    Variant("tokens"),
    Variant("tokens", is_taught=False),
    Variant("tokens", "shuffled"),
    Variant("patches"),
    Variant("tokens", "scratch"),
    Variant("text"),
    Variant("text", is_taught=False),
)
"""The one that is asked about first; the others in the order of what they tell, should time run out."""


def read(data: Path) -> PricePanel:
    """Pairs that are there from the first bar on, by day."""
    tables = [
        pl.read_parquet(path).select(
            pl.lit(path.name.removesuffix("USDT_1h.parquet")).alias("asset_id"),
            pl.col("timestamp").cast(pl.Datetime("us", "UTC")).alias("time"),
            *(pl.col(name).cast(pl.Float64) for name in ("open", "high", "low", "close", "volume")),
        )
        for path in sorted((data / "binance_perp_hourly").glob("*_1h.parquet"))
    ]
    days = PricePanel.of(pl.concat(tables), step=timedelta(hours=1)).resample(timedelta(days=1))
    return days.select([a for a, c in zip(days.asset_ids, days.close_AT[:, 0], strict=True) if c > 0])


def main() -> None:
    """Compare and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/market_llm"))
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--target", choices=("volatility", "return", "direction"), default="volatility")
    parser.add_argument("--horizon", type=int, default=7)
    args = parser.parse_args()
    torch.set_num_threads(1)
    started = time.time()
    panel = read(args.data)
    checkpoint = open_checkpoint(args.checkpoint, max_tokens=256)
    config = LLMConfig(
        window="tokens",
        target=args.target,
        horizon=args.horizon,
        n_classes=2 if args.target == "direction" else 3,
        n_bars=28,
        patch=4,
        n_calibration=200,
        steps=args.steps,
        learning_rate=4e-4,
        dtype="bfloat16",
        validate_steps=args.steps,
        n_threads=1,
        batch_tokens=1024,
    )
    print(panel, config, flush=True)

    def told(row: Row) -> None:
        print(f"{time.time() - started:7.0f} s  {json.dumps(asdict(row))}", flush=True)

    def keep(found: Comparison) -> None:
        print("\n".join(table(found)), flush=True)
        args.out.with_suffix(".json").write_text(json.dumps(found.document(), indent=1), encoding="utf-8")
        args.out.with_suffix(".md").write_text(page(found, panel, args.steps), encoding="utf-8")

    compare(
        panel,
        checkpoint,
        config,
        start=TEST,
        variants=VARIANTS,
        assets=ASKED,
        on_row=told,
        on_comparison=keep,
    )


def page(found: Comparison, panel: PricePanel, steps: int) -> str:
    """The table and what it says."""
    said = sentences(found)
    config = found.config
    costs = [
        f"{r.name}: {r.cpu_s:.0f} CPU-s, {r.n_tokens:,} tokens taught" for r in found.rows if r.cpu_s > 0
    ]
    return "\n".join(
        [
            "# Stage 3: a fine-tuned language model on a week's volatility, as found",
            "",
            f"Written by `benchmarks/market_llm.py`; {found.source}, may have read until {found.seen_until}.",
            (
                f"{panel.n_assets} perpetuals by day, taught before {config['start']}, {config['n_bars']} days a window, "
                f"target {config['target']} of the next {config['horizon']} days in {config['n_classes']} classes, {steps} steps of "
                f"{config['batch_size']} windows, one seed. Origins every {config['every']} days, {found.first[:10]} to {found.last[:10]}, "
                f"{len(ASKED)} assets. p of Diebold-Mariano by date, minus = less loss."
            ),
            "",
            "```",
            *table(found),
            "```",
            "",
            said["en"],
            "",
            said["ru"],
            "",
            "Cost: " + "; ".join(costs) + ".",
            "",
        ]
    )


if __name__ == "__main__":
    main()
