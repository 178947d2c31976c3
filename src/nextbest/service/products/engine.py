"""Answers batches of questions about bank products with the live model; runs on one thread (see `coalesce`)."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Protocol

from nextbest.data.panel.schema import SANTANDER, PanelSchema
from nextbest.pipeline.model_holder import LiveModel, ModelHolder
from nextbest.pipeline.products.profile import Profile, ProfileForm
from nextbest.pipeline.products.query import ProductAnswer, ProductQuery
from nextbest.service.products.schemas import SEED_CLIENT

_ADULT = {**SEED_CLIENT, "ind_empleado": "N"}
"""The first contract's client, but not one of the bank's own staff."""
ProductReply = tuple[ProductAnswer, str]
"""An answer and the version of the model that gave it."""


class ProductsEngine(Protocol):
    """What is asked: a product model with its panel and rules (`pipeline.products.advisor.ProductAdvisor`)."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The model folder's manifest."""

    @property
    def form(self) -> ProfileForm:
        """How a posted client is read."""

    @property
    def schema(self) -> PanelSchema:
        """Products and attributes."""

    @property
    def newest_month(self) -> date | None:
        """Newest month of the panel; None without one."""

    @property
    def n_clients(self) -> int | None:
        """Clients that the panel holds; None without one."""

    @property
    def open_products(self) -> frozenset[str]:
        """Ids of the products that may be offered at all."""

    def answer(self, queries: Sequence[ProductQuery]) -> Sequence[ProductAnswer]:
        """One answer a query, in order."""


def version_of(live: LiveModel[ProductsEngine]) -> str:
    """The model's own version, which the batch writes too; where it has none, the digest of its manifest."""
    return str(live.manifest.get("model_version") or live.version)


class ProductsAsker:
    """The one who asks the model."""

    def __init__(self, holder: ModelHolder[ProductsEngine]) -> None:
        self._holder = holder

    def answer(self, queries: list[ProductQuery]) -> Sequence[ProductReply | Exception]:
        """One reply or error a query, in order: an error finds its own asker.

        Raises
        ------
        ArtifactError
            No model is loaded.
        """
        live = self._holder.live
        return _ask(live.pipeline, version_of(live), queries)


def _ask(engine: ProductsEngine, version: str, queries: list[ProductQuery]) -> list[ProductReply | Exception]:
    """One call for all; where that fails, one call each."""
    try:
        return [(answer, version) for answer in engine.answer(queries)]
    except Exception as error:
        if len(queries) == 1:
            return [error]
    return [reply for query in queries for reply in _ask(engine, version, [query])]


def warm_up(engine: ProductsEngine) -> None:
    """First questions: a model that can't answer them must not go live, one that can has its caches filled.

    About an adult whom a bank may address, so that offers and their reasons are found too. Asked past the routes:
    no metric counts the answers and no decision log keeps them.
    """
    adult = an_adult(engine)
    questions = [ProductQuery(profile=adult, purpose="predict", explain=False), ProductQuery(profile=adult)]
    engine.answer(questions)


def an_adult(engine: ProductsEngine) -> Profile:
    """A client of the shipped schema; of another one, those values that both read alike, and an adult's age."""
    schema = engine.schema
    there = set(schema.attribute_names)
    shared = (a.name for a in SANTANDER.attributes if a.name in there and schema.attribute(a.name) == a)
    raw: dict[str, object] = {name: _ADULT[name] for name in shared}
    if "age" in schema.roles:
        raw[schema.roles["age"]] = _ADULT["age"]
    month = engine.newest_month
    raw[schema.month_column] = _ADULT["fecha_dato"] if month is None else month.isoformat()
    raw[schema.id_column] = "1"
    return engine.form.read(raw)
