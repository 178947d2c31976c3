"""What a break of a panel means for a model, in English and Russian. Computes nothing."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nextbest.data.panel.breaks import Break


def words_of(b: "Break", lang: str) -> str:
    """One break in words."""
    return (_russian if lang == "ru" else _english)(b)


def breaks_in_words(breaks: Sequence["Break"], lang: str = "en") -> list[str]:
    """All breaks, a line each, the month first; prevalences that moved with the crowd share one line."""
    lines: list[str] = []
    told: set[tuple[object, str]] = set()
    for b in breaks:
        if not b.is_mix:
            lines.append(f"{b.month:%Y-%m}: {words_of(b, lang)}")
            continue
        mixed = [other for other in breaks if other.month == b.month and other.is_mix]
        if len(mixed) == 1:
            lines.append(f"{b.month:%Y-%m}: {words_of(b, lang)}")
        elif (b.month, "mix") not in told:
            told.add((b.month, "mix"))
            lines.append(f"{b.month:%Y-%m}: {_of_a_crowd(mixed, lang)}")
    return lines


def _of_a_crowd(mixed: Sequence["Break"], lang: str) -> str:
    moves = ", ".join(f"{b.column} {b.before:.3f} -> {b.after:.3f}" for b in mixed)
    if lang == "ru":
        return (
            f"доли владельцев {len(mixed)} продуктов меняются из-за состава клиентов, у оставшихся они почти прежние: "
            f"{moves}. Учиться здесь нечему."
        )
    return (
        f"prevalences of {len(mixed)} products jump because of who came or left, among clients present in both months "
        f"they hardly move: {moves}. No change of behaviour to learn from."
    )


def _english(b: "Break") -> str:
    lasts = "" if b.kind == "level" else " for a short while"
    if b.what == "rows":
        change = f"rows go from {b.before:,.0f} to {b.after:,.0f} ({b.after / b.before - 1:+.1%}){lasts} (z {b.z:g})"
        if b.after < b.before:
            return (
                f"{change}: clients vanish. Check that the month is complete: who is absent can neither add nor "
                "hold, so a model learns departures that didn't happen."
            )
        known = (
            "" if b.arrived_months is None else f", they joined {b.arrived_months:.0f} months before (median)"
        )
        if not b.is_late_sight:
            return (
                f"{change}: {b.arrived:,} clients appear, {b.arrived_empty:.0%} of them without any product{known}. "
                "A new crowd (a campaign, a merger, another source): nothing of it is in the months before, so check "
                "the model on it apart."
            )
        return (
            f"{change}: {b.arrived:,} clients appear, {b.arrived_empty:.0%} of them without any product{known}. "
            "They are first seen, not new: they can't add in this month, their lags are unknown rather than zero, "
            "and shares before and after are of different crowds. Train on later months or tell the model how long a "
            "client is in the panel; a drift monitor must compare with a month after this one."
        )
    shares = f"from {b.before:.4f} to {b.after:.4f}{lasts} (z {b.z:g})"
    if b.what == "missing":
        return (
            f"missing rate of {b.column} goes {shares}: the column's source changed. Its missingness is a calendar, "
            "not a client's trait: keep an imputed flag out of the model or train on one side of the break."
        )
    if b.is_mix:
        return (
            f"prevalence of {b.column} goes {shares} because of who came or left: among clients present in both months "
            f"it went from {b.stayers_before:.4f} to {b.stayers_after:.4f}. No change of behaviour to learn from."
        )
    return (
        f"prevalence of {b.column} goes {shares}: clients' holdings changed (a launch, a closing, a new rule). Months "
        "before it say little about additions after it."
    )


def _whole(value: float) -> str:
    """A count as Russian writes it, thousands apart."""
    return f"{value:,.0f}".replace(",", "\N{NO-BREAK SPACE}")


def _russian(b: "Break") -> str:
    lasts = "" if b.kind == "level" else " ненадолго"
    if b.what == "rows":
        change = f"число строк меняется с {_whole(b.before)} на {_whole(b.after)} ({b.after / b.before - 1:+.1%}){lasts} (z {b.z:g})"
        if b.after < b.before:
            return (
                f"{change}: клиенты исчезли. Проверьте, полон ли месяц: отсутствующий ничего не может ни взять, ни "
                "иметь, и модель выучит уходы, которых не было."
            )
        known = "" if b.arrived_months is None else f", в банке они уже {b.arrived_months:.0f} мес. (медиана)"
        if not b.is_late_sight:
            return (
                f"{change}: появились {_whole(b.arrived)} клиентов, {b.arrived_empty:.0%} из них без единого продукта{known}. "
                "Это новые люди (кампания, слияние, другой источник): прежние месяцы о них не знают, проверяйте модель "
                "на них отдельно."
            )
        return (
            f"{change}: появились {_whole(b.arrived)} клиентов, {b.arrived_empty:.0%} из них без единого продукта{known}. "
            "Они впервые видны, но не новы: в этом месяце они ничего не могут добавить, их прошлое неизвестно, а не "
            "равно нулю, и доли до и после относятся к разным людям. Учите на более поздних месяцах или дайте модели "
            "срок присутствия в панели; мониторинг дрейфа должен сравнивать с месяцем после разрыва."
        )
    shares = f"с {b.before:.4f} на {b.after:.4f}{lasts} (z {b.z:g})"
    if b.what == "missing":
        return (
            f"доля пропусков {b.column} меняется {shares}: у столбца сменился источник. Пропуск здесь - календарь, а не "
            "свойство клиента: не давайте модели признак заполнения или учите по одну сторону разрыва."
        )
    if b.is_mix:
        return (
            f"доля владельцев {b.column} меняется {shares} из-за состава клиентов: у тех, кто есть в обоих месяцах, она "
            f"изменилась с {b.stayers_before:.4f} на {b.stayers_after:.4f}. Поведение прежнее."
        )
    return (
        f"доля владельцев {b.column} меняется {shares}: изменились сами портфели (запуск, закрытие, новое правило). "
        "Месяцы до этого мало говорят о добавлениях после."
    )
