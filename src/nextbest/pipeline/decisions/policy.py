"""What a bank decides about its offers, as one frozen value: a policy read from TOML or JSON.

Holds rules and their checks; knows no client, no probability and no panel but by the names of its
columns. `rules.py` turns a policy into bits for one `PanelSchema`.
"""

import hashlib
import json
import tomllib
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nextbest.data.panel.schema import MAX_PRODUCTS, Family
from nextbest.errors import InputError
from nextbest.pipeline.decisions.toml_text import toml_text

Unknown = Literal["forbid", "allow"]
"""What holds for a client whose value is missing."""
Share = Annotated[float, Field(ge=0, le=1)]
Days = Annotated[float, Field(gt=0, le=3660)]
Age = Annotated[int, Field(ge=0, le=120)]
Values = tuple[str, ...]
Selectors = dict[str, Values]
"""Role or attribute name -> values that make the rule hold; one of them is enough."""


NAMED = 5
"""Wrong keys that an error names."""


class Part(BaseModel):
    """Base of every part: frozen, an unknown key is refused, and numbers are finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ProductRule(Part):
    """Money and limits of one product. A product that the policy doesn't name is not for sale."""

    value: float = Field(ge=0)
    """What one addition is worth, in the policy's `currency` and by its `value_unit`. 0: never offered."""
    lever: float = Field(default=1.0, ge=0)
    """A factor that people move for a time (campaigns, stock); no unit. 0: never offered."""
    is_open: bool = True
    """For sale."""
    min_age: Age | None = None
    """Youngest age in years, included; None: any."""
    max_age: Age | None = None
    """Oldest age in years, included; None: any."""
    residence: Values = ()
    """Values of the role `residence` that may have it; empty: any."""
    channels: Values = ()
    """Channels it is offered in; empty: all."""
    min_propensity: Share = 0.0
    """Probability below which it is not worth a place."""

    @model_validator(mode="after")
    def _ages_in_order(self) -> Self:
        if self.min_age is not None and self.max_age is not None and self.min_age > self.max_age:
            raise ValueError(f"min_age {self.min_age} is above max_age {self.max_age}")
        return self


class ClientRules(Part):
    """Clients who get no offer at all, whatever the product."""

    deceased: Selectors = Field(default_factory=dict)
    former: Selectors = Field(default_factory=dict)
    employee: Selectors = Field(default_factory=dict)
    """Empty: the rule is not set and employees are clients like others."""
    unknown_age: Unknown = "forbid"
    """For products with an age limit."""
    unknown_residence: Unknown = "forbid"
    """For products with a rule of residence."""


class SuitabilityRule(Part):
    """These products suit only clients who pass one test (affordability, vulnerability).

    `SuitabilityRule(code="income_too_low", families=("loan",), attribute="income", min=12_000)`
    """

    code: str = Field(pattern=r"^[a-z][a-z0-9_]{1,39}$")
    """What the log and the answer say when it fires; stable, chosen by the bank."""
    products: tuple[str, ...] = ()
    families: tuple[Family, ...] = ()
    """With `products` the union; both empty: every product."""
    attribute: str
    """Role or attribute that is tested; never a protected one."""
    min: float | None = None
    max: float | None = None
    allowed: Values = ()
    forbidden: Values = ()
    when_unknown: Unknown = "forbid"

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        n_tests = (self.min is not None or self.max is not None) + bool(self.allowed) + bool(self.forbidden)
        if n_tests != 1:
            raise ValueError("needs exactly one test: min and/or max, or allowed, or forbidden")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}")
        return self


class ContextWeight(Part):
    """A factor of the score for some products in some context; all that apply multiply."""

    weight: float = Field(ge=0)
    """No unit; 1 changes nothing, 0 takes the product out."""
    products: tuple[str, ...] = ()
    families: tuple[Family, ...] = ()
    """With `products` the union; both empty: every product."""
    channel: str | None = None
    """Only when the decision is made for this channel; None: in all."""
    attribute: str | None = None
    """Role or attribute whose value must be one of `values`; never a protected one. None: every client."""
    values: Values = ()

    @model_validator(mode="after")
    def _attribute_with_values(self) -> Self:
        if (self.attribute is None) != (not self.values):
            raise ValueError("attribute and values belong together")
        return self


class Cap(Part):
    """At most so many contacts in so many days."""

    scope: Literal["client", "channel", "product"]
    """What is counted: all contacts of a client, those in the decision's channel, or those of each product."""
    at_most: int = Field(ge=0)
    days: Days
    unit: Literal["offers", "contacts"] = "offers"
    """`offers`: each product shown counts; `contacts`: what was shown at one moment counts once."""
    channels: Values = ()
    """The cap holds for decisions in these channels; empty: in all."""
    products: tuple[str, ...] = ()
    """With scope `product`: which; empty: each."""

    @model_validator(mode="after")
    def _products_by_scope(self) -> Self:
        if self.products and self.scope != "product":
            raise ValueError(f"products go with scope = 'product' only, not {self.scope!r}")
        return self


class Suppression(Part):
    """A product shown `after_exposures` times in `within_days` rests `for_days` after the last of them."""

    after_exposures: int = Field(ge=1)
    within_days: Days
    for_days: Days
    products: tuple[str, ...] = ()
    """Which; empty: each."""


class ContactPolicy(Part):
    """How often a client may be addressed, judged by the contacts before the decision."""

    caps: tuple[Cap, ...] = ()
    suppressions: tuple[Suppression, ...] = ()
    refusal_days: float = Field(default=0.0, ge=0, le=3660)
    """A refused product rests so long; 0: the rule is not set. A refusal without a product holds for all."""
    refusal_outcomes: Values = ("refused",)
    """Outcomes that are a refusal."""
    not_shown_outcomes: Values = ("not_delivered",)
    """Outcomes of contacts that never reached the client: they count for nothing."""


class ControlGroup(Part):
    """Clients whom the model never chooses for, for ever, so that its effect can be measured."""

    share: Share = 0.05
    salt: str = Field(default="control", min_length=1)
    """Key of the draw. Another salt draws another group: change it only to end an experiment."""
    offers: Literal["none", "random"] = "none"
    """`none`: no offer; `random`: one of the products that passed all filters, each as likely."""


class Exploration(Part):
    """How far choices leave the best-scored product, with known probabilities."""

    kind: Literal["none", "epsilon_greedy", "softmax"] = "none"
    """`softmax`: Plackett-Luce, products weigh score ** (1 / temperature)."""
    epsilon: Share = 0.05
    """`epsilon_greedy`: share of places filled by any product that passed, each as likely."""
    temperature: float = Field(default=0.2, gt=0, le=100)
    """`softmax`: towards 0 the best only; 1: in proportion to the score."""


class DecisionPolicy(Part):
    """Everything between a probability and an offer that people decide. `load_policy` reads one.

    Money is a float on purpose: it is an expectation that orders products, nothing is booked from it.
    """

    version: str = Field(min_length=1)
    """Name of this state of the policy, logged with every decision."""
    panel: str
    """Name of the `PanelSchema` it speaks of."""
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    """ISO 4217 code of every `value`."""
    value_unit: str = Field(min_length=1)
    """What a `value` is, in words: margin or contribution, over how long, per what."""
    max_offers: int = Field(default=3, ge=1, le=MAX_PRODUCTS)
    """Places of a client's list."""
    channels: Values = Field(default=("app",), min_length=1)
    """Channels a decision can be made for."""
    default_channel: str = "app"
    products: dict[str, ProductRule] = Field(min_length=1)
    """By column of the panel."""
    before: tuple[tuple[str, str], ...] = ()
    """Pairs (first, second): the second is offered only after the first in the same list, or where the first is held."""
    mandatory: tuple[str, ...] = ()
    """Products that come first, in this order, for every client they are eligible, applicable and suitable for;
    outside arbitration, contact policy, control group and exploration."""
    clients: ClientRules = ClientRules()
    suitability: tuple[SuitabilityRule, ...] = ()
    context: tuple[ContextWeight, ...] = ()
    contacts: ContactPolicy = ContactPolicy()
    control: ControlGroup = ControlGroup()
    exploration: Exploration = Exploration()

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        _unique("channels", self.channels)
        _unique("mandatory", self.mandatory)
        _unique("suitability", [rule.code for rule in self.suitability], what="codes")
        if self.default_channel not in self.channels:
            raise ValueError(f"default_channel {self.default_channel!r} is not one of channels")
        if len(self.mandatory) > self.max_offers:
            raise ValueError(f"mandatory names {len(self.mandatory)} products, more than max_offers")
        named = [
            *((f"products.{name}.channels", rule.channels) for name, rule in self.products.items()),
            *((f"contacts.caps.{n}.channels", cap.channels) for n, cap in enumerate(self.contacts.caps)),
            *(
                (f"context.{n}.channel", (rule.channel,))
                for n, rule in enumerate(self.context)
                if rule.channel is not None
            ),
        ]
        for key, channels in named:
            if unknown := sorted(set(channels) - set(self.channels)):
                raise ValueError(f"{key} names {unknown}, not among channels {list(self.channels)}")
        _no_cycle(self.before)
        return self

    @property
    def digest(self) -> str:
        """First 12 hex digits of the SHA-256 of its JSON: equal digests are equal policies."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:12]

    def to_json(self) -> str:
        """The policy as JSON with sorted keys; `from_json` reads it back."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False, sort_keys=True)

    def to_toml(self) -> str:
        """The policy as TOML, without keys that are None; `from_toml` reads it back."""
        return toml_text(self.model_dump(mode="json"))

    @classmethod
    def from_json(cls, text: str | bytes, *, name: str = "policy", file: str | Path | None = None) -> Self:
        """A policy of JSON text; `name`, and the file it was read from where there is one, are said in errors.

        Raises
        ------
        InputError
            The text is no JSON, or keys break their rules: the message names the first five
            (`policy.products.x.min_age`), those that no policy has before the others.
        """
        try:
            raw = json.loads(text)
        except ValueError as error:
            raise InputError(name, f"is not valid JSON: {error}", remedy=_place(file)) from error
        return cls._checked(raw, name, file)

    @classmethod
    def from_toml(cls, text: str, *, name: str = "policy", file: str | Path | None = None) -> Self:
        """A policy of TOML text; errors as in `from_json`."""
        try:
            raw = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InputError(name, f"is not valid TOML: {error}", remedy=_place(file)) from error
        return cls._checked(raw, name, file)

    @classmethod
    def _checked(cls, raw: Any, name: str, file: str | Path | None) -> Self:
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            # A key that no policy has is a slip of the pen, and what "is required" is often its other half.
            wrong = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
            places = [InputError(*_said(name, e), value=_given(e)) for e in wrong[:NAMED]]
            first, *others = places
            more = [str(other) for other in others]
            if len(wrong) > NAMED:
                more.append(f"{len(wrong) - NAMED} more")
            also = [f"also wrong: {'; '.join(more)}"] if more else []
            remedy = "; ".join([*also, *([place] if (place := _place(file)) else [])])
            raise InputError(first.name, first.rule, value=first.value, remedy=remedy or None) from error


def shipped_policies() -> list[str]:
    """Names of the policies that come with the package, sorted."""
    folder = resources.files("nextbest.pipeline.decisions") / "policies"
    return sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))


def load_policy(name_or_path: str | Path = "santander") -> DecisionPolicy:
    """A policy by its shipped name (`santander`) or from a `.toml` or `.json` file.

    Raises
    ------
    InputError
        No such policy or file, or a key breaks its rule.
    """
    path = Path(name_or_path)
    if path.suffix in (".toml", ".json"):
        if not path.is_file():
            raise InputError("policy", "file does not exist", value=str(path))
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise InputError("policy", "file is not UTF-8 text", value=str(path)) from error
        read = DecisionPolicy.from_toml if path.suffix == ".toml" else DecisionPolicy.from_json
        return read(text, file=path)
    if str(name_or_path) not in shipped_policies():
        raise InputError(
            "policy",
            f"must be a .toml or .json file or one of {shipped_policies()}",
            value=str(name_or_path),
        )
    shipped = resources.files("nextbest.pipeline.decisions") / "policies" / f"{name_or_path}.toml"
    return DecisionPolicy.from_toml(shipped.read_text("utf-8"))


def _said(name: str, wrong: Any) -> tuple[str, str]:
    """A wrong key with dots, and the rule it breaks."""
    key = ".".join([name, *(str(part) for part in wrong["loc"])])
    if wrong["type"] != "extra_forbidden":
        return key, wrong["msg"].removeprefix("Value error, ")
    near = get_close_matches(str(wrong["loc"][-1]), sorted(_keys()), n=1)
    return key, "is no key of a policy" + (f", the nearest is {near[0]}" if near else "")


def _given(wrong: Any) -> object:
    """What stands there, where one value does."""
    return None if wrong["type"] in ("missing", "value_error") else wrong.get("input")


def _place(file: str | Path | None) -> str | None:
    return None if file is None else f"in {file}"


def _keys() -> set[str]:
    """Names of all fields of a policy and of its parts."""
    return {key for part in Part.__subclasses__() for key in part.model_fields}


def _unique(key: str, names: tuple[str, ...] | list[str], *, what: str = "values") -> None:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{key}: {what} must be unique, twice: {twice}")


def _no_cycle(pairs: tuple[tuple[str, str], ...]) -> None:
    """A product must not wait for itself, by however many others."""
    waits_for: dict[str, set[str]] = {}
    for first, second in pairs:
        waits_for.setdefault(second, set()).add(first)
    for start, firsts in waits_for.items():
        seen: set[str] = set()
        ahead = set(firsts)
        while ahead:
            if start in ahead:
                raise ValueError(f"before: {start!r} would have to come before itself")
            seen |= ahead
            ahead = {first for name in ahead for first in waits_for.get(name, ())} - seen
