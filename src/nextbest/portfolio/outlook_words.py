"""What a client reads of an outlook, in both languages: what is assumed, what isn't covered and why. Computes nothing."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from nextbest.charts_page.drawing import Words
from nextbest.charts_page.numbers import LANGUAGES, written

REASONS: Mapping[str, Words] = {
    "not_forecast": {"en": "the forecasts don't name it", "ru": "в прогнозах его нет"},
    "from_the_future": {
        "en": "its forecast was made after the day asked about",
        "ru": "прогноз сделан позже дня, о котором спрашивают",
    },
    "stale": {
        "en": "its forecast knows prices up to {cutoff} only, more than {n} days ago",
        "ru": "прогноз знает цены только до {cutoff}, дней с тех пор больше {n}",
    },
    "past": {"en": "every time that was forecast has come", "ru": "все сроки прогноза уже наступили"},
    "old_price": {
        "en": "its last price in the book is of {day}, more than {n} days ago",
        "ru": "последняя известная цена - от {day}, дней с тех пор больше {n}",
    },
    "split": {
        "en": "its pieces were split after the forecast's last price",
        "ru": "бумаги дробились после последней цены, известной прогнозу",
    },
    "no_rate": {
        "en": "there is no rate from {source} to {target}",
        "ru": "нет курса {source} к {target}",
    },
    "other_price": {
        "en": "the forecast speaks of another price ({theirs}, here {ours} {source})",
        "ru": "прогноз говорит о другой цене ({theirs}, здесь {ours} {source})",
    },
}
"""Why an asset that is held has no range, by code."""
_FIRST = 5


def why(code: str, **parts: str | datetime | float) -> Words:
    """A reason with its numbers and days as each language writes them."""
    told: Words = {}
    for language in LANGUAGES:
        shown = {
            name: part
            if isinstance(part, str)
            else when(part)[language]
            if isinstance(part, datetime)
            else written(part, unit="ratio" if isinstance(part, float) else "count", language=language)
            for name, part in parts.items()
        }
        told[language] = REASONS[code][language].format(**shown)
    return told


def when(moment: datetime) -> Words:
    """A moment in UTC; its day alone where it is a midnight.

    >>> from datetime import UTC
    >>> when(datetime(2026, 3, 31, tzinfo=UTC))["ru"], when(datetime(2026, 3, 31, 7, tzinfo=UTC))["en"]
    ('31.03.2026', '2026-03-31 07:00 UTC')
    """
    clock = "" if moment.hour == moment.minute == 0 else f"{moment: %H:%M} UTC"
    return {"en": f"{moment:%Y-%m-%d}{clock}", "ru": f"{moment:%d.%m.%Y}{clock}"}


def standing_words(model: str | None, standing: Words | None) -> Words:
    """Who said it, and how it stood in the tests; that nobody said is told too."""
    name: Words = {"en": "a model that isn't named", "ru": "неназванной модели"}
    if model is not None:
        name = {"en": model, "ru": f"модели {model}"}
    if standing is None:
        return {
            "en": f"The forecasts are those of {name['en']}; how it stood against a random walk isn't told here.",
            "ru": f"Прогнозы {name['ru']}; как она показала себя против случайного блуждания, здесь не сказано.",
        }
    return {
        "en": f"The forecasts are those of {name['en']}: {standing['en']}.",
        "ru": f"Прогнозы {name['ru']}: {standing['ru']}.",
    }


def outlook_texts(
    *,
    who: Words,
    currency: str,
    day: datetime,
    n_told: int,
    n_held: int,
    covered: float | None,
    rest: Sequence[Mapping[str, Any]],
    rates: Mapping[str, float],
    has_cash: bool,
    together: bool,
) -> dict[str, list[str]]:
    """The sentences of an outlook: coverage, then what every number assumes, then what the sum is not."""
    texts: dict[str, list[str]] = {"en": [], "ru": []}

    def say(en: str, ru: str) -> None:
        texts["en"].append(en)
        texts["ru"].append(ru)

    say(who["en"], who["ru"])
    shown = {lang: written(covered, unit="fraction", language=lang) for lang in LANGUAGES}
    say(
        f"They know {n_told} of the {n_held} assets held: {shown['en']} of the portfolio, as of {when(day)['en']}.",
        f"В них есть инструментов: {n_told} из {n_held}; это {shown['ru']} портфеля на {when(day)['ru']}.",
    )
    if rest:
        names = ", ".join(str(row["asset_id"]) for row in rest[:_FIRST]) + (
            ", ..." if len(rest) > _FIRST else ""
        )
        say(
            f"Nothing is said of {names}; the table tells why of each.",
            f"Ничего не сказано о: {names}; причины - в таблице.",
        )  # fmt: skip
    if has_cash:
        say("Cash has no range: it is counted as it is.", "У денег на счёте разброса нет: они учтены как есть.")  # fmt: skip
    if not n_told:
        return texts
    say(
        "If the model is right, 80 of 100 prices end up between q10 and q90; what is held stays as it is, without "
        "dividends, purchases or sales.",
        "Если модель верна, 80 цен из 100 окажутся между q10 и q90; состав остаётся прежним, без дивидендов, покупок "
        "и продаж.",
    )
    for source, rate in sorted(rates.items()):
        en, ru = (written(rate, unit="ratio", language=lang) for lang in LANGUAGES)
        say(
            f"Assumed: 1 {source} = {en} {currency}, the rate of {when(day)['en']}, at every time ahead; rates move too.",
            f"Допущение: 1 {source} = {ru} {currency}, курс на {when(day)['ru']}, и во все сроки; курс тоже меняется.",
        )
    if n_told == 1:  # nothing is summed, and nothing is to be explained
        return texts
    if together:
        say(
            "The sum is of one case alone: all assets end up at the same quantile at once (comonotone), the rest stays as it "
            "is. It is not the portfolio's own quantile: as assets don't move as one, its range is usually narrower.",
            "Сумма - только один случай: все инструменты сразу оказываются на одном и том же квантиле (комонотонно), "
            "остальное не меняется. Это не квантиль портфеля: инструменты движутся не как один, и разброс обычно уже.",
        )
    else:
        say(
            "The portfolio's own range isn't told: the forecasts have no time in common, and quantiles of different "
            "times have no sum.",
            "Разброс всего портфеля не указан: у прогнозов нет общего срока, а квантили разных сроков не складываются.",
        )
    return texts
