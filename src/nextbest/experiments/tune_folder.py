"""The folder of a search: what it is about, its trials as a table, and the recipe it found.

======================  ==================================================================
`tune.json`             recipe, data, protocol and seed; another search is refused
`study.log`             every finished trial (`study.py`)
`trials.csv`            the same as a table, for people
`best.toml`             the recipe with the found settings, for `compare` and `train`
======================  ==================================================================
"""

import json
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from nextbest.data.locking import writer_lock
from nextbest.errors import ArtifactError, ExternalError, InputError
from nextbest.experiments.recipe import ModelRecipe, Recipe
from nextbest.experiments.search_space import SearchSpace
from nextbest.experiments.splitting import SplitPlan
from nextbest.experiments.study import Studies, TrialRecord, open_studies
from nextbest.models import make_model
from nextbest.pipeline.decisions.toml_text import toml_text
from nextbest.version import __version__

ABOUT, STUDY, TRIALS, BEST = "tune.json", "study.log", "trials.csv", "best.toml"
FORMAT = 1
SUFFIX = "_tuned"
"""Added to the names of the found recipe and of its rows, so that both recipes stand in one comparison."""
NEW = "tune into a new folder, or go on with the recipe, data and flags this one began with"


def about(recipe: Recipe, plan: SplitPlan, *, k: int, rng: int, part: Mapping[str, Any]) -> dict[str, Any]:
    """What makes trials comparable; two searches with equal ones are one. `part`: counts and digest of the data."""
    judged = recipe.model_dump(mode="json", include={"exclude_seen", "weight", "segment"})
    models = {m.name: m.model_dump(mode="json", exclude={"label"}) for m in recipe.models}
    cut = {name: value for name, value in asdict(plan).items() if name != "refit"}  # means the test part only
    found = {"flags": {**cut, "k": k, "rng": rng}, "recipe": {**judged, "models": models}, "data": part}
    plain: dict[str, Any] = json.loads(json.dumps(found, default=str))
    return plain


def check_writable(spaces: Sequence[SearchSpace]) -> None:
    """Nothing, if TOML can say every config of these; told before any long work.

    Raises
    ------
    InputError
        A config needs None where the model's default is something else.
    """
    for space in spaces:
        config = space.config_of(space.default_settings)
        model = space.model
        read = make_model(model.kind, tomllib.loads(toml_text(config))).config
        if read != make_model(model.kind, config).config:
            raise InputError(
                f"config of {model.name}", "can't be written as a recipe: it holds None", value=config
            )


def check_folder(out: Path) -> None:
    """Nothing, if a search may begin or go on there; told before any long work.

    Raises
    ------
    InputError
        It is a file, or holds something else than a search.
    """
    if out.exists() and not out.is_dir():
        raise InputError("out", "must be a folder, is a file", value=str(out))
    if out.is_dir() and not (out / ABOUT).exists() and (held := sorted(p.name for p in out.iterdir())):
        raise InputError("out", f"holds {held[:5]} and no search", value=str(out), remedy="name a new folder")


@contextmanager
def open_folder(out: Path, what: Mapping[str, Any]) -> Iterator[Studies]:
    """The studies of a folder, made where there is none; nobody else may search in it meanwhile.

    Raises
    ------
    InputError
        The folder was begun for something else than `what`; the message says where they differ.
    ArtifactError
        Its files aren't those of this version.
    ExternalError
        Another process searches in it (retryable), or the disk fails.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with writer_lock(out):
            begun = _read(out / ABOUT)
            if begun is None:
                _write(out / ABOUT, json.dumps({"format": FORMAT, "version": __version__, **what}, indent=1))
            elif different := _said(begun, what):
                raise InputError("out", f"{out} holds another search; {different}", remedy=NEW)
            with open_studies(out / STUDY) as studies:
                yield studies
    except OSError as error:
        raise ExternalError("disk", f"{out}: {error.strerror or error}", retryable=True) from error


def write_trials(out: Path, found: Sequence[tuple[SearchSpace, Sequence[TrialRecord]]]) -> None:
    """`trials.csv`: a row a trial, a column `search.NAME` a range; empty where the model has no such range."""
    names = list(dict.fromkeys(name for space, _ in found for name in space.ranges))
    rows = [
        {
            "model": space.model.name,
            "trial": number,
            "validation": record.validation,
            "failed": record.failed,
            "cpu_s": round(record.cpu_s, 3),
            "wall_s": round(record.wall_s, 3),
            "peak_mb": round(record.peak_mb, 1),
            **{f"search.{n}": _cell(record.settings.get(n)) for n in names},
        }
        for space, records in found
        for number, record in enumerate(records)
    ]
    kinds: dict[str, Any] = {
        "model": pl.String,
        "trial": pl.Int64,
        "validation": pl.Float64,
        "failed": pl.String,
        "cpu_s": pl.Float64,
        "wall_s": pl.Float64,
        "peak_mb": pl.Float64,
    }
    table = pl.DataFrame(rows, schema={**kinds, **{f"search.{n}": pl.String for n in names}})
    _write(out / TRIALS, table.write_csv())


def write_best(
    out: Path, recipe: Recipe, configs: Mapping[str, dict[str, Any]], remarks: Sequence[str]
) -> Recipe:
    """`best.toml`: the recipe with `configs` by model name, without ranges; `remarks` stand on top of it.

    A model without a config keeps its own and its grid.
    """
    models = tuple(_found(m, configs.get(m.name)) for m in recipe.models)
    best = recipe.model_copy(update={"name": _tuned(recipe.name), "models": models})
    written = toml_text(best.model_dump(mode="json", exclude_defaults=True))
    _write(out / BEST, "".join(f"# {line}\n" for line in remarks) + "\n" + written)
    return best


def _found(model: ModelRecipe, config: dict[str, Any] | None) -> ModelRecipe:
    label = _tuned(model.name)
    if config is None:
        return model.model_copy(update={"label": label, "search": {}})
    return model.model_copy(update={"label": label, "config": config, "grid": {}, "search": {}})


def _tuned(name: str) -> str:
    return name if name.endswith(SUFFIX) else name + SUFFIX


def _cell(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        begun = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ArtifactError(path, f"is not readable ({error})", remedy="tune into another folder") from error
    if not isinstance(begun, dict) or begun.get("format") != FORMAT:
        raise ArtifactError(path, "is not a search of this version", remedy="tune into another folder")
    return begun


def _write(path: Path, text: str) -> None:
    """Written beside and renamed: a reader sees the old text or the new one."""
    draft = path.with_name(path.name + ".new")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _differences(was: Any, now: Any, path: tuple[str, ...] = ()) -> list[tuple[str, Any, Any]]:
    """Where two JSON values differ: dotted path, old value, new value."""
    if isinstance(was, dict) and isinstance(now, dict):
        keys = dict.fromkeys([*was, *now])
        return [d for key in keys for d in _differences(was.get(key), now.get(key), (*path, key))]
    return [] if was == now else [(".".join(path), was, now)]


def _said(was: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """In words where two searches differ, None where they don't: the first section that does explains the rest."""
    for section in ("flags", "recipe", "data"):
        different = _differences(was.get(section), now[section])
        if not different:
            continue
        shown = [f"{path} was {_short(old)}, is {_short(new)}" for path, old, new in different[:5]]
        more = [f"and {len(different) - 5} more"] if len(different) > 5 else []
        return f"{section}: " + "; ".join(shown + more)
    return None


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
