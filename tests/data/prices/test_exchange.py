"""A fetch from an exchange: whole in the end, whatever the exchange does meanwhile."""

import sys
from datetime import timedelta

import pytest

from data.prices.binance import FIRST_MS, HOUR_MS, FakeBinance, broken_line, busy, half_a_page, kline
from data.prices.files import HOUR, START
from nextbest.data.prices.exchange import fetch
from nextbest.data.prices.store import PriceStore
from nextbest.errors import ExternalError, InputError

pytest.importorskip("ccxt")
CLOSES = [100.0 + i for i in range(47)]  # of 48 hours the last hasn't closed


@pytest.fixture
def exchange():
    fake = FakeBinance()
    yield fake
    fake.close()


@pytest.fixture
def client(exchange):
    client = exchange.client()
    yield client
    client.session.close()


@pytest.fixture
def store(tmp_path):
    return PriceStore.open(tmp_path)


def bring(store, client, symbols=("BTC/USDT",), since=START, until=None, **told):
    waits = []
    told = {"sleep": waits.append, "page_bars": 10, **told}
    return fetch(store, client, symbols, HOUR, since, until, **told), waits


def closes(store, symbol="BTC/USDT"):
    return store.table(HOUR, [symbol])["close"].to_list()


def test_all_pages_come_and_the_candle_that_has_not_closed_does_not(store, client, exchange):
    (told,), waits = bring(store, client)
    assert closes(store) == CLOSES
    assert (told.status, told.pages, told.added, told.last) == ("complete", 5, 47, START + 46 * HOUR)
    assert exchange.asked == [0, 10, 20, 30, 40]
    assert waits == []
    assert store.table(HOUR)["volume"].unique().to_list() == [10.0]


def test_a_second_run_asks_from_the_last_candle_kept(store, client, exchange):
    bring(store, client)
    exchange.candles["BTCUSDT"] += [kline(48), kline(49)]
    exchange.now_ms += 2 * HOUR_MS
    exchange.asked.clear()
    (told,), _ = bring(store, client)
    assert exchange.asked == [46]
    assert (told.added, told.same, told.changed) == (2, 1, 0)
    assert len(closes(store)) == 49


def test_what_lies_before_the_first_candle_kept_is_brought_too(store, client, exchange):
    bring(store, client, since=START + 30 * HOUR)
    exchange.asked.clear()
    bring(store, client, since=START + 15 * HOUR)
    assert closes(store) == CLOSES[15:]
    assert exchange.asked == [15, 25, 46]


def test_a_candle_that_the_exchange_corrected_is_told(store, client, exchange):
    bring(store, client)
    exchange.candles["BTCUSDT"][46][4] = "146.5"
    (told,), _ = bring(store, client)
    assert told.changed == 1
    assert closes(store)[-1] == 146.5


def test_the_end_asked_for_is_left_out(store, client):
    bring(store, client, until=START + 25 * HOUR)
    assert closes(store) == CLOSES[:25]


def test_a_busy_exchange_is_waited_for_as_long_as_it_says(store, client, exchange):
    exchange.troubles = [None, busy(7), busy(30, status=418), busy()]
    (told,), waits = bring(store, client)
    assert waits == [7.0, 30.0, 8.0]  # without a word: two, four, eight seconds
    assert closes(store) == CLOSES
    assert told.pages == 5


def test_a_retry_after_may_be_a_date(store, client, exchange):
    def trouble(request):
        request.date_time_string = lambda: "Mon, 01 Jan 2024 00:00:00 GMT"
        busy("Mon, 01 Jan 2024 00:00:11 GMT")(request)

    exchange.troubles = [trouble]
    assert bring(store, client)[1] == [11.0]


@pytest.mark.parametrize("trouble", [half_a_page, broken_line, busy(status=500), busy(status=503)])
def test_half_an_answer_or_none_is_asked_for_again(store, client, exchange, trouble):
    exchange.troubles = [None, trouble, trouble]
    _, waits = bring(store, client)
    assert waits == [2.0, 4.0]
    assert closes(store) == CLOSES


def test_a_short_page_is_not_the_end(store, client, exchange):
    exchange.page = 3
    bring(store, client)
    assert closes(store) == CLOSES


def test_a_hole_longer_than_a_page_is_not_the_end_either(store, client, exchange):
    kept = exchange.candles["BTCUSDT"]
    del kept[5:30]
    empty = lambda request: FakeBinance.send(request, [])  # noqa: E731 - an exchange that answers within the page only
    exchange.troubles = [None, empty, empty]
    exchange.page = 5
    _, waits = bring(store, client)
    assert waits == []
    assert closes(store) == CLOSES[:5] + CLOSES[30:]


def test_a_run_that_is_given_up_keeps_what_came_and_the_next_goes_on(store, client, exchange):
    exchange.troubles = [None, None, *[busy(status=500)] * 3]
    with pytest.raises(
        ExternalError, match=r"binance: no answer in 3 tries.*goes on after the last"
    ) as caught:
        bring(store, client, max_tries=3)
    assert caught.value.retryable
    assert closes(store) == CLOSES[:20]
    exchange.asked.clear()
    bring(store, client)
    assert exchange.asked[0] == 19
    assert closes(store) == CLOSES


def test_a_ban_of_days_is_not_waited_for(store, client, exchange):
    exchange.troubles = [busy(86_400, status=418)]
    with pytest.raises(ExternalError, match="run again after 86400 seconds"):
        bring(store, client)


def test_an_unknown_symbol_and_a_delisted_one_do_not_stop_the_others(store, client):
    told, _ = bring(store, client, ["NOPE/USDT", "OLD/USDT", "BTC/USDT"])
    assert [(t.symbol, t.status, t.added) for t in told] == [
        ("NOPE/USDT", "unknown", 0),
        ("OLD/USDT", "delisted", 12),
        ("BTC/USDT", "complete", 47),
    ]
    assert store.last("OLD/USDT", HOUR) == START + 11 * HOUR


def test_an_answer_that_is_no_candle_is_counted_and_not_kept(store, client, exchange):
    exchange.candles["BTCUSDT"][5][4] = "0"
    exchange.candles["BTCUSDT"][7][2] = "1"
    (told,), _ = bring(store, client)
    assert (told.added, told.quarantined) == (45, 2)
    exchange.candles["OLDUSDT"] = [[FIRST_MS, "0", "0", "0", "0", "0", FIRST_MS + 1, "0", 0, "0", "0", "0"]]
    (told,), _ = bring(store, client, ["OLD/USDT"])
    assert (told.status, told.quarantined) == ("empty", 1)


def test_candles_far_apart_are_still_of_the_step_asked_for(store, client, exchange):
    exchange.candles["BTCUSDT"] = [kline(i) for i in range(0, 40, 3)]
    bring(store, client)
    assert closes(store) == CLOSES[0:40:3]


def test_a_call_that_can_not_be_met_is_refused(store, client, monkeypatch):
    with pytest.raises(InputError, match=r"must be one that ccxt knows; got 'binnance'; near: \['binance"):
        fetch(store, "binnance", ["BTC/USDT"], HOUR, START)
    with pytest.raises(InputError, match="step: binance has candles of"):
        fetch(store, client, ["BTC/USDT"], timedelta(minutes=7), START)
    with pytest.raises(InputError, match="since: must be before"):
        bring(store, client, since=START + 100 * HOUR)
    monkeypatch.setitem(sys.modules, "ccxt", None)
    with pytest.raises(InputError, match=r"nextbest\[exchange\]"):
        fetch(store, "binance", ["BTC/USDT"], HOUR, START)


def test_the_exchange_refusing_the_request_itself_is_not_tried_again(store, client, exchange):
    exchange.troubles = [
        lambda request: FakeBinance.send(request, {"code": -1121, "msg": "Invalid symbol."}, status=400)
    ]
    with pytest.raises(ExternalError, match=r"binance: refuses: .*Invalid symbol") as caught:
        bring(store, client)
    assert not caught.value.retryable


def test_a_long_history_is_written_as_it_comes(store, client, exchange, monkeypatch):
    monkeypatch.setattr("nextbest.data.prices.exchange.KEEP_EVERY", 20)
    kept = []
    exchange.troubles = [
        None,
        None,
        lambda request: kept.append(store.last("BTC/USDT", HOUR)) or half_a_page(request),
    ]
    bring(store, client, since=START.replace(tzinfo=None))
    assert kept == [START + 19 * HOUR]
    assert closes(store) == CLOSES
