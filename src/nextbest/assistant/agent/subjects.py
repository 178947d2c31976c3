"""What a text is about, by its telling words: whether it goes on with the last question's subject or has one of its own."""

from collections.abc import Mapping
from typing import get_args

from nextbest.assistant.base import Intent, Turn, Understood
from nextbest.assistant.intent import lexicon

_SUBJECTS: Mapping[str, Intent] = {
    "advise": "recommend", "choose": "recommend", "next_buy": "next_purchase", "bank": "bank_product", "portfolio": "portfolio",
    "metrics": "portfolio", "plan": "plan", "why": "explain",
}  # fmt: skip
"""Groups of telling words (`intent.lexicon`) that are of one subject only."""
_NEAR: Mapping[Intent, frozenset[Intent]] = {
    **dict.fromkeys(get_args(Intent), frozenset[Intent]()),
    "recommend": frozenset({"recommend", "similar"}),
    "similar": frozenset({"recommend", "similar"}),
    "peers": frozenset({"portfolio"}),
    "portfolio": frozenset({"peers"}),
}


def is_about_else(understood: Understood, last: Turn, n_own: int) -> bool:
    """Whether a text has words of another subject than the last question's, or of none that the house knows."""
    if understood.intent in ("small_talk", "off_topic"):
        return n_own > 1
    told = {
        name for name, is_told in zip(lexicon.NAMES, lexicon.found(understood.text), strict=True) if is_told
    }
    return any(
        subject != last.intent
        for name in told
        if (subject := _SUBJECTS.get(name)) and subject not in _NEAR[last.intent]
    )
