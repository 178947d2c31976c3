"""Words that code, never a model or a caller, puts on what a client reads: disclaimer, past performance, refusals.

Every document passes `signed`; a text that promises a return does not.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

from nextbest.errors import DataError, InputError

Mode = Literal["information", "advice"]
Document = dict[str, Any]

DISCLAIMER: Mapping[str, str] = {
    "en": "This is not an individual investment recommendation",
    "ru": "Не является индивидуальной инвестиционной рекомендацией",
}
ADVICE: Mapping[str, str] = {
    "en": "Individual investment recommendation, made from your investment profile by a program; you decide",
    "ru": "Индивидуальная инвестиционная рекомендация, составленная программой по вашему инвестиционному профилю; решаете вы",
}
PAST_PERFORMANCE: Mapping[str, str] = {
    "en": "Past performance says nothing certain about future results; value and income may fall as well as rise",
    "ru": "Результаты в прошлом не определяют доходов в будущем; стоимость вложений и доход могут и снижаться",
}
REFUSALS: Mapping[str, Mapping[str, str]] = {
    "advice_off": {
        "en": "Individual recommendations are not switched on here.",
        "ru": "Индивидуальные рекомендации здесь не включены.",
    },
    "no_questionnaire": {
        "en": "Please fill in the questionnaire first: a recommendation needs your investment profile.",
        "ru": "Сначала заполните анкету: для рекомендации нужен ваш инвестиционный профиль.",
    },
    "profile_expired": {
        "en": "Your investment profile is too old. Please fill in the questionnaire again.",
        "ru": "Ваш инвестиционный профиль устарел. Заполните, пожалуйста, анкету ещё раз.",
    },
    "profile_from_the_future": {
        "en": "The day of your investment profile lies ahead. Please fill in the questionnaire again.",
        "ru": "Дата вашего инвестиционного профиля ещё не наступила. Заполните, пожалуйста, анкету ещё раз.",
    },
    "profile_contradicts": {
        "en": "Some answers in the questionnaire don't go together. Please look at them again.",
        "ru": "Некоторые ответы анкеты противоречат друг другу. Посмотрите на них, пожалуйста, ещё раз.",
    },
    "nothing_suitable": {
        "en": "None of the possible allocations suits your profile, so none is shown.",
        "ru": "Ни одно из возможных распределений не подходит к вашему профилю, поэтому не показано ни одного.",
    },
    "no_instruments": {
        "en": "There are not enough instruments for this allocation within the limits for one instrument and one issuer.",
        "ru": "Для такого распределения не хватает инструментов в пределах долей одного инструмента и одного эмитента.",
    },
}
"""What a client reads when there is no answer, by code."""

_PROMISES = re.compile(
    r"guarante|risk[- ]?free|no risk|can'?t lose|certain (profit|return|income)|sure (profit|return|thing)"
    r"|гарант|без риска|безрисков|точно зараб|наверняка|обещаем|не потеря(ете|ешь)|верный доход",
    re.IGNORECASE,
)


def signed(document: Mapping[str, Any], *, mode: Mode = "information") -> Document:
    """The document with the disclaimer and the line on past performance; whatever it brought in their place is gone.

    Parameters
    ----------
    document
        Any analysis as it leaves the package; its `texts`, if any, are read for promises.
    mode
        `advice` carries the words of a recommendation instead; only `plan` may ask for it.

    Raises
    ------
    DataError
        A text promises a return.
    InputError
        The mode is unknown.
    """
    if mode not in ("information", "advice"):
        raise InputError("mode", "must be 'information' or 'advice'", value=mode)
    check_promises({k: v for k, v in document.items() if k in ("texts", "notes")})
    first = DISCLAIMER if mode == "information" else ADVICE
    words = {language: f"{first[language]}. {PAST_PERFORMANCE[language]}." for language in first}
    return {**document, "mode": mode, "disclaimer": words}


def check_promises(texts: object, *, name: str = "texts") -> None:
    """Nothing, if no text in this nested value promises a return.

    Raises
    ------
    DataError
        One does; the words are shown.

    Examples
    --------
    >>> check_promises({"ru": ["Доходность не известна заранее"]})
    >>> check_promises({"ru": ["Гарантируем 20 %"]})
    Traceback (most recent call last):
    ...
    nextbest.errors.DataError: texts.ru.0: promises a return; found: ['Гарант']
    """
    if isinstance(texts, Mapping):
        for key, value in texts.items():
            check_promises(value, name=f"{name}.{key}")
    elif isinstance(texts, list | tuple):
        for i, value in enumerate(texts):
            check_promises(value, name=f"{name}.{i}")
    elif isinstance(texts, str) and (found := _PROMISES.search(texts)):
        raise DataError(name, "promises a return", examples=[found.group(0)])


def refusal(code: str) -> dict[str, Any]:
    """A refusal as it stands in a document: code and both texts.

    Raises
    ------
    InputError
        The code is unknown.
    """
    if code not in REFUSALS:
        raise InputError("code", f"must be one of {sorted(REFUSALS)}", value=code)
    return {"refused": code, "texts": dict(REFUSALS[code])}
