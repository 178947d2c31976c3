"""How a model stood in the last leaderboard of a step: better than a random walk or not, by how many origins, or never tested.

The leaderboard is the document that `nextbest market bench` prints, kept as `market/leaderboard-STEP.json` of a workspace.
"Better" takes two tests: the model's own (Diebold-Mariano on CRPS) and one that knows how many models were tried (SPA).
"""

import json
import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from nextbest.charts_page.drawing import Words
from nextbest.data.manifest import disk_errors, sync_folder
from nextbest.data.prices.steps import step_name
from nextbest.errors import DataError

Document = dict[str, Any]
Verdict = Literal["better", "not_better", "worse", "benchmark", "never_tested"]
FOLDER = "market"
"""Of a workspace."""
BENCHMARK = "rw_gauss"
SIGNIFICANT = 0.05
HEADLINES: Mapping[str, Words] = {
    "better": {"en": "better than a random walk", "ru": "лучше случайного блуждания"},
    "not_better": {"en": "not better than a random walk", "ru": "не лучше случайного блуждания"},
    "worse": {"en": "worse than a random walk", "ru": "хуже случайного блуждания"},
    "benchmark": {"en": "the random walk itself", "ru": "само случайное блуждание"},
    "never_tested": {"en": "never tested here", "ru": "здесь не проверялась"},
}


def leaderboard_file(store: str | Path, step: timedelta) -> Path:
    """Where the last leaderboard of a step is kept in a workspace."""
    return Path(store) / FOLDER / f"leaderboard-{step_name(step)}.json"


def keep_leaderboard(store: str | Path, step: timedelta, document: Document) -> Path:
    """Keep the document of a bench, all at once: a reader meets the last one or this one.

    Raises
    ------
    ExternalError
        The disk is full or can't be written to.
    """
    path = leaderboard_file(store, step)
    draft = path.with_suffix(f".{os.getpid()}.new")
    with disk_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("w", encoding="utf-8") as file:
            json.dump(document, file, ensure_ascii=False, allow_nan=False)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        sync_folder(path.parent)
    return path


def read_leaderboard(store: str | Path, step: timedelta) -> Document | None:
    """The last leaderboard of a step; None where there was none.

    Raises
    ------
    DataError
        The file isn't what a bench wrote.
    """
    path = leaderboard_file(store, step)
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        found = None
    if not (isinstance(found, dict) and isinstance(found.get("rows"), list)):
        raise DataError(
            path.name, "is not a leaderboard", remedy="run `nextbest market bench` again, or remove the file"
        )
    return found


def standing_of(
    board: Document | None, model: str, horizons: Sequence[int], *, asset_id: str | None
) -> Document:
    """What the leaderboard says of a model at these horizons; `asset_id` None = a series that nobody here knows.

    Returns
    -------
    dict
        `verdict` (one of `HEADLINES`: "better" only when it is at every horizon asked), `headline` and `texts` in two
        languages, `horizons`: a row each with `verdict`, `n_origins`, `crps_relative` (to the random walk), `dm_t` (negative =
        better), `dm_p`, `spa_p` (is any model tested better), `in_mcs`, `maybe_seen`; `tested` period and assets, and
        `asset_tested`. Numbers that nobody measured are null.
    """
    rows = [] if board is None else board["rows"]
    told = [_row(rows, model, horizon) for horizon in horizons]
    verdicts = {row["verdict"] for row in told}
    overall = _overall(verdicts)
    headline = HEADLINES[overall]
    texts: dict[str, list[str]] = {
        "en": [f"{model}: {headline['en']}."],
        "ru": [f"{model}: {headline['ru']}."],
    }
    for row in told:
        for language, text in _sentence(row).items():
            texts[language].append(text)
    tested: Document | None = None
    asset_tested = False
    if board is not None and verdicts != {"never_tested"}:
        origins = board.get("origins") or {}
        assets = list(board.get("assets") or ())
        tested = {"first": origins.get("first"), "last": origins.get("last"), "assets": assets}
        asset_tested = asset_id in assets
        if not asset_tested:
            texts["en"].append("Tested on other series than this one.")
            texts["ru"].append("Проверялась на других рядах, не на этом.")
    return {
        "verdict": overall,
        "headline": headline,
        "benchmark": BENCHMARK,
        "horizons": told,
        "tested": tested,
        "asset_tested": asset_tested,
        "texts": texts,
    }


def _overall(verdicts: set[str]) -> str:
    """One word for all horizons; a doubt anywhere is no praise."""
    return next(iter(verdicts)) if len(verdicts) == 1 else "not_better"


def _row(rows: Sequence[Document], model: str, horizon: int) -> Document:
    mine = next((r for r in rows if r.get("model") == model and r.get("horizon") == horizon), None)
    walk = next((r for r in rows if r.get("model") == BENCHMARK and r.get("horizon") == horizon), None)
    crps = None if mine is None else mine.get("crps_x100")
    if mine is None or crps is None:
        return {"horizon": horizon, "verdict": "never_tested", **dict.fromkeys(_NUMBERS)}
    t, p = mine.get("dm_crps_t"), mine.get("dm_crps_p")
    spa_p = None if walk is None else walk.get("spa_crps_p")
    return {
        "horizon": horizon,
        "verdict": "benchmark" if model == BENCHMARK else _verdict(t, p, spa_p),
        "n_origins": mine.get("n_dates"),
        "crps_relative": mine.get("crps_relative"),
        "dm_t": t,
        "dm_p": p,
        "spa_p": spa_p,
        "in_mcs": mine.get("in_mcs"),
        "maybe_seen": mine.get("maybe_seen"),
    }


_NUMBERS = ("n_origins", "crps_relative", "dm_t", "dm_p", "spa_p", "in_mcs", "maybe_seen")


def _verdict(t: float | None, p: float | None, spa_p: float | None) -> Verdict:
    if t is None or p is None or p >= SIGNIFICANT:
        return "not_better"
    if t > 0:
        return "worse"
    return "better" if spa_p is not None and spa_p < SIGNIFICANT else "not_better"


def _sentence(row: Document) -> dict[str, str]:
    horizon, verdict = row["horizon"], row["verdict"]
    head = {language: HEADLINES[verdict][language] for language in ("en", "ru")}
    if verdict in ("never_tested", "benchmark"):
        return {"en": f"Horizon {horizon} (bars): {head['en']}.", "ru": f"Горизонт {horizon} (баров): {head['ru']}."}  # fmt: skip
    numbers = f"DM p {_number(row['dm_p'])}, SPA p {_number(row['spa_p'])}"
    relative = _number(row["crps_relative"])
    seen = {"en": "", "ru": ""}
    if row["maybe_seen"]:
        seen = {
            "en": "; may have been seen in pretraining",
            "ru": "; модель могла видеть эти данные при предобучении",
        }
    return {
        "en": f"Horizon {horizon} (bars): {head['en']}; CRPS relative to it {relative}, {numbers}, origins: {row['n_origins']}{seen['en']}.",
        "ru": f"Горизонт {horizon} (баров): {head['ru']}; CRPS к нему {relative}, {numbers}, моментов прогноза: {row['n_origins']}{seen['ru']}.",
    }


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
