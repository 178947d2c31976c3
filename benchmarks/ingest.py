"""Ingest of a Parquet journal: ours against hand-written Polars, DuckDB and pandas scripts for the same steps.

Steps of every side: read; reject rows without a user, item or time or in the future; keep the first of
equal rows and put the others, with row number, reason and raw values as JSON, into a quarantine file;
sort by user and time; write zstd Parquet. Each side runs in a process of its own; CPU (user + system),
wall and peak memory come from wait4.

    python benchmarks/ingest.py --rows 10000000 --folder /tmp/nextbest-bench [--sides ours,polars_sort,...]
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

PEERS = {
    "polars_sort": """
import sys, json, polars as pl
from datetime import datetime, timezone
source, out = sys.argv[1:]
keys = ["user_id", "time", "item_id", "amount"]
now = datetime(2025, 1, 1, tzinfo=timezone.utc)
table = (
    pl.scan_parquet(source, row_index_name="row", row_index_offset=1)
    .with_columns(pl.col("item_id").cast(pl.Int64), pl.col("time").dt.replace_time_zone("UTC"))
    .filter(pl.col("user_id").is_not_null() & pl.col("item_id").is_not_null() & (pl.col("time") <= now))
    .sort(*keys, "row")
    .with_columns(copy=pl.all_horizontal([pl.col(c) == pl.col(c).shift(1) for c in keys]).fill_null(False))
    .collect()
)
bad = table.filter("copy").select(
    source=pl.lit(source), row="row", reason=pl.lit("duplicate"),
    raw=pl.struct("user_id", "item_id", "time", "amount").struct.json_encode())
bad.write_parquet(out + "/quarantine.parquet", compression="zstd", compression_level=1)
good = table.filter(~pl.col("copy")).select("user_id", "item_id", "time", "amount")
good.write_parquet(out + "/journal.parquet", compression="zstd", compression_level=1)
print(json.dumps([len(good), len(bad)]))
""",
    "polars_hash": """
import sys, json, polars as pl
from datetime import datetime, timezone
source, out = sys.argv[1:]
keys = ["user_id", "item_id", "time", "amount"]
now = datetime(2025, 1, 1, tzinfo=timezone.utc)
table = (
    pl.scan_parquet(source, row_index_name="row", row_index_offset=1)
    .with_columns(pl.col("item_id").cast(pl.Int64), pl.col("time").dt.replace_time_zone("UTC"))
    .filter(pl.col("user_id").is_not_null() & pl.col("item_id").is_not_null() & (pl.col("time") <= now))
    .collect()
)
first = table.select(pl.struct(keys).is_first_distinct()).to_series()
bad = table.filter(~first).select(
    source=pl.lit(source), row="row", reason=pl.lit("duplicate"), raw=pl.struct(keys).struct.json_encode())
bad.write_parquet(out + "/quarantine.parquet", compression="zstd", compression_level=1)
good = table.select(keys).filter(first).sort("user_id", "time")
good.write_parquet(out + "/journal.parquet", compression="zstd", compression_level=1)
print(json.dumps([len(good), len(bad)]))
""",
    "duckdb": """
import sys, json, duckdb
source, out = sys.argv[1:]
sql = duckdb.connect(out + "/work.duckdb")
sql.execute("SET threads = 2; SET preserve_insertion_order = false; SET memory_limit = '8GB'; SET TimeZone = 'UTC'; SET enable_progress_bar = false")
sql.execute(f'''
    CREATE TEMP TABLE t AS SELECT user_id, item_id::BIGINT AS item_id, time, amount, file_row_number + 1 AS r,
    row_number() OVER (PARTITION BY user_id, item_id, time, amount ORDER BY file_row_number) AS k
    FROM read_parquet('{source}', file_row_number = true)
    WHERE user_id IS NOT NULL AND item_id IS NOT NULL AND time <= TIMESTAMP '2025-01-01' ''')
parquet = "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
sql.execute(f"COPY (SELECT user_id, item_id, time, amount FROM t WHERE k = 1 ORDER BY user_id, time) TO '{out}/journal.parquet' {parquet}")
sql.execute(f'''COPY (SELECT '{source}' AS source, r AS row, 'duplicate' AS reason,
    to_json({{'user_id': user_id, 'item_id': item_id, 'time': time, 'amount': amount}}) AS raw FROM t WHERE k > 1)
    TO '{out}/quarantine.parquet' {parquet}''')
print(json.dumps(list(sql.execute("SELECT count(*) FILTER (k = 1), count(*) FILTER (k > 1) FROM t").fetchall()[0])))
""",
    "pandas": """
import sys, json, pandas as pd
source, out = sys.argv[1:]
table = pd.read_parquet(source)
table["time"] = table["time"].dt.tz_localize("UTC")
table["item_id"] = table["item_id"].astype("int64")
table = table[table["user_id"].notna() & table["item_id"].notna() & (table["time"] <= pd.Timestamp("2025-01-01", tz="UTC"))]
copy = table.duplicated(["user_id", "item_id", "time", "amount"], keep="first")
bad = table[copy]
bad = pd.DataFrame({"source": source, "row": bad.index + 1, "reason": "duplicate",
    "raw": bad.to_json(orient="records", lines=True, date_format="iso").splitlines()})
bad.to_parquet(out + "/quarantine.parquet", compression="zstd", compression_level=1)
good = table[~copy].sort_values(["user_id", "time"], kind="stable")
good.to_parquet(out + "/journal.parquet", compression="zstd", compression_level=1, index=False)
print(json.dumps([len(good), len(bad)]))
""",
}
OURS = """
import sys, json
from datetime import datetime, timezone
from nextbest.data.cleaning import CleaningConfig
from nextbest.data.ingest import ingest
report = ingest(sys.argv[2] + "/store", sys.argv[1], config=CleaningConfig(now=datetime(2025, 1, 1, tzinfo=timezone.utc)))
print(json.dumps([report.stored, report.quarantined]))
"""


def make_input(path: Path, n: int, *, rng_seed: int = 0) -> None:
    """`n` rows, 1 % of them exact copies of others, in random order; 8,000 users per million rows."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(rng_seed)
    users = max(n * 400_000 // 50_000_000, 1)
    first = n - n // 100
    start, end = 1_640_995_200_000_000, 1_704_067_200_000_000
    columns = {
        "user_id": rng.integers(0, users, first),
        "item_id": rng.integers(0, 50_000, first).astype(np.int32),
        "time": rng.integers(start, end, first),
        "amount": np.round(rng.lognormal(3, 1, first), 2),
    }
    order = rng.permutation(n)
    order[order >= first] = rng.integers(0, first, n - first)
    pl.DataFrame({name: values[order] for name, values in columns.items()}).with_columns(
        pl.col("time").cast(pl.Datetime("us"))
    ).write_parquet(path)


def measure(code: str, source: Path, out: Path) -> dict[str, object]:
    """CPU and wall seconds, peak megabytes and the answer of one side."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    environment = {**os.environ, "POLARS_MAX_THREADS": "2", "OMP_NUM_THREADS": "2"}
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(source), str(out)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout is not None
    answer = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.stdout.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    size = sum(f.stat().st_size for f in out.rglob("*.parquet"))
    shutil.rmtree(out)
    return {
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        "wall_s": round(wall, 2),
        "peak_mb": usage.ru_maxrss // 1024,
        "written_mb": size >> 20,
        "counts": json.loads(answer.strip().splitlines()[-1])
        if process.returncode == 0
        else f"failed ({process.returncode})",
    }


def main() -> None:
    """Make the input, run the sides one after the other, print the table, remove everything."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument(
        "--folder", type=Path, required=True, help="scratch folder; its `ingest` part is removed"
    )
    parser.add_argument("--sides", default="ours,polars_sort,polars_hash,duckdb,pandas")
    parser.add_argument("--rounds", type=int, default=1, help="the best CPU of so many rounds counts")
    options = parser.parse_args()
    folder = options.folder / "ingest"
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / f"journal-{options.rows}.parquet"
    try:
        subprocess.run([sys.executable, __file__, "--make", str(source), str(options.rows)], check=True)
        rows: dict[str, dict[str, object]] = {}
        for _ in range(options.rounds):
            for side in options.sides.split(","):
                found = measure(OURS if side == "ours" else PEERS[side], source, folder / "out")
                if side not in rows or found["cpu_s"] < rows[side]["cpu_s"]:  # type: ignore[operator]
                    rows[side] = found
                print(side, json.dumps(found), file=sys.stderr, flush=True)
        print(f"| {options.rows:,} rows | CPU s | wall s | peak MB | written MB | stored, quarantined |")
        print("|---|---:|---:|---:|---:|---|")
        for side, found in rows.items():
            print("| " + " | ".join([side, *(str(v) for v in found.values())]) + " |")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--make"]:
        make_input(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
