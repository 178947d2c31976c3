"""Stage 3 on a real small model: does a fine-tuned language model know anything of next week's volatility?

    python benchmarks/market_llm.py --data DIR --checkpoint FOLDER [--out FILE] [--steps 80] [--target volatility]
    python benchmarks/market_llm.py --again FILE.json      # the page anew from what was found

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
from nextbest.evaluation.forecast.dm import DM
from nextbest.market.llm.before_and_after import Comparison, Variant, compare
from nextbest.market.llm.config import LLMConfig
from nextbest.market.llm.judging import PRIOR, REGRESSION, Row
from nextbest.market.llm.wording import SIGNIFICANT, sentences, table
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
    parser.add_argument("--data", type=Path)
    parser.add_argument("--checkpoint")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/market_llm"))
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--target", choices=("volatility", "return", "direction"), default="volatility")
    parser.add_argument("--horizon", type=int, default=7)
    parser.add_argument("--again", type=Path, metavar="FILE.json")
    args = parser.parse_args()
    if args.again is not None:
        args.again.with_suffix(".md").write_text(page(kept(args.again)), encoding="utf-8")
        return
    if args.data is None or args.checkpoint is None:
        parser.error("--data and --checkpoint, or --again")
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
        args.out.with_suffix(".md").write_text(page(found), encoding="utf-8")

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


def kept(file: Path) -> Comparison:
    """What was written beside the page."""
    told = json.loads(file.read_text(encoding="utf-8"))
    tests = ("against_prior", "against_last_class", "against_regression")
    rows = [
        Row(**{**row, **{name: None if row[name] is None else DM(**row[name]) for name in tests}})
        for row in told["rows"]
    ]
    until = told["seen_until"]
    fields = {name: told.get(name, {}) for name in Comparison.__dataclass_fields__}
    return Comparison(
        **{**fields, "rows": tuple(rows), "seen_until": None if until is None else date.fromisoformat(until)}
    )


def page(found: Comparison) -> str:
    """The table and what it says."""
    said, config = sentences(found), found.config
    asked = {row.name for row in found.rows}
    missing = [variant.name for variant in VARIANTS if variant.name not in asked]
    costs = [
        f"{r.name}: {r.cpu_s:.0f} CPU-s, {r.n_tokens:,} tokens taught" for r in found.rows if r.cpu_s > 0
    ]
    by_name = {row.name: row for row in found.rows}
    best = by_name[REGRESSION]
    lines = [
        f"# Stage 3: a fine-tuned language model on the {config['target']} of the next {config['horizon']} days, as found",
        "",
        f"Written by `benchmarks/market_llm.py`; {found.source}, may have read until {found.seen_until}.",
        f"23 perpetuals by day, taught before {config['start']}, {config['n_bars']} days a window, {config['n_classes']} classes, {config['steps']} steps of",
        f"{config['batch_size']} windows ({config['dtype']}), one setting and one seed, nothing chosen on the test. Origins every {config['every']} days, {found.first[:10]} to {found.last[:10]}, {len(ASKED)} assets.",
        "p of Diebold-Mariano by date, minus = less loss. What each row is for: [the room](../docs/rooms/market-llm.md).",
        "",
        "```",
        *table(found),
        "```",
        "",
        said["en"],
        "",
        said["ru"],
        "",
    ]
    if best.against_prior is not None and (best.against_prior.p or 1) >= SIGNIFICANT:
        lines += [
            f"{best.n_dates} dates are few: not even the {REGRESSION}, {by_name[PRIOR].log_loss - best.log_loss:.3f} nats below the class prior, is told apart from it",
            f"(p {best.against_prior.p:.3f}), because all assets are quiet or loud together: this test could hardly have seen a gain of that size.",
            "",
        ]
    if missing:
        lines += [f"Not asked in this run, for want of time: {', '.join(missing)}.", ""]
    return "\n".join([*lines, "Cost: " + "; ".join(costs) + ".", ""])


if __name__ == "__main__":
    main()
