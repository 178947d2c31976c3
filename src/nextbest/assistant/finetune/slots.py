"""Names, numbers and amounts that no template lists, so that a model learns the question around them and not the words.

Made up by a seed; nobody's.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from nextbest.assistant.base import Intent, Language
from nextbest.assistant.intent.templates import Template

_PLACE = re.compile(r"\{(game|film|wear|food|item|client|amount)\}")
_NEW = 0.4
"""Share of places that get something made up instead of a word of the templates' own."""
_SYLLABLES: Mapping[Language, tuple[str, ...]] = {
    "ru": ("ка", "ло", "ми", "ре", "ту", "вен", "дор", "сар", "нис", "гал", "поль", "фи"),
    "en": ("ca", "lo", "mi", "re", "tu", "ven", "dor", "sar", "nis", "gal", "pol", "fi"),
}
_FOR: Mapping[Intent, Mapping[Language, tuple[str, ...]]] = {
    "recommend": {"ru": (" для клиента {}", ", клиент {}"), "en": (" for client {}", " for customer {}")},
    "next_purchase": {"ru": (" у клиента {}", ", клиент {}"), "en": (" for client {}", ", customer {}")},
    "bank_product": {"ru": (" клиенту {}", " для клиента {}"), "en": (" for client {}", " to customer {}")},
    "portfolio": {"ru": (" у клиента {}", ", клиент {}"), "en": (" for client {}", ", client {}")},
    "peers": {"ru": (" у клиента {}",), "en": (" for client {}",)},
    "plan": {"ru": (" у клиента {}", " для клиента {}"), "en": (" for client {}", ", client {}")},
}
_CLERK = 0.06
"""Share of questions that a clerk asks about somebody."""


def varied(template: Template, rng: np.random.Generator) -> Template:
    """A template with some of its places filled by what is made up, and now and then asked about a client."""

    def put(found: re.Match[str]) -> str:
        if rng.random() >= _NEW:
            return found[0]
        make = _MAKERS.get(found[1], _title)
        return make(template.language, rng)

    text = _PLACE.sub(put, template.text)
    about = _FOR.get(template.intent)
    if about is not None and "{client}" not in template.text and rng.random() < _CLERK:
        ways = about[template.language]
        text += ways[int(rng.integers(len(ways)))].format(_client(template.language, rng))
    return replace(template, text=text)


def _client(_: Language, rng: np.random.Generator) -> str:
    number = str(int(rng.integers(10 ** int(rng.integers(1, 7)))) + 1)
    letter = str(rng.choice(list("ABCDKMPXZ")))
    return (number, number, f"{letter}-{number}", f"{letter.lower()}{number}")[int(rng.integers(4))]


def _amount(language: Language, rng: np.random.Generator) -> str:
    value = int(rng.integers(1, 100)) * 10 ** int(rng.integers(2, 6))
    ways = (
        (f"{value} рублей", f"{value} ₽", f"{value // 1000 or 1} тысяч", f"{value:,}".replace(",", " "))
        if language == "ru"
        else (f"{value} dollars", f"${value:,}", f"{value // 1000 or 1}k", f"{value} roubles")
    )
    return ways[int(rng.integers(len(ways)))]


def _title(language: Language, rng: np.random.Generator) -> str:
    def word() -> str:
        return "".join(rng.choice(list(_SYLLABLES[language]), size=int(rng.integers(2, 4)))).capitalize()

    return " ".join(word() for _ in range(int(rng.integers(1, 3))))


_MAKERS: Mapping[str, Callable[[Language, np.random.Generator], str]] = {"client": _client, "amount": _amount}
