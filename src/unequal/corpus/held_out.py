"""Held-out text: passages of real text for perplexity, none of which names a subject of given facts."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np

from unequal.corpus.sentences import passages, sentences
from unequal.counting.matching.word_start_matcher import WordStartMatcher
from unequal.counting.normalise import Normaliser, normalise, utf8
from unequal.counting.scan.documents import ShardReader
from unequal.counting.scan.names import LONGEST
from unequal.counting.scan.shards import find_shards
from unequal.counting.words import words_of
from unequal.facts.packaged import resolve_corpus
from unequal.facts.passages import n_words
from unequal.facts.schema import Fact
from unequal.seeds import random_stream

MOST_DOCUMENTS = 1000
"""Documents that are drawn from, the first of each shard, so that a large corpus is not read as a whole."""
AT_ONCE = 32
"""Passages that are searched for names at once."""
OWN_WORDS = 5
"""Words from which on a sentence is taken for one of its text alone."""
FEW = 1 / 50
"""Share of digits and colons up to which a passage is prose rather than a table."""


def held_out_passages(
    corpus: str, facts: Iterable[Fact], most_words: int, text_key: str = "text", setting: str = "--corpus"
) -> Iterator[str]:
    """Yield passages of whole sentences in a random order that is always the same.

    One passage of each document comes first, then a second one, and so on. Excluded are passages that name
    the subject of a fact, or an alias of it, or share a sentence with a fact that is a passage itself, and
    tables of numbers. ``setting`` names the corpus in messages. Raises `DataError` for shards that are
    missing or cannot be read.
    """
    facts = list(facts)
    named = _Names(facts)
    to_forget = " ".join(normalise(f"{fact.question} {fact.answer}") for fact in facts if fact.is_passage)
    drawn = filter(_is_prose, _drawn(_documents(corpus, text_key, setting), most_words))
    while part := list(islice(drawn, AT_ONCE)):
        yield from (text for text in named.absent_from(part) if not _shares_a_sentence(text, to_forget))


def _documents(corpus: str, text_key: str, setting: str) -> list[str]:
    shards = find_shards(resolve_corpus(corpus), setting)
    of_each = -(-MOST_DOCUMENTS // len(shards))
    chosen = random_stream(0, "held-out shards").sample(shards, min(len(shards), MOST_DOCUMENTS))
    return [one.text for shard in chosen for one in islice(ShardReader(shard, text_key), of_each)]


def _drawn(documents: Sequence[str], most_words: int) -> Iterator[str]:
    """Yield each document's passages, one of each document in turn."""
    stream = random_stream(0, "held-out text")
    waiting: list[list[str]] = []
    for text in stream.sample(documents, len(documents)):
        own = list(passages(text, most_words))
        first, *rest = stream.sample(own, len(own)) or [""]
        if rest:
            waiting.append(rest)
        if first:
            yield first
    while waiting:
        yield from (own.pop() for own in waiting)
        waiting = [own for own in waiting if own]


def _shares_a_sentence(text: str, others: str) -> bool:
    """Return whether a sentence of the text that is long enough to be its own stands in normalised text."""
    long = (one for one in sentences(text) if n_words(one) >= OWN_WORDS)
    return bool(others) and any(normalise(one) in others for one in long)


def _is_prose(text: str) -> bool:
    return sum(character.isdigit() or character == ":" for character in text) <= FEW * len(text)


class _Names:
    """The names of the subjects of facts, to be looked for as whole words of any case."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        names = {utf8(normalise(name)) for fact in facts for name in (fact.subject, *fact.subject_aliases)}
        self._matcher = WordStartMatcher(sorted(name for name in names if 0 < len(name) <= LONGEST))
        self._normaliser = Normaliser()

    def absent_from(self, texts: Sequence[str]) -> Iterator[str]:
        """Yield the texts that hold none of the names."""
        block = self._normaliser.block(texts)
        words = words_of(block.data)
        found = self._matcher.find(block.data, words)
        starts = found.start[words.whole(found.start, found.end)]
        naming = set((np.searchsorted(block.first, starts, side="right") - 1).tolist())
        yield from (text for place, text in enumerate(texts) if place not in naming)
