"""Exact nearest clients: one pass over a float32 block, no approximate index.

Knows features and numbers; no ids, no holdings. Legend: `F` features, `N` clients, `K` neighbours.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextbest.errors import InputError
from nextbest.portfolio.peers.features import PeerConfig


@dataclass(frozen=True)
class Neighbours:
    """The nearest clients of one question, nearest first."""

    rows_K: NDArray[np.int64]  # noqa: N815 - shape suffix
    distance_K: NDArray[np.float64]  # noqa: N815 - shape suffix

    def __len__(self) -> int:
        return len(self.rows_K)


class Nearest:
    """The clients' block and the search in it.

    Parameters
    ----------
    values_FN
        Encoded clients (`encode_clients`), shape (F, N); NaN = not known. Numbers beyond the first or last level
        count as that level.

    Notes
    -----
    A feature that one side doesn't know is left out and the others' weights are scaled up (Gower 1971); a pair that
    shares less than `min_known` of the weights isn't compared: its distance is infinite. Equal distances go by row
    number, so the same question has the same answer.
    """

    def __init__(self, values_FN: NDArray[np.float64], *, config: PeerConfig) -> None:
        self.config = config
        self.n_clients = values_FN.shape[1]
        features = config.features
        weight_F = config.weights
        self._scale_F, self._extra_F = np.ones(len(features)), np.zeros(len(features))
        self._low_F, self._high_F = np.full(len(features), -np.inf), np.full(len(features), np.inf)
        gower = config.distance == "gower"
        for f, feature in enumerate(features):
            if feature.kind == "category":
                self._extra_F[f] = weight_F[f] * (1.0 if gower else 4.0)
                continue
            ends = feature.on_scale(np.array([feature.levels[0], feature.levels[-1]]))
            self._low_F[f], self._high_F[f] = ends
            if gower:
                self._scale_F[f] = weight_F[f] / feature.span
            else:
                known = values_FN[f][np.isfinite(values_FN[f])].clip(*ends)
                deviation = float(known.std()) if len(known) else 0.0
                # a feature that doesn't vary tells no two clients apart; its range keeps odd questions far
                self._scale_F[f] = np.sqrt(weight_F[f]) / (deviation if deviation > 0 else feature.span)
        missing = np.isnan(values_FN)
        self._block_FN = self._scaled(values_FN.T).T.astype(np.float32, order="C")
        self._block_FN[missing] = 0.0
        self._has_FN = ~missing
        self._missing = [np.flatnonzero(row) for row in missing]
        self._share_F = weight_F
        self._weight_F = weight_F.astype(np.float32)
        self._known_N = ((~missing).T @ weight_F).astype(np.float32)

    def _scaled(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Features on the last axis: at their ends where beyond, times their scale."""
        return np.clip(values, self._low_F, self._high_F) * self._scale_F

    def distances(self, question_F: NDArray[np.float64]) -> NDArray[np.float32]:
        """Distance of every client, shape (N,); infinite where too little is known of both.

        >>> from nextbest.portfolio.peers.features import Feature
        >>> config = PeerConfig(features=(Feature(name="age", title_en="", title_ru="", levels=(20, 84)),))
        >>> Nearest(np.array([[20.0, 84.0, np.nan]]), config=config).distances(np.array([20.0])).tolist()
        [0.0, 1.0, inf]
        """
        asked_F = self._scaled(question_F).astype(np.float32)
        absent_F = np.isnan(question_F)
        total = np.zeros(self.n_clients, np.float32)
        part = np.empty(self.n_clients, np.float32)
        differs = np.empty(self.n_clients, np.bool_)
        known = self._known_N
        for f, feature in enumerate(self.config.features):
            if absent_F[f]:
                known = known - self._weight_F[f]
                known[self._missing[f]] += self._weight_F[f]
                continue
            if feature.kind == "category":
                np.not_equal(self._block_FN[f], asked_F[f], out=differs)
                np.multiply(differs, np.float32(self._extra_F[f]), out=part)
            else:
                np.subtract(self._block_FN[f], asked_F[f], out=part)
                if self.config.distance == "gower":
                    np.abs(part, out=part)
                else:
                    np.square(part, out=part)
            if len(self._missing[f]):
                part[self._missing[f]] = 0.0
            np.add(total, part, out=total)
        with np.errstate(divide="ignore", invalid="ignore"):
            np.divide(total, known, out=total)
        if self.config.distance == "standardised":
            np.sqrt(total, out=total)
        # half a thousandth under the rule: weights are summed in float32
        total[known < self.config.min_known - 5e-4] = np.inf
        return total

    def query(self, question_F: NDArray[np.float64]) -> Neighbours:
        """The `n_neighbours` nearest clients within the config's distance, or as many as there are.

        Parameters
        ----------
        question_F
            Encoded question, shape (F,); NaN = not known.

        Raises
        ------
        InputError
            It has another number of features.
        """
        if question_F.shape != (len(self.config.features),):
            raise InputError(
                "question_F", f"must have shape ({len(self.config.features)},)", value=question_F.shape
            )
        distance_N = self.distances(question_F)
        k = min(self.config.n_neighbours, self.n_clients)
        if k == 0:
            return Neighbours(np.empty(0, np.int64), np.empty(0))
        last = np.partition(distance_N, k - 1)[k - 1]
        rows = np.flatnonzero(distance_N <= min(float(last), self.config.limit))
        rows = rows[np.lexsort((rows, distance_N[rows]))][:k]
        return Neighbours(rows, distance_N[rows].astype(np.float64))

    def parts(self, question_F: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Mean difference by feature over those of the clients `rows` that know it, before weighting: 0 = all alike; shape (F,).

        Gower: fractions of the range; standardised: squared deviations. NaN for a feature that isn't asked for or
        that none of the clients knows.
        """
        means = np.full(len(self.config.features), np.nan)
        asked_F = self._scaled(question_F)
        for f, feature in enumerate(self.config.features):
            if np.isnan(question_F[f]):
                continue
            known = rows[self._has_FN[f][rows]]
            if not len(known):
                continue
            gap = self._block_FN[f][known].astype(np.float64) - asked_F[f]
            if feature.kind == "category":
                gap = (gap != 0) * self._extra_F[f]
            else:
                gap = np.abs(gap) if self.config.distance == "gower" else gap**2
            means[f] = gap.mean() / self._share_F[f]
        return means
