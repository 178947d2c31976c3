"""Bank products: the first contract's prediction, offers for one client or many, and the catalogue."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

import orjson
from fastapi import APIRouter, Request, Response
from pydantic_core import from_json
from starlette.routing import Route

from nextbest.data.ids import OutsideId
from nextbest.data.panel.schema import Product
from nextbest.errors import InputError, refuse
from nextbest.pipeline.products.profile import Ignored, Profile, ProfileForm
from nextbest.pipeline.products.query import Lang, ProductAnswer, ProductQuery
from nextbest.service.config import ProductNames
from nextbest.service.openapi import body_of, parameters_of, problems, ref
from nextbest.service.products.engine import version_of
from nextbest.service.products.part import ProductsPart
from nextbest.service.products.schemas import (
    SEED_CLIENT,
    CatalogAnswer,
    OfferRequest,
    OffersAnswer,
    PredictAnswer,
    PredictParams,
    client_schema,
)
from nextbest.service.reading import check_length, read_body, read_parameters
from nextbest.service.routes.plain import TellingRoute
from nextbest.service.state import Service

R = TypeVar("R")
T = TypeVar("T")

PREDICT_PATH = "/predict"
_OFFER_EXAMPLES = {
    "stored": {"customer_ids": [123456, 123457], "k": 3, "lang": "ru"},
    "posted": {"clients": [SEED_CLIENT]},
}


def router(service: Service, part: ProductsPart) -> APIRouter:
    """`/predict` and the routes under `/products`."""
    routes = APIRouter(tags=["bank products"])

    routes.post(
        PREDICT_PATH,
        summary="Products that a client will add next month",
        response_model=None,
        responses={200: {"model": PredictAnswer}, **problems(408, 413, 415, 422, 500, 503)},
        openapi_extra=body_of(client_schema(), {"client": SEED_CLIENT}) | parameters_of(PredictParams),
    )(predict_handler(service, part))

    @routes.post(
        "/products/recommendations",
        summary="Offers for stored clients, or for clients that the request describes",
        response_model=None,
        responses={200: {"model": OffersAnswer}, **problems(408, 413, 415, 422, 500, 503)},
        openapi_extra=body_of(ref(OfferRequest), _OFFER_EXAMPLES),
    )
    async def offer(request: Request) -> Response:
        """Ranked products for each client, with calibrated probabilities, reasons and the filters that fired."""
        body = OfferRequest.model_validate_json(await read_body(request, config=service.config))
        queries, warnings = _queries(body, part.engine.form, service)
        replies = await part.asker.ask_many(queries)
        await part.keep([answer for answer, _ in replies])
        names = names_of(part.engine.schema.products, "corrected", body.lang)
        documents = []
        for (answer, version), ignored in zip(replies, warnings, strict=True):
            service.metrics.product_answer(answer.products, known=answer.known)
            documents.append(document(answer, ignored, names, version))
        return _json({"answers": documents})

    @routes.get(
        "/products",
        summary="The products and their names",
        response_model=None,
        responses={200: {"model": CatalogAnswer}, **problems(503)},
    )
    async def catalogue() -> Response:
        """Every product of the panel: ids, names as the first contract had them and corrected, whether it is sold."""
        live = part.holder.live
        products = live.pipeline.schema.products
        on_sale = live.pipeline.open_products
        rows = [
            {
                "product_id": product.column,
                "name_en": product.name_en,
                "name_ru": product.name_ru,
                "seed_name_ru": product.seed_name_ru or product.name_ru,
                "family": product.family,
                "open": product.column in on_sale,
            }
            for product in products
        ]
        return _json({"products": rows, "model": version_of(live)})

    return routes


def predict_route(service: Service, part: ProductsPart) -> Route:
    """POST /predict as a plain Starlette route, to stand before all others (see `recommendations.user_route`)."""
    return TellingRoute(
        PREDICT_PATH, predict_handler(service, part), methods=["POST"], include_in_schema=False
    )


def predict_handler(service: Service, part: ProductsPart) -> Callable[[Request], Awaitable[Response]]:
    """The handler of POST /predict."""
    config, metrics = service.config, service.metrics

    async def predict(request: Request) -> Response:
        """Names of the products that the client will add in the month after `fecha_dato`, likeliest first.

        A client whose `ncodpers` the panel holds is answered from stored history and what is posted, anybody
        else from what is posted alone. Products that the client holds or can't have are left out.
        """
        version = part.version
        try:
            params, _ = read_parameters(request, PredictParams)
            form = part.engine.form
            profile = form.read(_object(await read_body(request, config=config)))
            _count(profile, service)
            query = ProductQuery(profile.customer_id, profile, purpose="predict", explain=False)
            answer, version = await part.asker.ask(query)
        except Exception:
            metrics.prediction(version, ok=False)
            raise
        metrics.prediction(version, ok=True)
        metrics.product_answer(answer.products, known=answer.known)
        names = names_of(form.schema.products, params.names or config.product_names, params.lang)
        return _json({"predicted_products": [names[product.product_id] for product in answer.products]})

    return predict


def names_of(products: tuple[Product, ...], names: ProductNames, lang: Lang) -> dict[str, str]:
    """Id of each product -> how an answer names it."""
    if names == "code":
        return {product.column: product.column for product in products}
    if names == "seed":
        return {product.column: product.seed_name_ru or product.name_ru for product in products}
    return {product.column: product.name(lang) for product in products}


def document(
    answer: ProductAnswer, ignored: tuple[Ignored, ...], names: Mapping[str, str], version: str
) -> dict[str, Any]:
    """An offer as JSON tells it."""
    return {
        "customer_id": answer.customer_id,
        "known": answer.known,
        "as_of": f"{answer.as_of:%Y-%m}",
        "target": f"{answer.target:%Y-%m}",
        "control": answer.control,
        "channel": answer.channel,
        "policy": answer.policy,
        "products": [
            {
                "product_id": product.product_id,
                "name": names[product.product_id],
                "rank": product.rank,
                "probability": product.probability,
                "score": product.score,
                "source": product.source,
                "policy_probability": product.policy_probability,
                "reasons": product.reasons,
            }
            for product in answer.products
        ],
        "fired": answer.fired,
        "warnings": ignored,
        "model": version,
    }


def _queries(
    body: OfferRequest, form: ProfileForm, service: Service
) -> tuple[list[ProductQuery], list[tuple[Ignored, ...]]]:
    """One query a client, and what was ignored of each."""
    if (body.customer_ids is None) == (body.clients is None):
        raise InputError("body", "must hold customer_ids or clients, one of them")
    config = service.config
    for name, values in (("customer_ids", body.customer_ids), ("clients", body.clients)):
        if values == []:
            raise InputError(name, "must hold 1 entry or more")
        check_length(name, values, limit=config.max_clients)
    most = len(form.schema.products)
    if body.k is not None and not 1 <= body.k <= most:
        raise InputError("k", f"must be an integer from 1 to {most}", value=body.k)

    def query(customer_id: OutsideId, profile: Profile | None) -> ProductQuery:
        return ProductQuery(
            customer_id,
            profile,
            k=body.k,
            lang=body.lang,
            channel=body.channel,
            explain=body.explain,
        )

    if body.clients is None:
        raw_ids = cast("list[object]", body.customer_ids)
        ids = _all_read(raw_ids, lambda raw, place: form.read_id(raw, at=f"/customer_ids/{place}"))
        return [query(customer_id, None) for customer_id in ids], [()] * len(ids)
    profiles = _all_read(body.clients, lambda raw, place: form.read(raw, at=f"/clients/{place}/"))
    for profile in profiles:
        _count(profile, service)
    queries = [query(profile.customer_id, profile) for profile in profiles]
    return queries, [profile.ignored for profile in profiles]


def _all_read(raw: Sequence[R], read: Callable[[R, int], T]) -> list[T]:
    """Each one read; what is wrong with any of them is raised together, so that a caller mends it at one go."""
    found: list[T] = []
    wrong: list[InputError] = []
    for place, each in enumerate(raw):
        try:
            found.append(read(each, place))
        except InputError as error:
            wrong.append(error)
    refuse(wrong)
    return found


def _object(body: bytes) -> dict[str, object]:
    """A body that is one JSON object. NaN and Infinity pass here, so that the field that has one is named."""
    try:
        value = from_json(body)
    except ValueError as error:
        raise InputError("body", f"must be JSON: {error}") from None
    if isinstance(value, list):
        raise InputError(
            "body",
            "must be a JSON object",
            value=f"an array of {len(value)}",
            remedy="send one client alone; POST /products/recommendations takes several as `clients`",
        )
    if not isinstance(value, dict):
        raise InputError("body", "must be a JSON object", value=_json_kind(value))
    return value


def _json_kind(value: object) -> str:
    """What JSON calls a value that is neither object nor array."""
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    return "a string" if isinstance(value, str) else "a number"


def _count(profile: Profile, service: Service) -> None:
    for value in profile.ignored:
        service.metrics.ignored_value(value.name)


def _json(document: dict[str, Any]) -> Response:
    return Response(orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")
