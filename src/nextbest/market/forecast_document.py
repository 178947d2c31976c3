"""One asset's forecast as one JSON document: quantiles by horizon, how the model stood, and the words that code puts under both."""

from typing import Any

from nextbest.charts_page.disclaimer import DISCLAIMER, PAST_PERFORMANCE, check_promises
from nextbest.charts_page.numbers import LANGUAGES
from nextbest.data.prices.steps import step_name
from nextbest.errors import InputError
from nextbest.market.forecast_table import Forecasts, column
from nextbest.market.standing import standing_of
from nextbest.version import __version__

Document = dict[str, Any]


def forecast_document(
    forecasts: Forecasts, asset_id: str, *, board: Document | None, own: bool = False
) -> Document:
    """The document of one asset.

    Parameters
    ----------
    forecasts
        Of `forecast_table`.
    board
        The last leaderboard of the step (`standing.read_leaderboard`), None where there was none.
    own
        Whether the series is somebody's own, so that a tested asset of that name isn't it.

    Raises
    ------
    InputError
        The asset isn't answered; says why.
    """
    rows = forecasts.table.filter(asset_id=asset_id).sort("horizon").to_dicts()
    if not rows:
        raise InputError(
            "asset_id", forecasts.missing.get(asset_id, "is not in the forecasts"), value=asset_id
        )
    standing = standing_of(board, forecasts.model, forecasts.horizons, asset_id=None if own else asset_id)
    bars, close, cutoff = step_name(forecasts.step), rows[0]["close"], forecasts.cutoff.isoformat()
    texts = {
        "en": [
            f"{asset_id}: where the close may be, by {forecasts.model}, from {forecasts.n_bars:,} bars of {bars} up to {cutoff}.",
            "If the model is right, 80 of 100 closes end up between q10 and q90.",
            *standing["texts"]["en"],
        ],
        "ru": [
            f"{asset_id}: где может быть цена закрытия, по модели {forecasts.model}, баров {bars}: {forecasts.n_bars}, последний {cutoff}.",
            "Если модель верна, 80 закрытий из 100 окажутся между q10 и q90.",
            *standing["texts"]["ru"],
        ],
    }
    check_promises(texts)
    notes = []
    if forecasts.calendar_guessed:
        notes.append(
            {
                "en": "The market closes: times follow its last weeks, holidays aren't known.",
                "ru": "Рынок закрывается: время баров взято по последним неделям, праздники не учтены.",
            }
        )
    return {
        "kind": "forecast",
        "asset_id": asset_id,
        "model": forecasts.model,
        "step": bars,
        "cutoff": cutoff,
        "close": close,
        "n_bars": forecasts.n_bars,
        "levels": list(forecasts.levels),
        "forecasts": [
            {
                "horizon": row["horizon"],
                "time": row["time"].isoformat(),
                "q10": row["q10"],
                "q50": row["q50"],
                "q90": row["q90"],
                "mean": row["mean"],
                "quantiles": {f"{level:g}": row[column(level)] for level in forecasts.levels},
            }
            for row in rows
        ],
        "standing": standing,
        "texts": texts,
        "notes": notes,
        "disclaimer": {lang: f"{DISCLAIMER[lang]}. {PAST_PERFORMANCE[lang]}." for lang in LANGUAGES},
        "version": __version__,
    }
