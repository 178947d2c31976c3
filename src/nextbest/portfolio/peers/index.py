"""All clients of one day, ready to be asked for the nearest of a profile.

Holds ids, portfolios and results of clients, and tells nothing by itself: what leaves goes through
`privacy.PrivacyGate`. Fit it on data of before a cutoff, and it knows nothing of later.
"""

import hashlib
from collections.abc import Collection, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import ValidationError

from nextbest.data.ids import UNKNOWN, IdIndex
from nextbest.errors import ArtifactError, DataError, InputError
from nextbest.models.store import read_arrays, read_ids, read_manifest, write_folder
from nextbest.portfolio.peers.answers import Nearness, PeerSummary, Refusal
from nextbest.portfolio.peers.features import PeerConfig, Profile, encode_clients, encode_question
from nextbest.portfolio.peers.nearest import Nearest
from nextbest.portfolio.peers.privacy import K_FLOOR, Cohort, PrivacyGate, common_categories
from nextbest.portfolio.peers.results import peer_weights, sharpe_variance, shrink
from nextbest.tables import TableSpec

PROFILES = TableSpec("profiles", required={"client_id": pl.String()}, order=("client_id",))
"""One row a client; the other columns are features by name, nulls allowed; see `features.FEATURES`."""
ALLOCATIONS = TableSpec(
    "allocations",
    required={"client_id": pl.String(), "asset_class": pl.String(), "weight": pl.Float64()},
    order=("client_id", "asset_class"),
)
"""Fractions of each portfolio, >= 0, adding up to one for every client."""
OUTCOMES = TableSpec(
    "outcomes",
    required={"client_id": pl.String()},
    optional={
        "twr": pl.Float64(),
        "max_drawdown": pl.Float64(),
        "sharpe_ann": pl.Float64(),
        "n_returns": pl.Int64(),
    },
    order=("client_id",),
)
"""Each client's results over one period, the same for all: time-weighted return and deepest drawdown (fractions),
annualised Sharpe ratio and the number of returns behind it; nulls allowed."""
_SAMPLE = 4096
"""Clients that stand for all in the explanation."""
KIND, TOLD = "peer_index", ("twr", "max_drawdown")


class PeerIndex:
    """Profiles, portfolios and results of clients as of one day; make it with `fit` or `load`."""

    def __init__(
        self,
        *,
        config: PeerConfig,
        as_of: date,
        k: int,
        categories: Mapping[str, tuple[str, ...]],
        clients: IdIndex,
        asset_classes: tuple[str, ...],
        arrays: Mapping[str, NDArray[Any]],
        result_mean: float,
    ) -> None:
        self.config, self.as_of, self.k = config, as_of, k
        self.categories = categories
        self.asset_classes = asset_classes
        self.result_mean = result_mean
        """Mean result (annualised Sharpe ratio) that the clients' are drawn to."""
        self._clients, self._arrays = clients, dict(arrays)
        self._nearest = Nearest(self._arrays["values_FN"], config=config)

    @classmethod
    def fit(
        cls,
        profiles: pl.DataFrame,
        allocations: pl.DataFrame,
        outcomes: pl.DataFrame | None = None,
        *,
        as_of: date,
        config: PeerConfig | None = None,
        k: int = K_FLOOR,
        periods_per_year: float = 252.0,
    ) -> "PeerIndex":
        """An index of the clients that have both a profile and a portfolio.

        Parameters
        ----------
        profiles, allocations, outcomes
            Tables `PROFILES`, `ALLOCATIONS`, `OUTCOMES`, all of data up to `as_of`; clients without a result are peers
            whose result is taken to be the mean.
        as_of
            Day of the data; stands in every answer.
        k
            Floor of the gate this index is for: categories of fewer clients are merged.
        periods_per_year
            Returns a year, behind `sharpe_ann`.

        Raises
        ------
        DataError
            A table breaks its contract, a client stands twice, weights are negative or don't add up to one.
        InputError
            `k` is below the floor.
        """
        if k < K_FLOOR:
            raise InputError("k", f"must be {K_FLOOR} or more", value=k)
        config = config or PeerConfig()
        profiles, allocations = PROFILES.check(profiles), ALLOCATIONS.check(allocations)
        _check_once("profiles", profiles["client_id"])
        _check_weights(allocations)
        ids = profiles["client_id"].filter(
            profiles["client_id"].is_in(allocations["client_id"].unique().implode())
        )
        # among equally near clients the lower row comes first: by hash, so that it isn't always the oldest client
        clients = IdIndex(pl.Series(sorted(ids.to_list(), key=_shuffled), dtype=pl.String))
        table = pl.DataFrame({"client_id": clients.ids}).join(
            profiles, on="client_id", how="left", maintain_order="left"
        )
        categories = {
            f.name: common_categories(table[f.name], k=k) if f.name in table.columns else ()
            for f in config.features
            if f.kind == "category"
        }
        asset_classes = tuple(allocations["asset_class"].unique().sort().to_list())
        arrays: dict[str, NDArray[Any]] = {
            "values_FN": encode_clients(table, config=config, categories=categories),
            "weight_NC": _weights(allocations, clients, asset_classes),
        }
        mean = _add_results(arrays, outcomes, clients, periods_per_year=periods_per_year)
        return cls(
            config=config,
            as_of=as_of,
            k=k,
            categories=categories,
            clients=clients,
            asset_classes=asset_classes,
            arrays=arrays,
            result_mean=mean,
        )

    def __len__(self) -> int:
        return len(self._clients)

    def __repr__(self) -> str:
        return f"PeerIndex(n_clients={len(self)}, n_classes={len(self.asset_classes)}, as_of={self.as_of})"

    def summary(
        self, profile: Profile, *, asker: str, gate: PrivacyGate, now: datetime, own_ids: Collection[str] = ()
    ) -> PeerSummary | Refusal:
        """What may be told of the peers of `profile`; `PrivacyGate.ask` says what the arguments mean."""
        return gate.ask(self, profile, asker=asker, now=now, own_ids=own_ids)

    def cohort(self, question: Profile) -> Cohort:
        """The raw neighbours of a canonical question, for the gate and for experiments; never for an answer."""
        asked_F = encode_question(question, config=self.config, categories=self.categories)
        found = self._nearest.query(asked_F)
        rows = found.rows_K
        if len(found):
            peer_weight_K = peer_weights(
                found.distance_K,
                self._arrays["shrunken_N"][rows],
                mean=self.result_mean,
                strength=self.config.result_strength,
                max_share=self.config.max_share,
            )
        else:
            peer_weight_K = np.empty(0)
        return Cohort(
            client_ids=tuple(self._clients.decode(rows).to_list()),
            asset_classes=self.asset_classes,
            weight_KC=self._arrays["weight_NC"][rows].astype(np.float64),
            result_K={name: self._arrays[f"{name}_N"][rows] for name in TOLD},
            peer_weight_K=peer_weight_K,
            nearness=self._nearness(asked_F, rows),
            as_of=self.as_of.isoformat(),
        )

    def save(self, folder: str | Path) -> None:
        """Write the index into a new folder, or over an older one of its kind.

        Raises
        ------
        InputError
            Something else is in the folder.
        ExternalError
            The disk refused.
        """
        write_folder(
            Path(folder),
            kind=KIND,
            config=self.config.model_dump(mode="json"),
            arrays=self._arrays,
            ids={"clients": self._clients},
            about={
                "as_of": self.as_of.isoformat(),
                "k": self.k,
                "categories": {name: list(values) for name, values in self.categories.items()},
                "asset_classes": list(self.asset_classes),
                "result_mean": self.result_mean,
            },
        )

    @classmethod
    def load(cls, folder: str | Path) -> "PeerIndex":
        """Read what `save` wrote.

        Raises
        ------
        ArtifactError
            It is missing, changed or of another kind.
        """
        path = Path(folder)
        manifest = read_manifest(path)
        if manifest.get("kind") != KIND:
            raise ArtifactError(path, f"holds a {manifest.get('kind')!r}, not a {KIND!r}")
        try:
            return cls(
                config=PeerConfig.model_validate(manifest["config"]),
                as_of=date.fromisoformat(manifest["as_of"]),
                k=int(manifest["k"]),
                categories={name: tuple(values) for name, values in manifest["categories"].items()},
                clients=read_ids(path, "clients", manifest),
                asset_classes=tuple(manifest["asset_classes"]),
                arrays=read_arrays(path, manifest),
                result_mean=float(manifest["result_mean"]),
            )
        except (ValidationError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                path, f"is not a readable index ({error})", remedy="fit the peers again"
            ) from error

    def _nearness(self, asked_F: NDArray[np.float64], rows: NDArray[np.int64]) -> tuple[Nearness, ...]:
        """The five features in which the neighbours are most nearer than all clients."""
        if not len(rows):
            return ()
        # rows lie by the hash of their ids, so the first are a fair sample of all
        some = np.arange(min(len(self), _SAMPLE))
        gain_F = np.nan_to_num(self._nearest.parts(asked_F, some) - self._nearest.parts(asked_F, rows))
        gain_F *= self.config.weights
        gain_F = np.maximum(gain_F, 0)
        if not gain_F.sum() > 0:
            return ()
        share_F = np.round(gain_F / gain_F.sum() * 20) / 20
        best = [f for f in np.argsort(-share_F, kind="stable")[:5] if share_F[f] > 0]
        features = self.config.features
        return tuple(
            Nearness(
                features[f].name, features[f].title_en, features[f].title_ru, round(float(share_F[f]), 2)
            )
            for f in best
        )


def _shuffled(client_id: str) -> bytes:
    return hashlib.blake2b(client_id.encode(), digest_size=16).digest()


def _check_once(name: str, ids: pl.Series) -> None:
    if twice := ids.filter(ids.is_duplicated()).unique(maintain_order=True).to_list():
        raise DataError(name, "a client must stand once", n_bad=len(twice), examples=twice)


def _check_weights(allocations: pl.DataFrame) -> None:
    bad = allocations.filter(~pl.col("weight").is_finite() | (pl.col("weight") < 0))
    if bad.height:
        raise DataError(
            "allocations", "weight must be 0 or more", n_bad=bad.height, examples=bad["weight"].to_list()
        )
    sums = allocations.group_by("client_id", maintain_order=True).agg(pl.col("weight").sum())
    off = sums.filter((pl.col("weight") - 1).abs() > 1e-6)
    if off.height:
        raise DataError(
            "allocations",
            "weights of a client must add up to one",
            n_bad=off.height,
            examples=[round(w, 4) for w in off["weight"].head(5)],
            remedy="divide by each client's total",
        )


def _weights(
    allocations: pl.DataFrame, clients: IdIndex, asset_classes: tuple[str, ...]
) -> NDArray[np.float32]:
    """Shares of the classes, shape (N, C); a class that a client has in several rows is added up."""
    row_of = clients.encode(allocations["client_id"])
    class_of = IdIndex(pl.Series(asset_classes, dtype=pl.String)).encode(allocations["asset_class"])
    known = row_of != UNKNOWN
    weights = np.zeros((len(clients), len(asset_classes)))
    np.add.at(weights, (row_of[known], class_of[known]), allocations["weight"].to_numpy()[known])
    return weights.astype(np.float32)


def _add_results(
    arrays: dict[str, NDArray[Any]],
    outcomes: pl.DataFrame | None,
    clients: IdIndex,
    *,
    periods_per_year: float,
) -> float:
    """Results by row and their shrunken Sharpe ratios into `arrays`; the mean that they are drawn to."""
    columns = {name: np.full(len(clients), np.nan) for name in (*TOLD, "sharpe_ann", "n_returns")}
    if outcomes is not None:
        OUTCOMES.check(outcomes)
        _check_once("outcomes", outcomes["client_id"])
        row_of = clients.encode(outcomes["client_id"])
        for name, column in columns.items():
            if name in outcomes.columns:
                values = outcomes[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
                column[row_of[row_of != UNKNOWN]] = values[row_of != UNKNOWN]
    sharpe_N = columns["sharpe_ann"]
    variance_N = sharpe_variance(sharpe_N, columns["n_returns"], periods_per_year=periods_per_year)
    shrunken = shrink(np.where(np.isfinite(variance_N), sharpe_N, np.nan), variance_N)
    arrays.update({f"{name}_N": columns[name] for name in TOLD}, shrunken_N=shrunken.value_N)
    return shrunken.mean
