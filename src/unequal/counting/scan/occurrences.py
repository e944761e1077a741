"""Occurrences of entities from matches: whole words, case, nested names, and merged overlapping aliases."""

from dataclasses import dataclass

import numpy as np

from unequal.counting.matching.matcher import Matcher, Matches
from unequal.counting.normalise import Block
from unequal.counting.scan.definition import Definition
from unequal.counting.scan.names import NameIndex
from unequal.counting.words import Bools, Ints, Rank, words_of


@dataclass(frozen=True, slots=True)
class Occurrences:
    """The occurrences of entities in one block, sorted by entity and position.

    `first` and `last` are positions: the number of words (or characters) that begin before an occurrence
    starts and, for gap distances, before it ends, counted over the block with one number skipped between
    documents. Document d has the positions [``document_first[d]``, ``document_first[d + 1]``).
    """

    entity: Ints
    start: Ints
    end: Ints
    document: Ints
    first: Ints
    last: Ints
    document_first: Ints


def find_occurrences(matcher: Matcher, names: NameIndex, block: Block, definition: Definition) -> Occurrences:
    """Return all occurrences of all entities in a block."""
    words = words_of(block.data)
    pattern, start, end = matcher.find(block.data, words)
    whole = words.whole(start, end)
    matches = Matches(pattern[whole], start[whole], end[whole])
    match, name = names.pattern_names.expand(matches.pattern)
    start, end = matches.start[match], matches.end[match]
    if names.any_cased:
        name, start, end = _as_written(names, block, name, start, end)
    if definition.nested == "longest":
        longest = leftmost_longest(start, end)
        name, start, end = name[longest], start[longest], end[longest]
    entity, start, end = merged(names.name_entity[name], start, end)
    begins = words.starts if definition.window_unit == "words" else _characters(block.data)
    rank = Rank(begins)
    document = np.searchsorted(block.first, start, side="right") - 1
    first = rank(start) + document
    return Occurrences(
        entity=entity,
        start=start,
        end=end,
        document=document,
        first=first,
        last=first if definition.distance == "start" else rank(end) + document,
        document_first=rank(np.minimum(block.first, len(block.data))) + np.arange(len(block.first)),
    )


def _as_written(
    names: NameIndex, block: Block, name: Ints, start: Ints, end: Ints
) -> tuple[Ints, Ints, Ints]:
    """Return the matches with the required case, for case-sensitive names."""
    wanted = [names.name_cased[number] for number in name.tolist()]
    spans = zip(wanted, start.tolist(), end.tolist(), strict=True)
    right = np.array(
        [not cased or block.cased[begin:stop] == cased for cased, begin, stop in spans], dtype=np.bool_
    )
    return name[right], start[right], end[right]


def leftmost_longest(start: Ints, end: Ints) -> Bools:
    """Return which spans [start, end) a leftmost-longest selection takes; equal spans are taken together."""
    begins, index = np.unique(start, return_inverse=True)
    longest = np.zeros(len(begins), dtype=np.int64)
    np.maximum.at(longest, index, end)
    following = np.append(np.searchsorted(begins, longest), len(begins))
    free = np.append(begins[1:] >= np.maximum.accumulate(longest)[:-1], True)
    taken = np.zeros(len(begins) + 1, dtype=np.bool_)
    reached = np.append(0, np.flatnonzero(free[:-1]) + 1) if len(begins) else np.zeros(0, dtype=np.int64)
    while len(reached):
        taken[reached] = True
        reached = following[reached]
        reached = np.unique(reached[~taken[reached] & (reached < len(begins))])
    chosen: Bools = taken[index] & (end == longest[index])
    return chosen


def merged(entity: Ints, start: Ints, end: Ints) -> tuple[Ints, Ints, Ints]:
    """Return the spans sorted by entity and start, with overlapping spans of one entity merged."""
    if len(entity) == 0:
        return entity, start, end
    shift = int(end.max()) + 1
    order = np.argsort(entity * shift + start, kind="stable")
    entity, start, end = entity[order], start[order], end[order]
    behind = entity * shift
    furthest = np.maximum.accumulate(end + behind)
    opens = np.append(True, start[1:] + behind[1:] >= furthest[:-1])
    closes = np.append(opens[1:], True)
    return entity[opens], start[opens], furthest[closes] - behind[closes]


def _characters(data: bytes) -> Bools:
    """Return a mask of the bytes at which a character begins, without document borders."""
    values = np.frombuffer(data, dtype=np.int8)
    begins: Bools = (values >= 0) | ((values >= -64) & (values < -1))
    return begins
