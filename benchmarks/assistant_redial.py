"""Conversational recommendation on the 3,552 test turns of ReDial that GPT-4 was measured on.

    python benchmarks/assistant_redial.py --data DATA_FOLDER [--bootstrap 1000]

A turn: what was said so far (films named, words) -> films that the recommender names next. A turn's answers are the films
of `rec` that the dialogue hasn't named yet; named films are never recommended; candidates are the 6,281 films of
`item_ids.json`. R@k is over answers (micro), "any" over turns.

Only test turns are at hand, so three sources are told apart:

- none: MovieLens-1M ratings by title (until 2000) and nothing of ReDial: zero-shot, as GPT-4's figures are;
- others: besides, counts of films named in the *other* test dialogues and the likeness of their words to this one's,
  each dialogue left out of its own statistics. This is no zero-shot figure and no trained one: models of the field learn
  from 10,000 training dialogues; these are 1,321.

Weights are chosen on one half of the dialogues (even number of the id) and reported on the other, which is looked at once.
"""

import argparse
import itertools
import json
import re
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from nextbest.text.encoder import make_encoder

Floats = np.ndarray


@dataclass(frozen=True)
class Turn:
    dialogue: int
    named: list[int]
    answers: list[int]
    text: str


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--bootstrap", type=int, default=1000)
    args = parser.parse_args()
    start = time.process_time()
    turns, dialogues, items, names = read(args.data / "redial")
    n_answers = sum(len(turn.answers) for turn in turns)
    print(
        f"{len(turns):,} turns of {len(dialogues):,} dialogues, {n_answers:,} answers not named before, {len(items):,} films"
    )
    sources = scores(turns, dialogues, len(items), names, args.data)
    dev = np.array([dialogues[turn.dialogue] % 2 == 0 for turn in turns])
    chosen = {}
    for label, parts in (
        ("none", ["rated", "title"]),
        ("others", ["rated", "title", "often", "together", "words", "replies", "terms"]),
    ):
        chosen[label] = choose({part: sources[part] for part in parts}, turns, dev)
    print("weights, by the even half:", {k: {a: b for a, b in v.items() if b} for k, v in chosen.items()})
    print("| what is known | half | R@1 | R@5 | R@10 | any@5 | any@10 |\n|---|---|---:|---:|---:|---:|---:|")
    rows = [
        ("films named most in other dialogues", {"often": 1.0}),
        ("ratings and titles only", chosen["none"]),
        ("and other dialogues", chosen["others"]),
    ]
    for label, weights in rows:
        total = sum(weight * sources[part] for part, weight in weights.items())
        places = places_of(total, turns)
        for half, mask in (("even, chosen on", dev), ("odd, reported", ~dev), ("all", dev | True)):
            print(
                f"| {label} | {half} | "
                + " | ".join(f"{value:.3f}" for value in figures(places, turns, mask))
                + " |"
            )
    odd = intervals(places, turns, ~dev, args.bootstrap)
    print(
        "95 % intervals by dialogue, odd half, last row: "
        + ", ".join(f"{name} {low:.3f} to {high:.3f}" for name, low, high in odd)
    )
    top = np.argsort(-total, axis=1)[:, :10]
    outside = sum(int(item) in set(turn.named) for turn, row in zip(turns, top, strict=True) for item in row)
    print(
        f"0 films outside the catalogue by construction; named ones among the ten: {outside}; {time.process_time() - start:.0f} CPU-s"
    )


def read(folder: Path) -> tuple[list[Turn], dict[int, int], list[int], list[str]]:
    """Turns with film numbers 0..n-1, dialogue number -> its id, film ids, film names."""
    ids = json.loads((folder / "item_ids.json").read_text())
    place = {item: i for i, item in enumerate(ids)}
    entity = {number: uri for uri, number in json.loads((folder / "entity2id.json").read_text()).items()}
    names = [
        re.sub(r"^<http://dbpedia.org/resource/|>$", "", entity.get(item, "")).replace("_", " ")
        for item in ids
    ]
    number: dict[str, int] = {}
    turns, dialogues = [], {}
    with (folder / "test.jsonl").open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            here = number.setdefault(row["dialog_id"], len(number))
            dialogues[here] = int(row["dialog_id"].split("_")[-1])
            named = [place[e] for e in dict.fromkeys(row["prev_entity"]) if e in place]
            answers = [place[e] for e in dict.fromkeys(row["rec"]) if e in place and place[e] not in named]
            # only the context: "resp" and "rec" are the answer
            turns.append(Turn(here, named, answers, " ".join(row["context"])))
    return turns, dialogues, ids, names


def terms(text: str) -> set[str]:
    """Words of a context without the films' titles: "scary", "kids", "animated"."""
    return set(re.findall(r"[a-z]{3,}", re.sub(r"[A-Z][^.?!()]*\(\d{4}\)", " ", text).lower()))


def plain(title: str) -> str:
    """As titles of two sources are matched: no year, no "(film)", no article."""
    title = re.sub(r"\((?:[^)]*film[^)]*|\d{4}|[^)]*series[^)]*)\)", " ", title.lower())
    title = re.sub(r"^(.*), (the|a|an)\s*$", r"\2 \1", title.strip())
    return re.sub(r"[^a-z0-9]+", " ", re.sub(r"^(the|a|an) ", "", title)).strip()


def year(title: str) -> int | None:
    found = re.findall(r"\((?:[^)]*?)(\d{4})(?:[^)]*)\)", title)
    return int(found[-1]) if found else None


def rated(names: list[str], data: Path) -> Floats:
    """Film-to-film weights (EASE on who rated what in MovieLens-1M), films matched by title; shape (n_films, n_films)."""
    by_title: dict[str, list[tuple[int, int | None]]] = defaultdict(list)
    for line in (data / "ml-1m" / "movies.dat").read_text(encoding="latin-1").splitlines():
        number, title, _ = line.split("::")
        by_title[plain(title)].append((int(number), year(title)))
    journal = pl.read_parquet(data / "ml-1m" / "ratings.parquet")
    users = journal["userID"].rank("dense").to_numpy().astype(int) - 1
    films = {int(value): i for i, value in enumerate(sorted(map(int, journal["movieID"].unique())))}
    columns = np.array([films[int(value)] for value in journal["movieID"]])
    X = csr_array((np.ones(len(users), dtype=np.float32), (users, columns)))
    gram = (X.T @ X).toarray().astype(np.float64)
    gram[np.diag_indices_from(gram)] += 500.0
    inverse = np.linalg.inv(gram)
    weights = -inverse / np.diag(inverse)[None, :]
    np.fill_diagonal(weights, 0)
    own = np.full(len(names), -1)
    for i, name in enumerate(names):
        found = [
            key
            for key, made in by_title.get(plain(name), [])
            if key in films and (year(name) in (None, made))
        ]
        if len(found) == 1:
            own[i] = films[found[0]]
    print(f"{(own >= 0).sum():,} films matched with MovieLens by title")
    out = np.zeros((len(names), len(names)), dtype=np.float32)
    have = np.flatnonzero(own >= 0)
    out[np.ix_(have, have)] = weights[np.ix_(own[have], own[have])]
    return out


def scores(
    turns: list[Turn], dialogues: dict[int, int], n: int, names: list[str], data: Path
) -> dict[str, Floats]:
    """Each source's score of every film at every turn, shape (n_turns, n_films), standardised by turn; named films -inf later."""
    weights = rated(names, data)
    encoder = make_encoder()
    titles = encoder.encode([plain(name) for name in names])
    angles = (titles @ titles.T).astype(np.float32)
    # a sequel or a namesake: words of the title in common, not its meaning
    angles = np.where(angles > 0.7, angles, 0)
    np.fill_diagonal(angles, 0)
    mentions = np.zeros((len(dialogues), n), dtype=np.float32)
    for turn in turns:
        mentions[turn.dialogue, turn.named + turn.answers] = 1
    together = mentions.T @ mentions
    often = mentions.sum(axis=0)
    vectors = encoder.encode([turn.text[-1500:] for turn in turns])
    of = np.array([turn.dialogue for turn in turns])
    likeness = vectors @ vectors.T
    replies = np.zeros((len(turns), n), dtype=np.float32)
    for i, turn in enumerate(turns):
        replies[i, turn.answers] = 1
    said = [terms(turn.text) for turn in turns]
    vocabulary = {term: i for i, term in enumerate(sorted(set().union(*said)))}
    held = np.zeros((len(dialogues), len(vocabulary)), dtype=np.float32)
    for turn, here in zip(turns, said, strict=True):
        held[turn.dialogue, [vocabulary[term] for term in here]] = 1
    by_term = held.T @ mentions
    n_term = held.sum(axis=0)
    found = {
        part: np.zeros((len(turns), n), dtype=np.float32)
        for part in ("rated", "title", "often", "together", "words", "replies", "terms")
    }
    for i, turn in enumerate(turns):
        own = mentions[turn.dialogue]
        here = often - own  # this dialogue is no evidence for itself
        found["often"][i] = np.log1p(here)
        if turn.named:
            found["rated"][i] = weights[turn.named].sum(axis=0)
            found["title"][i] = angles[turn.named].sum(axis=0)
            pairs = np.maximum(together[turn.named] - own, 0)
            found["together"][i] = (pairs / (here[turn.named][:, None] + 3) / (here[None, :] + 3) ** 0.5).sum(
                axis=0
            )
        own_terms = np.array([vocabulary[term] for term in said[i]], dtype=int)
        if len(own_terms):
            seen = np.maximum(n_term[own_terms] - 1, 0)
            rare = np.log(len(dialogues) / (seen + 1)) / (seen + 5)
            found["terms"][i] = rare @ (by_term[own_terms] - own) / (here + 5) ** 0.5
        near = np.where(of == turn.dialogue, -1.0, likeness[i])
        best = np.argpartition(-near, 150)[:150]
        kernel = np.exp(12 * (near[best] - near[best].max()))
        found["replies"][i] = np.log1p(100 * kernel @ replies[best] / kernel.sum())
        found["words"][i] = np.log1p(100 * kernel @ mentions[of[best]] / kernel.sum())
    spreads = {name: table.std(axis=1, keepdims=True) for name, table in found.items()}
    return {name: table / np.where(spreads[name] > 0, spreads[name], 1) for name, table in found.items()}


def places_of(total: Floats, turns: list[Turn]) -> list[list[int]]:
    """Place, 0 = first, of each answer among the films that the dialogue hasn't named; ties count against us."""
    out = []
    for row, turn in zip(total, turns, strict=True):
        row[turn.named] = -np.inf
        out.append([int((row >= row[answer]).sum()) - 1 for answer in turn.answers])
    return out


def figures(places: list[list[int]], turns: list[Turn], mask: np.ndarray) -> list[float]:
    flat = np.array([place for here, keep in zip(places, mask, strict=True) if keep for place in here])
    first = np.array([min(here) for here, keep in zip(places, mask, strict=True) if keep and here])
    return [*((flat < k).mean() for k in (1, 5, 10)), *((first < k).mean() for k in (5, 10))]


def intervals(
    places: list[list[int]], turns: list[Turn], mask: np.ndarray, n: int
) -> list[tuple[str, float, float]]:
    by: dict[int, list[int]] = defaultdict(list)
    for here, turn, keep in zip(places, turns, mask, strict=True):
        if keep:
            by[turn.dialogue] += here
    groups = [np.array(places) for places in by.values() if places]
    rng = np.random.default_rng(0)
    out = []
    for k in (1, 5, 10):
        hits, counts = np.array([(g < k).sum() for g in groups]), np.array([len(g) for g in groups])
        draws = rng.integers(len(groups), size=(n, len(groups)))
        values = hits[draws].sum(axis=1) / counts[draws].sum(axis=1)
        out.append((f"R@{k}", *np.quantile(values, [0.025, 0.975])))
    return out


def choose(sources: dict[str, Floats], turns: list[Turn], dev: np.ndarray) -> dict[str, float]:
    """Weights of the sources with the best R@5 + R@10 on the chosen half: one after another, twice round, from a small grid."""
    rows = np.flatnonzero(dev)
    here = [turns[i] for i in rows]
    parts = {name: table[rows] for name, table in sources.items()}
    weights = dict.fromkeys(sources, 0.0)
    weights[next(iter(sources))] = 1.0

    def value() -> float:
        total = sum(weight * parts[name] for name, weight in weights.items())
        flat = np.array([place for one in places_of(total, here) for place in one])
        return float((flat < 5).mean() + (flat < 10).mean())

    best = value()
    for _, name in itertools.product(range(2), sources):
        for trial in (0.0, 0.1, 0.25, 0.5, 1.0, 2.0):
            before = weights[name]
            weights[name] = trial
            if any(weights.values()) and (now := value()) > best:
                best = now
            else:
                weights[name] = before
    return weights


if __name__ == "__main__":
    main()
