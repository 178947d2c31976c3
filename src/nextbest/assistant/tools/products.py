"""Tools over a bank's product model: what may be offered to a client next, and why."""

from collections.abc import Callable, Collection, Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

from nextbest.assistant.base import LANGUAGES, Figure, ItemFact, ToolResult
from nextbest.assistant.tools.tool import About, AboutClient, Denied, K, Nothing, TitleRow, Tool, figure
from nextbest.assistant.tools.words import note
from nextbest.data.ids import OutsideId
from nextbest.errors import InputError
from nextbest.pipeline.products.query import ProductAnswer, ProductQuery

if TYPE_CHECKING:
    from nextbest.data.panel.schema import PanelSchema
    from nextbest.pipeline.products.profile import ProfileForm


HELD = "held"
"""The filter that takes out what a client has."""


class Advisor(Protocol):
    """What is asked: `pipeline.products.advisor.ProductAdvisor`, or something that asks one on its own thread."""

    @property
    def schema(self) -> "PanelSchema":
        """Products and attributes."""

    @property
    def form(self) -> "ProfileForm":
        """How an id is read."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The model folder's manifest."""

    def answer(self, queries: Sequence[ProductQuery]) -> Sequence[ProductAnswer]:
        """One answer a query, in order."""


class BankProducts(AboutClient, frozen=True, extra="forbid"):
    """Arguments of `bank_products`."""

    k: K | None = None
    deny: Denied = ()


class Products:
    """A product model behind its tool; one question at a time.

    Parameters
    ----------
    source
        Gives the advisor that answers now; raises `ArtifactError` while there is none.

    Notes
    -----
    What is answered in a chat isn't in the decision log: whoever shows it as an offer logs it there.
    """

    def __init__(self, source: Callable[[], Advisor]) -> None:
        self._source, self._lock = source, Lock()

    def offer(self, asked: BankProducts, about: About) -> ToolResult:
        """What may be offered to the client."""
        return self._offered("bank_products", about, k=asked.k, deny={str(each) for each in asked.deny})

    def explain(self, item_id: OutsideId, about: About) -> ToolResult | None:
        """Why a product is offered to the client; None where the bank has no such product."""
        if item_id not in self._source().schema.product_columns:
            return None
        return self._offered("explain_item", about, only=str(item_id))

    def titles(self) -> tuple[TitleRow, ...]:
        """Every product with its names."""
        return tuple((p.column, p.name_ru, p.name_en) for p in self._source().schema.products)

    def warm(self) -> None:
        """A first question, about nobody in particular: what is loaded once is loaded then."""
        with self._lock:
            self._source().answer([ProductQuery()])

    @property
    def state(self) -> object:
        """What names are read from."""
        return self._source().schema

    def _offered(
        self,
        tool: str,
        about: About,
        *,
        k: int | None = None,
        deny: Collection[str] = (),
        only: str | None = None,
    ) -> ToolResult:
        with self._lock:
            advisor = self._source()
            try:
                customer = advisor.form.read_id(about.client, at="client")
            except InputError as error:
                raise Nothing(about.unknown) from error
            if not about.is_own and not about.caller.may_ask("products", customer):
                raise Nothing("not_allowed")  # an id that is read as another one than was asked for
            en, ru = advisor.answer(
                [
                    ProductQuery(customer_id=customer, k=None if deny or only else k, lang=la)
                    for la in ("en", "ru")
                ]
            )
        if not en.known:
            raise Nothing(about.unknown)
        places = [
            n
            for n, product in enumerate(en.products)
            if product.product_id not in deny and only in (None, product.product_id)
        ][:k]
        if not places and only is not None:
            held = any(fired.product_id == only and fired.filter == HELD for fired in en.fired)
            raise Nothing("already_held" if held else "not_offered")
        if not places:
            raise Nothing("no_offer")
        names = {p.column: {"en": p.name_en, "ru": p.name_ru} for p in advisor.schema.products}
        facts, figures = [], []
        for rank, place in enumerate(places, start=1):
            product, reasons = en.products[place], {"en": en, "ru": ru}
            told = {la: [r.text for r in reasons[la].products[place].reasons] for la in LANGUAGES}
            facts.append(
                ItemFact(
                    product.product_id,
                    names[product.product_id],  # type: ignore[arg-type]  # both languages
                    kind="product",
                    reason={la: words[0] for la, words in told.items()} if told["en"] else None,
                    rank=rank,
                    attributes={"reasons": told} if len(told["en"]) > 1 else {},
                )
            )
            figures.append(_probability(en, place))
        manifest = advisor.manifest
        return ToolResult(
            tool,
            "ok",
            "products",
            items=tuple(facts),
            figures=tuple(figures),
            notes=(note("control_group"),) if en.control else (),
            source=str(manifest.get("model_version") or manifest.get("name") or "products"),
            as_of=en.as_of,
            document=_document(en, facts, figures),
        )


def _probability(answer: ProductAnswer, place: int) -> Figure:
    product = answer.products[place]
    return figure("probability", product.probability, "fraction", of=product.product_id)


def _document(answer: ProductAnswer, facts: Sequence[ItemFact], figures: Sequence[Figure]) -> dict[str, Any]:
    return {
        "kind": "products",
        "as_of": answer.as_of.isoformat(),
        "target": answer.target.isoformat(),
        "policy": answer.policy,
        "products": [
            {
                "product_id": fact.item_id,
                "rank": fact.rank,
                "title": dict(fact.title),
                "reason": None if fact.reason is None else dict(fact.reason),
                "probability": each.value,
            }
            for fact, each in zip(facts, figures, strict=True)
        ],
    }


TOOLS = (
    Tool(
        "bank_products",
        "products",
        {
            "en": "bank products that may be offered to the client next, with probability and reason",
            "ru": "банковские продукты, которые можно предложить клиенту, с вероятностью и причиной",
        },
        BankProducts,
        Products.offer,
    ),
)
