"""Settings of the infini-gram web service: index, query, window and request rate."""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from unequal.counting.infinigram.queries import QueryKind
from unequal.counting.protocol import Counter, CountSettings
from unequal.plain_text import short

URL = "https://api.infini-gram.io/"
LONGEST_WINDOW = 1000
MOST_CLAUSE_FREQ = 500_000
REFERENCE_CLAUSE_FREQ = 50_000
"""The default of the service, as used for the published counts."""

_WRITTEN = re.compile(r"[A-Za-z0-9._~:/\[\]%!$&'()*+,;=-]{1,2000}")
"""The characters of a URL without a query; others are written as %XX, or xn-- in host names."""

_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")

LONGEST = 86400.0
"""Seconds in a day, the maximum for a time-out and between two requests."""

Seconds = Annotated[float, Field(gt=0, le=LONGEST, allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=1 / LONGEST, allow_inf_nan=False)]


def plain_web_address(url: str) -> str:
    """Return a valid URL of a web service; raises `ValueError` for any other text.

    The URL is stored with the counts, so it must hold no secret, and messages never repeat one.
    """
    if any(mark in url for mark in "@?#"):
        raise ValueError("it should hold no user name, password, query or fragment")
    wanted = f"found {short(repr(url))}; it should be an address such as {URL}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:  # a port that is no number, or a broken IPv6 address
        raise ValueError(f"{wanted} ({error})") from error
    if parts.scheme not in ("http", "https") or not _WRITTEN.fullmatch(url) or not _is_host(host):
        raise ValueError(wanted)
    if port == 0:
        raise ValueError(f"{wanted}, with a port from 1 to 65535")
    return url


def _is_host(host: str) -> bool:
    """Return whether a text is an IP address or a valid host name."""
    try:
        ip_address(host)
        return True
    except ValueError:
        labels = host.removesuffix(".").split(".")
        return len(host) <= 253 and all(map(_LABEL.fullmatch, labels))


class ApiSettings(CountSettings):
    """Settings of counts from a public infini-gram index; the window is in tokens of the index."""

    running: ClassVar[frozenset[str]] = CountSettings.running | {
        "url", "requests_per_second", "timeout_seconds", "retries", "cache",
    }  # fmt: skip

    engine: Literal["infinigram-api"] = Field(
        default="infinigram-api", description="counting engine; see: unequal list engines"
    )
    index: str = Field(min_length=1, description="name of the index, such as v4_dolma-v1_7_llama")
    query: QueryKind = Field(
        default="or_clause",
        description="or_clause: all names of both sides in one query; reference_sum: four casings, summed",
    )
    max_clause_freq: Annotated[int, Field(ge=1, le=MOST_CLAUSE_FREQ)] | None = Field(
        default=None,
        description="matches of a side above which the service counts in a sample (default: 500000, the"
        " most it takes; with reference_sum 50000, as published)",
    )
    shards: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="shards of the index, which decide what is exact (default: ask the service)"
    )
    url: str = Field(default=URL, description="address of the service")
    requests_per_second: Rate = Field(default=1.0, description="requests sent a second, at most")
    timeout_seconds: Seconds = Field(default=60.0, description="seconds that one whole answer may take")
    retries: Annotated[int, Field(ge=0, le=100)] = Field(
        default=6, description="further tries, with growing pauses, when the service does not answer"
    )
    cache: Path | None = Field(
        default=None, description="folder that keeps every answer (default: the user's cache folder)"
    )

    @field_validator("window")
    @classmethod
    def _window_in_reach(cls, window: int) -> int:
        if not 1 <= window <= LONGEST_WINDOW:
            raise ValueError(f"found {window}; the service takes 1 to {LONGEST_WINDOW} tokens")
        return window

    @field_validator("url")
    @classmethod
    def _plain_web_address(cls, url: str) -> str:
        return plain_web_address(url)

    def build(self) -> Counter:
        """Return the engine, without any request yet; raises `DataError` when the cache cannot be used."""
        from unequal.counting.infinigram.api import ApiCounter
        from unequal.counting.infinigram.cache import AnswerCache, default_cache_folder
        from unequal.counting.infinigram.client import ApiClient

        reference = self.query == "reference_sum"
        client = ApiClient(
            url=self.url,
            cache=AnswerCache(self.cache or default_cache_folder()),
            requests_per_second=self.requests_per_second,
            timeout_seconds=self.timeout_seconds,
            retries=self.retries,
        )
        return ApiCounter(
            client,
            index=self.index,
            window=self.window,
            max_clause_freq=self.max_clause_freq
            or (REFERENCE_CLAUSE_FREQ if reference else MOST_CLAUSE_FREQ),
            query=self.query,
            shards=self.shards,
        )
