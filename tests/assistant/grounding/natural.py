"""True drafts as a talkative model would write them, by hand, none from a template, and the results they are about.

They were written before the rules were tried on them; what grounding wrongly finds in them is its false alarms.
"""

from datetime import date

from nextbest.assistant.base import Figure, ItemFact, Language, ToolResult

YEAR = (date(2025, 11, 21), date(2026, 11, 20))
MONTH_ON = (date(2026, 11, 20), date(2026, 12, 20))


def _figure(
    key: str,
    value: float,
    unit: str,
    ru: str,
    en: str,
    *,
    of: str | None = None,
    period: tuple[date, date] | None = None,
) -> Figure:
    return Figure(key, value, unit, {"ru": ru, "en": en}, period, of)


_SHARES = ItemFact("equity", {"ru": "акции", "en": "shares"}, "allocation")
_BONDS = ItemFact("bond", {"ru": "облигации", "en": "bonds"}, "allocation")
_GAMES = tuple(
    ItemFact(f"g{n}", {"ru": name, "en": name}, reason={"ru": ru, "en": en}, rank=n + 1)
    for n, (name, ru, en) in enumerate((
        ("Hades II", "Потому что вы выбирали «Hades»", "Because you took “Hades”"),
        ("Dead Cells", "Часто берут после «Portal 2»", "Often taken after “Portal 2”"),
        ("Slay the Spire", "Популярно в последнее время", "Popular lately"),
    ))
)  # fmt: skip
RESULTS: dict[str, ToolResult] = {
    "portfolio_metrics": ToolResult(
        "portfolio_metrics", "ok", "portfolio", as_of=YEAR[1], source="book.duckdb",
        figures=(
            _figure("nav", 1234567.8, "RUB", "Стоимость", "Value"),
            _figure("twr", 0.1234, "fraction", "Доходность", "Return", period=YEAR),
            _figure("volatility_ann", 0.151, "fraction", "Волатильность", "Volatility", period=YEAR),
            _figure("max_drawdown", -0.082, "fraction", "Максимальная просадка", "Maximum drawdown", period=YEAR),
            _figure("sharpe", 0.853, "ratio", "Коэффициент Шарпа", "Sharpe ratio", period=YEAR),
        ),
    ),
    "recommend_items": ToolResult("recommend_items", "ok", "shop", items=_GAMES),
    "similar_items": ToolResult("similar_items", "ok", "shop", items=_GAMES[:2]),
    "next_purchases": ToolResult("next_purchases", "ok", "shop", items=_GAMES[:2]),
    "explain_item": ToolResult("explain_item", "ok", "shop", items=_GAMES[:1]),
    "bank_products": ToolResult(
        "bank_products", "ok", "products",
        items=(
            ItemFact("p0", {"ru": "Вклад «Зимний»", "en": "Winter deposit"}, "product", {"ru": "Среди клиентов вашей группы популярнее, чем у остальных", "en": "More popular among clients like you than with others"}),
            ItemFact("p1", {"ru": "Кредитная карта", "en": "Credit card"}, "product", {"ru": "Популярно у наших клиентов", "en": "Popular with our clients"}),
        ),
        figures=(
            _figure("probability", 0.34, "fraction", "вероятность оформить в следующем месяце", "probability of taking it next month", of="p0"),
            _figure("probability", 0.24, "fraction", "вероятность оформить в следующем месяце", "probability of taking it next month", of="p1"),
        ),
    ),
    "portfolio_peers": ToolResult(
        "portfolio_peers", "ok", "portfolio", items=(_SHARES, _BONDS),
        figures=(
            _figure("n_peers", 50, "count", "похожих клиентов, не меньше", "similar clients, at least"),
            _figure("peers_twr", 0.098, "fraction", "медиана доходности похожих клиентов", "median return of similar clients"),
            _figure("own_twr", 0.1234, "fraction", "ваша доходность", "your return"),
            _figure("yours", 0.6, "fraction", "ваша доля", "your share", of="equity"),
            _figure("peers_median", 0.42, "fraction", "медиана похожих клиентов", "median of similar clients", of="equity"),
            _figure("yours", 0.25, "fraction", "ваша доля", "your share", of="bond"),
            _figure("peers_median", 0.37, "fraction", "медиана похожих клиентов", "median of similar clients", of="bond"),
        ),
    ),
    "portfolio_plan": ToolResult(
        "portfolio_plan", "ok", "portfolio", {"goal": "house"}, items=(_SHARES, _BONDS),
        figures=(
            _figure("goal_probability", 0.71, "fraction", "Вероятность достичь цели", "Probability of the goal"),
            _figure("goal_probability_now", 0.55, "fraction", "Вероятность достичь цели при нынешнем распределении", "Probability of the goal as invested now"),
            _figure("required_contribution", 25000, "RUB", "Необходимый ежемесячный взнос", "Required monthly contribution"),
            _figure("horizon", 60, "months", "срок до цели", "time to the goal"),
            _figure("proposal_share", 0.4, "fraction", "доля в распределении", "share in the allocation", of="equity"),
            _figure("proposal_share", 0.6, "fraction", "доля в распределении", "share in the allocation", of="bond"),
        ),
    ),
    "portfolio_tracking": ToolResult(
        "portfolio_tracking", "ok", "portfolio", items=(_SHARES,), as_of=YEAR[1],
        figures=(
            _figure("worth", 910000, "RUB", "стоимость портфеля", "worth of the portfolio"),
            _figure("probability_now", 0.66, "fraction", "вероятность цели сейчас", "probability of the goal now"),
            _figure("probability_then", 0.71, "fraction", "вероятность цели, когда составлялся план", "probability of the goal when the plan was made"),
            _figure("drift", 0.12, "fraction", "отклонение от плана", "drift from the plan", of="equity"),
        ),
    ),
    "market_forecast": ToolResult(
        "market_forecast", "ok", "market", {"asset": "SBER", "horizon_days": 30}, as_of=YEAR[1],
        items=(ItemFact("SBER", {"ru": "SBER", "en": "SBER"}, "asset"),),
        figures=(
            _figure("close", 285.34, "RUB", "последняя цена закрытия", "last close", of="SBER"),
            _figure("low", 262.1, "RUB", "нижняя граница прогноза", "lower bound of the forecast range", of="SBER", period=MONTH_ON),
            _figure("middle", 286.4, "RUB", "середина прогноза", "middle of the forecast", of="SBER", period=MONTH_ON),
            _figure("high", 311.0, "RUB", "верхняя граница прогноза", "upper bound of the forecast range", of="SBER", period=MONTH_ON),
        ),
    ),
}  # fmt: skip
NATURAL: tuple[tuple[str, Language, str], ...] = (
    # metrics: nav 1 234 567,8 RUB; twr 12,34 %; volatility 15,1 %; drawdown -8,2 %; sharpe 0,853; 21.11.2025 - 20.11.2026
    ("portfolio_metrics", "ru", "За последний год ваш портфель прибавил 12,3 %. Волатильность при этом составила 15,1 %, а самая глубокая просадка — 8,2 %."),
    ("portfolio_metrics", "ru", "Если коротко: доходность — 12,3 % за период с 21 ноября 2025 года по 20 ноября 2026 года. Сейчас портфель стоит 1 234 568 рублей."),
    ("portfolio_metrics", "ru", "Добрый день! Сейчас у вас 1,23 млн ₽. Это на 20.11.2026."),
    ("portfolio_metrics", "ru", "Портфель вырос примерно на двенадцать процентов, но в худший момент терял 8,2 %."),
    ("portfolio_metrics", "ru", "Коэффициент Шарпа 0,85 — это отношение доходности к риску. Доходность за год 12,3 %."),
    ("portfolio_metrics", "ru", "Давайте посмотрим на цифры.\n\n- Стоимость: 1 234 568 ₽\n- Доходность: 12,3 %\n- Волатильность: 15,1 %\n\nЕсли нужно, расскажу подробнее."),
    ("portfolio_metrics", "ru", "Стоимость вашего портфеля чуть больше одного миллиона двухсот тридцати четырёх тысяч рублей: 1 234 568 ₽. Доходность составила 12,34 %."),
    ("portfolio_metrics", "ru", "Просадка доходила до 8,2 %, зато итог года положительный: плюс 12,3 %."),
    ("portfolio_metrics", "ru", "Итоги за 12 месяцев: доходность 12 %, волатильность около 15 %. Прошлые результаты ничего не обещают."),
    ("portfolio_metrics", "ru", "Я посчитал: доходность 12,3 %, максимальная просадка −8,2 %. Это не рекомендация."),
    ("portfolio_metrics", "en", "Over the past year your portfolio gained 12.3%. Its volatility was 15.1% and the deepest drawdown 8.2%."),
    ("portfolio_metrics", "en", "Here's a quick summary. Your portfolio is worth ₽1,234,568 as of 20 November 2026. The return was 12.3%."),
    ("portfolio_metrics", "en", "You're up 12.3% for the year. At its worst the portfolio was down 8.2%."),
    ("portfolio_metrics", "en", "The Sharpe ratio stands at 0.85, with a return of 12.34% and volatility of 15.1%."),
    ("portfolio_metrics", "en", "Value: 1.23 million roubles. Return: about twelve percent. Volatility: 15%."),
    ("portfolio_metrics", "en", "From 21 November 2025 to 20 November 2026 the return was 12.3%. Past performance doesn't guarantee anything, of course."),
    ("portfolio_metrics", "en", "Sure! Let me walk you through it:\n1. Value: ₽1,234,568\n2. Return: 12.3%\n3. Volatility: 15.1%"),
    ("portfolio_metrics", "en", "Between 21 November 2025 and 20 November 2026, the maximum drawdown was −8.2%, while the return came to 12.3%."),
    ("portfolio_metrics", "en", "Nothing dramatic happened. The return is 12.3%, which isn't advice to do anything."),
    # recommended(3): Hades II, Dead Cells, Slay the Spire with reasons about Hades, Portal 2, popularity
    ("recommend_items", "ru", "Думаю, вам понравится «Hades II», потому что вы выбирали «Hades». Ещё присмотритесь к «Dead Cells» и «Slay the Spire»."),
    ("recommend_items", "ru", "Hades II — первая в списке: вы выбирали «Hades». Dead Cells часто берут после «Portal 2». А Slay the Spire популярно в последнее время."),
    ("recommend_items", "ru", "Вот три игры для вас: Hades II, Dead Cells и Slay the Spire."),
    ("recommend_items", "ru", "Начните с Hades II. Дальше — Dead Cells: часто берут после «Portal 2». На третьем месте Slay the Spire."),
    ("recommend_items", "ru", "Похоже, вам по душе такие игры.\n\n1. Hades II — потому что вы выбирали «Hades»\n2. Dead Cells — часто берут после «Portal 2»\n3. Slay the Spire — популярно в последнее время\n\nЧто-нибудь из этого уже пробовали?"),
    ("recommend_items", "ru", "Во-первых, Hades II. Во-вторых, Dead Cells. И наконец, Slay the Spire."),
    ("recommend_items", "ru", "Рекомендую Hades II: раз вы выбирали «Hades», она вам подойдёт. Можно взять и Dead Cells, и Slay the Spire."),
    ("recommend_items", "ru", "Из всего каталога больше всего вам подходят Hades II, Dead Cells, Slay the Spire. Приятной игры!"),
    ("recommend_items", "en", "I think you'd enjoy Hades II because you took “Hades”. Dead Cells and Slay the Spire are worth a look too."),
    ("recommend_items", "en", "Here are three picks: Hades II, Dead Cells and Slay the Spire."),
    ("recommend_items", "en", "My first choice for you is Hades II. Dead Cells is often taken after “Portal 2”. Slay the Spire is popular lately."),
    ("recommend_items", "en", "Great question! Based on your history:\n- Hades II: because you took “Hades”\n- Dead Cells: often taken after “Portal 2”\n- Slay the Spire: popular lately"),
    ("recommend_items", "en", "How about Hades II? If that isn't for you, try Dead Cells. Finally, there's Slay the Spire."),
    ("recommend_items", "en", "You might also like these. Hades II comes first, Dead Cells second and Slay the Spire third."),
    ("recommend_items", "en", "Since you took “Hades”, Hades II should feel familiar. Players often move on to Dead Cells and Slay the Spire."),
    # bank(2): Вклад «Зимний» 34 %, Кредитная карта 24 %
    ("bank_products", "ru", "Больше всего вам может подойти вклад «Зимний»: вероятность оформления 34 %. Для кредитной карты она ниже, 24 %."),
    ("bank_products", "ru", "Посмотрите на вклад «Зимний» (34 %) и кредитную карту (24 %)."),
    ("bank_products", "ru", "О вкладе «Зимний»: среди клиентов вашей группы популярнее, чем у остальных. Кредитная карта популярна у наших клиентов."),
    ("bank_products", "ru", "Два варианта: Вклад «Зимний» и Кредитная карта."),
    ("bank_products", "en", "The Winter deposit suits you best, with a probability of 34%. The Credit card follows with 24%."),
    ("bank_products", "en", "Two products stand out: Winter deposit and Credit card."),
    ("bank_products", "en", "Winter deposit is more popular among clients like you than with others. Credit card is popular with our clients."),
    # peers: 50 clients at least, their median return 9,8 %, own 12,34 %
    ("portfolio_peers", "ru", "Ваша доходность 12,3 %, а у похожих клиентов медиана 9,8 %. Похожих клиентов — 50."),
    ("portfolio_peers", "ru", "У похожих на вас клиентов доходность 9,8 % (медиана), у вас 12,3 %. Больше всего различаются акции и облигации."),
    ("portfolio_peers", "en", "Your return is 12.3%, while the median of similar clients is 9.8%. There are 50 similar clients."),
    ("portfolio_peers", "en", "Compared with 50 similar clients: you made 12.3%, they made 9.8% in the median. Shares and bonds are where you differ."),
    # plan: 71 %, as now 55 %, 25 000 a month, 60 months; shares 40 %, bonds 60 %
    ("portfolio_plan", "ru", "Вероятность достичь цели 71 %. При нынешнем распределении — 55 %. Необходимый взнос — 25 000 ₽ в месяц, акции и облигации — 40 % и 60 %."),
    ("portfolio_plan", "ru", "Если взять 40 % акций и 60 % облигаций, вероятность достичь цели — 71 %, а срок до неё — пять лет."),
    ("portfolio_plan", "ru", "До цели 60 месяцев. Вероятность достичь её — 71 %; акции занимают 40 %, облигации 60 %."),
    ("portfolio_plan", "en", "The probability of the goal is 71%, against 55% as invested now. The required monthly contribution is ₽25,000. That is with shares at 40% and bonds at 60%."),
    ("portfolio_plan", "en", "With 40% in shares and 60% in bonds, the probability of the goal is 71%. You have five years to go."),
    # forecast: SBER last 285,34; 262,1 - 311 by 20.12.2026, middle 286,4
    ("market_forecast", "ru", "Последняя цена SBER — 285,34 ₽. К 20 декабря 2026 года модель ждёт от 262,1 до 311 ₽, в середине 286,4 ₽."),
    ("market_forecast", "ru", "Через 30 дней цена SBER, скорее всего, будет между 262,10 ₽ и 311 ₽. Точнее сказать нельзя: модель не лучше случайного блуждания."),
    ("market_forecast", "en", "SBER last traded at ₽285.34. By 20 December 2026 the model sees it between ₽262.10 and ₽311, with ₽286.40 in the middle."),
    ("market_forecast", "en", "In 30 days SBER could be anywhere from ₽262.10 to ₽311. Nobody can promise more than that."),
    # tracking: worth 910 000, probability 66 % against 71 %, drift of shares 12 points
    ("portfolio_tracking", "ru", "Портфель стоит 910 000 ₽, вероятность цели сейчас 66 %. Акции отклонились от плана на 12 п.п."),
    ("portfolio_tracking", "ru", "Сейчас у вас 910 тысяч рублей. Вероятность цели снизилась: была 71 %, сейчас 66 %. Акции ушли от плана на 12 процентных пунктов."),
    ("portfolio_tracking", "en", "Your portfolio is worth ₽910,000 and the probability of the goal is 66% now. Shares have drifted from the plan by 12 percentage points."),
    ("portfolio_tracking", "en", "The worth of the portfolio: ₽910,000. When the plan was made the probability of the goal was 71%; now it is 66%. Shares are 12% off the plan."),
    ("similar_items", "ru", "На неё похожи Hades II и Dead Cells."),
    ("similar_items", "en", "The closest ones are Hades II and Dead Cells."),
    ("next_purchases", "ru", "Скорее всего, следующими будут Hades II и Dead Cells."),
    ("next_purchases", "en", "Your next ones will most likely be Hades II and Dead Cells."),
    ("explain_item", "ru", "Hades II здесь потому, что вы выбирали «Hades»."),
    ("explain_item", "en", "Hades II is there because you took “Hades”."),
)  # fmt: skip
