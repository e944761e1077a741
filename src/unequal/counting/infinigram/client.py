"""Client of the infini-gram web service, with cache, rate limit and retries."""

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from unequal import __version__
from unequal.counting.infinigram.cache import AnswerCache
from unequal.counting.infinigram.exchange import Answer, UnansweredError, exchange
from unequal.counting.infinigram.replies import TooDeepError, message_of, parsed, pause_of
from unequal.errors import ConfigError, DataError, did_you_mean
from unequal.plain_text import short

T = TypeVar("T")

KNOWN_INDEXES = (
    "v4_dolma-v1_7_llama",
    "v4_olmo-mix-1124_llama",
    "v4_olmo-2-1124-13b-instruct_llama",
    "v4_olmo-2-0325-32b-instruct_llama",
    "v4_olmoe-0125-1b-7b-instruct_llama",
    "v4_dclm-baseline_llama",
    "v4_rpj_llama_s4",
    "v4_piletrain_llama",
    "v4_c4train_llama",
    "v4_pileval_llama",
    "v4_pileval_gpt2",
)
"""Known indexes of the public service, for suggestions only; others work too."""

RETRIED = {403, 408, 429, 502, 503, 504}
"""HTTP statuses that are retried; the service throttles with 403."""

LONGEST_BACKOFF = 60.0
LONGEST_WAIT = 300.0
"""Longest pause in seconds; if the service requests a longer one, the command ends."""


class RefusedError(DataError):
    """The service refused the request; a retry does not help."""


class _TryAgainError(Exception):
    """A temporary failure, with the seconds that the service requests to wait (0 for none)."""

    def __init__(self, reason: str, pause: float = 0.0) -> None:
        super().__init__(reason)
        self.pause = pause


@dataclass(kw_only=True)
class ApiClient:
    """Client of the service at one URL, with ``retries`` retries and exponential backoff."""

    url: str
    cache: AnswerCache
    requests_per_second: float = 1.0
    timeout_seconds: float = 60.0
    retries: int = 6
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    random: Callable[[], float] = random.random
    n_sent: int = field(default=0, init=False)
    n_from_cache: int = field(default=0, init=False)
    _next_send: float = field(default=float("-inf"), init=False)

    def ask(self, payload: Mapping[str, Any], read: Callable[[Mapping[str, Any]], T]) -> T:
        """Return the response to a request, parsed by ``read``; it is cached once ``read`` accepts it.

        Raises `RefusedError` for a request that the service refuses, `ConfigError` for an unknown index,
        and `DataError` when no attempt succeeded.
        """
        kept = self.cache.get(self.url, payload)
        if kept is not None:
            self.n_from_cache += 1
            return read(kept)
        answer = self._send_until_answered(payload)
        try:
            value = read(answer)
        except RefusedError as error:
            raise RefusedError(
                f"{self.url} did not answer the query {payload['query']!r}: {error}"
            ) from error
        self.cache.put(self.url, payload, answer)
        return value

    def _send_until_answered(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        for attempt in range(self.retries + 1):
            self._keep_pace()
            try:
                return self._send(payload)
            except _TryAgainError as error:
                problem = error
            if attempt == self.retries or problem.pause > LONGEST_WAIT:
                break
            self.sleep(max(problem.pause, self._backoff(attempt)))
        tries = "1 try" if attempt == 0 else f"{attempt + 1} tries"
        raise DataError(
            f"{self.url} did not answer after {tries}: {problem}; every answer so far is kept in"
            f" {self.cache.path}, and the same command goes on from there"
        ) from problem

    def _backoff(self, attempt: int) -> float:
        """Return the backoff in seconds: doubled with each attempt, with up to half of it random."""
        return min(2.0**attempt, LONGEST_BACKOFF) * (0.5 + 0.5 * self.random())

    def _keep_pace(self) -> None:
        now = self.clock()
        if now < self._next_send:
            self.sleep(self._next_send - now)
        self._next_send = max(now, self._next_send) + 1.0 / self.requests_per_second

    def _send(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Return the response to one request; raises `_TryAgainError` or a `UserError`."""
        self.n_sent += 1
        headers = {"Content-Type": "application/json", "User-Agent": f"unequal/{__version__}"}
        try:
            answer = exchange(self.url, json.dumps(payload).encode(), self.timeout_seconds, headers)
        except UnansweredError as error:
            raise _TryAgainError(str(error)) from error
        if answer.status != 200:
            raise self._failure(answer, payload)
        try:
            found = parsed(answer.body)
        except TooDeepError as error:
            raise self._refusal(payload, str(error)) from error
        except ValueError as error:
            raise _TryAgainError("its answer is not valid JSON") from error
        if not isinstance(found, dict):
            raise _TryAgainError("its answer is not a JSON object")
        if "error" in found:
            raise self._refusal(payload, short(found["error"]))
        return found

    def _failure(self, answer: Answer, payload: Mapping[str, Any]) -> Exception:
        """Return the exception for an HTTP status that is not 200."""
        message = message_of(answer.body)
        said = f"HTTP {answer.status}" + (f" ({message})" if message else "")
        # The service's own 500s pass, except that of an option which this kind of query does not take.
        if answer.status in RETRIED or (
            answer.status == 500 and "unexpected keyword argument" not in message
        ):
            return _TryAgainError(said, pause_of(answer.retry_after))
        if answer.status == 400 and "index" in message.lower():
            index = str(payload["index"])
            known = f"{did_you_mean(index, KNOWN_INDEXES)} (known: {', '.join(KNOWN_INDEXES)})"
            return ConfigError(f"{self.url} has no index '{index}'{known}")
        if 300 <= answer.status < 400:
            return RefusedError(
                f"{self.url} redirects to '{short(answer.location)}' (HTTP {answer.status}), which is not"
                " followed; give the service's own address with --url"
            )
        return self._refusal(payload, said)

    def _refusal(self, payload: Mapping[str, Any], said: str) -> RefusedError:
        return RefusedError(f"{self.url} refused the query {payload['query']!r}: {said}")
