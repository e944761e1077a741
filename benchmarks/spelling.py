"""What loose spelling finds in text that exact spelling does not: every such place, to be read.

    python benchmarks/spelling.py --facts country-capital --corpus '../shared/data/text/*.zst'

The facts are those of the tables, and of the public sets in ../shared/data/facts (or --sets).
Counts all names of the facts in both spellings and prints, for every name that one of them finds more often
in a document, how often that is so and the first such place. A false match is one that names something else.
"""

import argparse
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from count_material import FACT_FILES, SHARED, imported
from unequal.counting.characters import Spelling
from unequal.counting.matching import MATCHERS, choose_matcher
from unequal.counting.normalise import Normaliser
from unequal.counting.scan.definition import Definition
from unequal.counting.scan.documents import ShardReader
from unequal.counting.scan.names import index_names
from unequal.counting.scan.occurrences import find_occurrences
from unequal.counting.scan.shards import Shard, find_shards
from unequal.facts.packaged import resolve_facts
from unequal.facts.schema import Fact
from unequal.facts.table import read_facts

BLOCK = 1 << 19  # characters that are searched at once
AROUND = 40  # characters that are shown on each side
Key = tuple[int, str]
"""A document and the name of an entity."""

Places = dict[Key, list[str]]
DASH_OR_APOSTROPHE = re.compile("['-]")


@dataclass
class Search:
    """The names of facts, found in one spelling; an entity is known by the first fact that has it."""

    facts: list[Fact]
    spelling: Spelling
    owner: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Compile the names."""
        self.names = index_names(self.facts, spelling=self.spelling)
        for fact, pair in zip(self.facts, self.names.fact_pair.tolist(), strict=True):
            self.owner.setdefault(int(self.names.pair_subject[pair]), fact.subject)
            self.owner.setdefault(int(self.names.pair_object[pair]), fact.object)
        matcher = choose_matcher("words", len(self.names.patterns))
        self.matcher = MATCHERS.get(matcher)(self.names.patterns)
        self.normaliser = Normaliser(spelling=self.spelling)

    def found(self, texts: list[str]) -> Places:
        """Return what stands at every occurrence and around it, by document and entity."""
        block = self.normaliser.block(texts)
        found = find_occurrences(self.matcher, self.names, block, Definition(spelling=self.spelling))
        places: Places = {}
        numbers = (found.document.tolist(), found.entity.tolist(), found.start.tolist(), found.end.tolist())
        for document, entity, start, end in zip(*numbers, strict=True):
            cuts = (slice(max(0, start - AROUND), start), slice(start, end), slice(end, end + AROUND))
            shown = "|".join(block.data[cut].decode("utf-8", "replace") for cut in cuts)
            places.setdefault((document, self.owner[entity]), []).append(shown)
        return places


def main() -> None:
    """Print the places that the two spellings do not share."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--facts", type=Path, nargs="*", default=[], help="fact tables")
    parser.add_argument("--sets", type=Path, default=SHARED / "facts", help="folder of public fact sets")
    parser.add_argument("--corpus", required=True, help="glob of shards")
    arguments = parser.parse_args()
    facts = list(read_all(arguments.facts, arguments.sets))
    searches = [Search(facts, spelling) for spelling in ("exact", "loose")]
    more, fewer, first, total = Counter[str](), Counter[str](), dict[str, str](), 0
    for shard in find_shards(arguments.corpus):
        for texts in blocks(shard):
            exact, loose = (search.found(texts) for search in searches)
            total += sum(map(len, loose.values()))
            for key in exact.keys() | loose.keys():
                gained = len(loose.get(key, [])) - len(exact.get(key, []))
                if gained:
                    (more if gained > 0 else fewer)[key[1]] += abs(gained)
                    first.setdefault(key[1], example(key, exact, loose, texts[key[0]]))
    print(
        f"{len(facts)} facts, {total} occurrences;"
        f" loose spelling adds {more.total()} and takes {fewer.total()}"
    )
    for title, counted in (("added", more), ("taken", fewer)):
        for name, number in counted.most_common():
            print(f"{title}\t{number}\t{name}\t{first[name]}")


def example(key: Key, exact: Places, loose: Places, text: str) -> str:
    """Return one place that only one spelling finds, as the text has it where it can be told."""
    only = [place for place in loose.get(key, []) if place not in exact.get(key, [])] or exact.get(key, [])
    name = only[0].split("|")[1]
    pattern = DASH_OR_APOSTROPHE.sub(r"[^\\w\\s]", re.escape(name).replace(r"\-", "-"))
    written = {found[0] for found in re.finditer(pattern, text, re.IGNORECASE)}
    return f"{only[0]!r} written {sorted(written)}"


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
