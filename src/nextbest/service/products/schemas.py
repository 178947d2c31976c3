"""What requests about bank products must look like, and what answers look like, as the OpenAPI document tells it.

The fields of a client are those of the live model's panel; the models here describe the shipped
Santander schema. Handlers read clients themselves (`pipeline.products.profile`): looser than any
type that a JSON schema can say.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from nextbest.data.panel.schema import SANTANDER, Attribute, PanelSchema
from nextbest.service.config import ProductNames
from nextbest.service.schemas import Lang, OutsideId

SEED_CLIENT: dict[str, Any] = {
    "fecha_dato": "2016-05-28",
    "ncodpers": 123456,
    "ind_empleado": "A",
    "pais_residencia": "ES",
    "sexo": "H",
    "age": "35",
    "fecha_alta": "2012-08-10",
    "ind_nuevo": 0,
    "antiguedad": "45",
    "indrel": 1.0,
    "ult_fec_cli_1t": None,
    "indrel_1mes": "1.0",
    "tiprel_1mes": "A",
    "indresi": "S",
    "indext": "N",
    "conyuemp": None,
    "canal_entrada": "KHE",
    "indfall": "N",
    "tipodom": 1.0,
    "cod_prov": 28.0,
    "nomprov": "MADRID",
    "ind_actividad_cliente": 1.0,
    "renta": 87218.1,
    "segmento": "02 - PARTICULARES",
}
"""A client as the first contract writes one."""


class PredictParams(BaseModel, frozen=True, extra="forbid"):
    """Query parameters of POST /predict."""

    names: ProductNames | None = Field(
        default=None,
        description="Names of the answer: as the first contract had them, corrected, or ids of products.",
    )
    lang: Lang = Field(default="ru", description="Language of corrected names.")


class PredictAnswer(BaseModel):
    """Products that the client will add in the month after `fecha_dato`, likeliest first."""

    predicted_products: list[str]


class OfferRequest(BaseModel):
    """Body of POST /products/recommendations: some stored clients, or some posted ones."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "examples": [
                {"customer_ids": [123456, 123457], "k": 3, "lang": "ru"},
                {"clients": [SEED_CLIENT], "explain": False},
            ]
        },
    )

    customer_ids: list[Any] | None = Field(default=None, description="Clients of the panel, by id.")
    clients: list[dict[str, Any]] | None = Field(
        default=None, description="Clients with their attributes, each as in POST /predict."
    )
    k: int | None = Field(
        default=None, description="Most products for each; never more than the policy's `max_offers`."
    )
    channel: str | None = Field(
        default=None, max_length=100, description="For which the offer is made; one of the policy's."
    )
    lang: Lang = Field(default="en", description="Language of names and reasons.")
    explain: bool = Field(default=True, description="false leaves `reasons` empty and saves time.")


class ReasonAnswer(BaseModel):
    """Why a product is likely."""

    code: str = Field(description="Stable name of the reason.")
    text: str


class OfferedProduct(BaseModel):
    """One place of an offer."""

    product_id: str
    name: str
    rank: int = Field(description="1 = best.")
    probability: float = Field(description="Calibrated: of 1,000 such clients, so many thousandths add it.")
    score: float = Field(description="Probability x value x lever x weights, in the policy's currency.")
    source: str = Field(description="arbitration, exploration, mandatory or control.")
    policy_probability: float = Field(
        description="P(this product at this place, given the places before it) under the policy: log it where the "
        "offer is shown, or what exploration showed can't be learned from."
    )
    reasons: list[ReasonAnswer]


class FiredAnswer(BaseModel):
    """A filter that took a product out."""

    product_id: str
    filter: str


class ValueWarning(BaseModel):
    """A value that was read and not used: it counts as missing."""

    name: str
    rule: str
    value: Any


class ClientOffer(BaseModel):
    """The offer for one client."""

    customer_id: OutsideId | None
    known: bool = Field(description="Has stored history; false: answered from the profile alone.")
    as_of: str = Field(description="Newest month whose products are known, YYYY-MM.")
    target: str = Field(description="Month whose additions are foretold, YYYY-MM.")
    control: bool = Field(description="In the permanent random control group, for which no model chooses.")
    channel: str
    policy: str = Field(description="Version of the bank's rules.")
    products: list[OfferedProduct]
    fired: list[FiredAnswer]
    warnings: list[ValueWarning]
    model: str = Field(description="Version of the model that answered.")


class OffersAnswer(BaseModel):
    """Offers in the order of the request."""

    answers: list[ClientOffer]


class CatalogProduct(BaseModel):
    """One product that the model knows."""

    product_id: str
    name_en: str
    name_ru: str
    seed_name_ru: str = Field(description="As POST /predict names it.")
    family: str
    open: bool = Field(description="May be offered at all.")


class CatalogAnswer(BaseModel):
    """All products, in the order of the panel."""

    products: list[CatalogProduct]
    model: str


def client_schema(schema: PanelSchema = SANTANDER) -> dict[str, Any]:
    """JSON schema of a posted client."""
    month = {"type": "string", "format": "date", "description": "Day of the month that the values describe."}
    properties: dict[str, Any] = {
        schema.month_column: month,
        schema.id_column: {"type": ["integer", "string"], "description": "Id of the client."},
    }
    properties |= {attribute.name: _property(attribute) for attribute in schema.attributes}
    return {
        "type": "object",
        "required": [schema.month_column, schema.id_column],
        "properties": properties,
        "additionalProperties": True,
        "description": 'Numbers may be text and text numbers; null, absent, "" and " NA" mean missing.',
    }


def _property(attribute: Attribute) -> dict[str, Any]:
    types: dict[str, list[Literal["string", "number", "boolean", "null"]]] = {
        "category": ["string", "number", "null"],
        "integer": ["number", "string", "null"],
        "number": ["number", "string", "null"],
        "flag": ["number", "string", "boolean", "null"],
        "date": ["string", "null"],
    }
    words = []
    if attribute.domain and len(attribute.domain) <= 10:
        words.append(f"one of {list(attribute.domain)}")
    if attribute.low is not None:
        words.append(f"{attribute.low:g} or more")
    if attribute.high is not None:
        words.append(f"{attribute.high:g} or less")
    words = words and ["; ".join(words) + "; anything else counts as missing"]
    return {"type": types[attribute.kind], **({"description": words[0]} if words else {})}
