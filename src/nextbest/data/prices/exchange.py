"""Candles from an exchange into the store, page by page; a run that is cut short goes on after the last kept one.

`ccxt` speaks with the exchange and keeps its rate limit; this module decides what to ask for, waits when it is told
to, and keeps only candles that have closed by the exchange's own clock. Needs the extra `exchange`.
"""

import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import polars as pl
from pydantic import BaseModel

from nextbest.data.prices.reading import check_candles
from nextbest.data.prices.steps import step_name
from nextbest.data.prices.store import PriceStore
from nextbest.errors import ExternalError, InputError
from nextbest.tables import TIME_DTYPE

log = logging.getLogger(__name__)
PAGE_BARS, MAX_TRIES, MAX_WAIT_S, KEEP_EVERY = 1_000, 6, 600.0, 20_000
"""Candles asked for at a time, tries for one page, longest single wait, candles after which they are written."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Fetched(BaseModel, frozen=True, extra="forbid"):
    """What a fetch did for one symbol."""

    symbol: str
    status: Literal["complete", "delisted", "unknown", "empty"]
    """`complete`: kept up to the end asked for, or to the last closed candle; `delisted`: the exchange says that it
    no longer trades, what there was is kept; `unknown`: the exchange has no such symbol; `empty`: no candle."""
    pages: int = 0
    """Requests answered."""
    added: int = 0
    same: int = 0
    changed: int = 0
    """Candles that were kept with other values before: an exchange that corrects its history."""
    quarantined: int = 0
    """Answers that are no candle (zero price, high below low), by the rules of `reading`."""
    last: datetime | None = None
    """Open of the last candle kept."""


@dataclass
class _Run:
    """One symbol's candles on their way into the store."""

    store: PriceStore
    symbol: str
    step: timedelta
    source: str
    waiting: list[list[float]] = field(default_factory=list)
    pages: int = 0
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("added", "same", "changed", "quarantined"), 0)
    )

    def keep(self) -> None:
        """Write what waits."""
        if not self.waiting:
            return
        columns = ("time", "open", "high", "low", "close", "volume")
        rows, self.waiting = [row[:6] for row in self.waiting], []
        table = pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.Float64()), orient="row", strict=False)
        moments = (
            pl.from_epoch(pl.col("time").cast(pl.Int64), "ms").dt.replace_time_zone("UTC").cast(TIME_DTYPE)
        )
        table = table.with_columns(moments, asset_id=pl.lit(self.symbol))
        checked = check_candles(table, step=self.step, name=self.source)
        self.counts["quarantined"] += checked.report.quarantined
        for told in self.store.add(checked):
            for name in ("added", "same", "changed"):
                self.counts[name] += getattr(told, name)


def fetch(
    store: PriceStore,
    exchange: str | Any,
    symbols: Sequence[str],
    step: timedelta,
    since: datetime,
    until: datetime | None = None,
    *,
    page_bars: int = PAGE_BARS,
    max_tries: int = MAX_TRIES,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[Fetched, ...]:
    """Bring candles [since, until) of each symbol into the store; what is there already isn't asked for again.

    The last kept candle is asked for once more, so that an exchange which corrected it is noticed. A candle that
    hasn't closed by the exchange's clock is never kept. A page may be short or empty: only the end of the time asked
    for ends a symbol. Holes within what is kept are not asked for again.

    Parameters
    ----------
    exchange
        A name that ccxt knows (`binance`, `kraken`), or one of its exchange objects, with its own rate limit.
    symbols
        As ccxt writes them: `BTC/USDT`, `BTC/USDT:USDT` for a perpetual. They are the asset ids in the store.
    since, until
        A time without a zone is UTC; `until=None` is now, by the exchange's clock.
    page_bars
        Candles for one request; the exchange may give fewer.
    max_tries
        Tries for one request when the exchange is busy (429, with its Retry-After), down or answers half a page.
    sleep
        How to wait, in seconds.

    Returns
    -------
    tuple of Fetched
        One for each symbol; an unknown or delisted one doesn't stop the others.

    Raises
    ------
    InputError
        ccxt isn't installed, or knows no such exchange; the exchange has no such step; `since` isn't before `until`.
    ExternalError
        The exchange didn't answer in `max_tries`, or wants a wait longer than ten minutes. What came is kept: run it again.
    """
    client = _client(exchange)
    name = str(client.id)
    timeframe = _timeframe(client, step)
    caller = _Caller(client, name, max_tries, sleep)
    caller.ask(client.load_markets)
    now = caller.now()
    start = _utc(since)
    end = min(_utc(until), now) if until is not None else now
    if start >= end:
        raise InputError("since", f"must be before {end:%Y-%m-%d %H:%M}", value=str(since))
    done = []
    for symbol in symbols:
        if symbol not in client.markets:
            near = get_close_matches(symbol, list(client.markets), n=3)
            log.warning("unknown symbol", extra={"exchange": name, "symbol": symbol, "near": near})
            done.append(Fetched(symbol=symbol, status="unknown"))
            continue
        run = _Run(store, symbol, step, f"{name} {symbol} {timeframe}")
        try:
            for part in _missing(store, symbol, step, start, end):
                _fetch_part(caller, run, timeframe, part, page_bars=page_bars, closed_by=now)
        finally:
            run.keep()
        last = store.last(symbol, step)
        live = client.markets[symbol].get("active") is not False
        status: Literal["complete", "delisted", "empty"] = "complete" if live else "delisted"
        status = status if last is not None else "empty"
        done.append(Fetched(symbol=symbol, status=status, pages=run.pages, last=last, **run.counts))
    return tuple(done)


def _missing(
    store: PriceStore, symbol: str, step: timedelta, start: datetime, end: datetime
) -> list[tuple[datetime, datetime]]:
    """What to ask for: before the first kept candle, and from the last on."""
    first, last = store.first(symbol, step), store.last(symbol, step)
    if first is None or last is None:
        return [(start, end)]
    parts = [(start, min(first, end)), (max(start, last), end)]
    return [(a, b) for a, b in parts if a < b]


def _fetch_part(
    caller: "_Caller",
    run: _Run,
    timeframe: str,
    part: tuple[datetime, datetime],
    *,
    page_bars: int,
    closed_by: datetime,
) -> None:
    step_ms, stop = _ms(run.step), _ms(part[1])
    stop = min(stop, _ms(closed_by) - step_ms + 1)  # a candle that opens later hasn't closed
    cursor = _ms(part[0])
    while cursor < stop:
        page = caller.page(run.symbol, timeframe, cursor, page_bars)
        run.pages += 1
        run.waiting += [row for row in page if cursor <= row[0] < stop]
        # Nothing from here on within a page's length may be a hole: only time itself ends the search.
        newest = max((int(row[0]) for row in page), default=-1)
        cursor = newest + step_ms if newest >= cursor else cursor + page_bars * step_ms
        if len(run.waiting) >= KEEP_EVERY:
            run.keep()


@dataclass
class _Caller:
    """Asks, and asks again when that may help."""

    client: Any
    name: str
    max_tries: int
    sleep: Callable[[float], None]

    def page(self, symbol: str, timeframe: str, since_ms: int, limit: int) -> list[list[float]]:
        """One page, oldest first; an answer that isn't JSON counts as no answer."""
        ccxt = _ccxt()

        def whole() -> list[list[float]]:
            page = self.client.fetch_ohlcv(symbol, timeframe, since=since_ms, limit=limit)
            if not page and not _is_json(self.client.last_http_response):
                # ccxt takes an answer that breaks off for an empty one, which would be a hole
                raise ccxt.ExchangeNotAvailable(f"{self.name}: the answer breaks off")
            return sorted(page)

        found: list[list[float]] = self.ask(whole)
        return found

    def now(self) -> datetime:
        """The exchange's clock, or ours where it doesn't tell."""
        if self.client.has.get("fetchTime"):
            return _EPOCH + timedelta(milliseconds=int(self.ask(self.client.fetch_time)))
        return _EPOCH + timedelta(milliseconds=int(self.client.milliseconds()))

    def ask(self, request: Callable[[], Any]) -> Any:
        """The answer; after each failure of the network or the exchange's patience a longer wait."""
        ccxt = _ccxt()
        for attempt in range(1, self.max_tries + 1):
            try:
                return request()
            except ccxt.NetworkError as error:
                wait = self._told_to_wait(error)
                wait = min(2.0**attempt, MAX_WAIT_S) if wait is None else wait
                if attempt == self.max_tries or wait > MAX_WAIT_S:
                    raise ExternalError(
                        self.name,
                        f"no answer in {attempt} tries: {_first_line(error)}",
                        retryable=True,
                        remedy=f"run again after {wait:.0f} seconds; it goes on after the last candle kept",
                    ) from error
                log.warning(
                    "exchange busy", extra={"exchange": self.name, "wait_s": wait, "attempt": attempt}
                )
                self.sleep(wait)
            except ccxt.BaseError as error:
                raise ExternalError(
                    self.name, f"refuses: {_first_line(error)}", retryable=False, remedy="see what it says"
                ) from error
        raise AssertionError("the last attempt returns or raises")

    def _told_to_wait(self, error: Exception) -> float | None:
        """Seconds of the answer's Retry-After, given as a number or a date; None where there is none."""
        ccxt = _ccxt()
        if not isinstance(error, ccxt.DDoSProtection | ccxt.RateLimitExceeded | ccxt.ExchangeNotAvailable):
            return None
        headers = {str(k).lower(): str(v) for k, v in (self.client.last_response_headers or {}).items()}
        text = headers.get("retry-after", "").strip()
        if text.isdigit():
            return float(text)
        try:
            until, sent = parsedate_to_datetime(text), parsedate_to_datetime(headers["date"])
        except (ValueError, TypeError, KeyError):
            return None
        return max(0.0, (until - sent).total_seconds())


def _ccxt() -> Any:
    try:
        import ccxt  # type: ignore[import-untyped]
    except ImportError as error:
        raise InputError(
            "exchange", "reading an exchange needs ccxt", remedy='pip install "nextbest[exchange]"'
        ) from error
    return ccxt


def _client(exchange: str | Any) -> Any:
    ccxt = _ccxt()
    if not isinstance(exchange, str):
        return exchange
    if exchange not in ccxt.exchanges:
        near = get_close_matches(exchange, ccxt.exchanges, n=3)
        raise InputError("exchange", "must be one that ccxt knows", value=exchange, remedy=f"near: {near}")
    return getattr(ccxt, exchange)({"enableRateLimit": True})


def _is_json(text: object) -> bool:
    """Whether the last answer's text is whole; True where ccxt was told not to keep it."""
    if not isinstance(text, str):
        return True
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _timeframe(client: Any, step: timedelta) -> str:
    name = step_name(step)
    if not client.timeframes or name not in client.timeframes:
        known = sorted(client.timeframes or {})
        raise InputError("step", f"{client.id} has candles of {known}", value=name)
    return name


def _utc(when: datetime) -> datetime:
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def _ms(when: datetime | timedelta) -> int:
    length = when if isinstance(when, timedelta) else when - _EPOCH
    return -(-length // timedelta(milliseconds=1))


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
