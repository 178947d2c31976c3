"""A product model, its panel and a bank's policy as one: questions in, predictions and offers out.

The service asks it for single clients, the monthly batch for all: both get the same answers. Axes: N
clients, P products, K places.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.panel.manifest import find_panel
from nextbest.data.panel.panel import Panel
from nextbest.data.panel.schema import PanelSchema
from nextbest.errors import ArtifactError, InputError
from nextbest.models.products.features.tables import FeatureInput
from nextbest.models.products.product_model import ProductModel
from nextbest.pipeline.decisions.control import in_control
from nextbest.pipeline.decisions.decide import decide
from nextbest.pipeline.decisions.decisions import Decisions
from nextbest.pipeline.decisions.exploration import SOURCES
from nextbest.pipeline.decisions.policy import DecisionPolicy, load_policy
from nextbest.pipeline.decisions.rules import Rules, compile_policy
from nextbest.pipeline.products.forecast import forecast_policy
from nextbest.pipeline.products.history import ClientHistory
from nextbest.pipeline.products.profile import ProfileForm
from nextbest.pipeline.products.query import (
    Decided,
    Fired,
    ProductAnswer,
    ProductQuery,
    Purpose,
    RankedProduct,
    Reason,
)
from nextbest.pipeline.products.reasons import reason_source

log = logging.getLogger(__name__)

NOBODIES = range(-1, -65, -1)
"""Ids of which one stands for a question about nobody in particular: the first outside of the control group."""


@dataclass(frozen=True)
class _Kind:
    """What questions must share to be answered by one pass."""

    as_of: date
    purpose: Purpose
    channel: str | None
    explain: bool


class ProductAdvisor:
    """Answers questions about bank products. Only one thread may ask.

    Parameters
    ----------
    model
        Fitted.
    panel
        With the clients' histories; None: everybody is answered by profile alone.
    policy
        The bank's rules.

    Raises
    ------
    ArtifactError
        Model and panel have different products.
    InputError
        The policy doesn't fit the products.

    Notes
    -----
    The newest attributes that anybody knows are those of the month before the one foretold. A model that was
    fitted to know the month's own (`scoring_time`) gets these too, and says so in the log.
    """

    def __init__(self, model: ProductModel, *, panel: Panel | None, policy: DecisionPolicy) -> None:
        _check_products(model.schema, panel)
        self.model, self.panel = model, panel
        self._as_fitted = model
        self.version = model.version
        """Of the model, logged with every offer."""
        self.schema: PanelSchema = model.schema
        self.form = ProfileForm(self.schema)
        self.rules: Rules = compile_policy(policy, self.schema)
        self._forecast_rules = compile_policy(forecast_policy(policy), self.schema)
        self._threshold = model.threshold
        self._nobody = _nobody(policy)
        columns = {*model.columns, *self.rules.columns, *self._forecast_rules.columns}
        self.history = ClientHistory(
            self.schema,
            panel,
            columns=sorted(columns),
            fallback_month=self.schema.month_before(model.target),
            attributes=model.config.features.attributes,
        )
        if model.config.features.attributes == "scoring_time":
            log.warning(
                "the model expects attributes of the month it foretells; it gets those of the month before"
            )

    @classmethod
    def load(
        cls, folder: str | Path, *, panel: str | Path | None, policy: str | Path | None = None
    ) -> "ProductAdvisor":
        """A model folder, the panel in a folder (or its `panel`) and a policy file.

        Parameters
        ----------
        folder
            Written by `ProductModel.save`.
        panel
            Where the panel is; None, or a folder without one: nobody is known.
        policy
            TOML or JSON file or the name of a shipped policy; None: the shipped one of the panel's name.

        Raises
        ------
        ArtifactError
            The model or the panel can't be read, or they have different products.
        InputError
            The policy can't be read or doesn't fit the products.
        """
        model = ProductModel.load(Path(folder))
        found = None if panel is None else find_panel(Path(panel))
        if panel is not None and found is None:
            log.warning(
                "no panel there: every client is answered by profile alone", extra={"folder": str(panel)}
            )
        opened = None if found is None else Panel.open(found)
        chosen = load_policy(model.schema.name if policy is None else policy)
        advisor = cls(model, panel=opened, policy=chosen)
        return advisor if opened is None or not opened.months else advisor.for_month(opened.months[-1])

    def for_month(self, as_of: date) -> Self:
        """This advisor with its model moved to the month after `as_of`; itself where that is the model's own.

        Always moved from the model as it was fitted, and back to that itself: a month has one version, whatever
        months were asked before. A panel with too little before that month leaves the model as it is, and the log
        says so.
        """
        target = self.schema.month_before(as_of, n=-1)
        if self.panel is None or target == self.model.target:
            return self
        try:
            model = self._as_fitted.for_month(self.panel, target=target)
        except InputError as error:
            log.warning("the model expects the numbers of another month", extra={"why": str(error)})
            return self
        log.info("model moved", extra={"from": f"{self.model.target:%Y-%m}", "to": f"{target:%Y-%m}"})
        model.manifest = self._as_fitted.manifest
        moved = type(self)(model, panel=self.panel, policy=self.rules.policy)
        moved._as_fitted = self._as_fitted
        return moved

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The model folder's manifest, with the version that answers: a model that was moved has one of its own."""
        return {**self.model.manifest, "model_version": self.version}

    @property
    def newest_month(self) -> date | None:
        """Newest month of the panel; None without one."""
        return self.history.newest_month

    @property
    def n_clients(self) -> int | None:
        """Clients that the panel holds; None without one."""
        return None if self.panel is None else self.panel.n_customers

    @property
    def open_products(self) -> frozenset[str]:
        """Ids of the products that the policy sells."""
        closed = self.rules.closed_mask
        return frozenset(c for bit, c in enumerate(self.schema.product_columns) if not closed >> bit & 1)

    def answer(self, queries: Sequence[ProductQuery]) -> list[ProductAnswer]:
        """One answer a query, in order; a query's answer doesn't depend on the others.

        Raises
        ------
        InputError
            A channel is not the policy's.
        """
        answers: list[ProductAnswer | None] = [None] * len(queries)
        groups: dict[_Kind, list[int]] = {}
        first: dict[ProductQuery, int] = {}
        copies: dict[int, int] = {}
        rows = np.array([self.history.row(query.customer_id) for query in queries], np.int32)
        for place, query in enumerate(queries):
            if query.profile is None and first.setdefault(query, place) != place:
                copies[place] = first[query]
                continue
            month = None if query.profile is None else query.profile.month
            as_of = self.history.as_of(int(rows[place]), month)
            kind = _Kind(as_of, query.purpose, query.channel, query.explain)
            groups.setdefault(kind, []).append(place)
        for kind, group in groups.items():
            own = [queries[place] for place in group]
            for place, answer in zip(group, self._answer(kind, own, rows[group]), strict=True):
                answers[place] = answer
        for place, at in copies.items():
            answers[place] = answers[at]
        return [answer for answer in answers if answer is not None]

    def _answer(
        self, kind: _Kind, queries: Sequence[ProductQuery], rows_N: NDArray[np.int32]
    ) -> list[ProductAnswer]:
        inputs = self.history.inputs(kind.as_of, rows_N, [query.profile for query in queries])
        ids = [self._nobody if query.customer_id is None else query.customer_id for query in queries]
        client_ids = pl.Series(ids, dtype=self.schema.id_dtype, strict=False)
        if kind.purpose == "predict":
            return self._predict(kind, queries, inputs, client_ids)
        decisions, known_N = self.offers(
            inputs, client_ids, channel=kind.channel, explain=kind.explain, clients_repeat=True
        )
        return [
            ProductAnswer(
                customer_id=query.customer_id,
                known=bool(known_N[n]),
                as_of=kind.as_of,
                target=inputs.target,
                control=query.customer_id is not None and bool(decisions.is_control_N[n]),
                channel=decisions.channel,
                policy=self.rules.policy.version,
                products=_offered(decisions, n, query),
                fired=tuple(Fired(column, code) for column, code in decisions.fired(n).items()),
                decided=Decided(decisions, n),
            )
            for n, query in enumerate(queries)
        ]

    def offers(
        self,
        inputs: FeatureInput,
        client_ids: pl.Series,
        *,
        channel: str | None = None,
        contacts: pl.DataFrame | None = None,
        decided_at: datetime | None = None,
        explain: bool = True,
        clients_repeat: bool = False,
    ) -> tuple[Decisions, NDArray[np.bool_]]:
        """What to offer to N clients, and which of them were answered from stored history.

        Parameters
        ----------
        inputs
            The clients, with the attributes that model and policy read (`history.inputs` has them).
        client_ids
            In the same order, each once unless `clients_repeat`.
        channel, contacts, decided_at, clients_repeat
            See `decide`.
        explain
            Whether reasons are found.

        Raises
        ------
        InputError
            The channel is not the policy's.
        """
        table = self.model.features(inputs) if explain else None
        predictions = self.model.predict(inputs, table=table)
        decisions = decide(
            predictions.p_NP,
            inputs.held_N,
            attributes=inputs.attributes,
            client_ids=client_ids,
            month=inputs.target,
            policy=self.rules,
            channel=channel,
            contacts=contacts,
            decided_at=decided_at,
            reasons=None if table is None else reason_source(self.model, inputs, table),
            model_version=self.version,
            clients_repeat=clients_repeat,
        )
        return decisions, predictions.known_N

    def _predict(
        self, kind: _Kind, queries: Sequence[ProductQuery], inputs: FeatureInput, client_ids: pl.Series
    ) -> list[ProductAnswer]:
        """Products above the threshold, likeliest first; the best possible one where none is."""
        predictions = self.model.predict(inputs)
        decisions = decide(
            predictions.p_NP,
            inputs.held_N,
            attributes=inputs.attributes,
            client_ids=client_ids,
            month=inputs.target,
            policy=self._forecast_rules,
            model_version=self.version,
            clients_repeat=True,
        )
        answers = []
        for n, query in enumerate(queries):
            p_P = predictions.p_NP[n]
            chosen = self._above(p_P, possible=int(decisions.possible_N[n]), held=int(inputs.held_N[n]))
            answers.append(
                ProductAnswer(
                    customer_id=query.customer_id,
                    known=bool(predictions.known_N[n]),
                    as_of=kind.as_of,
                    target=inputs.target,
                    control=False,
                    channel="",
                    policy=self._forecast_rules.policy.version,
                    products=tuple(
                        RankedProduct(self.schema.product_columns[bit], rank, float(p_P[bit]))
                        for rank, bit in enumerate(chosen, start=1)
                    ),
                    fired=tuple(Fired(column, code) for column, code in decisions.fired(n).items()),
                )
            )
        return answers

    def _above(self, p_P: NDArray[np.float32], *, possible: int, held: int) -> list[int]:
        """Possible products that pass the threshold, or the best one, likeliest first.

        A product that must wait for another comes after it, however likely: place by place, as offers are made.
        """
        left = [bit for bit in np.argsort(-p_P, kind="stable").tolist() if possible >> bit & 1]
        chosen: list[int] = []
        there = held
        while left:
            waiting = {second for first, second in self._forecast_rules.before if not there >> first & 1}
            best = next((bit for bit in left if bit not in waiting), None)
            if best is None or (chosen and p_P[best] < self._threshold):
                break
            chosen.append(best)
            left.remove(best)
            there |= 1 << best
        return chosen


def _nobody(policy: DecisionPolicy) -> int:
    """The id of a question about nobody, whom no control group must leave without an offer."""
    is_control = in_control(pl.Series(list(NOBODIES)), policy.control)
    return NOBODIES[int(is_control.argmin())]


def _check_products(model: PanelSchema, panel: Panel | None) -> None:
    if panel is not None and panel.schema.product_columns != model.product_columns:
        raise ArtifactError(
            "model",
            f"foretells {len(model.products)} products of {model.name!r}, the panel holds others",
            remedy="train it on this panel",
        )


def _offered(decisions: Decisions, client: int, query: ProductQuery) -> tuple[RankedProduct, ...]:
    """One client's offers, as many as were asked for."""
    n_offers = int(decisions.n_offers_N[client])
    n_asked = n_offers if query.k is None else min(query.k, n_offers)
    reasons = decisions.reasons
    columns = decisions.rules.schema.product_columns
    return tuple(
        RankedProduct(
            product_id=columns[int(decisions.product_NK[client, place])],
            rank=place + 1,
            probability=float(decisions.propensity_NK[client, place]),
            score=float(decisions.score_NK[client, place]),
            source=SOURCES[decisions.source_NK[client, place]],
            policy_probability=float(decisions.probability_NK[client, place]),
            reasons=tuple(
                Reason(code, text)
                for code, text in zip(
                    reasons.codes(client, place), reasons.words(client, place, lang=query.lang), strict=True
                )
            ),
        )
        for place in range(n_asked)
    )
