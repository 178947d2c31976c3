"""Tools over a shop's pipeline: what to take, what is like an item, what comes next."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from nextbest.assistant.base import LANGUAGES, Figure, ItemFact, Note, ToolResult, Words
from nextbest.assistant.tools.tool import (
    MAX_K,
    About,
    AboutClient,
    Arguments,
    Days,
    Denied,
    ItemId,
    K,
    Nothing,
    Price,
    TitleRow,
    Tool,
    figure,
)
from nextbest.assistant.tools.words import note
from nextbest.data.ids import OutsideId
from nextbest.pipeline.query import Query, RecommendedItem
from nextbest.tables import ITEM_ID

if TYPE_CHECKING:
    from nextbest.assistant.neighbours.likeness import Neighbours
    from nextbest.pipeline.pipeline import Pipeline

CATEGORY_COLUMNS = ("category", "category_ru", "department", "genre", "genres")
"""Columns of a catalogue that may hold its sections."""
PRICE, CURRENCY = "price", "currency"
DEFAULT_K = 5
_MAX_TEXT = 600


class RecommendItems(AboutClient, frozen=True, extra="forbid"):
    """Arguments of `recommend_items`."""

    k: K = DEFAULT_K
    category: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    max_price: Price | None = None
    deny: Denied = ()


class SimilarItems(Arguments, frozen=True, extra="forbid"):
    """Arguments of `similar_items`."""

    item_id: ItemId
    k: K = DEFAULT_K
    max_price: Price | None = None
    deny: Denied = ()


class NextPurchases(AboutClient, frozen=True, extra="forbid"):
    """Arguments of `next_purchases`."""

    k: K = DEFAULT_K
    horizon_days: Days | None = None
    max_price: Price | None = None
    deny: Denied = ()


class Shop:
    """A shop's pipeline behind its tools; the pipeline itself may be asked by several threads.

    Parameters
    ----------
    source
        Gives the pipeline that answers now; raises `ArtifactError` while there is none.
    neighbours
        Gives the items' neighbours of meaning where the workspace has them; an item with few events is like what its text is
        like, one with many like what people take together.
    """

    def __init__(
        self,
        source: "Callable[[], Pipeline]",
        *,
        neighbours: "Callable[[], Neighbours | None]" = lambda: None,
    ) -> None:
        self._source, self._neighbours = source, neighbours

    # --- tools ------------------------------------------------------------------------------------
    def recommend(self, asked: RecommendItems, about: About) -> ToolResult:
        """What the client may like, nothing twice that he has where the shop is such."""
        where = {} if asked.category is None else self._in_category(asked.category)
        return self._listed(
            "recommend_items",
            about,
            k=asked.k,
            where=where | self._at_most(asked.max_price),
            deny=asked.deny,
        )

    def next_purchases(self, asked: NextPurchases, about: About) -> ToolResult:
        """What the client will take next, things taken before among it."""
        return self._listed(
            "next_purchases",
            about,
            k=asked.k,
            where=self._at_most(asked.max_price),
            deny=asked.deny,
            exclude_seen=False,
            notes=() if asked.horizon_days is None else (note("no_horizon"),),
        )

    def similar(self, asked: SimilarItems, about: About) -> ToolResult:
        """What is like an item."""
        pipeline = self._source()
        items = pipeline.items
        if items.ids.find(asked.item_id) < 0:
            raise Nothing("unknown_item")
        denied = set(items.encode(asked.deny).tolist())
        near = self._neighbours()
        nearest, trust = (
            ((), 1.0) if near is None else near.of(items.ids.coerce(asked.item_id) or asked.item_id)
        )
        affordable = None if asked.max_price is None else items.mask(self._at_most(asked.max_price))

        def fits(item: RecommendedItem) -> bool:
            place = items.ids.find(item.item_id)
            return place not in denied and (affordable is None or bool(affordable[place]))

        found: dict[str, list[RecommendedItem]] = {}
        for language in LANGUAGES:
            n_asked = asked.k + len(denied)
            while True:
                answered = pipeline.similar_items(
                    asked.item_id,
                    k=n_asked,
                    user_id=about.client,
                    lang=language,
                    nearest=nearest,
                    trust=trust,
                )
                found[language] = [item for item in answered if fits(item)][: asked.k]
                if len(found[language]) == asked.k or len(answered) < n_asked:
                    break
                n_asked *= 4
        if not found["en"]:
            raise Nothing("no_similar" if affordable is None and not denied else "nothing_left")
        return self._answer("similar_items", pipeline, found["en"], found["ru"])

    def explain(self, item_id: OutsideId, about: About) -> ToolResult | None:
        """Why an item is something for the client; None where the shop doesn't have it."""
        pipeline = self._source()
        if pipeline.items.ids.find(item_id) < 0:
            return None
        return self._listed(
            "explain_item", about, k=1, where={}, deny=(), allow=[item_id], exclude_seen=False
        )

    def categories(self) -> tuple[str, ...]:
        """Values of the catalogue's sections, in whatever languages it has them."""
        items = self._source().items
        found = [list(items.columns.codes(column)[2]) for column in self._category_columns()]
        return tuple(dict.fromkeys(value for values in found for value in values if isinstance(value, str)))

    def titles(self) -> tuple[TitleRow, ...]:
        """Every item that has a title, with its titles; a title that is the same in both languages stands once."""
        items = self._source().items
        rows = []
        for place in range(len(items)):
            ru, en = items.title_of(place, lang="ru"), items.title_of(place, lang="en")
            if ru or en:
                rows.append((items.id_of(place), ru if ru != en else None, en))
        return tuple(rows)

    def warm(self) -> None:
        """A first question, about nobody: what is loaded once is loaded then."""
        self._source().recommend([Query(history=[], k=1)])

    @property
    def state(self) -> object:
        """What titles are read from: another one after every change of the model."""
        return self._source().items

    # --- conditions -------------------------------------------------------------------------------
    def _category_columns(self) -> list[str]:
        import polars as pl

        columns = self._source().catalog_columns
        texts = (pl.String(), pl.List(pl.String()))
        return [name for name in CATEGORY_COLUMNS if columns.get(name) in texts]

    def _in_category(self, wanted: str) -> dict[str, Any]:
        items = self._source().items
        for column in self._category_columns():
            for value in items.columns.codes(column)[2]:
                if str(value).casefold() == wanted.strip().casefold():
                    return {column: value}
        raise Nothing("unknown_category")

    def _at_most(self, price: float | None) -> dict[str, Any]:
        if price is None:
            return {}
        dtype = self._source().catalog_columns.get(PRICE)
        if dtype is None or not dtype.is_numeric():
            raise Nothing("no_prices")
        return {PRICE: {"max": price}}

    # --- answers ----------------------------------------------------------------------------------
    def _listed(
        self,
        tool: str,
        about: About,
        *,
        k: int,
        where: Mapping[str, Any],
        deny: Sequence[OutsideId],
        allow: Sequence[OutsideId] | None = None,
        exclude_seen: bool | None = None,
        notes: tuple[Note, ...] = (),
    ) -> ToolResult:
        pipeline = self._source()
        known = about.client is not None and pipeline.is_known(about.client)
        if not known and not about.is_own:
            raise Nothing("unknown_client")
        english, russian = (
            Query(
                user_id=about.client,
                k=k,
                where=where or None,
                deny=list(deny) or None,
                allow=allow,
                exclude_seen=exclude_seen,
                lang=language,
            )
            for language in ("en", "ru")
        )
        en, ru = pipeline.recommend([english, russian])
        if not en.items:
            raise Nothing("nothing_left")
        if not known:
            notes = (note("unknown_user"), *notes)
        return self._answer(tool, pipeline, en.items, ru.items, notes=notes)

    def _answer(
        self,
        tool: str,
        pipeline: "Pipeline",
        english: Sequence[RecommendedItem],
        russian: Sequence[RecommendedItem],
        *,
        notes: tuple[Note, ...] = (),
    ) -> ToolResult:
        rows = _attributes(pipeline, [item.item_id for item in english])
        facts, figures = [], []
        for en, ru in zip(english, russian, strict=True):
            attributes = rows.get(en.item_id, {})
            facts.append(
                ItemFact(
                    en.item_id,
                    _both(en.title or str(en.item_id), ru.title or str(ru.item_id)),
                    reason=_both(en.reason, ru.reason),
                    rank=en.rank,
                    attributes=attributes,
                )
            )
            figures += _price(en.item_id, attributes)
        manifest = pipeline.manifest
        return ToolResult(
            tool,
            "ok",
            "shop",
            items=tuple(facts),
            figures=tuple(figures),
            notes=notes,
            source=str(manifest.get("name") or manifest.get("kind") or "shop"),
            as_of=_day(manifest.get("cutoff")),
            document={
                "kind": "recommendations",
                "items": [
                    {
                        "item_id": fact.item_id,
                        "rank": fact.rank,
                        "title": dict(fact.title),
                        "reason": dict(fact.reason or {}),
                        "reason_code": item.reason_code,
                        "source": item.source,
                        "score": item.score,
                        **{
                            name: fact.attributes[name]
                            for name in (PRICE, CURRENCY)
                            if name in fact.attributes
                        },
                    }
                    for fact, item in zip(facts, english, strict=True)
                ],
            },
        )


def _both(english: str, russian: str) -> Words:
    return {"en": english, "ru": russian}


def _price(item_id: OutsideId, attributes: Mapping[str, Any]) -> list[Figure]:
    value = attributes.get(PRICE)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return []
    currency = attributes.get(CURRENCY)
    unit = currency if isinstance(currency, str) and currency else "ratio"
    return [figure("price", float(value), unit, of=item_id)]


def _attributes(pipeline: "Pipeline", item_ids: Sequence[OutsideId]) -> dict[OutsideId, dict[str, Any]]:
    """Catalogue values of some items as JSON has them, titles left out; an empty cell isn't told."""
    items = pipeline.items
    if items.catalog is None:
        return {}
    rows = items.columns.rows(items.encode(item_ids))
    return {
        row[ITEM_ID]: {
            name: plain
            for name, value in row.items()
            if name != ITEM_ID and not name.startswith("title") and (plain := _json(value)) is not None
        }
        for row in rows
    }


def _json(value: Any) -> Any:
    """A cell as JSON has it; None for an empty one and for what JSON hasn't."""
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value[:_MAX_TEXT] or None
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, list):
        return [each for each in map(_json, value) if each is not None][:MAX_K] or None
    return None


def _day(moment: object) -> date | None:
    try:
        return datetime.fromisoformat(str(moment)).date()
    except ValueError:
        return None


TOOLS = (
    Tool(
        "recommend_items",
        "shop",
        {
            "en": "items of the shop that the client may like, with reasons; by category, below a price, without some items",
            "ru": "товары, которые могут понравиться клиенту, с причинами; по разделу, до цены, без некоторых товаров",
        },
        RecommendItems,
        Shop.recommend,
    ),
    Tool(
        "similar_items",
        "shop",
        {"en": "items like one item of the shop", "ru": "товары, похожие на один товар"},
        SimilarItems,
        Shop.similar,
    ),
    Tool(
        "next_purchases",
        "shop",
        {
            "en": "what the client will probably buy next, things bought before among it",
            "ru": "что клиент вероятно купит дальше, в том числе повторно",
        },
        NextPurchases,
        Shop.next_purchases,
    ),
)
