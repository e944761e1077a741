"""One HTTP request with limits on time and size and without redirects, for untrusted services."""

import asyncio
import os
import socket
import ssl
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from functools import cache
from threading import Thread
from typing import Any

import httpx2

from unequal.errors import ConfigError
from unequal.plain_text import short

MOST_BYTES = 1 << 22
"""Maximum bytes of a response; normal ones take a few hundred."""


class UnansweredError(Exception):
    """No complete response was received, for the reason in the message; a retry may succeed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response."""

    status: int
    retry_after: str
    location: str
    body: bytes


def exchange(url: str, body: bytes | None, seconds: float, headers: Mapping[str, str]) -> Answer:
    """Return the response to a request, a POST if it has a body and else a GET.

    ``seconds`` limits DNS look-up, connection, headers and body together. Raises `UnansweredError`
    on a time-out or failure, and `ConfigError` when the URL or the proxy from the environment is invalid.
    """
    try:
        return _result(_exchange(url, body, seconds, headers))
    except TimeoutError as error:
        raise UnansweredError(f"timed out: no whole answer within {seconds:g} s") from error
    except (httpx2.HTTPError, OSError) as error:
        raise UnansweredError(_reason(error)) from error
    except (httpx2.InvalidURL, ValueError, ImportError) as error:
        raise ConfigError(
            f"cannot send requests to {short(url)}: {short(error)}; check the address and the variables"
            " HTTP_PROXY, HTTPS_PROXY and ALL_PROXY"
        ) from error


@cache
def _certificates() -> ssl.SSLContext:
    """Return the TLS context, cached because reading the system's certificates takes a tenth of a second."""
    return httpx2.create_ssl_context()


def _result(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Return the result of a coroutine; an interrupt cancels it."""
    future = asyncio.run_coroutine_threadsafe(work, _loop())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """Return an event loop in its own thread.

    So it works where a loop is running already, as in a notebook, and the caller does not wait for the DNS
    look-up, which cannot be cancelled.
    """
    loop = asyncio.new_event_loop()
    Thread(target=loop.run_forever, name="infini-gram", daemon=True).start()
    return loop


async def _exchange(url: str, body: bytes | None, seconds: float, headers: Mapping[str, str]) -> Answer:
    plain = {**headers, "Accept-Encoding": "identity"}  # what is packed could unpack to any size
    async with asyncio.timeout(seconds):
        async with (
            httpx2.AsyncClient(verify=_certificates(), timeout=None, follow_redirects=False) as client,
            client.stream("GET" if body is None else "POST", url, content=body, headers=plain) as response,
        ):
            found = bytearray()
            async for part in response.aiter_raw():
                found += part
                if len(found) > MOST_BYTES:
                    raise httpx2.RemoteProtocolError(f"its answer is larger than {MOST_BYTES >> 20} MiB")
            return Answer(
                response.status_code,
                response.headers.get("Retry-After", ""),
                response.headers.get("Location", ""),
                bytes(found),
            )


def _reason(error: BaseException) -> str:
    """Return the message of the underlying system error, or of the error itself."""
    bottom = error
    while (below := bottom.__cause__ or bottom.__context__) is not None:
        bottom = below
    if isinstance(bottom, OSError) and not isinstance(bottom, socket.gaierror) and (bottom.errno or 0) > 0:
        return os.strerror(bottom.errno or 0)
    return short(str(bottom) or str(error) or type(error).__name__)
