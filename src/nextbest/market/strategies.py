"""What anybody would try with a leaderboard's forecasts: every model by every rule, and momentum beside them.

All of them are back-tested, counted in the ledger and judged together, also those that nobody will look at: that is
what a deflated Sharpe ratio, PBO and SPA need to know. Axes: O origins, T bars, A assets.
"""

from collections.abc import Callable, Sequence
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from nextbest.data.prices.panel import PricePanel
from nextbest.errors import DataError
from nextbest.market.bench.leaderboard import Leaderboard
from nextbest.market.bench.origins import Origins
from nextbest.market.ledger import Ledger
from nextbest.market.trading.audit import Audit, audit_fills
from nextbest.market.trading.backtest import Costs, Fill, backtest
from nextbest.market.trading.signals import long_flat, long_short, top_minus_bottom
from nextbest.market.verdict.judge import Trials, Verdict, by_day, judge
from nextbest.market.verdict.sharpe import moments

FloatArray = NDArray[np.float64]
LOOKBACKS = (5, 20, 60)
"""Bars that the momentum rules look back."""
SIDES = 3
"""Assets on each side of top-minus-bottom; fewer where the panel has fewer than twice as many."""


def strategies_of(
    board: Leaderboard, panel: PricePanel, origins: Origins, *, lookbacks: Sequence[int] = LOOKBACKS
) -> dict[str, FloatArray]:
    """Positions of every strategy that a leaderboard gives rise to.

    Each model's median at the horizon nearest to the distance of two origins, and the log-return of the last
    `lookbacks` bars, become long/short, long/flat and top-minus-bottom, decided at the origins. A model that never
    says up or down (a random walk) gives none.

    Returns
    -------
    dict of name to ndarray of shape (T, A)
        `MODEL long_short`, ...; as `backtest` takes them, NaN between origins: what is held stays.

    Raises
    ------
    DataError
        Nothing says up or down.
    """
    place = int(np.argmin([abs(h - origins.every) for h in board.horizons]))
    median = int(np.argmin([abs(q - 0.5) for q in board.levels]))
    at_O = origins.stops - 1
    scores = {name: said[:, :, place, median] for name, said in board.forecasts.items()}
    close_AT = np.log(panel.close_AT)
    for bars in lookbacks:
        past_O = at_O - bars
        momentum = close_AT[:, at_O] - np.where(past_O >= 0, close_AT[:, np.maximum(past_O, 0)], np.nan)
        scores[f"momentum_{bars}"] = momentum.T
    sides = min(SIDES, panel.n_assets // 2)
    rules: dict[str, Callable[[FloatArray], FloatArray]] = {"long_short": long_short, "long_flat": long_flat}
    if sides:
        rules[f"top_{sides}_minus_bottom_{sides}"] = lambda score: top_minus_bottom(score, k=sides)
    found = {}
    for name, score_OA in scores.items():
        if not (np.nan_to_num(score_OA) != 0).any():
            continue
        for rule, decide in rules.items():
            position = np.full((panel.n_bars, panel.n_assets), np.nan)
            position[at_O] = decide(score_OA)
            found[f"{name} {rule}"] = position
    if not found:
        raise DataError(
            "forecasts",
            "say neither up nor down anywhere, and no bar has a return before it",
            remedy="bench a model with a direction (drift, auto_arima, lgbm_quantile, ...)",
        )
    return found


def tried(
    board: Leaderboard,
    panel: PricePanel,
    origins: Origins,
    *,
    costs: Costs,
    ledger: Ledger,
    rng: int = 0,
    fill: Fill = "open",
) -> Verdict:
    """Back-test all that a leaderboard gives rise to, count it, and judge.

    Parameters
    ----------
    board, panel, origins
        Of one run of `bench`.
    costs
        Of a trade; the verdict is given at each of the gate's cost levels, with this funding.
    ledger
        Every strategy is entered as a trial; the number that deflates is that of all trials ever made on days of
        this test, in this ledger.
    rng
        Seed.
    fill
        `close` for prices without opens.

    Raises
    ------
    DataError
        Nothing to trade, or fewer than two days of returns.
    """
    positions = strategies_of(board, panel, origins)
    said = {
        "origins": [
            len(origins),
            int(origins.stops[0]),
            origins.every,
            origins.refit_every,
            *origins.horizons,
        ],
        "fill": fill,
        "cost_per_side": costs.per_side,
        "capital": costs.capital,
    }
    digest = panel.digest()
    result = backtest(np.stack(list(positions.values())), panel, costs, names=tuple(positions), fill=fill)
    for name, net_T in zip(result.names, result.net_ST, strict=True):
        ledger.add_trial(name, said, net_T[result.period], times=panel.time_T[result.period], data=digest)
    days = panel.time_T.astype("datetime64[D]")
    period = (days[origins.stops[0] - 1].item(), days[-1].item())
    return judge(
        positions,
        panel,
        costs=costs,
        trials=Trials(max(ledger.n_trials(period), len(positions)), _sharpes(ledger, period)),
        rng=rng,
        audit=_audit(next(iter(positions.values())), panel, costs, fill=fill, rng=rng),
        fill=fill,
    )


def _sharpes(ledger: Ledger, period: tuple[date, date]) -> list[float]:
    """Sharpe ratios a day of all trials on days of the period."""
    table = ledger.trials()
    found = []
    for trial in table["trial"].filter((table["first_day"] <= period[1]) & (table["last_day"] >= period[0])):
        times, return_T = ledger.returns(trial)
        if len(times) > 1:
            step = timedelta(microseconds=int(np.median(np.diff(times).astype(np.int64))))
            _, net_D = by_day(np.nan_to_num(return_T)[None], times, step)
            found.append(moments(net_D[0]).sharpe)
    return [sharpe for sharpe in found if np.isfinite(sharpe)]


def _audit(position_TA: FloatArray, panel: PricePanel, costs: Costs, *, fill: Fill, rng: int) -> Audit | None:
    """Whether the back-test that judges lets a decision earn its own bar; None of a panel too short to say."""
    if panel.n_bars < 20:
        return None

    def earn(position: FloatArray, prices: PricePanel) -> FloatArray:
        net_T: FloatArray = backtest(position, prices, costs, fill=fill).net_ST[0]
        return net_T

    return audit_fills(earn, position_TA, panel, rng=rng)
