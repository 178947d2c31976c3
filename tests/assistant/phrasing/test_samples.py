"""Thirty answers as they are sent, to be read by a person; a change of a wording shows here."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from assistant.phrasing import results as made
from nextbest.assistant.base import Intent, Language, Slots, ToolResult
from nextbest.assistant.phrasing.phrasebook import Phrasebook
from nextbest.assistant.phrasing.rendering import plain

BOOK = Phrasebook()
RU_END = "\n\nНе является индивидуальной инвестиционной рекомендацией."
EN_END = "\n\nThis is not an individual investment recommendation."
SAMPLES: tuple[tuple[Intent, Language, int, Slots, Sequence[ToolResult], str], ...] = (
    ("recommend", "ru", 0, Slots(), [made.recommended(1)],
     "Вам может подойти «Hades II», потому что вы выбирали «Hades»."),
    ("recommend", "ru", 1, Slots(), [made.recommended(2)],
     "Вот два варианта: «Hades II» (потому что вы выбирали «Hades») и «Dead Cells» (часто берут после «Portal 2»)."),
    ("recommend", "ru", 1, Slots(), [made.recommended(3)],
     "Прежде всего «Hades II» (потому что вы выбирали «Hades»). Ещё могут подойти «Dead Cells» (часто берут после «Portal 2») и «Slay the Spire» (популярно в последнее время)."),
    ("recommend", "en", 0, Slots(), [made.recommended(3)],
     "You may like “Hades II” (because you took “Hades”), “Dead Cells” (often taken after “Portal 2”) and “Slay the Spire” (popular lately)."),
    ("recommend", "ru", 0, Slots(rejects=True), [made.recommended(4)],
     ("Хорошо, без этого. Вот четыре варианта:\n"
     "1. «Hades II», потому что вы выбирали «Hades»\n"
     "2. «Dead Cells»: часто берут после «Portal 2»\n"
     "3. «Slay the Spire»: популярно в последнее время\n"
     "4. «Risk of Rain»: подобрано по вашей истории")),
    ("recommend", "en", 2, Slots(k=7, cheaper=True), [made.recommended(5)],
     ("All right, something cheaper. These may suit you:\n"
     "1. “Hades II” because you took “Hades”\n"
     "2. “Dead Cells”: often taken after “Portal 2”\n"
     "3. “Slay the Spire”: popular lately\n"
     "4. “Risk of Rain”: chosen by your history\n"
     "5. “Cult of the Lamb” because you took “Hades”\n"
     "Nothing else fits.")),
    ("recommend", "ru", 0, Slots(), [made.recommended(3, items=made.games(3, reason=0))],
     "Вам могут подойти «Hades II», «Dead Cells» и «Slay the Spire», потому что вы выбирали «Hades»."),
    ("recommend", "en", 0, Slots(), [made.recommended(3, items=made.games(3, reason=2))],
     "Popular lately: “Hades II”, “Dead Cells” and “Slay the Spire”."),
    ("similar", "ru", 0, made.similar()[0].slots, [made.similar(2)[1]],
     "На «Hades» похожи «Hades II» (потому что вы выбирали «Hades») и «Dead Cells» (часто берут после «Portal 2»)."),
    ("similar", "en", 1, made.similar()[0].slots, [made.similar(1)[1]],
     "Similar to “Hades”: “Hades II” (because you took “Hades”)."),
    ("next_purchase", "ru", 0, Slots(), [made.recommended(2, tool="next_purchases", arguments={"horizon_days": 30})],
     "В ближайший месяц вам могут понадобиться «Hades II» (потому что вы выбирали «Hades») и «Dead Cells» (часто берут после «Portal 2»)."),
    ("next_purchase", "en", 1, Slots(), [made.recommended(3, tool="next_purchases")],
     "Next time the likeliest purchase is “Hades II” (because you took “Hades”), followed by “Dead Cells” (often taken after “Portal 2”) and “Slay the Spire” (popular lately)."),
    ("bank_product", "ru", 0, Slots(), [made.bank(1)],
     "Вам может подойти вклад «Зимний» (вероятность оформления 34 %): среди клиентов вашей группы популярнее, чем у остальных."),
    ("bank_product", "en", 0, Slots(), [made.bank(2)],
     "“Winter deposit” (probability of taking it 34%; more popular among clients like you than with others) and “Credit card” (24%; popular with our clients) may suit you."),
    ("bank_product", "ru", 0, Slots(), [replace(made.bank(1), arguments={"client": "15889"})],
     "Клиенту 15889 может подойти вклад «Зимний» (вероятность оформления 34 %): среди клиентов вашей группы популярнее, чем у остальных."),
    ("bank_product", "ru", 0, Slots(), [made.passages(1)],
     "В документе «Тарифы, часть а» сказано: «Обслуживание карты бесплатно при остатке на счёте»."),
    ("explain", "ru", 0, Slots(), [made.explained()],
     "Почему «Hades II»? Потому что вы выбирали «Hades»."),
    ("explain", "en", 1, Slots(), [made.explained(reason=2, text="A roguelike with a story.")],
     "Why “Hades II”? The answer is this: popular lately. From its description: “A roguelike with a story”."),
    ("portfolio", "ru", 0, Slots(), [made.metrics()],
     "Ваш портфель стоит 1 234 568 ₽. За 12 месяцев до 20 ноября 2026 он принёс 12,3 %. У него волатильность 15,1 % годовых, самое глубокое падение 8,2 % и коэффициент Шарпа 0,85. Рассчитано по сделкам и ценам портфеля." + RU_END),
    ("portfolio", "en", 1, Slots(), [made.metrics(twr=-0.032, n_more=5)],
     "The value of your portfolio: ₽1,234,568. It lost 3.2% over the 12 months to 20 November 2026.\n"
     "Also:\n"
     "- a volatility of 15.1% a year\n"
     "- a deepest fall of 8.2%\n"
     "- a Sharpe ratio of 0.85\n"
     "- share of winning periods: 54%\n"
     "- longest time under water: 41 days\n"
     "Worked out from the trades and prices of the portfolio." + EN_END),
    ("portfolio", "ru", 0, Slots(), [made.composition(2)],
     "Ваш портфель стоит 1 234 568 ₽. За 12 месяцев до 20 ноября 2026 он принёс 12,3 %. У него волатильность 15,1 % годовых. Состав вашего портфеля: акции (55 %; 550 000 ₽) и облигации (40 %; 400 000 ₽). Самые крупные вложения: SBER (прибыль 15 000 ₽) и GAZP (убыток 2 400 ₽). Рассчитано по сделкам и ценам портфеля." + RU_END),
    ("peers", "ru", 0, Slots(), [made.peers()],
     "Похожих клиентов нашлось не меньше 50. В сравнении с похожими клиентами: медиана доходности похожих клиентов 9,8 % и медиана самой глубокой просадки похожих клиентов -12 %.\n"
     "По классам:\n"
     "- акции: у вас 60 %, у похожих клиентов обычно 42 %, у многих от 31 % до 55 %\n"
     "- облигации: у вас 60 %, у похожих клиентов обычно 42 %\n"
     "Рассчитано по обобщённым данным клиентов на 20 ноября 2026." + RU_END),
    ("plan", "ru", 0, Slots(), [made.plan()],
     "Вероятность накопить на жильё по расчёту 71 %, при нынешнем распределении 55 %. В расчёте цель 3 000 000 ₽, срок 5 лет, накоплено 910 000 ₽ и взнос 20 000 ₽ в месяц. Для вероятности 80 % необходимый взнос 25 000 ₽ в месяц. По расчёту средняя нехватка 312 000 ₽. Как менялась бы вероятность: если вносить в месяц на 5 000 ₽ больше, 79 %; если копить на 12 месяцев дольше, 83 %. Распределение в этом расчёте: акции 40 % и облигации 30 % (сейчас 35 %). Рассчитано по сделкам и ценам портфеля на 20 ноября 2026." + RU_END),
    ("plan", "en", 1, Slots(goal="car"), [replace(made.plan(now=False), arguments={})],
     "The calculated probability of saving for the car is 71%. It starts from a target of ₽3,000,000, a time of 5 years, savings of ₽910,000 and a contribution of ₽20,000 a month. A probability of 80% takes ₽25,000 a month by the calculation. The calculation also shows a mean shortfall of ₽312,000. The probability would be different: 79% with ₽5,000 more a month; 83% with 12 months more time. The calculation is for this allocation: shares 40% and bonds 30% (now 35%). Worked out from the trades and prices of the portfolio as of 20 November 2026." + EN_END),
    ("plan", "en", 0, Slots(), [made.tracking()],
     ("The portfolio is worth ₽910,000 as of 20 November 2026; the plan expected about ₽934,000. The probability of the goal is now 66%; it was 71% when the plan was made. While tracked from 3 March 2025 to 20 November 2026: a return of 4.2% and a deepest fall of 3.1%.\n"
     "Shares by class:\n"
     "- shares: now 52%, planned 40%\n"
     "- bonds: now 42%, planned 30%\n"
     "Worked out from the trades and prices of the portfolio.\n"
     "\n"
     "Shares have drifted far from the plan.\n"
     "This is not an individual investment recommendation.")),
    ("forecast", "ru", 0, Slots(), [made.forecast()],
     "Последняя цена 285,34 ₽ на 20 ноября 2026. К 20 декабря 2026 цена SBER может оказаться между 262,10 ₽ и 311,00 ₽, середина диапазона 286,40 ₽. Если модель верна, вероятность остаться в этих границах 80 %. Как модель показала себя на истории: не лучше случайного блуждания. Модель: «blend»." + RU_END),
    ("forecast", "en", 1, Slots(), [made.ranges(2)],
     "The ranges for SBER:\n"
     "- by 20 December 2026: ₽262.10 to ₽311.00, with ₽286.40 in the middle\n"
     "- by 21 December 2026: ₽263.10 to ₽312.00, with ₽287.40 in the middle\n"
     "Tests on history say of the model: not better than a random walk.\n"
     "Model: “blend”, data as of 20 November 2026." + EN_END),
    ("forecast", "ru", 0, Slots(), [made.forecast(bounds=False, standing=False)],
     "Диапазон для SBER не рассчитан, а называть одно число без диапазона было бы нечестно. Насколько модели можно верить, здесь не проверялось. Модель: «blend», данные на 20 ноября 2026." + RU_END),
    ("portfolio", "ru", 0, Slots(), [ToolResult("portfolio_metrics", "refused", "portfolio", code="not_yours")],
     "Показать можно только ваши собственные данные."),
    ("similar", "en", 1, Slots(), [ToolResult("similar_items", "no_data", "shop", code="unknown_item")],
     "There is nothing like that in the catalogue. You can name another item."),
    ("forecast", "en", 0, Slots(), [ToolResult("market_forecast", "failed", "market", code="busy")],
     "That couldn't be worked out just now. Please try again a little later."),
    ("small_talk", "ru", 0, Slots(), [],
     "Понимаю. Если захотите, могу подобрать товары и продукты банка, рассказать о вашем портфеле, показать прогноз цены или найти ответ в документах."),
    ("off_topic", "ru", 1, Slots(), [],
     "Это не по моей части. Спросите меня о товарах, о продуктах банка, о портфеле, о прогнозе цены или об условиях и правилах."),
)  # fmt: skip


@pytest.mark.parametrize(("intent", "language", "variant", "slots", "results", "told"), SAMPLES)
def test_an_answer_reads(
    intent: Intent, language: Language, variant: int, slots: Slots, results: Sequence[ToolResult], told: str
) -> None:
    assert plain(BOOK.write(made.asked(intent, language, slots=slots), results, variant=variant)) == told
