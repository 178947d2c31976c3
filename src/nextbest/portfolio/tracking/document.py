"""One client's tracking as a JSON document: how it went, where it stands against the plan, which alerts there are.

Reads what `track` wrote; computes no day itself.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from nextbest.data.holdings.book import Book
from nextbest.data.holdings.market import Gap
from nextbest.errors import InputError
from nextbest.portfolio.charts import growth_chart, underwater_chart
from nextbest.portfolio.metrics.catalogue import measure_returns
from nextbest.portfolio.metrics.running import Running
from nextbest.portfolio.plan_charts import allocation_chart, goal_chart
from nextbest.portfolio.russian import russian_day
from nextbest.portfolio.tracking.alerts import ALERT_TEXTS, AlertKind
from nextbest.portfolio.tracking.plans import CASH, PlanRecord, client_place, drift, plans_until
from nextbest.portfolio.tracking.tables import RUNNING, frame, has_tables
from nextbest.portfolio.wording import Document, signed
from nextbest.version import __version__

FIGURES = (
    "twr",
    "cagr",
    "volatility_ann",
    "sharpe",
    "sortino",
    "max_drawdown",
    "current_drawdown",
    "var_historical",
    "cvar_historical",
)
"""Of the catalogue, over all days tracked."""
_NAMES = {
    "bond": ("bonds", "облигации"),
    "bonds": ("bonds", "облигации"),
    "equity": ("shares", "акции"),
    "gold": ("gold", "золото"),
    "deposit": ("deposits", "вклады"),
    "currency": ("currency", "валюта"),
    CASH: ("cash", "деньги"),
}


def tracked_figures(book: Book, *, periods_per_year: float = 252.0, rf: float = 0.0) -> pl.DataFrame:
    """Every client's latest figures, from the running state alone: no history is read.

    Parameters
    ----------
    periods_per_year, rf
        As `TrackingConfig` had them.

    Returns
    -------
    DataFrame
        `client_id, as_of, currency, nav, twr, drawdown, max_drawdown, n, volatility_ann, sharpe, sortino`, by
        client_id; only clients with an observation; null where a figure isn't defined. `n` counts regular returns.

    Raises
    ------
    InputError
        The book was never tracked.
    """
    _check_tracked(book)
    rows = frame(
        book,
        "SELECT i.client_id, t.* FROM tracking_clients t JOIN investors i USING (client_idx) WHERE t.nav IS NOT NULL"
        " ORDER BY i.client_id",
    )
    state = {name: rows[f"running_{name}"].to_numpy() for name in RUNNING}
    running = Running.from_state(state | {"settings": np.array([periods_per_year, rf, 0.05])})
    found = running.metrics()
    return rows.select(
        "client_id",
        pl.col("observed").alias("as_of"),
        "currency",
        "nav",
        (pl.col("growth") - 1).alias("twr"),
        (pl.col("growth") / pl.col("peak") - 1).alias("drawdown"),
        "max_drawdown",
        *(
            pl.Series(name, found[name]).fill_nan(None)
            for name in ("n", "volatility_ann", "sharpe", "sortino")
        ),
    )


def tracking_document(book: Book, client: str, *, until: date | None = None) -> Document:
    """What tracking knows of one client, in the form of every document (docs/decisions/0005).

    `tables`: `history` (day, nav, flow, return, twr, drawdown, drift, probability), `alerts` (kind, opened, closed,
    values), and with a plan `plan` (class, actual, target, drift) and `path` (expected quantiles today and the actual
    worth). Empty tables where nothing is known yet.

    Parameters
    ----------
    until
        Last day looked at; None = all. Where tracking has gone on since, the classes held on that day are no longer known:
        `plan` is left out. An alert that closed later is open, with the value it opened at.

    Raises
    ------
    InputError
        The client isn't known, or the book was never tracked.
    """
    client_idx, currency = client_place(book, client)
    _check_tracked(book)
    history = frame(
        book,
        'SELECT day, nav, flow, "return", regular, twr, drawdown, drift, probability FROM tracking_history'
        " WHERE client_idx = ? ORDER BY day",
        [client_idx],
    )
    alerts = frame(
        book,
        "SELECT kind, opened, closed, opened_value, worst_value FROM tracking_alerts WHERE client_idx = ?"
        " ORDER BY opened, kind",
        [client_idx],
    )
    latest: date | None = history["day"][-1] if history.height else None
    if until is not None and latest is not None and until < latest:
        history = history.filter(pl.col("day") <= until)
        alerts = _alerts_on(alerts, until)
    as_of: date | None = history["day"][-1] if history.height else None
    plan = (plans_until(book, as_of).get(client_idx, [None])[-1]) if as_of else None
    document: dict[str, Any] = {
        "kind": "tracking",
        "client_id": client,
        "as_of": as_of and as_of.isoformat(),
        "currency": currency,
        "period": {"start": history["day"][0].isoformat(), "end": history["day"][-1].isoformat()}
        if as_of
        else None,
        "figures": _figures(history),
        "tables": {"history": _rows(history), "alerts": _rows(alerts)},
        "texts": _texts(alerts, tracked=as_of is not None),
        "charts": {},
        "notes": [],
        "version": __version__,
    }
    if as_of:
        days = history["day"].to_numpy().astype("datetime64[D]")
        index = 1 + history["twr"].to_numpy()
        gaps = _gaps(history)
        caption = {
            "en": f"TWR, {currency}, {days[0]} - {days[-1]}",
            "ru": f"TWR, {currency}, {russian_day(f'{days[0]} - {days[-1]}')}",
        }
        document["charts"] = {
            "growth": growth_chart(days, index, gaps=gaps, caption=caption),
            "underwater": underwater_chart(days, index, gaps=gaps, caption=caption),
        }
    if plan and as_of:
        _add_plan(
            document, plan, history, _weights(book, client_idx, currency, as_of) if as_of == latest else None
        )
    return signed(document)


def _check_tracked(book: Book) -> None:
    if not has_tables(book):
        raise InputError("book", "was never tracked", remedy="run `nextbest portfolio track`")


def _figures(history: pl.DataFrame) -> dict[str, object]:
    """Figures over all tracked days; the first day has no return."""
    if history.height < 2:
        return {
            name: made.json()
            for name, made in measure_returns([], periods_per_year=1.0, names=FIGURES).items()
        }
    days = history["day"].to_numpy().astype("datetime64[D]")
    returns = history["return"].fill_null(np.nan).to_numpy()[1:]
    regular = history["regular"].to_numpy()[1:]
    spans = np.diff(days).astype(np.int64)
    usual = regular & np.isfinite(returns)
    years = spans[usual].sum() / 365.25
    made = measure_returns(
        returns,
        periods_per_year=usual.sum() / years if years > 0 else 1.0,
        start=days[0],
        days_T=days[1:],
        regular_T=regular,
        names=FIGURES,
    )
    return {name: figure.json() for name, figure in made.items()}


def _gaps(history: pl.DataFrame) -> list[Gap]:
    """Days without an observation that returns span."""
    days = history["day"].to_list()
    closed = np.flatnonzero(~history["regular"].to_numpy().astype(bool))
    return [Gap(days[t - 1], days[t], (days[t] - days[t - 1]).days) for t in closed.tolist() if t > 0]


def _weights(book: Book, client_idx: int, currency: str, day: date) -> dict[str, float]:
    """Share of each class at the last observation, by the prices that tracking used."""
    rows = frame(
        book,
        "SELECT a.asset_class, a.asset_id, h.pieces, h.price FROM tracking_holdings h JOIN assets a USING (asset_idx)"
        " WHERE h.client_idx = ?",
        [client_idx],
    )
    found = book.connection().execute(
        "SELECT nav, cash FROM tracking_clients WHERE client_idx = ?", [client_idx]
    )
    nav, cash = found.fetchall()[0]
    worth: dict[str, float] = {CASH: cash} if cash else {}
    if rows.height:
        market = book.market(rows["asset_id"].unique().to_list(), end=day, currency=currency)
        for kind, asset, pieces, price in rows.iter_rows():
            rate = float(market.fx_TA[-1, market.asset_index[asset]])
            worth[kind] = worth.get(kind, 0.0) + pieces * price * rate
    return {name: amount / nav for name, amount in sorted(worth.items())} if nav and nav > 0 else {}


def _add_plan(
    document: dict[str, Any], plan: PlanRecord, history: pl.DataFrame, weights: Mapping[str, float] | None
) -> None:
    """Plan against actual: classes where they are known, the path, the odds."""
    if weights is not None:
        _add_classes(document, plan.allocation_on(history["day"][-1]), weights)
    day, nav = history["day"][-1], history["nav"][-1]
    expected = plan.quantiles_at(day)
    document["tables"]["path"] = {
        "created": plan.created.isoformat(),
        "months": round(plan.months_since(day), 2),
        "n_months": plan.n_months,
        "actual": nav,
        "expected": None
        if expected is None
        else dict(zip(("q05", "q25", "q50", "q75", "q95"), expected.tolist(), strict=True)),
        "probability_then": plan.probability,
        "probability_now": history["probability"][-1],
        "target_amount": plan.target_amount,
    }
    if plan.quantiles_MQ:
        since = history.filter(pl.col("day") >= plan.created)
        points = [(plan.months_since(d), float(v)) for d, v in since.select("day", "nav").iter_rows()]
        document["charts"]["path"] = goal_chart(
            np.asarray(plan.quantiles_MQ),
            target=plan.target_amount * (1 + plan.inflation_ann) ** (plan.n_months / 12),
            currency=plan.currency,
            actual=points,
        )


def _add_classes(document: dict[str, Any], target: Mapping[str, float], weights: Mapping[str, float]) -> None:
    """Share of each class now and in the plan."""
    off = drift(weights, target)
    document["tables"]["plan"] = [
        {
            "asset_class": name,
            "actual": weights.get(name, 0.0),
            "target": target.get(name, 0.0),
            "drift": gap,
        }
        for name, gap in off.items()
    ]
    names = [{"en": _NAMES.get(n, (n, n))[0], "ru": _NAMES.get(n, (n, n))[1]} for n in off]
    actual_C = np.array([weights.get(n, 0.0) for n in off])
    target_C = np.array([target.get(n, 0.0) for n in off])
    document["charts"]["allocation"] = allocation_chart(names, actual_C, target_C)


def _alerts_on(alerts: pl.DataFrame, day: date) -> pl.DataFrame:
    """The alerts as far as they were known on a day: nothing of how bad one became, or ended, afterwards."""
    later = pl.col("closed").is_null() | (pl.col("closed") > day)
    return alerts.filter(pl.col("opened") <= day).with_columns(
        closed=pl.when(~later).then("closed"),
        worst_value=pl.when(later).then("opened_value").otherwise("worst_value"),
    )


def _texts(alerts: pl.DataFrame, *, tracked: bool) -> dict[str, list[str]]:
    """One sentence for each open alert, or that there is none."""
    if not tracked:
        return {"en": ["Nothing has been tracked yet."], "ru": ["Наблюдений пока нет."]}
    kinds: list[AlertKind] = alerts.filter(pl.col("closed").is_null())["kind"].to_list()
    if not kinds:
        return {"en": ["No alerts are open."], "ru": ["Открытых предупреждений нет."]}
    return {"en": [ALERT_TEXTS[k][0] for k in kinds], "ru": [ALERT_TEXTS[k][1] for k in kinds]}


def _rows(table: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON's own types."""
    return table.with_columns(pl.col(pl.Date).dt.to_string("%Y-%m-%d")).to_dicts()
