"""A bank small enough to know by heart: a scripted model in place of a fitted one, and its model folder.

Client 1 has stored history and holds the current account; everybody else is known by profile alone.
The young are told of an e-account, all others of a current account and direct debit; nobody under 18
is told of anything.
"""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from nextbest.data.panel.schema import SANTANDER
from nextbest.errors import ArtifactError
from nextbest.pipeline.products.profile import ProfileForm
from nextbest.pipeline.products.query import Fired, ProductAnswer, ProductQuery, RankedProduct, Reason
from nextbest.service.products.schemas import SEED_CLIENT

CREATED = datetime(2026, 1, 1, tzinfo=UTC)
MONTH = date(2016, 5, 28)
KNOWN = 1
ACCOUNT, E_ACCOUNT, DEBIT = "ind_cco_fin_ult1", "ind_ecue_fin_ult1", "ind_recibo_ult1"


class FakeBank:
    """Answers as the script at the top says; counts its batches."""

    schema = SANTANDER
    form = ProfileForm(SANTANDER)
    n_clients: int | None = 1
    open_products = frozenset(SANTANDER.product_columns) - {"ind_deco_fin_ult1"}

    def __init__(self, folder: Path, *, newest_month: date | None = MONTH) -> None:
        self.manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
        if self.manifest.get("broken"):
            raise ArtifactError(folder, "is broken")
        self.newest_month = newest_month
        self.batches: list[int] = []
        self.queries: list[ProductQuery] = []

    def answer(self, queries: Sequence[ProductQuery]) -> Sequence[ProductAnswer]:
        """One answer a query."""
        self.batches.append(len(queries))
        self.queries += queries
        if any(query.customer_id == 666 for query in queries):
            raise ValueError(f"secret of client {[q.customer_id for q in queries]}")
        return [self._answer(query) for query in queries]

    def _answer(self, query: ProductQuery) -> ProductAnswer:
        values = {} if query.profile is None else query.profile.values
        age = values.get("age")
        known = query.customer_id == KNOWN
        wanted = [E_ACCOUNT] if age is not None and age < 30 else [ACCOUNT, DEBIT]
        if age is not None and age < 18:
            wanted, fired = [], [Fired(column, "too_young") for column in SANTANDER.product_columns]
        else:
            fired = [Fired(ACCOUNT, "held")] if known else []
        wanted = [product for product in wanted if not known or product != ACCOUNT]
        reason = Reason("income", "Доход" if query.lang == "ru" else "Income")
        products = tuple(
            RankedProduct(
                product,
                rank,
                0.5 / rank,
                policy_probability=1.0,
                reasons=(reason,) if query.explain else (),
            )
            for rank, product in enumerate(wanted[: query.k], start=1)
        )
        return ProductAnswer(
            query.customer_id,
            known,
            MONTH,
            date(2016, 6, 28),
            control=False,
            channel=query.channel or "app",
            policy="test-1",
            products=products,
            fired=tuple(fired),
        )


def save_bank(folder: Path, *, name: str = "bank", day: int = 1, **more: Any) -> Path:
    """A model folder, renamed into place as a save does."""
    folder.mkdir(parents=True, exist_ok=True)
    created = CREATED.replace(day=day).isoformat()
    manifest = {"kind": "products", "name": name, "created": created, **more}
    fresh = folder / "manifest.new"
    fresh.write_text(json.dumps(manifest))
    fresh.rename(folder / "manifest.json")
    return folder


def client_with(**values: Any) -> dict[str, Any]:
    """The client of the first contract's example, some fields changed."""
    return {**SEED_CLIENT, **values}
