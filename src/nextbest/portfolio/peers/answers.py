"""What may leave this room: a summary of peers, their proposal, or a refusal, all without any client in them.

Only shapes and words; `privacy` alone makes them.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

RefusalCode = Literal["too_few_peers", "budget_spent", "own_accounts", "unknown_profile", "no_common_shape"]
Hidden = Literal["few_holders", "dominated", "few_results"]
"""Why a cell is empty: fewer clients carry it than the floor, one client makes most of it, too few have results."""

_REFUSALS: Mapping[RefusalCode, tuple[str, str]] = {
    "too_few_peers": (
        "There are too few similar clients to speak of them without telling on one of them.",
        "Похожих клиентов слишком мало, чтобы рассказать о них, не выдав кого-то одного.",
    ),
    "budget_spent": (
        "No more different questions about similar clients today; those asked before are still answered.",
        "Новых вопросов о похожих клиентах сегодня больше задать нельзя; на прежние ответ остаётся.",
    ),
    "own_accounts": (
        "Too many of the similar clients are your own accounts.",
        "Среди похожих клиентов слишком много ваших собственных счетов.",
    ),
    "unknown_profile": (
        "Too little is known of this profile to find similar clients.",
        "О профиле известно слишком мало, чтобы найти похожих клиентов.",
    ),
    "no_common_shape": (
        "Similar clients invest too differently to make one allocation of it.",
        "Похожие клиенты вкладывают слишком по-разному, чтобы составить из этого одно распределение.",
    ),
}


@dataclass(frozen=True)
class Refusal:
    """Why nothing is told; a value, not an error, because it is an everyday answer."""

    code: RefusalCode

    @property
    def text_en(self) -> str:
        """For the client, English."""
        return _REFUSALS[self.code][0]

    @property
    def text_ru(self) -> str:
        """For the client, Russian."""
        return _REFUSALS[self.code][1]

    def json(self) -> dict[str, Any]:
        """Code and both texts."""
        return {"refused": self.code, "texts": {"en": self.text_en, "ru": self.text_ru}}


@dataclass(frozen=True)
class Quartiles:
    """Rounded quartiles over the peers, or null with the reason."""

    q25: float | None
    median: float | None
    q75: float | None
    hidden: Hidden | None = None


@dataclass(frozen=True)
class Nearness:
    """One feature in which the peers are nearer than clients on the whole."""

    feature: str
    title_en: str
    title_ru: str
    share: float
    """Its part of what brings the peers nearer than all clients, rounded to twentieths; at most 1."""


@dataclass(frozen=True)
class PeerAllocation:
    """One allocation made of many peers': medians by class, renormalised."""

    asset_classes: tuple[str, ...]
    weights_C: tuple[float, ...]  # noqa: N815 - shape suffix
    """Fractions, rounded, adding up to one; 0 where the peers' median is, or the class is hidden."""
    n: int
    """Peers behind it, rounded down."""
    spread_C: tuple[float | None, ...]  # noqa: N815 - shape suffix
    """Distance of the quartiles over the peers, fractions; None where hidden."""


@dataclass(frozen=True)
class PeerSummary:
    """What similar clients hold and how they did."""

    n: int
    """Peers, rounded down to the config's step."""
    as_of: str
    """Day of the clients' data behind it, ISO; an answer that is repeated keeps its own."""
    classes: Mapping[str, Quartiles]
    """Share of each asset class, fractions of the portfolio, over all peers, those without it as 0."""
    results: Mapping[str, Quartiles]
    """`twr` and `max_drawdown`, fractions, over peers that have them."""
    nearness: tuple[Nearness, ...]
    """Up to five features that made the peers near, most first."""
    allocation: PeerAllocation | None
    """None where the peers have no common shape."""

    def json(self) -> dict[str, Any]:
        """As JSON's own types."""
        return asdict(self)

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "PeerSummary":
        """Read what `json` wrote."""
        shape = body["allocation"]
        return cls(
            n=body["n"],
            as_of=body["as_of"],
            classes={name: Quartiles(**cell) for name, cell in body["classes"].items()},
            results={name: Quartiles(**cell) for name, cell in body["results"].items()},
            nearness=tuple(Nearness(**row) for row in body["nearness"]),
            allocation=None
            if shape is None
            else PeerAllocation(
                asset_classes=tuple(shape["asset_classes"]),
                weights_C=tuple(shape["weights_C"]),
                n=shape["n"],
                spread_C=tuple(shape["spread_C"]),
            ),
        )
