"""What the web service of infini-gram is asked, and how politely."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from unequal.counting.infinigram.queries import QueryKind
from unequal.counting.protocol import Counter, CountSettings

URL = "https://api.infini-gram.io/"
LONGEST_WINDOW = 1000
MOST_CLAUSE_FREQ = 500_000
REFERENCE_CLAUSE_FREQ = 50_000
"""What the service takes when it is not told, as it was not for the published counts."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class ApiSettings(CountSettings):
    """Counts from a public index of infini-gram; the window is in tokens of the index."""

    running: ClassVar[frozenset[str]] = CountSettings.running | {
        "url", "requests_per_second", "timeout_seconds", "retries", "cache",
    }  # fmt: skip

    engine: Literal["infinigram-api"] = "infinigram-api"
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
    requests_per_second: Positive = Field(default=1.0, description="requests sent a second, at most")
    timeout_seconds: Positive = Field(default=60.0, description="seconds to wait for one answer")
    retries: Annotated[int, Field(ge=0)] = Field(
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
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"found {url!r}; it should be an address such as {URL}")
        # The address is written beside the counts, where a secret does not belong.
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("it should hold no user name, password, query or fragment")
        return url

    def build(self) -> Counter:
        """Return the counter; raises `DataError` when the cache cannot be used. Nothing is asked yet."""
        from unequal.counting.infinigram.api import ApiCounter  # noqa: PLC0415
        from unequal.counting.infinigram.cache import AnswerCache, default_cache_folder  # noqa: PLC0415
        from unequal.counting.infinigram.client import ApiClient  # noqa: PLC0415

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
