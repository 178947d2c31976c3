"""What is true of a simulated shop: tastes, vectors, and the probability of every next item.

An oracle built from it is the ceiling that no recommender can pass but by luck, and tells whether
a comparison that finds "no difference" could have found one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.ids import IdIndex
from nextbest.errors import InputError
from nextbest.simulate.laws import FOLLOWER_SHARES, Floats, Laws
from nextbest.tables import ITEM_ID, TIME, USER_ID

_BATCH = 512


@dataclass(frozen=True, eq=False)
class Truth:
    """The laws and who obeys them."""

    laws: Laws
    item_ids: IdIndex
    """Row i of every item array in `laws` belongs to `item_ids.decode([i])`."""
    user_ids: IdIndex
    taste: Floats
    """Shape (n_users, d); dot products with item and shelf vectors are log weights."""

    def next_item_probabilities(
        self, history: pl.DataFrame, user_ids: pl.Series, *, time: datetime
    ) -> NDArray[np.float64]:
        """Probability of each item to be each client's next one, if the client buys at `time`.

        Parameters
        ----------
        history
            Clean journal rows; only those of `user_ids` before `time` count.
        user_ids
            Clients, in the order wanted.
        time
            Moment of the purchase, with a time zone.

        Returns
        -------
        ndarray of shape (len(user_ids), n_items)
            Columns in the order of `item_ids`; rows sum to 1.

        Raises
        ------
        InputError
            A client or an item isn't of this shop, or `time` has no zone.
        """
        parts = list(self._batches(history, user_ids, time))
        return np.concatenate([p for _, p in parts]) if parts else np.empty((0, self.laws.n_items))

    def recommend(
        self,
        history: pl.DataFrame,
        user_ids: pl.Series,
        *,
        time: datetime,
        k: int = 10,
        exclude_seen: bool = False,
    ) -> pl.DataFrame:
        """The oracle: each client's k most probable next items, as a recommendations table.

        Raises
        ------
        InputError
            As `next_item_probabilities`; or `k` is below 1.
        """
        if k < 1:
            raise InputError("k", "must be 1 or more", value=k)
        k = min(k, self.laws.n_items)
        tables = [pl.DataFrame(schema=self._schema())]
        for users, probability in self._batches(history, user_ids, time):
            if exclude_seen:
                seen = history.filter(pl.col(USER_ID).is_in(users.implode()))
                row = IdIndex(users).encode(seen[USER_ID])
                probability[row, self.item_ids.encode(seen[ITEM_ID])] = -1.0
            best = np.argsort(-probability, axis=1, kind="stable")[:, :k]
            score = np.take_along_axis(probability, best, axis=1)
            table = pl.DataFrame(
                {
                    USER_ID: users.gather(np.repeat(np.arange(len(users)), k)),
                    ITEM_ID: self.item_ids.decode(best.ravel()),
                    "rank": np.tile(np.arange(1, k + 1, dtype=np.int32), len(users)),
                    "score": score.ravel().astype(np.float32),
                    "source": "oracle",
                }
            )
            tables.append(table.filter(pl.col("score") >= 0))
        return pl.concat(tables)

    def _schema(self) -> dict[str, pl.DataType]:
        return {
            USER_ID: self.user_ids.ids.dtype,
            ITEM_ID: self.item_ids.ids.dtype,
            "rank": pl.Int32(),
            "score": pl.Float32(),
            "source": pl.String(),
        }

    def _batches(
        self, history: pl.DataFrame, user_ids: pl.Series, time: datetime
    ) -> Iterator[tuple[pl.Series, Floats]]:
        """Some clients at a time, so that memory stays that of a batch."""
        if time.tzinfo is None:
            raise InputError("time", "must carry a time zone", value=time.isoformat())
        start = self.laws.config.start
        now = (time - start).total_seconds() / 86_400
        known = history.filter(pl.col(TIME) < time).sort(USER_ID, TIME, maintain_order=True)
        if (self.user_ids.encode(user_ids) < 0).any():
            raise InputError("user_ids", "must be clients of this shop")
        if (self.item_ids.encode(known[ITEM_ID]) < 0).any():
            raise InputError("history", "must hold only items of this shop")
        for first in range(0, len(user_ids), _BATCH):
            users = user_ids[first : first + _BATCH].alias(USER_ID)
            rows = known.filter(pl.col(USER_ID).is_in(users.implode()))
            day = (rows[TIME] - start).dt.total_microseconds().to_numpy() / 8.64e10
            place = IdIndex(users).encode(rows[USER_ID]).astype(np.int64)
            yield (
                users,
                self._probabilities(
                    users, place, self.item_ids.encode(rows[ITEM_ID]).astype(np.int64), day, now
                ),
            )

    def _probabilities(
        self, users: pl.Series, row: NDArray[np.int64], item: NDArray[np.int64], day: Floats, now: float
    ) -> Floats:
        """The formula of `laws` for one batch; events are sorted by time inside a client."""
        moment = np.full(len(users), now)
        out = self.laws.taste_probabilities(self.taste[self.user_ids.encode(users)], moment)
        total = np.ones(len(users))
        latest_at = np.full(out.shape, -np.inf)
        np.maximum.at(latest_at, (row, item), day)
        bought_row, bought_item = np.nonzero(np.isfinite(latest_at))
        due = self.laws.due(
            bought_item[:, None],
            latest_at[bought_row, bought_item][:, None],
            np.isfinite(self.laws.period[bought_item])[:, None],
            moment[bought_row],
        )[:, 0]
        np.add.at(out, (bought_row, bought_item), due)
        np.add.at(total, bought_row, due)
        last_item, last_day = np.full(len(users), -1), np.full(len(users), -np.inf)
        last_item[row], last_day[row] = item, day  # the newest event of a client is written last
        pull = self.laws.pulled(last_item, last_day, moment)
        has = np.flatnonzero(pull > 0)
        drawn = self.laws.followers[last_item[has]]
        np.add.at(out, (has[:, None], drawn), pull[has][:, None] * FOLLOWER_SHARES)
        total[has] += pull[has]
        probabilities: Floats = out / total[:, None]
        return probabilities
