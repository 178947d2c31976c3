"""Russian of what the rooms say in English: how a figure is computed, what was assumed, why a part is missing.

Rooms speak English where they compute; a client reads both. A sentence is found by its pattern, numbers and days in it
are written the Russian way. Knows words, computes nothing.
"""

import re
from collections.abc import Mapping

_METHODS: Mapping[str, str] = {
    "linked returns between valuations, gaps included": "доходности между оценками перемножены, с перерывами торгов",
    "of the whole period, not annualised": "за весь период, не в годовых",
    "years are calendar days / 365.25 (periods / periods a year without a calendar)": "годы - календарные дни / 365,25 (без календаря - число периодов / периодов в году)",
    "never under a year": "для срока меньше года не считается",
    "arithmetic, not compounded: the numerator of Sharpe, above the growth by half the variance": "среднее арифметическое, без сложного процента: числитель коэффициента Шарпа, выше роста на половину дисперсии",
    "zero is no win": "ноль не считается выигрышем",
    "one period of the series (a day)": "один период ряда (день)",
    "calendar months, gaps included": "календарные месяцы, с перерывами торгов",
    "the first and last may be incomplete": "первый и последний могут быть неполными",
    "the client's own flows from the first on, fees in, and the last day's value back": "пополнения и выводы клиента с первого дня, с комиссиями, и стоимость последнего дня в конце",
    "from the end of the first day as TWR, flows weighted by the share of days they were invested": "с конца первого дня, как TWR; потоки взвешены долей дней, на которые были вложены",
    "not annualised": "не в годовых",
    "over the whole period, not annualised": "за весь период, не в годовых",
    "ACT/365F": "ACT/365F",
    "of several roots the one where the present value falls, nearest to zero in ln(1 + rate)": "из нескольких корней тот, где приведённая стоимость убывает, ближайший к нулю по ln(1 + ставка)",
    "ACT/365F from the first flow": "ACT/365F от первого потока",
    "all roots are told, the primary one is where the present value falls, nearest to zero in ln(1 + rate)": "указаны все корни, главный - где приведённая стоимость убывает, ближайший к нулю по ln(1 + ставка)",
    "capital is net money paid in, averaged over days on which it is above zero": "капитал - внесённые деньги за вычетом выведенных, в среднем по дням, когда они больше нуля",
    "before tax": "до налогов",
    "simple returns": "простые доходности",
    "log returns": "логарифмические доходности",
    "below the risk-free return of a period": "ниже безрисковой ставки периода",
    "the mean is over all observations, not over losses only": "среднее по всем наблюдениям, а не только по потерям",
    "of one period, not annualised": "за один период, не в годовых",
    "arithmetic mean and standard deviation (ddof 1) of one period, times the root of periods a year": "среднее арифметическое и стандартное отклонение (ddof 1) одного периода, умножено на корень из числа периодов в году",
    "downside deviation over all observations, below the risk-free return": "отклонение вниз по всем наблюдениям, ниже безрисковой ставки",
    "threshold is the risk-free return of a period": "порог - безрисковая ставка периода",
    "threshold is the risk-free return": "порог - безрисковая ставка",
    "of one period, over all observations": "за один период, по всем наблюдениям",
    "of one period, over all observations, as a positive size": "за один период, по всем наблюдениям, как положительная величина",
    "of one period": "за один период",
    "of the periods given, not of months": "по заданным периодам, а не по месяцам",
    "threshold zero": "порог - ноль",
    "quantiles linear between order statistics (type 7)": "квантили линейны между порядковыми статистиками (тип 7)",
    "population moments (g1)": "моменты генеральной совокупности (g1)",
    "population moments (g2), 0 for a normal law": "моменты генеральной совокупности (g2), 0 для нормального закона",
    "empirical quantile, linear between order statistics (type 7)": "эмпирический квантиль, линейный между порядковыми статистиками (тип 7)",
    "a return: losses are negative": "это доходность: потери отрицательны",
    "as if returns were normal": "как если бы доходности были нормальны",
    "population moments": "моменты генеральной совокупности",
    "null where the expansion falls in the tail": "нет значения, где разложение убывает в хвосте",
    "the mean of the Cornish-Fisher quantile over the tail": "среднее квантиля Корниша-Фишера по хвосту",
    "null where that falls": "нет значения, где он убывает",
    "over all observations, gaps included": "по всем наблюдениям, с перерывами торгов",
    "the base before the first return is the first peak": "первый максимум - уровень до первой доходности",
    "in [-1, 0]": "от -1 до 0",
    "recovered or not": "восстановилась или нет",
    "not that of the deepest fall": "не самой глубокой просадки",
    "recovered, or until the last day": "до восстановления или до последнего дня",
    "one depth an episode, however long": "одна глубина на эпизод любой длины",
    "the last one counts unrecovered": "последний считается и без восстановления",
    "0 without any": "0, если не было ни одного",
    "of the series of drawdowns, not of episodes": "по ряду просадок, а не по эпизодам",
    "whole history, not the last three years": "за всю историю, а не за последние три года",
    "no risk-free return": "без безрисковой ставки",
    "annual growth, annual risk-free return": "годовой рост, годовая безрисковая ставка",
    "all episodes, one depth each": "все эпизоды, по одной глубине",
    "not divided by their number": "без деления на их число",
    "least squares of r - rf on b - rf": "наименьшие квадраты r - rf по b - rf",
    "over periods that both have": "по периодам, которые есть у обоих",
    "arithmetic means": "средние арифметические",
    "compounded growth of both": "рост обоих со сложным процентом",
    "the benchmark must have every period": "у эталона должен быть каждый период",
    "of arithmetic differences": "по арифметическим разностям",
    "arithmetic difference of compounded growth": "арифметическая разность роста со сложным процентом",
    "annual growth": "годовой рост",
    "null unless beta is above zero": "нет значения, если бета не больше нуля",
    "the portfolio's annual growth at the benchmark's risk": "годовой рост портфеля при риске эталона",
    "return of one period": "доходность одного периода",
    "below 1 is good": "меньше 1 - хорошо",
    "equal is not better": "равенство не считается превышением",
    "on the last valued day": "на последний день с оценкой",
    "cash is a holding": "деньги - тоже позиция",
    "a debt isn't": "долг - нет",
    "1 = one holding": "1 = одна позиция",
    "below zero for a debt": "меньше нуля при долге",
    "at trade prices": "по ценам сделок",
    "all shares in details": "все доли - в details",
    "the one largest in size, of the whole period, fees off": "наибольший по величине, за весь период, за вычетом комиссий",
    "all in details, cash among them: their sum is the gain": "все - в details, вместе с деньгами: их сумма и есть результат",
}  # fmt: skip
"""Parts of `Spec.convention`, which semicolons separate."""

_PATTERNS: tuple[tuple[str, str], ...] = (
    # what a figure was computed with
    (r"(.+) periods a year", r"\1 периодов в году"),
    (r"risk-free (.+) a year", r"безрисковая ставка \1 в год"),
    (r"external flows at the start of their day", "внешние потоки - в начале своего дня"),
    (r"external flows at the end of their day", "внешние потоки - в конце своего дня"),
    (r"(\d+) return\(s\) over a gap of the calendar left out", r"не вошли доходности за перерыв торгов: \1"),
    (r"(.+) futures, (\d+) months, inflation (.+), fee (.+), seed (\d+)", r"смоделировано случаев: \1, месяцев: \2, инфляция \3, комиссия \4, зерно \5"),
    (r"(\d+) day", r"\1 день"),
    (r"(\d+) months", r"\1 мес."),
    # what a valuation notes
    (r"on (\d+) day\(s\) a last price stands in, at most (\d+) day\(s\) old: (.+)", r"последняя цена заменяет недостающую, дней: \1, давность не больше \2 дн.: \3"),
    (r"(\d+) day\(s\) are no observation, a held asset has had no price for too long, or the exchange is closed", r"без наблюдения, дней: \1: у позиции слишком долго нет цены или биржа закрыта"),
    (r"on (\d+) day\(s\) the balance is below zero, (.+) at the least", r"остаток меньше нуля, дней: \1, наименьший \2"),
    (r"no trading from (.+) to (.+), (\d+) days", r"торгов не было с \1 по \2, дней: \3"),
    (r"events of (\d+) day\(s\) are not in any return", r"не вошли ни в одну доходность события дней: \1"),
    (r"(\d+) event\(s\) on days without any price count on the next day with one", r"события в дни без цен отнесены к следующему дню с ценой: \1"),
    (r"(\d+) trade\(s\) on days without a close count as the price", r"цена сделки заменяет цену закрытия, сделок: \1"),
    (r"the account records its dividends, those of the market are left out", "дивиденды записаны на счёте, рыночные не учтены"),
    (r"money in other currencies is one balance in (.+), at each day's rate", r"деньги в других валютах - один остаток в \1, по курсу каждого дня"),
    (r"(\d+) event\(s\) after the last day with prices \((.+)\) are left out", r"не учтены события после последнего дня с ценами (\2): \1"),
    # what peers and a plan note
    (r"the answer given for (.+) stands, another one would tell the peers apart", r"повторён ответ на \1: другой выдал бы отдельных клиентов"),
    (r"(.+) simulated futures from (\d+) months of history \((.+) to (.+)\), drawn in blocks of (\d+) months, all classes together", r"смоделировано случаев: \1, по истории за \2 мес. (\3 - \4), блоками по \5 мес., все классы вместе"),
    (r"Prices grow by (.+) a year \(assumption\); contributions and the target grow with them", r"Цены растут на \1 в год (допущение); взносы и цель растут вместе с ними"),
    (r"Fees (.+) a year; rebalanced every month without cost or tax", r"Комиссия \1 в год; ежемесячное выравнивание долей без издержек и налогов"),
    (r"Every option moves into the steadiest class over (\d+) months; going on as now doesn't", r"Каждый вариант за \1 мес. переходит в самый спокойный класс; нынешнее распределение - нет"),
    (r"Return of a class: mean of its assets' monthly total returns, equal weights", "Доходность класса: среднее месячных полных доходностей его инструментов с равными весами"),
    (r"Cash: a steady (.+) a year, an assumption", r"Деньги на счёте: постоянные \1 в год, допущение"),
    (r"(\d+) month\(s\) left out: some class has no return there", r"не вошло месяцев: \1 - у какого-то класса нет доходности"),
    (r"target and contributions grow with prices", "цель и взносы растут вместе с ценами"),
    (r"contributions at the start of a month", "взносы - в начале месяца"),
    (r"weights held, rebalanced every month", "нынешние доли, выравниваются каждый месяц"),
    (r"money of the goal's month", "в деньгах месяца цели"),
    (r"0 where it is reached", "0, где цель достигнута"),
    (r"today's money", "в сегодняшних деньгах"),
    (r"rounded up to a whole unit", "с округлением вверх до целого"),
    (r"on the same random numbers", "на тех же случайных числах"),
    (r"up to 600 months", "до 600 месяцев"),
    # why a part of a report is missing
    (r"the client has no such goal; add it to the book's goals", "у клиента нет такой цели"),
    (r"the time of the goal is over; renew the profile and its goals in the book", "срок цели прошёл; обновите профиль и цели"),
    (r"has no (.+) in the book; give the questionnaire's answers", r"в книге нет данных (\1); заполните анкету"),
    (r"hold (\d+) month\(s\); futures are not drawn from fewer than (\d+); .+", r"истории только \1 мес.; для модели нужно не меньше \2"),
    (r"has no month in which every class has a return", "нет месяца, в котором у каждого класса есть доходность"),
    (r"has no asset class to measure", "нет ни одного класса активов с ценами"),
    (r"hold no defensive class for the model portfolio", "нет ни одного защитного класса для модельного портфеля"),
    (r"hold no price of these assets in this time", "в это время у этих инструментов нет цен"),
    (r"must have rates in the book: one of .+", "в книге нет курса этой валюты"),
    (r"was never tracked; run `nextbest portfolio track`", "наблюдение за портфелем ещё не начато"),
)  # fmt: skip
_COMPILED = tuple((re.compile(pattern), told) for pattern, told in _PATTERNS)


def in_russian(text: str) -> str | None:
    """A sentence of the rooms in Russian; None where it has no pair.

    >>> in_russian("no trading from 2022-02-25 to 2022-03-24, 27 days")
    'торгов не было с 25.02.2022 по 24.03.2022, дней: 27'
    >>> in_russian("risk-free 0.05 a year; simple returns")
    'безрисковая ставка 0,05 в год; простые доходности'
    >>> in_russian("nobody said this") is None
    True
    """
    if (whole := _METHODS.get(text)) is not None:
        return whole
    for pattern, told in _COMPILED:
        if (found := pattern.fullmatch(text)) is not None:
            return _filled(found, told)
    parts = [in_russian(part) for part in text.split("; ")] if "; " in text else [None]
    return None if None in parts else "; ".join(part for part in parts if part is not None)


def both_languages(text: str) -> dict[str, str]:
    """A sentence as `en` and `ru`; the English one twice where it has no pair.

    >>> both_languages("simple returns")
    {'en': 'simple returns', 'ru': 'простые доходности'}
    """
    return {"en": text, "ru": in_russian(text) or text}


def note_words(note: str) -> dict[str, str]:
    """A note of a room, `code: sentence` or a sentence, as `en`, `ru` and, where it has one, `code`.

    >>> note_words("priced_by_trade: 2 trade(s) on days without a close count as the price")["ru"]
    'Цена сделки заменяет цену закрытия, сделок: 2'
    """
    found = re.match(r"([a-z_]+): (.+)", note, re.DOTALL)
    code, text = (found[1], found[2]) if found else (None, note)
    words = {language: said[:1].upper() + said[1:] for language, said in both_languages(text).items()}
    return words if code is None else {"code": code, **words}


def russian_day(text: str) -> str:
    """Days and months of an ISO calendar in a text, the Russian way round.

    >>> russian_day("2022-03-24"), russian_day("2014-02")
    ('24.03.2022', '02.2014')
    """
    days = re.sub(r"\b(\d{4})-(\d{2})-(\d{2})\b", r"\3.\2.\1", text)
    return re.sub(r"\b(\d{4})-(\d{2})\b", r"\2.\1", days)


def _filled(found: re.Match[str], told: str) -> str:
    """The Russian sentence with what the English one holds in its places."""
    return re.sub(r"\\(\d)", lambda place: _written(found[int(place[1])]), told)


def _written(value: str) -> str:
    """A number or a day as Russian writes it; anything else as it is."""
    if re.fullmatch(r"\d{4}-\d{2}(-\d{2})?", value):
        return russian_day(value)
    if value.startswith("["):
        return value.strip("[]").replace("'", "")
    if not re.fullmatch(r"-?\d[\d,]*(\.\d+)?%?", value):
        return value
    return value.replace(",", "\xa0").replace(".", ",").replace("%", "\xa0%").replace("-", "\u2212")
