"""Back-test: what peers' allocation brings beside popularity, the model portfolio and the market, split by time.

At each cutoff every strategy sees prices, holdings and results up to then. It is judged by the six months after (monthly
return) and by the odds of the clients' own goals in futures drawn from months after the cutoff alone. Reported as found:
holdings that were simulated can only give back the law they were drawn from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Annotated, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, Field, PositiveInt

from nextbest.data.holdings.book import Book
from nextbest.data.holdings.market import Market
from nextbest.errors import DataError, InputError
from nextbest.evaluation.significance import Interval, PairedTest, Rng, bootstrap_mean, paired_test
from nextbest.experiments.portfolio.client_months import MonthEnd, growth_between, month_ends
from nextbest.experiments.portfolio.client_tables import (
    peer_allocations,
    peer_outcomes,
    people_on,
    risk_profile,
)
from nextbest.portfolio.peers.answers import Refusal
from nextbest.portfolio.peers.features import Profile, canonical
from nextbest.portfolio.peers.from_book import profile_of
from nextbest.portfolio.peers.index import PeerIndex
from nextbest.portfolio.peers.privacy import PrivacyConfig, tell
from nextbest.portfolio.plan.candidates import Candidate, fit_to_limits, model_portfolio
from nextbest.portfolio.plan.class_returns import ClassReturns, asset_returns, class_returns
from nextbest.portfolio.plan.goals import MAX_MONTHS, Goal, GoalSimulator
from nextbest.portfolio.plan.questionnaire import RiskProfile
from nextbest.portfolio.plan.suitability import Allocation, load_limits, suitable

Floats = NDArray[np.float64]
People = Mapping[str, tuple[dict[str, Any], dict[str, Any], float]]
"""Client to investor, goal and years left of it."""
STRATEGIES = ("peers", "model", "popularity", "market", "own")
"""`peers`: their weighted median allocation; `model`: of the risk class; `popularity`: the ten shares most clients bought
in the last six months; `market`: the benchmark. These four are mixed with deposits until they suit. `own`: what the client
holds, as it is."""
N_POPULAR = 10


class BacktestConfig(BaseModel, frozen=True, extra="forbid"):
    """How strategies are compared."""

    cutoffs: Annotated[tuple[date, ...], Field(min_length=1)] = (
        date(2019, 12, 31), date(2020, 6, 30), date(2020, 12, 31), date(2021, 6, 30), date(2021, 12, 31),
        date(2022, 6, 30), date(2022, 12, 31),
    )  # fmt: skip
    """Last days of months that strategies may see."""
    months_after: PositiveInt = 6
    """Months of the return that is judged."""
    months_before: PositiveInt = 12
    """Months of the results that peers are weighed by."""
    n_clients: Annotated[int, Field(ge=20)] = 1_000
    """Drawn at each cutoff from those who hold something; peers are all who do, the one who asks among them, as in the service."""
    n_paths: Annotated[int, Field(ge=100)] = 2_000
    block: PositiveInt = 6
    inflation_ann: float = 0.05
    safe_class: str = "deposit"
    """What unsuitable weight goes to."""
    benchmark: str = "MCFTRR"


@dataclass(frozen=True)
class Backtest:
    """Strategies side by side; figures are means over clients."""

    roi: Mapping[str, Interval]
    """Monthly return over the months after the cutoff, compounded; fraction a month. Bootstrap over clients."""
    probability: Mapping[str, Interval]
    """Of the client's goal."""
    roi_windows: Mapping[str, Interval]
    """The same return, bootstrap over windows: few of them, but it is they that the market differs in."""
    difference: Mapping[str, tuple[PairedTest, PairedTest]]
    """`peers` less the other: return, probability; over clients."""
    windows: list[dict[str, Any]]
    """A row for each cutoff: clients, refusals of the privacy gate's rules, mean figures and weights of each strategy."""
    suits: Mapping[str, float]
    """Share of clients whom the strategy suits before it is mixed with deposits."""
    notes: list[str] = field(default_factory=list)


@dataclass
class _Window:
    """Figures of one cutoff, a row for each drawn client."""

    clients: list[str]
    roi: dict[str, Floats]
    probability: dict[str, Floats]
    suits: dict[str, Floats]
    weights: dict[str, Floats]
    """Mean over clients, as judged: classes, popular shares, benchmark."""
    n_refused: int


def compare_strategies(book: Book, *, config: BacktestConfig | None = None, rng: Rng) -> Backtest:
    """Run the back-test on a book.

    Raises
    ------
    InputError
        A cutoff isn't the last day of a month, or lies outside the prices.
    DataError
        Nobody holds anything at a cutoff, or the benchmark or the safe class has no returns.
    """
    config = config or BacktestConfig()
    gen = np.random.default_rng(rng)
    market = book.market()
    cutoffs = {f"{c:%Y-%m}": c for c in config.cutoffs}
    for c in config.cutoffs:
        if (c + timedelta(days=1)).day != 1:
            raise InputError("cutoffs", "must be last days of months", value=c)
    past = class_returns(market, cash_return_ann=None)
    columns = _columns(book, market, past, config)
    if config.safe_class not in past.classes:
        raise DataError(
            "market", f"has no class {config.safe_class!r} with returns", examples=list(past.classes)
        )
    clients = book.investors()["client_id"]
    windows: list[_Window] = []
    rows: list[dict[str, Any]] = []
    recent_returns: list[Floats] = []
    recent_buys: list[NDArray[np.int64]] = []
    for end in month_ends(book, market):
        recent_returns = [*recent_returns[-config.months_before + 1 :], end.return_N]
        recent_buys = [*recent_buys[-5:], end.bought_A]
        if str(end.month) in cutoffs:
            cutoff = cutoffs[str(end.month)]
            window = _judge(
                end,
                cutoff,
                clients,
                people_on(book, cutoff),
                market,
                columns,
                recent_returns,
                recent_buys,
                config,
                gen,
            )
            windows.append(window)
            row: dict[str, Any] = {"cutoff": cutoff.isoformat(), "clients": len(window.clients)}
            row |= {"refused": window.n_refused} | {
                f"roi_{s}": float(v.mean()) for s, v in window.roi.items()
            }
            rows.append(row | {f"probability_{s}": float(v.mean()) for s, v in window.probability.items()})
            names = (*past.classes, "popular shares", "benchmark")
            rows[-1]["weights"] = {
                name: {c: round(float(w), 6) for c, w in zip(names, mean, strict=True) if w > 0}
                for name, mean in window.weights.items()
            }
    if len(windows) != len(cutoffs):
        raise InputError(
            "cutoffs", "lie outside the months with prices", value=[str(c) for c in config.cutoffs]
        )
    return _summary(windows, rows, gen)


def _columns(book: Book, market: Market, past: ClassReturns, config: BacktestConfig) -> dict[str, Any]:
    """Monthly returns of classes, assets and benchmark on one line of months."""
    months, return_MA = asset_returns(market)
    days, closes = book.benchmark(config.benchmark)
    month_T = days.astype("datetime64[M]")
    last = np.append(np.flatnonzero(np.diff(month_T.astype(np.int64))), len(month_T) - 1)
    index = dict(zip(month_T[last].tolist(), closes[last].tolist(), strict=True))
    bench = np.full(len(months), np.nan)
    for m, month in enumerate(months):
        before, now = index.get((month - 1).tolist()), index.get(month.tolist())
        if before and now:
            bench[m] = now / before - 1
    classes = np.full((len(months), len(past.classes)), np.nan)
    classes[np.searchsorted(months, past.months_M)] = past.returns_MC
    return {"months": months, "assets": return_MA, "benchmark": bench, "classes": classes, "past": past}


def _judge(
    end: MonthEnd,
    cutoff: date,
    clients: pl.Series,
    people: People,
    market: Market,
    columns: dict[str, Any],
    recent_returns: Sequence[Floats],
    recent_buys: Sequence[NDArray[np.int64]],
    config: BacktestConfig,
    gen: np.random.Generator,
) -> _Window:
    """One cutoff: strategies from what is known, figures from what came after."""
    past: ClassReturns = columns["past"]
    months = columns["months"]
    at = int(np.searchsorted(months, end.month))
    after = slice(at + 1, at + 1 + config.months_after)
    if len(months[after]) < config.months_after:
        raise InputError("cutoffs", f"need {config.months_after} months with prices after them", value=cutoff)
    wealth_N = end.value_NA.sum(axis=1)
    holds = (wealth_N > 0) & clients.is_in(list(people)).to_numpy()
    if not holds.any():
        raise DataError("clients", f"nobody holds anything on {cutoff}")
    class_NC = np.stack(
        [end.value_NA[:, np.array(market.asset_class) == c].sum(axis=1) for c in past.classes], axis=1
    )
    rows = {int(n): people[clients[int(n)]] for n in np.flatnonzero(holds)}
    profiles = {n: profile_of(p, g, wealth=float(wealth_N[n]), as_of=cutoff) for n, (p, g, _) in rows.items()}
    index = PeerIndex.fit(
        pl.DataFrame([{"client_id": clients[n], **p} for n, p in profiles.items()], infer_schema_length=None),
        peer_allocations(clients, class_NC / np.maximum(wealth_N, 1e-9)[:, None], past.classes, holds),
        peer_outcomes(clients, np.stack(list(recent_returns), axis=1), holds),
        as_of=cutoff,
        periods_per_year=12,
    )
    popular = np.argsort(-np.sum(list(recent_buys), axis=0), kind="stable")
    shares = [int(a) for a in popular if market.asset_class[a] == "equity"][:N_POPULAR]
    popular_M = np.nanmean(columns["assets"][:, shares], axis=1)
    growth_A = growth_between(market, end.month, months[at + config.months_after])
    of_class = np.array(market.asset_class)
    growth_C = np.array([np.nanmean(growth_A[of_class == c]) for c in past.classes])
    held_A = np.nan_to_num(growth_A, nan=1.0)  # what doesn't trade at the cutoff is held at its last price
    grown = {
        "popularity": float(held_A[shares].mean()),
        "market": float(np.prod(1 + columns["benchmark"][after])),
    }
    future = np.column_stack([columns["classes"], popular_M, columns["benchmark"]])[at + 1 :]
    future = future[np.isfinite(future).all(axis=1)]
    simulator = GoalSimulator(future, n_paths=config.n_paths, block=min(config.block, len(future)), rng=gen)
    drawn = gen.choice(np.flatnonzero(holds), size=min(config.n_clients, int(holds.sum())), replace=False)
    safe, n_classes = past.classes.index(config.safe_class), len(past.classes)
    roi, probability, suits = ({s: np.empty(len(drawn)) for s in STRATEGIES} for _ in range(3))
    window = _Window([], roi, probability, suits, {s: np.zeros(n_classes + 2) for s in STRATEGIES}, 0)
    for i, n in enumerate(drawn):
        person, aim, years_left = rows[int(n)]
        profile = risk_profile(person, years_left, cutoff)
        weights = _strategy_weights(profiles[int(n)], profile, index, past, class_NC[n] / wealth_N[n])
        window.n_refused += weights.pop("refused", 0)
        months_left = int(min(max(round(years_left * 12), 1), MAX_MONTHS))
        goal = Goal(
            aim["target_amount"], months_left, float(aim["monthly_contribution"] or 0.0), config.inflation_ann
        )
        window.clients.append(person["client_id"])
        for name in STRATEGIES:
            raw = weights[name]
            mixed = raw if name == "own" else _mixed(name, raw, profile, past, safe)
            window.weights[name] += mixed / len(drawn)
            window.suits[name][i] = float(_suits(raw, profile, past.classes))
            if name == "own":
                growth = float(end.value_NA[n] @ held_A / wealth_N[n])
            else:
                growth = float(
                    mixed[:n_classes] @ growth_C
                    + mixed[n_classes] * grown["popularity"]
                    + mixed[n_classes + 1] * grown["market"]
                )
            window.roi[name][i] = growth ** (1 / config.months_after) - 1
            window.probability[name][i] = simulator.probability(
                goal, wealth=float(wealth_N[n]), weights=mixed
            )
    return window


def _strategy_weights(
    question: Profile, profile: RiskProfile, index: PeerIndex, past: ClassReturns, own_C: Floats
) -> dict[str, Any]:
    """Weights over classes, popular shares and benchmark before suitability; where peers are refused, the model's."""
    none = np.zeros(2)
    model = np.concatenate([model_portfolio(profile.risk_class, past, profile, load_limits()), none])
    asked = canonical(question, config=index.config, categories=index.categories)
    told = tell(index.cohort(asked), config=PrivacyConfig())
    found: dict[str, Any] = {"model": model, "own": np.concatenate([own_C, none])}
    for place, name in enumerate(("popularity", "market")):
        found[name] = np.eye(len(past.classes) + 2)[len(past.classes) + place]
    if isinstance(told, Refusal) or told.allocation is None:
        return found | {"peers": model, "refused": 1}
    shape = dict(zip(told.allocation.asset_classes, told.allocation.weights_C, strict=True))
    return found | {"peers": np.concatenate([[shape.get(c, 0.0) for c in past.classes], none])}


def _mixed(name: str, raw: Floats, profile: RiskProfile, past: ClassReturns, safe: int) -> Floats:
    """The weights mixed with the safe class until they suit; popular shares and the benchmark count as equity."""
    n = len(past.classes)
    if name in ("popularity", "market"):
        share = load_limits().risk_class[profile.risk_class].max_equity if profile.knowledge >= 3 else 0.0
        mixed = raw * share
        mixed[safe] += 1 - share
        return mixed
    fitted = fit_to_limits(Candidate(name, "peers", raw[:n]), past, profile, load_limits(), safe)
    return np.concatenate([fitted.weights_C, raw[n:]])


def _suits(raw: Floats, profile: RiskProfile, classes: Sequence[str]) -> bool:
    """Whether the weights suit as they are."""
    weights = {c: float(w) for c, w in zip(classes, raw, strict=False)}
    weights["equity"] = weights.get("equity", 0.0) + float(raw[len(classes) :].sum())
    return not suitable(Allocation(weights), profile)


def _summary(windows: Sequence[_Window], rows: list[dict[str, Any]], gen: np.random.Generator) -> Backtest:
    """Means over clients (a client of several cutoffs counts once, by its mean) with intervals."""
    clients = [c for w in windows for c in w.clients]
    _, who = np.unique(clients, return_inverse=True)
    counts = np.bincount(who)

    def by_client(parts: Sequence[Floats]) -> Floats:
        means: Floats = np.bincount(who, weights=np.concatenate(parts)) / counts
        return means

    roi = {s: by_client([w.roi[s] for w in windows]) for s in STRATEGIES}
    odds = {s: by_client([w.probability[s] for w in windows]) for s in STRATEGIES}
    others = [s for s in STRATEGIES if s != "peers"]
    return Backtest(
        roi={s: bootstrap_mean(v, rng=gen) for s, v in roi.items()},
        probability={s: bootstrap_mean(v, rng=gen) for s, v in odds.items()},
        roi_windows={s: bootstrap_mean([w.roi[s].mean() for w in windows], rng=gen) for s in STRATEGIES},
        difference={
            s: (paired_test(roi["peers"], roi[s], rng=gen), paired_test(odds["peers"], odds[s], rng=gen))
            for s in others
        },
        windows=rows,
        suits={s: float(np.mean(np.concatenate([w.suits[s] for w in windows]))) for s in STRATEGIES},
        notes=[
            "Intervals over clients say how sure the mean over clients is in these windows; other markets are others.",
            "Where the privacy rules refuse peers, the model portfolio stands in for them.",
        ],
    )
