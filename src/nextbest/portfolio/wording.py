"""Words that code, never a model or a caller, puts on what a client reads: disclaimer, past performance, refusals.

Every document passes `signed`; a text that promises a return does not.
"""

from collections.abc import Mapping
from typing import Any, Literal

from nextbest.charts_page.disclaimer import DISCLAIMER, PAST_PERFORMANCE, check_promises
from nextbest.errors import InputError

Mode = Literal["information", "advice"]
Document = dict[str, Any]

ADVICE: Mapping[str, str] = {
    "en": "Individual investment recommendation, made from your investment profile by a program; you decide",
    "ru": "Индивидуальная инвестиционная рекомендация, составленная программой по вашему инвестиционному профилю; решаете вы",
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
