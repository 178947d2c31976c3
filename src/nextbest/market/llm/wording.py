"""What a comparison says, in a sentence or three a person can act on, in two languages."""

from datetime import date
from typing import TYPE_CHECKING

from nextbest.evaluation.forecast.dm import DM, diebold_mariano
from nextbest.market.llm.judging import AFTER, PERSISTENCE, PRIOR, REGRESSION, Row

if TYPE_CHECKING:
    from nextbest.market.llm.before_and_after import Comparison

SIGNIFICANT = 0.05


def sentences(comparison: "Comparison") -> dict[str, str]:
    """Whether it helped: against the class prior, against what recent volatility says, and was it the pretraining."""
    by_name = {row.name: row for row in comparison.rows if row.period == AFTER}
    mine = by_name.get(comparison.chosen)
    if mine is None:
        return {
            "en": f"Every origin lies before the day until which the model may have read ({_day(comparison)[0]}): nothing can be said of whether it helps.",
            "ru": f"Все моменты прогноза не позже дня, до которого модель могла читать ({_day(comparison)[1]}): сказать, помогает ли она, нельзя.",
        }
    en, ru = [], []
    won = _is_better(mine.against_prior)
    what = f"{comparison.chosen}: log-loss {mine.log_loss:.4f}"
    prior = f"{by_name[PRIOR].log_loss:.4f}, DM p {_p(mine.against_prior)}"
    en.append(
        f"{what} against the class prior's {prior}: {'better' if won else 'no evidence that it helps'}."
    )
    ru.append(
        f"{what}, у частот классов {prior}: {'лучше' if won else 'нет свидетельств, что модель помогает'}."
    )
    beaten = []
    for name, dm, words in (
        (PERSISTENCE, mine.against_last_class, ("the last class", "последнего класса")),
        (REGRESSION, mine.against_regression, ("a regression on recent volatility", "регрессии на недавнюю волатильность")),
    ):  # fmt: skip
        beaten.append(_is_better(dm))
        verdict = _told(dm)
        en.append(
            f"Against {words[0]} ({by_name[name].log_loss:.4f}, DM p {_p(dm)}), which needs no language model: {verdict[0]}."
        )
        ru.append(
            f"Против {words[1]} ({by_name[name].log_loss:.4f}, DM p {_p(dm)}), без языковой модели: {verdict[1]}."
        )
    needs_reading = True
    for control, words in (
        ("zero-shot", ("the same model before its training", "той же модели до обучения")),
        ("from scratch", ("the same shape taught from scratch", "той же модели, обученной с нуля")),
        ("shuffled", ("the same weights shuffled", "перемешанных весов")),
    ):
        row = next((row for name, row in by_name.items() if name.startswith(control)), None)
        if row is not None:
            dm = _after(comparison, comparison.chosen, row.name)
            needs_reading &= control == "zero-shot" or _is_better(dm)
            verdict = _told(dm)
            en.append(f"Against {words[0]} ({row.log_loss:.4f}, DM p {_p(dm)}): {verdict[0]}.")
            ru.append(f"Против {words[1]} ({row.log_loss:.4f}, DM p {_p(dm)}): {verdict[1]}.")
    if won and all(beaten):
        en.append(
            "The fine-tuned language model helped"
            + ("." if needs_reading else ", but not because of what it had read before.")
        )
        ru.append(
            "Дообученная языковая модель помогла"
            + ("." if needs_reading else ", но не благодаря прочитанному раньше.")
        )
    else:
        en.append("The fine-tuned language model did not help beyond what is free.")
        ru.append("Дообученная языковая модель не дала ничего сверх того, что доступно и без неё.")
    return {"en": " ".join(en), "ru": " ".join(ru)}


def table(comparison: "Comparison") -> list[str]:
    """The rows for people, a line each, in the order in which they were asked; fixed width."""
    head = f"{'':<34}{'log-loss':>9}{'raw':>8}{'Brier':>8}{'hits':>7}{'DM p prior':>12}{'last':>8}{'regr.':>8}  95 % above the prior"
    lines = []
    for period in dict.fromkeys(row.period for row in comparison.rows):
        some = [row for row in comparison.rows if row.period == period]
        lines += [f"{period}: {some[0].n_dates} dates, {some[0].n_questions} questions", head]
        lines += [_line(row) for row in some]
    return lines


def _line(row: "Row") -> str:
    raw = "-" if row.log_loss_raw is None else f"{row.log_loss_raw:.3f}"
    between = "" if row.interval is None else f"{row.interval[0]:+.4f} to {row.interval[1]:+.4f}"
    dms = [_signed(dm) for dm in (row.against_prior, row.against_last_class, row.against_regression)]
    return (
        f"{row.name:<34}{row.log_loss:>9.4f}{raw:>8}{row.brier:>8.4f}{row.accuracy:>7.3f}"
        f"{dms[0]:>12}{dms[1]:>8}{dms[2]:>8}  {between}"
    )


def _signed(dm: DM | None) -> str:
    """p, with the sign of t: minus = less loss."""
    return "-" if dm is None or dm.p is None or dm.t is None else f"{'-' if dm.t < 0 else '+'}{dm.p:.3f}"


def _told(dm: DM | None) -> tuple[str, str]:
    if _is_better(dm):
        return "better", "лучше"
    return ("worse", "хуже") if _is_worse(dm) else ("not told apart", "разница не доказана")


def _after(comparison: "Comparison", one: str, other: str) -> DM:
    """Two rows' log-losses after the cut-off; negative: `one` is better."""
    is_after = [not seen for seen in comparison.is_seen]
    mine, theirs = (
        [loss for loss, after in zip(comparison.loss[name], is_after, strict=True) if after]
        for name in (one, other)
    )
    return diebold_mariano(mine, theirs, comparison.overlapping)


def _is_better(dm: DM | None) -> bool:
    return dm is not None and dm.p is not None and dm.t is not None and dm.p < SIGNIFICANT and dm.t < 0


def _is_worse(dm: DM | None) -> bool:
    return dm is not None and dm.p is not None and dm.t is not None and dm.p < SIGNIFICANT and dm.t > 0


def _p(dm: DM | None) -> str:
    return "-" if dm is None or dm.p is None else f"{dm.p:.3f}"


def _day(comparison: "Comparison") -> tuple[str, str]:
    day = comparison.seen_until
    return ("nobody says when", "никто не сказал") if day in (None, date.max) else (str(day), str(day))
