"""One investor's life on a market: deposits, purchases, sales and withdrawals, at the closes of their days.

Quantities are kept as pieces of before the market's first split (`adjusted`), so that a split changes nothing here.
Cash is never below zero, nothing is sold that isn't held, an asset that stops trading is sold at its last close.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nextbest.data.holdings.market import FloatArray, Market
from nextbest.simulate.portfolios.config import PortfolioLaws

Ints = NDArray[np.int64]
_SMALLEST = 1e-6
_MONTH = 30.44


@dataclass(frozen=True)
class Stage:
    """A market prepared for many lives. `T` days, `A` assets; amounts in the market's currency."""

    market: Market
    price_TA: FloatArray  # noqa: N815 - shape suffix
    """Close in the market's currency times all splits so far: what one adjusted piece is worth; NaN = no trade."""
    split_TA: FloatArray  # noqa: N815 - shape suffix
    """Product of all splits so far."""
    income_TA: FloatArray  # noqa: N815 - shape suffix
    """All dividends so far on one adjusted piece."""
    first_A: Ints  # noqa: N815 - shape suffix
    last_A: Ints  # noqa: N815 - shape suffix
    """First and last day with a close, as places in T."""
    whole_A: NDArray[np.bool_]  # noqa: N815 - shape suffix
    """Whether pieces are whole: shares are, funds and metal are not."""
    month_T: Ints  # noqa: N815 - shape suffix
    """Months since year 0 of each day."""


def prepare(market: Market) -> Stage:
    """The arrays that every life on `market` uses."""
    split: FloatArray = np.cumprod(market.split_TA, axis=0, dtype=np.float64)
    priced = ~np.isnan(market.close_TA * market.fx_TA)
    n = market.n_days
    return Stage(
        market=market,
        price_TA=market.close_TA * market.fx_TA * split,
        split_TA=split,
        income_TA=np.cumsum(np.nan_to_num(split * market.dividend_TA * market.fx_TA), axis=0),
        first_A=priced.argmax(axis=0),
        last_A=n - 1 - priced[::-1].argmax(axis=0),
        whole_A=np.array([c == "equity" for c in market.asset_class]),
        month_T=market.days_T.astype("datetime64[M]").astype(np.int64),
    )


@dataclass
class Life:
    """What happened; places are days of the market's T."""

    stage: Stage
    laws: PortfolioLaws
    chosen: Ints
    """Assets of this client, places in A."""
    weights: FloatArray
    """Wanted share of each, sums to 1."""
    cash: float = 0.0
    paid_until: int = 0
    trades: list[tuple[int, int, float, float, float]] = field(default_factory=list)
    """Day, asset, quantity in pieces of that day (< 0 = sold), price a piece in the asset's currency, fee in it."""
    flows: list[tuple[int, float]] = field(default_factory=list)
    """Day, amount (< 0 = taken out)."""

    def __post_init__(self) -> None:
        self.held = np.zeros(len(self.chosen))
        """Adjusted pieces of each chosen asset."""

    def receive(self, day: int) -> None:
        """Dividends since the last event into cash."""
        income = self.stage.income_TA[[self.paid_until, day]][:, self.chosen]
        self.cash += float(self.held @ (income[1] - income[0]))
        self.paid_until = day

    def deposit(self, day: int, amount: float) -> None:
        """Money in (or out), to the cent."""
        amount = round(amount, 2)
        if amount:
            self.flows.append((day, amount))
            self.cash += amount

    def buy(self, day: int, i: int, budget: float) -> None:
        """As much of the i-th chosen asset as `budget` and cash allow; whole pieces of shares."""
        a = int(self.chosen[i])
        price = self.stage.price_TA[day, a]
        if not np.isfinite(price):
            return
        split = self.stage.split_TA[day, a]
        pieces = min(budget, self.cash) / (1 + self.laws.fee) / price * split
        pieces = np.floor(pieces) if self.stage.whole_A[a] else np.floor(pieces * 1e4) / 1e4
        if pieces > 0:
            self._trade(day, i, float(pieces))

    def sell(self, day: int, i: int, share: float) -> None:
        """A share of what is held of the i-th chosen asset; all of it from 1 on."""
        a = int(self.chosen[i])
        if not np.isfinite(self.stage.price_TA[day, a]) or self.held[i] <= _SMALLEST:
            return
        pieces = self.held[i] * self.stage.split_TA[day, a]
        if share < 1:
            pieces *= share
            pieces = np.floor(pieces) if self.stage.whole_A[a] else np.floor(pieces * 1e4) / 1e4
        if pieces > 0:
            self._trade(day, i, -float(pieces))
            if share >= 1:
                self.held[i] = 0.0

    def _trade(self, day: int, i: int, pieces: float) -> None:
        a = int(self.chosen[i])
        close = float(self.stage.market.close_TA[day, a])
        # Down to the cent: rounded up, it could cost more than the cash that was set aside.
        fee = np.floor(abs(pieces) * close * self.laws.fee * 100) / 100
        rate = float(self.stage.market.fx_TA[day, a])
        self.held[i] += pieces / self.stage.split_TA[day, a]
        self.cash -= (pieces * close + fee) * rate
        self.trades.append((day, a, pieces, close, float(fee)))

    def values(self, day: int) -> FloatArray:
        """Worth of each chosen asset that trades on the day, 0 for the others."""
        value: FloatArray = np.nan_to_num(self.held * self.stage.price_TA[day, self.chosen])
        return value


def live(
    stage: Stage,
    laws: PortfolioLaws,
    *,
    chosen: Ints,
    weights: FloatArray,
    wealth: float,
    contribution: float,
    first: int,
    last: int,
    rng: np.random.Generator,
) -> Life:
    """The life of one client from day `first` to day `last` of the market, both in.

    Law of a month after the first: with `contribution` > 0 it is paid in on the client's day of the month (one month
    in twenty is missed); every few months (the client's rhythm) all cash goes into the two assets furthest below
    their wanted shares; with small probabilities a part is sold and taken out, or moved from the asset furthest
    above its share to the one furthest below.
    """
    life = Life(stage, laws, chosen, weights, paid_until=first)
    life.deposit(first, wealth)
    for i in np.argsort(-weights, kind="stable"):
        life.buy(first, int(i), wealth * float(weights[i]))
    exits: dict[int, list[int]] = {}
    for i, a in enumerate(chosen):
        if stage.last_A[a] < last:
            exits.setdefault(int(stage.last_A[a]), []).append(i)
    rhythm = int(rng.integers(1, laws.invests_every + 1))
    events = _event_days(stage, first, last, float(rng.uniform(0, 1)))
    luck = rng.uniform(size=(len(events), 4))
    ends = sorted(exits)
    for n, day in enumerate(events):
        while ends and ends[0] <= day:
            _leave(life, ends[0], exits[ends[0]])
            ends.pop(0)
        life.receive(day)
        _month(life, n, day, luck[n], contribution=contribution, rhythm=rhythm, last=last)
    for day in ends:
        _leave(life, day, exits[day])
    return life


def _leave(life: Life, day: int, assets: list[int]) -> None:
    life.receive(day)
    for i in assets:
        life.sell(day, i, 1.0)


def _event_days(stage: Stage, first: int, last: int, within: float) -> list[int]:
    """One day of each month after the first, at the client's place within the month."""
    months = stage.month_T[first : last + 1]
    starts = np.flatnonzero(np.diff(months)) + 1
    ends = np.append(starts[1:], len(months))
    return [first + int(s + within * (e - s - 1)) for s, e in zip(starts, ends, strict=True)]


def _month(
    life: Life, n: int, day: int, luck: FloatArray, *, contribution: float, rhythm: int, last: int
) -> None:
    laws = life.laws
    if contribution and luck[0] > 0.05:
        life.deposit(day, contribution)
    if luck[1] < laws.withdraws:
        _withdraw(life, day, 0.05 + 0.25 * float(luck[3]))
    elif luck[2] < laws.rebalances:
        gap = _gaps(life, day, last)
        if gap is not None:
            life.sell(day, int(np.argmin(gap)), 0.5)
            life.buy(day, int(np.argmax(gap)), life.cash)
    elif (n + 1) % rhythm == 0:
        gap = _gaps(life, day, last)
        if gap is not None:
            budget = life.cash
            order = np.argsort(-gap, kind="stable")
            life.buy(day, int(order[0]), budget * (0.7 if len(order) > 1 else 1.0))
            if len(order) > 1 and np.isfinite(gap[order[1]]):
                life.buy(day, int(order[1]), life.cash)


def _gaps(life: Life, day: int, last: int) -> FloatArray | None:
    """Wanted minus held worth of each asset; -inf for one that doesn't trade now or soon won't; None if none does."""
    stage, chosen = life.stage, life.chosen
    open_ = np.isfinite(stage.price_TA[day, chosen]) & (
        (stage.last_A[chosen] >= last) | (stage.last_A[chosen] > day + 2 * _MONTH)
    )
    if not open_.any():
        return None
    values = life.values(day)
    total = values.sum() + life.cash
    gap: FloatArray = np.where(open_, life.weights * total - values, -np.inf)
    return gap


def _withdraw(life: Life, day: int, share: float) -> None:
    """Sell a share of everything that trades and take it out."""
    before = life.cash
    for i in np.flatnonzero(life.values(day) > 0):
        life.sell(day, int(i), share)
    if life.cash > before:
        life.deposit(day, -np.floor((life.cash - before) * 100) / 100)
