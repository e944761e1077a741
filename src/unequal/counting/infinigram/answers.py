"""Validated responses of the web service: a missing or invalid number is an error, never 0."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from unequal.counting.infinigram.client import RefusedError
from unequal.plain_text import short

LARGEST = 2**53 - 1
"""The largest integer that JSON represents exactly, a thousand times the largest corpora."""


@dataclass(frozen=True, slots=True)
class NameCount:
    """The count of one name in the index, and its token ids."""

    count: int
    token_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PairCount:
    """The count of the rarer clause near the other, and whether the service calls it an estimate."""

    count: int
    approx: bool


def read_name(answer: Mapping[str, Any]) -> NameCount:
    """Return the response to a plain query; raises `RefusedError` when it lacks a count or token ids."""
    token_ids = answer.get("token_ids")
    # No tokens at all would be the query for "every place in the corpus".
    if not isinstance(token_ids, list) or not token_ids or not all(map(_is_count, token_ids)):
        raise RefusedError(f"it answered without the name's token_ids: {short(dict(answer))}")
    return NameCount(_count(answer), tuple(token_ids))


def read_pair(answer: Mapping[str, Any]) -> PairCount:
    """Return the response to an AND query; raises `RefusedError` when it lacks a count."""
    # Only a plain "false" is taken for a claim of exactness, which the counter checks besides.
    return PairCount(_count(answer), answer.get("approx") is not False)


def read_shards(answer: Mapping[str, Any]) -> int:
    """Return the number of shards from the response to a find query; raises `RefusedError` without it."""
    segments = answer.get("segment_by_shard")
    if not isinstance(segments, list) or not segments:
        raise RefusedError(f"it answered without segment_by_shard: {short(dict(answer))}")
    return len(segments)


def _count(answer: Mapping[str, Any]) -> int:
    if not _is_count(answer.get("count")):
        raise RefusedError(f"it answered without a count: {short(dict(answer))}")
    return int(answer["count"])


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST
