"""`nextbest assistant embed` on Steam: purchases of steam_200k with genres and tags of steam_catalogue.

    python benchmarks/assistant_neighbours.py --data DATA_FOLDER --work WORK_FOLDER [--users 1000] [--reviews]

Writes one Parquet file (user, game, title, text, genre) and gives it to the package as any user's file would be. steam_200k has no
times, so warm targets are drawn pairs. With --reviews the reviews' file (game and year of a review, no texts) stands in.
"""

import argparse
import ast
import gzip
import resource
import time
import zipfile
from pathlib import Path

import polars as pl

from nextbest.assistant.intent.title_words import words_of
from nextbest.assistant.neighbours.embedding import embed_file


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--reviews", action="store_true")
    parser.add_argument(
        "--file-only", action="store_true", help="write the file, for `nextbest assistant embed`"
    )
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    table = reviews(args.data) if args.reviews else purchases(args.data)
    path = args.work / "steam.parquet"
    table.write_parquet(path)
    print(
        f"{len(table):,} rows; {table['item'].n_unique():,} games, {table.filter(pl.col('about').is_not_null())['item'].n_unique():,} with a text"
    )
    if args.file_only:
        return
    start, cpu = time.perf_counter(), time.process_time()
    result = embed_file(
        [path],
        workspace=args.work / "store",
        mapping={"user_id": "user", "item_id": "item", "title": "name", "text": "about"},
        n_users=args.users,
    )
    print(result.to_markdown())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"\n{time.process_time() - cpu:.0f} CPU-s, {time.perf_counter() - start:.0f} s, {peak:.2f} GB")


def key(title: str) -> str:
    return " ".join(word.text for word in words_of(title))


def catalogue(data: Path) -> tuple[dict[str, tuple[str, str | None]], dict[str, tuple[str, str]]]:
    """By title: genres and tags as a text, and the last genre; by Steam's id: title and text."""
    by_title: dict[str, tuple[str, str | None]] = {}
    by_id = {}
    with gzip.open(data / "steam_catalogue" / "steam_games.json.gz", "rt", encoding="utf-8") as file:
        for line in file:
            row = ast.literal_eval(line)
            about = ", ".join(dict.fromkeys([*row.get("genres", []), *row.get("tags", [])]))
            if about and (name := row.get("app_name")):
                by_title[key(name)] = about, next(reversed(row.get("genres", [])), None)
                by_id[str(row.get("id"))] = (name, about)
    return by_title, by_id


def purchases(data: Path) -> pl.DataFrame:
    with zipfile.ZipFile(data / "steam_200k" / "steam.zip") as archive:
        bought = pl.read_csv(archive.read("steam/game_purchase.dat"), separator="\t", infer_schema_length=0)
        titles = [
            line.split("\t")
            for line in archive.read("steam/item_info.dat").decode("utf-8", "replace").splitlines()[1:]
        ]
    by_title, _ = catalogue(data)
    names = {one[0].strip(): one[-1].strip().strip('"') for one in titles}
    items = bought["Game_ID"].str.strip_chars().to_list()
    texts = [by_title.get(key(names.get(item, "")), (None, None)) for item in items]
    return pl.DataFrame(
        {
            "user": bought["User_ID"].str.strip_chars(),
            "item": items,
            "name": [names.get(item) for item in items],
            "about": [about for about, _ in texts],
            "genre": [genre for _, genre in texts],
        }
    )


def reviews(data: Path) -> pl.DataFrame:
    table = pl.read_parquet(data / "steam_reviews" / "users_reviews.parquet")
    _, by_id = catalogue(data)
    item = next(column for column in table.columns if "item" in column)
    user = next(column for column in table.columns if "user" in column)
    items = table[item].cast(pl.String).to_list()
    return pl.DataFrame(
        {
            "user": table[user].cast(pl.String),
            "item": items,
            "name": [by_id.get(one, (None, None))[0] for one in items],
            "about": [by_id.get(one, (None, None))[1] for one in items],
        }
    )


if __name__ == "__main__":
    main()
