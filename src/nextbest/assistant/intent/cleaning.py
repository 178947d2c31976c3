"""A client's text made safe to read: one form of each letter, no tags, no hidden signs, a limited length.

Nothing is understood here and nothing refused: what is left may be empty, and `has_words` says whether it says anything.
"""

import html
import re
import unicodedata

MAX_LENGTH = 2_000
"""Characters that are read; what follows is cut at a word."""
_LOOKED_AT = 20_000
"""Characters of the raw text that are cleaned at all: enough for `MAX_LENGTH` of any honest text."""
_DROPPED = re.compile(
    r"<!--.*?-->|<(script|style)\b[^>]{0,500}>.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL
)
_TAG = re.compile(r"</?[a-z][^<>]{0,500}>|<![a-z][^<>]{0,500}>", re.IGNORECASE)
_SPACES = re.compile(r"\s+")
_DRAWN_OUT = re.compile(r"([^\W\d_])\1{2,}")
_WORD = re.compile(r"[^\W_]")


def clean(text: str) -> str:
    """The text in NFKC, without tags, control and zero-width signs, with single spaces, at most 2,000 characters.

    Parameters
    ----------
    text
        Anything; only its first 20,000 characters are looked at.

    Returns
    -------
    str
        May be empty. `clean(clean(x)) == clean(x)` for texts without markup written in entities.

    Notes
    -----
    Entities are resolved before tags are taken out, so "&lt;b&gt;" is a tag as well. A lone "<" stays ("цена < 500").
    Time is linear in what is looked at.

    >>> clean("  <b>Что</b>\\u200b посмотреть\\x07\\n сегодня? ")
    'Что посмотреть сегодня?'
    """
    text = html.unescape(text[:_LOOKED_AT])
    text = unicodedata.normalize("NFKC", text)
    text = _TAG.sub(" ", _DROPPED.sub(" ", text))
    text = "".join(sign for sign in text if sign.isspace() or unicodedata.category(sign)[0] != "C")
    return _cut(_SPACES.sub(" ", text).strip())


def _cut(text: str) -> str:
    """At most `MAX_LENGTH` characters, ending with a word where there are spaces at all."""
    if len(text) <= MAX_LENGTH:
        return text
    head = text[: MAX_LENGTH + 1]
    whole, space, _ = head.rpartition(" ")
    return (whole if space and len(whole) > MAX_LENGTH // 2 else text[:MAX_LENGTH]).rstrip()


def has_words(text: str) -> bool:
    """Whether there is a letter or a digit: False for an empty text, emoji and punctuation."""
    return _WORD.search(text) is not None


def without_drawling(text: str) -> str:
    """Letters said three times or more, once: "привееет" -> "привет". For encoders, not for showing."""
    return _DRAWN_OUT.sub(r"\1", text)
