"""What loose spelling finds in text that exact spelling does not: every such place, to be read.

    python benchmarks/spelling.py --facts country-capital --corpus '../shared/data/text/*.zst'

The facts are those of the tables, and of the public sets in ../shared/data/facts (or --sets).
Counts all names of the facts in both spellings and prints the names that loose spelling finds more often in a
document: by how many, how they are written there, and the first such place. A false match is one that names
something else.
"""

import argparse
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from count_material import FACT_FILES, SHARED, imported
from unequal.counting.characters import Spelling
from unequal.counting.matching import MATCHERS, choose_matcher
from unequal.counting.normalise import Normaliser
from unequal.counting.scan.definition import Definition
from unequal.counting.scan.documents import ShardReader
from unequal.counting.scan.names import index_names
from unequal.counting.scan.occurrences import find_occurrences
from unequal.counting.scan.shards import Shard, find_shards
from unequal.counting.words import Ints
from unequal.facts.packaged import resolve_facts
from unequal.facts.schema import Fact
from unequal.facts.table import read_facts

BLOCK = 1 << 19  # characters that are searched at once
AROUND = 40  # characters that are shown on each side
DASH_OR_APOSTROPHE = re.compile("['-]")
MOST = 1 << 20  # more occurrences than one name has in a document


class Search:
    """The names of facts, compiled in one spelling, and the occurrences in the block looked at last."""

    def __init__(self, facts: Sequence[Fact], spelling: Spelling) -> None:
        self.spelling = spelling
        self.names = index_names(facts, spelling=spelling)
        pairs = self.names.fact_pair
        self.entities = np.concatenate([self.names.pair_subject[pairs], self.names.pair_object[pairs]])
        matcher = choose_matcher("words", len(self.names.patterns))
        self._matcher = MATCHERS.get(matcher)(self.names.patterns)
        self._normaliser = Normaliser(spelling=spelling)

    def look(self, texts: Sequence[str], number: Ints) -> dict[int, int]:
        """Return the most occurrences by document and number of an entity; entities may share a number."""
        self._block = self._normaliser.block(texts)
        found = find_occurrences(self._matcher, self.names, self._block, Definition(spelling=self.spelling))
        self.found = found
        own, counts = np.unique(found.document * MOST + found.entity, return_counts=True)
        document, entity = np.divmod(own, MOST)
        most: dict[int, int] = {}
        for key, count in zip((document * MOST + number[entity]).tolist(), counts.tolist(), strict=True):
            most[key] = max(count, most.get(key, 0))
        self._keys = found.document * MOST + number[found.entity]
        return most

    def places(self, key: int) -> list[tuple[str, str]]:
        """Return what stands at every occurrence, alone and with what is around it."""
        at = np.flatnonzero(self._keys == key)
        spans = zip(self.found.start[at].tolist(), self.found.end[at].tolist(), strict=True)
        data = self._block.data
        return [
            (data[start:end].decode(), data[max(0, start - AROUND) : end + AROUND].decode("utf-8", "replace"))
            for start, end in spans
        ]


def main() -> None:
    """Print the places that the two spellings do not share."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--facts", type=Path, nargs="*", default=[], help="fact tables")
    parser.add_argument("--sets", type=Path, default=SHARED / "facts", help="folder of public fact sets")
    parser.add_argument("--corpus", required=True, help="glob of shards")
    arguments = parser.parse_args()
    facts = list(read_all(arguments.facts, arguments.sets))
    loose, exact = Search(facts, "loose"), Search(facts, "exact")
    own = np.arange(loose.names.n_entities)
    shared = np.zeros(exact.names.n_entities, dtype=np.int64)
    shared[exact.entities] = loose.entities
    gained: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], str] = {}
    total = 0
    for shard in find_shards(arguments.corpus):
        for texts in blocks(shard):
            more, fewer = loose.look(texts, own), exact.look(texts, shared)
            total += sum(more.values())
            for key in [key for key, count in more.items() if fewer.get(key) != count]:
                name, around = example(loose.places(key), exact.places(key))
                what = (name, written(name, texts[key // MOST]))
                gained[what] += more[key] - fewer.get(key, 0)
                first.setdefault(what, around)
    print(f"{len(facts)} facts, {total} occurrences in loose spelling, of which {gained.total()} are new:")
    for (name, as_written), number in gained.most_common():
        print(f"{number}\t{name}\t{as_written}\t{first[name, as_written]}")


def example(loose: list[tuple[str, str]], exact: list[tuple[str, str]]) -> tuple[str, str]:
    """Return one place that only loose spelling finds, or the first."""
    return next((place for place in loose if place not in exact), loose[0])


def written(name: str, text: str) -> str:
    """Return the ways in which a name stands in a text, any sign for its dashes and apostrophes."""
    pattern = "[^\\w\\s]".join(map(re.escape, DASH_OR_APOSTROPHE.split(name)))
    found = {match[0].lower() for match in re.finditer(pattern, text, re.IGNORECASE)}
    return " / ".join(sorted(found - {name}))


def read_all(tables: list[Path], folder: Path) -> Iterator[Fact]:
    """Yield the facts of tables and of the public sets, with all their names folded."""
    paths = {name: folder / file for name, file in FACT_FILES.items()}
    sets = [imported(name, path) for name, path in paths.items() if path.exists()]
    for facts in (*(read_facts(resolve_facts(path)) for path in tables), *sets):
        yield from (fact.model_copy(update={"case_sensitive": ()}) for fact in facts)


def blocks(shard: Shard) -> Iterator[list[str]]:
    """Yield lists of texts of about `BLOCK` characters together."""
    block: list[str] = []
    length = 0
    for document in ShardReader(shard):
        block.append(document.text)
        length += len(document.text)
        if length >= BLOCK:
            yield block
            block, length = [], 0
    if block:
        yield block


if __name__ == "__main__":
    main()
