"""What the classifier of intents is taught: templates a language and an intent, in TOML beside this file.

(a|b|) is one of, {word} one of the words of words.toml. No text of ../questions may come out of them (a test compares).
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from nextbest.assistant.base import INTENTS, LANGUAGES, Intent, Language


@dataclass(frozen=True, slots=True)
class Template:
    """One way to ask."""

    id: str
    """Intent, language and place in the file: what folds of a validation are split by."""
    intent: Intent
    language: Language
    text: str


@cache
def load_templates() -> tuple[Template, ...]:
    """Every template, by intent and language, in the order of the files."""
    found = []
    for intent in INTENTS:
        document = tomllib.loads((files(__package__) / f"{intent}.toml").read_text(encoding="utf-8"))
        for language in LANGUAGES:
            found += [
                Template(f"{intent}/{language}/{place}", intent, language, text)
                for place, text in enumerate(document[language])
            ]
    return tuple(found)


@cache
def load_words() -> dict[Language, dict[str, list[str]]]:
    """What fills the braces, by language and name."""
    document = tomllib.loads((files(__package__) / "words.toml").read_text(encoding="utf-8"))
    return {language: document[language] for language in LANGUAGES}
