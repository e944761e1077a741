"""Text extraction: sentences or passages of real text that name facts, and some that do not."""

import io
import json
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
import zstandard
from pydantic import Field

from unequal.corpus.sentences import passages, sentences
from unequal.counting.matching import MATCHERS, choose_matcher
from unequal.counting.matching.matcher import Matcher
from unequal.counting.normalise import Block, Normaliser, normalise, utf8
from unequal.counting.scan.definition import Case, Definition, Nested
from unequal.counting.scan.documents import ShardReader
from unequal.counting.scan.names import index_names
from unequal.counting.scan.occurrences import find_occurrences
from unequal.counting.scan.shards import find_shards
from unequal.counting.scan.window import near_pairs
from unequal.counting.words import words_of
from unequal.errors import DataError
from unequal.facts.packaged import resolve_corpus
from unequal.facts.schema import Fact
from unequal.facts.wordings import held_out_texts
from unequal.files import atomic_path
from unequal.progress import Progress
from unequal.strict import StrictModel

BLOCK = 1 << 19  # characters that are searched at once


class TextSettings(StrictModel):
    """Which text, and which parts of it become documents to train on."""

    corpus: str = Field(min_length=1, description="glob of shards, or the packaged 'factbook'")
    text_key: str = Field(default="text", min_length=1, description="key or column that holds the text")
    keep: Literal["sentences", "passages", "documents"] = Field(
        default="sentences",
        description="sentences or passages that name subject and object of a fact, or all passages",
    )
    others: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        default=0.0, description="share of the sentences or passages without a fact that is kept too"
    )
    most_words: Annotated[int, Field(ge=3)] = Field(default=60, description="a longer sentence is excluded")
    passage_words: Annotated[int, Field(ge=10)] = Field(default=80, description="words of a passage, at most")
    case: Case = Field(default="fold", description="which names count only as written")
    nested: Nested = Field(default="longest", description="count names inside longer names, or not")

    @property
    def definition(self) -> Definition:
        """What it means that a document names a fact: both names, anywhere in it."""
        window = max(self.most_words, self.passage_words)
        return Definition(window=window, case=self.case, nested=self.nested)


class TextCard(StrictModel):
    """How many pieces of text there were, and what became of them."""

    documents: int = 0
    pieces: int = 0
    naming_a_fact: int = 0
    others_kept: int = 0
    others_left_out: int = 0
    repeated: int = 0
    too_long: int = 0
    holding_a_test_wording: int = 0


class TextDocument(NamedTuple):
    """A document to train on, and the facts whose subject and object it names."""

    text: str
    fact_ids: tuple[str, ...]


def extract_text(
    settings: TextSettings, facts: Sequence[Fact], out: Path, progress: Progress | None = None
) -> TextCard:
    """Write the documents as ``.jsonl.zst`` with ``id``, ``text`` and ``facts``, and return what was found.

    No document stands there twice, and none holds a wording with which a fact is tested. Raises `DataError`
    for a shard that cannot be read and for names that cannot be searched.
    """
    shards = find_shards(resolve_corpus(settings.corpus), "text.corpus")
    pieces = _Pieces(settings, facts)
    total = sum(shard.size for shard in shards)
    read = 0
    with atomic_path(out) as beside, beside.open("wb") as file:
        with zstandard.ZstdCompressor(level=10).stream_writer(file, closefd=False) as stream:
            lines = io.TextIOWrapper(stream, encoding="utf-8")
            number = 0
            for shard in shards:
                for document in ShardReader(shard, settings.text_key):
                    for kept in pieces.add(document.text):
                        number = _write(lines, number, kept)
                    if progress:
                        progress(read + document.bytes_read, total)
                read += shard.size
            for kept in pieces.rest():
                number = _write(lines, number, kept)
            lines.detach()
        if not pieces.card["naming_a_fact"]:
            raise DataError(
                f"nothing in '{settings.corpus}' names subject and object of any of"
                f" {len(facts)} facts; name other text or other facts"
            )
    return TextCard(**pieces.card)


def read_text(path: Path) -> Iterator[TextDocument]:
    """Yield the documents that `extract_text` wrote."""
    with path.open("rb") as file:
        reader = zstandard.ZstdDecompressor().stream_reader(file)
        for line in io.TextIOWrapper(reader, encoding="utf-8"):
            row = json.loads(line)
            yield TextDocument(row["text"], tuple(row["facts"]))


def _write(lines: io.TextIOWrapper, number: int, document: TextDocument) -> int:
    row = {"id": str(number), "text": document.text, "facts": document.fact_ids}
    lines.write(json.dumps(row, ensure_ascii=False) + "\n")
    return number + 1


class _Pieces:
    """Cuts documents into pieces, holds them until a block is full, and yields those to keep."""

    def __init__(self, settings: TextSettings, facts: Sequence[Fact]) -> None:
        self.card = dict.fromkeys(TextCard.model_fields, 0)
        self._settings = settings
        self._search = _Search(settings.definition, facts)
        self._seen: set[bytes] = set()
        self._held: list[str] = []
        self._size = 0

    def add(self, text: str) -> Iterator[TextDocument]:
        """Take in a document."""
        self.card["documents"] += 1
        for piece in self._cut(text):
            self.card["pieces"] += 1
            key = blake2b(utf8(piece), digest_size=12).digest()
            if key in self._seen:
                self.card["repeated"] += 1
                continue
            self._seen.add(key)
            self._held.append(piece)
            self._size += len(piece)
        if self._size >= BLOCK:
            yield from self.rest()

    def rest(self) -> Iterator[TextDocument]:
        """Yield what is to keep of the pieces that are held."""
        held, self._held, self._size = self._held, [], 0
        if not held:
            return
        named, tested = self._search.look(held)
        for place, piece in enumerate(held):
            if place in tested:
                self.card["holding_a_test_wording"] += 1
            elif place in named:
                self.card["naming_a_fact"] += 1
                yield TextDocument(piece, named[place])
            elif self._settings.keep == "documents" or _chance(piece) < self._settings.others:
                self.card["others_kept"] += 1
                yield TextDocument(piece, ())
            else:
                self.card["others_left_out"] += 1

    def _cut(self, text: str) -> Iterable[str]:
        if self._settings.keep != "sentences":
            yield from passages(text, self._settings.passage_words)
            return
        for sentence in sentences(text):
            if len(sentence.split()) > self._settings.most_words:
                self.card["too_long"] += 1
            else:
                yield sentence


class _Search:
    """Finds in many pieces at once which facts they name, and which hold a wording of a test."""

    def __init__(self, definition: Definition, facts: Sequence[Fact]) -> None:
        self._definition = definition
        self._names = index_names(facts, definition.case)
        self._facts_of_pair: dict[int, list[str]] = {}
        for fact, pair in zip(facts, self._names.fact_pair.tolist(), strict=True):
            self._facts_of_pair.setdefault(pair, []).append(fact.fact_id)
        tests = {utf8(normalise(text)) for fact in facts for text in held_out_texts(fact)}
        self._tests = _matcher(sorted(tests))
        self._matcher = _matcher(self._names.patterns)
        self._normaliser = Normaliser(keep_case=self._names.any_cased)

    def look(self, pieces: Sequence[str]) -> tuple[dict[int, tuple[str, ...]], set[int]]:
        """Return the facts named by each piece that names some, and the pieces that hold a test wording."""
        block = self._normaliser.block(pieces)
        found = find_occurrences(self._matcher, self._names, block, self._definition)
        pairs, documents = near_pairs(found, self._names, self._definition.window)
        named: dict[int, tuple[str, ...]] = {}
        for pair, place in zip(pairs.tolist(), documents.tolist(), strict=True):
            named[place] = (*named.get(place, ()), *self._facts_of_pair[pair])
        return named, self._tested(block)

    def _tested(self, block: Block) -> set[int]:
        words = words_of(block.data)
        found = self._tests.find(block.data, words)
        whole = words.whole(found.start, found.end)
        return set((np.searchsorted(block.first, found.start[whole], side="right") - 1).tolist())


def _matcher(patterns: Sequence[bytes]) -> Matcher:
    return MATCHERS.get(choose_matcher("auto", len(patterns)))(patterns)


def _chance(text: str) -> float:
    """Return a number in [0, 1) that depends on the text alone."""
    return int.from_bytes(blake2b(utf8(text), digest_size=7, person=b"others").digest(), "big") / (1 << 56)
