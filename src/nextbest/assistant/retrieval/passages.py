"""Sections cut into passages that an answer can quote: whole paragraphs up to some length, long ones by sentences."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nextbest.assistant.retrieval.reading import Section

MAX_WORDS = 120
"""Of a passage; one sentence may be longer."""
_SENTENCE = re.compile(r"(?<=[.!?…])\s+(?=[«\"(]?[A-ZА-ЯЁ0-9])")


@dataclass(frozen=True, slots=True)
class TextPassage:
    """A piece of a document, as `tools.documents.Passage` wants it."""

    passage_id: str
    """Of file, heading and text: the same while they are."""
    title: str
    text: str
    source: str
    score: float = 0.0


def cut(sections: Iterable[Section], *, max_words: int = MAX_WORDS) -> tuple[TextPassage, ...]:
    """Passages of all sections, in their order; nothing is left out and nothing stands twice.

    Parameters
    ----------
    sections
        Of `reading.read_folder`.
    max_words
        Words of a passage; a paragraph that is longer is cut between sentences.
    """
    found: dict[str, TextPassage] = {}
    for section in sections:
        for text in _packed(_pieces(section.text, max_words), max_words):
            identity = hashlib.blake2b(
                "\n".join((section.source, section.heading, text)).encode(), digest_size=6
            )
            passage_id = f"{section.source}#{identity.hexdigest()}"
            found.setdefault(passage_id, TextPassage(passage_id, section.heading, text, section.source))
    return tuple(found.values())


def _pieces(text: str, max_words: int) -> Iterator[str]:
    """Paragraphs, and sentences of those that are too long."""
    for paragraph in re.split(r"\n\s*\n", text):
        lines = [" ".join(line.split()) for line in paragraph.split("\n")]
        whole = "\n".join(filter(None, lines))
        if not whole:
            continue
        if len(whole.split()) <= max_words:
            yield whole
        else:
            yield from filter(
                None, (part.strip() for line in whole.split("\n") for part in _SENTENCE.split(line))
            )


def _packed(pieces: Iterable[str], max_words: int) -> Iterator[str]:
    """Pieces that stand together while they fit."""
    held: list[str] = []
    n_held = 0
    for piece in pieces:
        n = len(piece.split())
        if held and n_held + n > max_words:
            yield "\n".join(held)
            held, n_held = [], 0
        held.append(piece)
        n_held += n
    if held:
        yield "\n".join(held)
