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
from nextbest.tables import ITEM_ID, TIME, TIME_DTYPE, USER_ID

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
        self, history: pl.DataFrame, user_ids: pl.Series, *, time: datetime | pl.Series
    ) -> NDArray[np.float64]:
        """Probability of each item to be each client's next one, if the client buys at `time`.

        Parameters
        ----------
        history
            Clean journal rows; of each client those before the client's `time` count.
        user_ids
            Clients, each once, in the order wanted.
        time
            Moment of the purchase, with a time zone: one for all, or one for each client.

        Returns
        -------
        ndarray of shape (len(user_ids), n_items)
            Columns in the order of `item_ids`; rows sum to 1.

        Raises
        ------
        InputError
            A client or an item isn't of this shop, a client comes twice, or `time` has no zone or
            another length.
        """
        parts = list(self._batches(history, user_ids, time))
        return np.concatenate([p for _, p in parts]) if parts else np.empty((0, self.laws.n_items))

    def recommend(
        self,
        history: pl.DataFrame,
        user_ids: pl.Series,
        *,
        time: datetime | pl.Series,
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
        self, history: pl.DataFrame, user_ids: pl.Series, time: datetime | pl.Series
    ) -> Iterator[tuple[pl.Series, Floats]]:
        """Some clients at a time, so that memory stays that of a batch."""
        start = self.laws.config.start
        asked = pl.DataFrame({USER_ID: user_ids.alias(USER_ID), "now": _moments(time, len(user_ids))})
        if user_ids.n_unique() != len(user_ids) or (self.user_ids.encode(user_ids) < 0).any():
            raise InputError("user_ids", "must be clients of this shop, each once")
        known = history.select(USER_ID, ITEM_ID, TIME).join(asked, on=USER_ID, how="inner")
        known = known.filter(pl.col(TIME) < pl.col("now")).sort(USER_ID, TIME, maintain_order=True)
        if (self.item_ids.encode(known[ITEM_ID]) < 0).any():
            raise InputError("history", "must hold only items of this shop")
        for first in range(0, len(asked), _BATCH):
            part = asked[first : first + _BATCH]
            users = part[USER_ID]
            rows = known.filter(pl.col(USER_ID).is_in(users.implode()))
            yield (
                users,
                self._probabilities(
                    users,
                    IdIndex(users).encode(rows[USER_ID]).astype(np.int64),
                    self.item_ids.encode(rows[ITEM_ID]).astype(np.int64),
                    _days(rows[TIME], start),
                    _days(part["now"], start),
                ),
            )

    def _probabilities(
        self, users: pl.Series, row: NDArray[np.int64], item: NDArray[np.int64], day: Floats, moment: Floats
    ) -> Floats:
        """The formula of `laws` for one batch; events are sorted by time inside a client."""
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


def _moments(time: datetime | pl.Series, n: int) -> pl.Series:
    """The time of each client."""
    times = time if isinstance(time, pl.Series) else pl.Series([time] * n, dtype=None if n else TIME_DTYPE)
    if not isinstance(times.dtype, pl.Datetime) or times.dtype.time_zone is None:
        raise InputError("time", "must carry a time zone", value=str(times.dtype))
    if len(times) != n:
        raise InputError("time", f"must be one, or one for each of {n} clients", value=len(times))
    return times.dt.convert_time_zone("UTC").dt.cast_time_unit("us")


def _days(times: pl.Series, start: datetime) -> Floats:
    days: Floats = (times - start).dt.total_microseconds().to_numpy() / 8.64e10
    return days
