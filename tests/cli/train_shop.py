"""A small shop whose order can be learned, recipes for it, and one process of several that trains on it.

`python -m cli.train_shop FOLDER` is that process: it runs commands and notes how each ended.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from nextbest.cli import main

N_CLIENTS, N_GOODS, N_DAYS = 41, 12, 10
TRAINING = {
    "n_epochs": 4,
    "learning_rate": 0.01,
    "batch_events": 64,
    "patience": 99,
    "n_threads": 1,
    "device": "cpu",
    "precision": "float32",
}
TINY = {"embedding_dim": 8, "max_len": 8, "dropout": 0.0, "loss": {"kind": "softmax"}}


def write_shop(folder: Path) -> Path:
    """A workspace of clients who walk a ring of goods at two speeds, two to ten days long."""
    lines = ["client,product,moment"]
    lines += [
        f"{u},{(u + s * (1 + u % 2)) % N_GOODS},2024-01-{s + 1:02d} 10:00:{u:02d}"
        for s in range(N_DAYS)
        for u in range(N_CLIENTS)
        if s < 2 + u % (N_DAYS - 1)
    ]
    (folder / "log.csv").write_text("\n".join(lines) + "\n")
    words = "user_id=client,item_id=product,time=moment"
    store = folder / "store"
    code = main(["ingest", str(folder / "log.csv"), "--map", words, "--store", str(store), "--quiet"])
    assert code == 0
    return store


def config_of(**training: Any) -> dict[str, Any]:
    """A tiny model without anything random but its first weights."""
    return {**TINY, "training": {**TRAINING, **training}}


def write_recipe(file: Path, config: dict[str, Any], **grid: list[Any]) -> Path:
    """A recipe of one GRU4Rec."""
    model = f'kind = "gru4rec"\nconfig = {_toml(config)}\ngrid = {_toml(grid)}\n'
    file.write_text(f'name = "{file.stem}"\n[[models]]\n{model}')
    return file


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{name} = {_toml(one)}' for name, one in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value)


def train_words(store: Path, recipe: Path | str, out: Path, *words: str) -> list[str]:
    """`nextbest train` as a shell would split it."""
    return ["train", "--recipe", str(recipe), "--out", str(out), "--store", str(store), "--quiet", *words]


def one_of_two(folder: Path) -> None:
    """Commands that go wrong in one way each, in one of two processes; the last one loses a process."""
    rank, store = os.environ["RANK"], folder / "store"
    good, wild = config_of()["training"], config_of(learning_rate=1e37)["training"]
    recipes: dict[str, Path | str] = {
        "not a sequence model": "baselines",
        "one candidate diverges": write_recipe(
            folder / f"grid-{rank}.toml", config_of(), training=[wild, good]
        ),
        "all diverge": write_recipe(folder / f"wild-{rank}.toml", config_of(learning_rate=1e37)),
        "a process is lost": write_recipe(folder / f"good-{rank}.toml", config_of()),
    }
    ended = {}
    for name, recipe in recipes.items():
        if name == "a process is lost" and rank == "1":
            from nextbest.errors import ArtifactError
            from nextbest.models.sequence import sequence_model

            def fail(*_: object, **__: object) -> None:
                raise ArtifactError("shard", "is gone")

            sequence_model.SequenceModel.fit_shards = fail  # type: ignore[method-assign, assignment]
        for stream in (sys.stdout, sys.stderr):
            stream.write(f"<{name}>\n")
            stream.flush()
        ended[name] = main(train_words(store, recipe, folder / name, "--json"))
    (folder / f"ended-{rank}.json").write_text(json.dumps(ended))


if __name__ == "__main__":
    one_of_two(Path(sys.argv[1]))
