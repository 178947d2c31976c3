"""An exchange on loopback that speaks the klines REST of Binance, with bad days on demand."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

HOUR_MS = 3_600_000
FIRST_MS = 1_704_067_200_000  # 2024-01-01 00:00 UTC


def kline(i):
    """Hour `i` as the exchange writes it; closes count up."""
    close = 100 + i
    opens = FIRST_MS + i * HOUR_MS
    prices = [str(close - 0.5), str(close + 1), str(close - 1), str(close), "10"]
    return [opens, *prices, opens + HOUR_MS - 1, "0", 1, "0", "0", "0"]


class FakeBinance:
    """Markets with their candles; `troubles` are answered one after the other before anything true is."""

    def __init__(self, *, hours=48, page=10):
        self.candles = {"BTCUSDT": [kline(i) for i in range(hours)], "OLDUSDT": [kline(i) for i in range(12)]}
        self.now_ms = FIRST_MS + (hours - 1) * HOUR_MS + 1_000  # the last hour has just begun
        self.page = page
        self.troubles = []
        self.asked = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                fake.answer(self)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def client(self):
        """ccxt's own Binance, pointed here, without its pauses."""
        import ccxt

        client = ccxt.binance(
            {
                "enableRateLimit": False,
                "options": {"fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False},
            }
        )
        for name, url in client.urls["api"].items():
            client.urls["api"][name] = f"http://127.0.0.1:{self.server.server_port}{urlsplit(url).path}"
        return client

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request):
        url = urlsplit(request.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path.endswith("/time"):
            return self.send(request, {"serverTime": self.now_ms})
        if url.path.endswith("/exchangeInfo"):
            return self.send(
                request, {"serverTime": self.now_ms, "symbols": [market(s) for s in self.candles]}
            )
        self.asked.append((int(asked["startTime"]) - FIRST_MS) // HOUR_MS)
        if self.troubles:
            trouble = self.troubles.pop(0)
            if trouble is not None:
                return trouble(request)
        start = int(asked["startTime"])
        rows = [row for row in self.candles[asked["symbol"]] if row[0] >= start]
        return self.send(request, rows[: min(self.page, int(asked["limit"]))])

    @staticmethod
    def send(request, body, *, status=200, headers=None, cut=None):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request.send_response(status)
        for name, value in (headers or {}).items():
            request.send_header(name, value)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data if cut is None else data[:cut])
        if cut is not None:
            request.close_connection = True


def busy(retry_after=None, status=429):
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    body = {"code": -1003, "msg": "Too many requests."}
    return lambda request: FakeBinance.send(request, body, status=status, headers=headers)


def half_a_page(request):
    """JSON that ends in the middle, its length honestly told."""
    FakeBinance.send(request, json.dumps([kline(0), kline(1)]).encode()[:70])


def broken_line(request):
    """A connection that closes before the whole body has come."""
    FakeBinance.send(request, json.dumps([kline(0), kline(1)]).encode(), cut=70)


def market(name):
    base = name.removesuffix("USDT")
    return {
        "symbol": name,
        "status": "BREAK" if base == "OLD" else "TRADING",
        "baseAsset": base,
        "quoteAsset": "USDT",
        "isSpotTradingAllowed": True,
        "filters": [],
        "permissions": ["SPOT"],
    }
