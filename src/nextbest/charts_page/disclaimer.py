"""Words that every page about money carries, and the promise that none may make. Code puts them there, no model and no caller."""

import re
from collections.abc import Mapping

from nextbest.errors import DataError

DISCLAIMER: Mapping[str, str] = {
    "en": "This is not an individual investment recommendation",
    "ru": "Не является индивидуальной инвестиционной рекомендацией",
}
PAST_PERFORMANCE: Mapping[str, str] = {
    "en": "Past performance says nothing certain about future results; value and income may fall as well as rise",
    "ru": "Результаты в прошлом не определяют доходов в будущем; стоимость вложений и доход могут и снижаться",
}
_PROMISES = re.compile(
    r"guarante|risk[- ]?free|no risk|can'?t lose|certain (profit|return|income)|sure (profit|return|thing)"
    r"|гарант|без риска|безрисков|точно зараб|наверняка|обещаем|не потеря(ете|ешь)|верный доход",
    re.IGNORECASE,
)


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
