"""Four public logs through the whole main job, by the commands a user types.

    python benchmarks/real_logs.py --data DATA_FOLDER [--only steam_200k] [--out docs/real-logs]

For each log: ingest, compare (baselines and pipeline), train, recommend, all as `nextbest` processes; writes the
comparison table and the cleaning report as Markdown, and prints what each step cost. DATA_FOLDER holds
ml-1m/ml-1m_sequences.txt.gz, uci_online_retail/online_retail.parquet, steam_200k/steam.zip and
amazon_video_games/Video.txt.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LOGS = {
    "ml-1m": ("ml-1m/ml-1m_sequences.txt.gz", "amazon_sequences", ["leave-last"]),
    "uci_online_retail": (
        "uci_online_retail/online_retail.parquet",
        "uci_online_retail",
        ["time", "leave-last"],
    ),
    "steam_200k": ("steam_200k/steam.zip", "steam_200k", ["random"]),
    "amazon_video_games": ("amazon_video_games/Video.txt", "amazon_sequences", ["leave-last"]),
}


def nextbest(*words: str) -> tuple[dict, str]:
    """One command with --json: its document, and what it cost."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "nextbest", *words, "--json", "--quiet"], stdout=subprocess.PIPE, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    cost = f"{cpu:6.1f} CPU-s {time.perf_counter() - start:6.1f} s wall"
    print(f"  {words[0]:<10} {cost}   (largest process so far {after.ru_maxrss / 1e3:.0f} MB)", flush=True)
    return json.loads(done.stdout), cost


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", choices=LOGS, nargs="+", default=list(LOGS))
    parser.add_argument("--out", type=Path, help="folder for the Markdown tables")
    args = parser.parse_args()
    print(f"load {os.getloadavg()}")
    for name in args.only:
        file, source, protocols = LOGS[name]
        print(name)
        with tempfile.TemporaryDirectory() as folder:
            store = ("--store", str(Path(folder) / "store"))
            out = args.out or Path(folder)
            out.mkdir(parents=True, exist_ok=True)
            report, _ = nextbest(
                "ingest",
                str(args.data / file),
                "--source",
                source,
                *store,
                "--report",
                str(out / f"{name}.ingest.md"),
            )
            assert report["read"] == report["stored"] + report["quarantined"]
            for protocol in protocols:
                table = out / f"{name}.{protocol}.md"
                nextbest(
                    "compare",
                    "--recipe",
                    "baselines",
                    "pipeline",
                    "--protocol",
                    protocol,
                    *store,
                    "--markdown",
                    str(table),
                )
                print("\n" + table.read_text())
            model = str(Path(folder) / "model")
            trained, _ = nextbest("train", "--recipe", "pipeline", "--out", model, *store)
            print(f"  chosen {trained['chosen']}")
            user = "13047" if name == "uci_online_retail" else "1"
            answer, _ = nextbest("recommend", "--model", model, "--user", user, "-k", "3", *store)
            for item in answer["items"]:
                print(f"    {item['rank']}. {item['item_id']} {item['source']}: {item['reason']}")


if __name__ == "__main__":
    main()
