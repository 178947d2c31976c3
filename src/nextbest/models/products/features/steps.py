"""The fitted steps from clients to features: fit on training months, then one `transform` for everybody.

A training set, a batch of a million and one posted profile go through the same lines; what was
fitted is plain JSON. Axes: N rows, F features.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nextbest.data.panel.manifest import PanelManifest, contract_of
from nextbest.data.panel.masks import count_holders
from nextbest.data.panel.panel import Panel, additions
from nextbest.data.panel.schema import PanelSchema
from nextbest.errors import ArtifactError, InputError, NotFittedError
from nextbest.models.products.features.clients import StoredClients
from nextbest.models.products.features.config import FeatureConfig
from nextbest.models.products.features.history import Breadth, History, Holding
from nextbest.models.products.features.household import Household
from nextbest.models.products.features.parts import Chunk, Floats, Part
from nextbest.models.products.features.profile import Changes, Profile, ProfileState, Season, read_attributes
from nextbest.models.products.features.tables import FeatureInput, FeatureTable

CHUNK = 4096
"""Rows transformed at once: their words and columns stay in a core's cache."""
FORMAT = 1
"""Layout of `state`."""


class FeatureSteps:
    """What turns clients into features.

    Medians, vocabularies, fences and the choice of detailed products are learned in `fit`, of training months
    only; `transform` changes nothing and may be called from several threads.
    """

    schema: PanelSchema
    names_: tuple[str, ...]
    """Of the features, in the order of the columns."""
    groups_: tuple[str, ...]
    """Reason group of each."""
    months_: tuple[date, ...]
    """Target months of the training data, oldest first."""
    detailed_: tuple[int, ...]
    """Products (bits) with lags and statistics, most added first."""
    profile_: ProfileState

    def __init__(self, config: FeatureConfig | None = None) -> None:
        self.config = config if config is not None else FeatureConfig()

    def fit(self, panel: Panel, months: Sequence[date]) -> Self:
        """Learn from the clients before some target months, and from what was added in them.

        Parameters
        ----------
        panel
            Read as of each month only.
        months
            Target months that a model will be trained on; at least one.

        Raises
        ------
        InputError
            No month, or one that the panel lacks or that has no month before it.
        """
        schema = panel.schema
        targets = tuple(sorted({schema.month_of(month) for month in months}))
        if not targets:
            raise InputError("months", "must name at least one training month")
        columns = [a.name for a in read_attributes(schema, self.config)]
        profile = ProfileState.fit(
            (panel.as_of(m, attributes=self.config.attributes).attributes(columns=columns) for m in targets),
            schema=schema,
            config=self.config,
        )
        counts = sum(
            count_holders(additions(panel, month).added_N, n_products=len(schema.products))
            for month in targets
        )
        most_first = np.argsort(-np.asarray(counts), kind="stable")[: self.config.n_detailed]
        self._set(schema, targets, tuple(int(bit) for bit in most_first), profile)
        return self

    def _set(
        self, schema: PanelSchema, months: tuple[date, ...], detailed: tuple[int, ...], profile: ProfileState
    ) -> None:
        self.schema, self.months_, self.detailed_, self.profile_ = schema, months, detailed, profile
        config = self.config
        self._profile = Profile(schema, config, profile)
        changes = Changes(schema, config, profile)
        makers: dict[str, Part] = {
            "holding": Holding(schema),
            "history": History(schema, config, detailed=detailed),
            "breadth": Breadth(config),
            "profile": self._profile,
            "changes": changes,
            "household": Household(),
            "season": Season(config),
        }
        self._parts = [makers[block] for block in config.blocks if makers[block].columns]
        columns = [column for part in self._parts for column in part.columns]
        self.names_ = tuple(column.name for column in columns)
        self.groups_ = tuple(column.group for column in columns)
        self._columns = tuple(a.name for a in read_attributes(schema, config))
        self._before = changes.attributes if "changes" in config.blocks else ()

    @property
    def n_features(self) -> int:
        """Number of features F."""
        self._check_fitted()
        return len(self.names_)

    @property
    def columns(self) -> tuple[str, ...]:
        """Attributes that `transform` reads, of the newest month."""
        self._check_fitted()
        return self._columns

    def clients(self, panel: Panel, target: date) -> StoredClients:
        """The panel's clients as of a month, read as these steps need it; keep it for many single requests.

        Raises
        ------
        InputError
            The month can't be looked at; see `Panel.as_of`.
        """
        self._check_fitted()
        as_of = panel.as_of(target, attributes=self.config.attributes)
        return StoredClients(
            as_of,
            columns=self._columns,
            before=self._before,
            max_months=self.config.max_months,
            activity="changes" in self.config.blocks,
            household="household" in self.config.blocks,
        )

    def inputs(
        self, panel: Panel, target: date, rows: NDArray[np.integer[Any]] | None = None
    ) -> FeatureInput:
        """Clients before a target month; without `rows` all who are in the bank the month before.

        Raises
        ------
        InputError
            The month can't be looked at, or a row isn't one of the panel's.
        """
        clients = self.clients(panel, target)
        return clients.inputs(clients.present() if rows is None else rows)

    def transform(self, inputs: FeatureInput) -> FeatureTable:
        """Features of all rows.

        Returns
        -------
        FeatureTable
            F columns in the order of `names_`; a row depends on no other row.

        Raises
        ------
        NotFittedError
            Before `fit` or `from_state`.
        InputError
            An attribute that the features need isn't among the columns.
        """
        self._check_fitted()
        x_NF = np.empty((len(inputs), len(self.names_)), np.float32)
        self.transform_into(inputs, x_NF)
        return FeatureTable(self.names_, x_NF, self.groups_)

    def transform_into(self, inputs: FeatureInput, out_NF: Floats) -> None:
        """`transform` into rows of a larger array, which must be C-ordered and of shape (N, F)."""
        self._check_fitted()
        if missing := [name for name in self._columns if name not in inputs.attributes.columns]:
            raise InputError(
                "attributes", f"must have the columns {list(self._columns)}", value=f"without {missing[:5]}"
            )
        if out_NF.shape != (len(inputs), len(self.names_)):
            raise InputError(
                "out_NF", f"must have shape {(len(inputs), len(self.names_))}", value=out_NF.shape
            )
        for start in range(0, len(inputs), CHUNK):
            rows = inputs if len(inputs) <= CHUNK else inputs.take(slice(start, start + CHUNK))
            chunk = Chunk(rows, len(self.schema.products), self.config.max_months)
            values_FN = np.empty((len(self.names_), len(chunk)), np.float32)
            place = 0
            for part in self._parts:
                part.fill(chunk, values_FN[place : place + len(part.columns)])
                place += len(part.columns)
            out_NF[start : start + CHUNK] = values_FN.T

    def is_outlier(self, inputs: FeatureInput) -> NDArray[np.bool_]:
        """Rows that the policy on training rows is about: income, age or seniority outside the fences.

        For training rows only; rows that are scored are never touched. Shape (N,).
        """
        self._check_fitted()
        return self._profile.is_outlier(inputs.attributes)

    def state(self) -> dict[str, Any]:
        """Everything that was fitted, the config and the schema, as JSON-able plain values."""
        self._check_fitted()
        return {
            "format": FORMAT,
            "config": self.config.model_dump(mode="json"),
            "schema": contract_of(self.schema),
            "months": [month.isoformat() for month in self.months_],
            "detailed": list(self.detailed_),
            "profile": self.profile_.to_dict(),
            "names": list(self.names_),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The steps that `state` describes.

        Raises
        ------
        ArtifactError
            Something is missing or malformed, or this version makes other features of it.
        """
        try:
            if state["format"] != FORMAT:
                raise ArtifactError(
                    "features", f"have layout {state['format']!r}, this version reads {FORMAT}"
                )
            steps = cls(FeatureConfig.model_validate(state["config"]))
            steps._set(
                PanelManifest(contract=state["schema"]).panel_schema,
                tuple(date.fromisoformat(month) for month in state["months"]),
                tuple(int(bit) for bit in state["detailed"]),
                ProfileState.from_dict(state["profile"]),
            )
            names = tuple(state["names"])
        except (
            KeyError,
            TypeError,
            ValueError,
            AttributeError,
            IndexError,
            InputError,
        ) as error:
            raise ArtifactError("features", f"state is malformed ({error!r})") from error
        if names != steps.names_:
            raise ArtifactError("features", "were made by a version that made others of the same config")
        return steps

    def _check_fitted(self) -> None:
        if not hasattr(self, "names_"):
            raise NotFittedError("FeatureSteps")
