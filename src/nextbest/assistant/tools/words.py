"""What tools say to a client without a model: why there is no answer, what a figure is called, what limits an answer.

No id, no path and no name of anybody stands in them.
"""

from collections.abc import Mapping

from nextbest.assistant.base import Note, Status, Words

TOLD: Mapping[str, Words] = {
    # refused
    "not_yours": {
        "en": "I may only speak about your own data.",
        "ru": "Я могу говорить только о ваших собственных данных.",
    },
    "not_allowed": {
        "en": "You have no access to this client's data.",
        "ru": "У вас нет доступа к данным этого клиента.",
    },
    # nothing there
    "not_served": {
        "en": "I have no data to answer this here.",
        "ru": "Здесь у меня нет данных, чтобы ответить на это.",
    },
    "no_client": {
        "en": "It isn't said which client this is about.",
        "ru": "Не сказано, о каком клиенте речь.",
    },
    "unknown_self": {
        "en": "I don't find you among the clients of this service.",
        "ru": "Я не нахожу вас среди клиентов этой услуги.",
    },
    "unknown_client": {"en": "There is no such client.", "ru": "Такого клиента нет."},
    "unknown_item": {
        "en": "There is no such item in the catalogue.",
        "ru": "Такого товара или продукта в каталоге нет.",
    },
    "unknown_category": {
        "en": "The catalogue has no such category.",
        "ru": "Такого раздела в каталоге нет.",
    },
    "unknown_asset": {
        "en": "I have no prices of this asset.",
        "ru": "Цен этого инструмента у меня нет.",
    },
    "no_prices": {
        "en": "Prices of the items aren't known here, so nothing can be chosen by price.",
        "ru": "Цены товаров здесь неизвестны, поэтому выбрать по цене нельзя.",
    },
    "nothing_left": {
        "en": "Nothing fits all these wishes.",
        "ru": "Под все эти пожелания ничего не подходит.",
    },
    "no_similar": {
        "en": "Nothing similar was found.",
        "ru": "Ничего похожего не нашлось.",
    },
    "no_offer": {
        "en": "There is no product to offer at the moment.",
        "ru": "Сейчас предложить нечего.",
    },
    "already_held": {
        "en": "This product is held already.",
        "ru": "Этот продукт уже есть.",
    },
    "not_offered": {
        "en": "This product isn't among those offered now.",
        "ru": "Сейчас этот продукт не предлагается.",
    },
    "nothing_held": {
        "en": "The portfolio is empty, or nothing in it has a price.",
        "ru": "В портфеле ничего нет, или ни у чего в нём нет цены.",
    },
    "too_short": {
        "en": "There is too little history to compute this.",
        "ru": "Истории слишком мало, чтобы это посчитать.",
    },
    "bad_period": {
        "en": "The period must begin before it ends.",
        "ru": "Начало периода должно быть раньше конца.",
    },
    "no_goal": {
        "en": "There is no such goal yet: name an amount and a time.",
        "ru": "Такой цели пока нет: назовите сумму и срок.",
    },
    "goal_over": {
        "en": "The time of this goal is over: name a new time.",
        "ru": "Срок этой цели прошёл: назовите новый срок.",
    },
    "no_profile": {
        "en": "Your investment profile isn't filled in yet: please answer the questionnaire.",
        "ru": "Ваш инвестиционный профиль ещё не заполнен: ответьте, пожалуйста, на вопросы анкеты.",
    },
    "other_currency": {
        "en": "The plan is counted in another currency: name the amount in the currency of your goal.",
        "ru": "План считается в другой валюте: назовите сумму в валюте вашей цели.",
    },
    "not_tracked": {
        "en": "The portfolio isn't tracked against a plan yet.",
        "ru": "Наблюдение за портфелем по плану ещё не начато.",
    },
    "horizon_too_far": {
        "en": "The history is too short for a forecast that far ahead.",
        "ru": "Для такого далёкого прогноза истории слишком мало.",
    },
    "nothing_found": {
        "en": "The documents say nothing about this.",
        "ru": "В документах об этом ничего нет.",
    },
    "not_computable": {
        "en": "This can't be computed from the data there is.",
        "ru": "По имеющимся данным это не посчитать.",
    },
    # failed
    "unknown_tool": {"en": "I can't do that.", "ru": "Я этого не умею."},
    "bad_arguments": {
        "en": "I couldn't make out the details of the question.",
        "ru": "Не удалось разобрать подробности вопроса.",
    },
    "not_ready": {
        "en": "The data for this isn't ready; please ask again later.",
        "ru": "Данные для этого ответа не готовы; спросите, пожалуйста, позже.",
    },
    "busy": {
        "en": "The data is being updated; please ask again in a minute.",
        "ru": "Данные обновляются; спросите, пожалуйста, через минуту.",
    },
    "failed": {
        "en": "Something went wrong on our side; please ask again later.",
        "ru": "Произошла ошибка на нашей стороне; спросите, пожалуйста, позже.",
    },
}
"""Why there is no answer, by code."""

DEFAULT_STATUS: Mapping[str, Status] = {
    "not_yours": "refused",
    "not_allowed": "refused",
    **dict.fromkeys(("unknown_tool", "bad_arguments", "not_ready", "busy", "failed"), "failed"),
}
"""Of a code that isn't "no_data"."""

LABELS: Mapping[str, Words] = {
    "price": {"en": "price", "ru": "цена"},
    "probability": {
        "en": "probability of taking it next month",
        "ru": "вероятность оформить в следующем месяце",
    },
    "worth": {"en": "worth of the portfolio", "ru": "стоимость портфеля"},
    "worth_before": {"en": "worth at the start", "ru": "стоимость в начале"},
    "share": {"en": "share of the portfolio", "ru": "доля в портфеле"},
    "class_worth": {"en": "worth", "ru": "стоимость"},
    "asset_gain": {"en": "gain", "ru": "прибыль"},
    "n_peers": {"en": "similar clients, at least", "ru": "похожих клиентов, не меньше"},
    "yours": {"en": "your share", "ru": "ваша доля"},
    "peers_q25": {"en": "lower quartile of similar clients", "ru": "нижний квартиль похожих клиентов"},
    "peers_median": {"en": "median of similar clients", "ru": "медиана похожих клиентов"},
    "peers_q75": {"en": "upper quartile of similar clients", "ru": "верхний квартиль похожих клиентов"},
    "target_amount": {"en": "target, in today's prices", "ru": "цель, в сегодняшних ценах"},
    "horizon": {"en": "time to the goal", "ru": "срок до цели"},
    "wealth": {"en": "saved by now", "ru": "накоплено сейчас"},
    "monthly_contribution": {"en": "monthly contribution", "ru": "ежемесячный взнос"},
    "proposal_share": {"en": "share in the allocation", "ru": "доля в распределении"},
    "share_now": {"en": "share now", "ru": "доля сейчас"},
    "wanted_probability": {"en": "wanted probability of the goal", "ru": "желаемая вероятность цели"},
    "contribution_more": {"en": "more a month", "ru": "в месяц больше"},
    "contribution_more_odds": {
        "en": "probability of the goal with this larger contribution",
        "ru": "вероятность цели с таким увеличенным взносом",
    },
    "horizon_more": {"en": "more time", "ru": "дополнительный срок"},
    "horizon_more_odds": {
        "en": "probability of the goal with this longer time",
        "ru": "вероятность цели с таким увеличенным сроком",
    },
    "target_less": {"en": "target lower by", "ru": "цель меньше на"},
    "target_less_odds": {
        "en": "probability of the goal with this lower target",
        "ru": "вероятность цели с такой меньшей целью",
    },
    "probability_now": {"en": "probability of the goal now", "ru": "вероятность цели сейчас"},
    "probability_then": {
        "en": "probability of the goal when the plan was made",
        "ru": "вероятность цели, когда составлялся план",
    },
    "expected": {"en": "worth expected by the plan, median", "ru": "ожидаемая по плану стоимость, медиана"},
    "planned_share": {"en": "share in the plan", "ru": "доля по плану"},
    "drift": {"en": "drift from the plan", "ru": "отклонение от плана"},
    "close": {"en": "last close", "ru": "последняя цена закрытия"},
    "low": {"en": "lower bound of the forecast range", "ru": "нижняя граница прогноза"},
    "middle": {"en": "middle of the forecast", "ru": "середина прогноза"},
    "high": {"en": "upper bound of the forecast range", "ru": "верхняя граница прогноза"},
    "coverage": {
        "en": "chance that the price stays within the bounds, if the model is right",
        "ru": "вероятность, что цена останется в этих границах, если модель верна",
    },
    "target_day": {"en": "day of the forecast", "ru": "день прогноза"},
}
"""What figures are called that no document names."""

NOTES: Mapping[str, Words] = {
    "unknown_user": {
        "en": "Your purchases aren't known yet, so this is what other clients choose most.",
        "ru": "Ваших покупок пока не видно, поэтому это то, что чаще всего выбирают другие клиенты.",
    },
    "no_horizon": {
        "en": "The list says what is likely next, not on which day.",
        "ru": "Список говорит о том, что вероятно дальше, но не о том, в какой день.",
    },
    "control_group": {
        "en": "This list was put together at random, to measure how well offers work.",
        "ru": "Этот список составлен случайно, чтобы измерить пользу предложений.",
    },
    "horizon_changed": {
        "en": "The market has no bar on that very day; the nearest one is shown.",
        "ru": "Ровно на этот день у рынка нет бара; показан ближайший.",
    },
    "new_goal": {
        "en": "The goal is counted as you named it; it isn't stored.",
        "ru": "Цель посчитана так, как вы её назвали; она не сохранена.",
    },
}
"""What limits an answer."""


def note(code: str) -> Note:
    """A limit of an answer as it is sent."""
    return Note(code, NOTES[code])
