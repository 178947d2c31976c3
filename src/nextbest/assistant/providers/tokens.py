"""Access tokens that expire: got for a key by OAuth, kept until shortly before their end, never printed."""

import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from nextbest.assistant.providers.protocol import ProviderError
from nextbest.errors import InputError

EARLY_S = 60.0
"""A token is renewed this long before its end."""


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Certificates of this machine, and those of a file beside them. Verification can't be switched off.

    Raises
    ------
    InputError
        The file isn't there or holds no certificates.
    """
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=str(ca_file))
        except (OSError, ssl.SSLError) as error:
            raise InputError(
                "ca_file",
                "must be a PEM file of certificates",
                value=str(ca_file),
                remedy="for GigaChat: the Russian Trusted Root CA",
            ) from error
    return context


class OAuthToken:
    """GigaChat's way: `POST auth_url` with a Basic key and a scope -> a token for 30 minutes.

    Parameters
    ----------
    auth_url
        Where tokens are given.
    key
        The authorisation key: base64 of client id and secret.
    scope
        GIGACHAT_API_PERS (a person), GIGACHAT_API_B2B or GIGACHAT_API_CORP (a firm).
    ca_file
        Certificates beside this machine's.
    clock
        The time, seconds since 1970.
    """

    def __init__(
        self,
        auth_url: str,
        key: str,
        *,
        scope: str = "GIGACHAT_API_PERS",
        ca_file: Path | None = None,
        timeout_s: float = 10.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if urllib.parse.urlsplit(auth_url).scheme not in ("http", "https"):
            raise InputError("auth_url", "must begin with https://", value=auth_url)
        self._url, self._key, self._scope = auth_url, key, scope
        self._context = tls_context(ca_file)
        self._timeout_s, self._clock = timeout_s, clock
        self._lock = Lock()
        self._token, self._until = "", 0.0

    def __repr__(self) -> str:
        return f"OAuthToken({self._url!r}, scope={self._scope!r})"

    def __call__(self) -> str:
        """A token that is good for a minute at least.

        Raises
        ------
        ProviderError
            The key is refused ("denied"), or nobody answers.
        """
        with self._lock:
            if self._clock() >= self._until - EARLY_S:
                self._token, self._until = self._fetch()
            return self._token

    def forget(self, token: str) -> None:
        """Get a new one next time, because this one was refused; a newer one is kept."""
        with self._lock:
            if self._token == token:
                self._until = 0.0

    def _fetch(self) -> tuple[str, float]:
        request = urllib.request.Request(  # noqa: S310 - the scheme is checked above
            self._url,
            data=urllib.parse.urlencode({"scope": self._scope}).encode(),
            headers={
                "Authorization": f"Basic {self._key}",
                "RqUID": str(uuid.uuid4()),
                "Accept": "application/json",
                "Content-Type": "application/x-www-form-urlencoded",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s, context=self._context) as answer:  # noqa: S310
                document = json.loads(answer.read(1_000_000))
            # milliseconds since 1970
            return str(document["access_token"]), float(document["expires_at"]) / 1000
        except urllib.error.HTTPError as error:
            denied = error.code in (400, 401, 403)
            error.close()
            raise ProviderError(
                "token",
                f"refused with {error.code}",
                kind="denied" if denied else "server",
                remedy="check the key and its scope" if denied else None,
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            late = isinstance(error, TimeoutError)
            raise ProviderError(
                "token", f"not given: {type(error).__name__}", kind="timeout" if late else "connection"
            ) from error
