"""Check a count table against a grep-style count of a few facts: regular expressions and plain loops.

It shares no code with unequal. Every document is normalised (NFKC, case folding, white space as one space), a
name is found by ``(?<!\\w)name(?!\\w)`` wherever it stands, overlapping matches of one entity are one
occurrence, and the place of an occurrence is the number of words that begin before it. The table must come
from ``unequal count`` with its default definition; the largest distance is the one that the table names.

Two readings of "word" are counted side by side:

    plain    a run of ``\\w``, as Python's regular expressions have it
    engine   the definition that `unequal` documents: a letter of a script without spaces (Han, kana, Thai,
             Lao, Khmer, Myanmar, Bopomofo) is a word of its own, and a combining mark belongs to the
             character before it, where ``\\w`` ends the word

They differ in how many words stand between two names, so in which pairs are near: 東京都 is one plain word
and three of the engine's, हिन्दी three plain words and one of the engine's. They differ, too, in whether a
name ends where a mark or such a letter stands next to it. The table is compared with the plain reading: the
exit code is 1 on any difference, also on one that the other reading explains, and the documents behind it
are named.

    unequal count --facts country-capital --corpus '../shared/data/text/*.zst' --out runs/capitals.parquet
    python scripts/check_counts.py runs/capitals.parquet --corpus '../shared/data/text/*.zst'
"""

# ruff: noqa: T201

import argparse
import csv
import glob
import json
import re
import sys
import unicodedata
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import polars as pl  # reads the count table, which is Parquet; everything counted here is plain Python
import zstandard

PACKAGED = Path(__file__).parents[1] / "src/unequal/facts/data/country_capital.csv"
COUNTRIES = (
    "france",
    "japan",
    "mexico",
    "guinea",
    "equatorial-guinea",
    "cote-d-ivoire",
    "germany",
    "kenya",
    "peru",
    "singapore",
)
NUMBERS = ("subject_count", "object_count", "docs_both", "docs_window", "pairs_window")

WITHOUT_SPACES = (
    "CJK UNIFIED",
    "CJK COMPATIBILITY IDEOGRAPH",
    "IDEOGRAPHIC",
    "HIRAGANA",
    "KATAKANA",
    "BOPOMOFO",
    "THAI",
    "LAO",
    "KHMER",
    "MYANMAR",
)
"""How the Unicode names of the letters begin that are words of their own."""

Span = tuple[int, int]
Numbers = tuple[int, int, int, int, int]


@dataclass(frozen=True)
class Named:
    """A fact's names on both sides, in normal form."""

    fact_id: str
    subject: tuple[str, ...]
    object: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """One meaning of "word": where words begin, and where a name may not begin or end."""

    name: str
    word_starts: Callable[[str], list[int]]
    whole: Callable[[str, int, int], bool]


def normal(text: str) -> str:
    """Return a text in NFKC and case folded, with white space as one space."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return re.sub(r"\s+", " ", folded).strip()


@cache
def is_letter(character: str) -> bool:
    """Return whether a character is a letter, a digit or an underscore."""
    return re.fullmatch(r"\w", character) is not None


@cache
def is_mark(character: str) -> bool:
    """Return whether a character is a combining mark."""
    return unicodedata.category(character).startswith("M")


@cache
def stands_alone(character: str) -> bool:
    """Return whether a letter is a word of its own."""
    if character.isascii() or character.isdecimal() or not is_letter(character):
        return False
    return unicodedata.name(character, "").startswith(WITHOUT_SPACES)


def before_marks(text: str, at: int) -> str:
    """Return the character at a place or, for a mark, the one that it belongs to; empty outside the text."""
    while at >= 0 and at < len(text) and is_mark(text[at]):
        at -= 1
    return text[at] if 0 <= at < len(text) else ""


@lru_cache(1)
def plain_starts(text: str) -> list[int]:
    r"""Return where runs of ``\w`` begin."""
    return [match.start() for match in re.finditer(r"\w+", text)]


def plain_whole(_text: str, _start: int, _end: int) -> bool:
    """Return True: the regular expression has looked already."""
    return True


@lru_cache(1)
def engine_starts(text: str) -> list[int]:
    """Return where words begin: where no word goes on, and at every letter of a script without spaces."""
    if text.isascii():
        return plain_starts(text)
    starts = []
    for at, character in enumerate(text):
        if is_mark(character) or not is_letter(character):
            continue
        before = before_marks(text, at - 1)
        if not before or not is_letter(before) or stands_alone(character) or stands_alone(before):
            starts.append(at)
    return starts


def engine_whole(text: str, start: int, end: int) -> bool:
    """Return whether no word goes on at either end of a name."""
    return _ends(text, start, start - 1, start) and _ends(text, end, end, end - 1)


def _ends(text: str, border: int, outside: int, inside: int) -> bool:
    if border < len(text) and is_mark(text[border]) and is_letter(before_marks(text, border) or " "):
        return False
    outer, inner = before_marks(text, outside), before_marks(text, inside)
    alone = any(character and stands_alone(character) for character in (outer, inner))
    return not outer or not is_letter(outer) or alone


PLAIN = Reading("plain", plain_starts, plain_whole)
ENGINE = Reading("engine", engine_starts, engine_whole)


def read_facts(table: Path, ids: list[str]) -> list[Named]:
    """Return the facts with the ids, in their order, with all aliases."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = {row["fact_id"]: row for row in csv.DictReader(file)}
    missing = [fact_id for fact_id in ids if fact_id not in rows]
    if missing:
        sys.exit(f"{table} has no fact {', '.join(missing)}")
    if cased := [fact_id for fact_id in ids if rows[fact_id].get("case_sensitive")]:
        sys.exit(f"names that count only as written are not checked here: {', '.join(cased)}")
    return [
        Named(fact_id, names(rows[fact_id], "subject"), names(rows[fact_id], "object")) for fact_id in ids
    ]


def names(row: dict[str, str], side: str) -> tuple[str, ...]:
    """Return the name and the aliases of the subject or the object, each once."""
    aliases = [alias for alias in row[f"{side}_aliases"].split("|") if alias.strip()]
    return tuple(sorted({normal(name) for name in (row[side], *aliases)}))


def documents(corpus: str) -> Iterator[tuple[str, str]]:
    """Yield where each document stands and its text."""
    paths = sorted(glob.glob(corpus))  # noqa: PTH207
    if not paths:
        sys.exit(f"{corpus} matches no file")
    for path in paths:
        with zstandard.open(path, "rt", encoding="utf-8", newline="\n") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield f"{Path(path).name}:{number}", json.loads(line)["text"]


def matches(text: str, name: str, reading: Reading) -> Iterator[Span]:
    """Yield every place of a name, those that overlap too."""
    if name not in text:
        return
    left, right = ("", "") if reading is ENGINE else (r"(?<!\w)", r"(?!\w)")
    for match in re.finditer(f"(?={left}{re.escape(name)}{right})", text):
        span = (match.start(), match.start() + len(name))
        if reading.whole(text, *span):
            yield span


def occurrences(text: str, own_names: tuple[str, ...], reading: Reading) -> list[Span]:
    """Return the places of an entity: overlapping matches of its names are one."""
    found: list[Span] = []
    for start, end in sorted({span for name in own_names for span in matches(text, name, reading)}):
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def count_document(text: str, fact: Named, window: int, reading: Reading) -> Numbers:
    """Return the five numbers of a fact in one document."""
    subjects = occurrences(text, fact.subject, reading)
    objects = occurrences(text, fact.object, reading)
    if not subjects or not objects:
        return len(subjects), len(objects), 0, 0, 0
    starts = reading.word_starts(text)
    near = 0
    for subject in subjects:
        for object_ in objects:
            apart = abs(bisect_left(starts, subject[0]) - bisect_left(starts, object_[0]))
            if apart <= window and subject != object_:
                near += 1
    return len(subjects), len(objects), 1, int(near > 0), near


@dataclass
class Checked:
    """The numbers of each fact by each reading, and the documents where the readings part."""

    sums: dict[tuple[str, str], list[int]]
    parted: dict[str, list[tuple[str, Numbers, Numbers]]]
    n_documents: int = 0


def count_corpus(corpus: str, facts: list[Named], window: int) -> Checked:
    """Return what stands in the corpus, by both readings."""
    checked = Checked(defaultdict(lambda: [0] * len(NUMBERS)), defaultdict(list))
    for where, raw in documents(corpus):
        checked.n_documents += 1
        text = normal(raw)
        for fact in facts:
            if not any(name in text for name in (*fact.subject, *fact.object)):
                continue
            plain = count_document(text, fact, window, PLAIN)
            engine = plain if text.isascii() else count_document(text, fact, window, ENGINE)
            for reading, numbers in (("plain", plain), ("engine", engine)):
                sums = checked.sums[fact.fact_id, reading]
                sums[:] = [total + number for total, number in zip(sums, numbers, strict=True)]
            if plain != engine:
                checked.parted[fact.fact_id].append((where, plain, engine))
    return checked


def read_table(path: Path) -> tuple[dict[str, dict[str, Any]], int]:
    """Return the rows of a count table by fact, and its window; exits when the definition is another one."""
    rows = pl.read_parquet(path).to_dicts()
    definition, window = rows[0]["definition"], rows[0]["window"]
    expected = (
        "whole words, all occurrences",
        f"start-to-start words <= {window}, text key text",
    )
    if not all(part in definition for part in expected):
        sys.exit(f"{path} was counted by another definition than is checked here: {definition}")
    return {row["fact_id"]: row for row in rows}, window


def compare(table: dict[str, dict[str, Any]], facts: list[Named], checked: Checked) -> bool:
    """Print the numbers side by side and return whether the table agrees with the plain reading."""
    print(f"{'fact':32}" + "".join(f"{name:>22}" for name in NUMBERS))
    print(f"{'':32}" + f"{'table / grep':>22}" * len(NUMBERS))
    agree = True
    for fact in facts:
        counted = [table[fact.fact_id][name] for name in NUMBERS]
        plain, engine = (checked.sums[fact.fact_id, reading] for reading in ("plain", "engine"))
        cells = [
            f"{own} / {other}" + (" !" if own != other else "  ")
            for own, other in zip(counted, plain, strict=True)
        ]
        print(f"{fact.fact_id:32}" + "".join(f"{cell:>22}" for cell in cells))
        if counted != plain:
            agree = False
            explained = "and so explain it" if counted == engine else "and DO NOT explain it"
            print(f"    differs; with the engine's words the numbers are {engine}, {explained}:")
            for where, own, other in checked.parted[fact.fact_id]:
                print(f"    {where}: plain {list(own)}, engine's words {list(other)}")
        elif plain != engine:
            agree = False
            print(f"    agrees with plain words, but with the engine's own words should be {engine}")
    return agree


def main() -> int:
    """Return 0 when the table agrees with what stands in the corpus, else 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("counts", type=Path, help="count table of unequal count")
    parser.add_argument("--corpus", required=True, help="glob of the .jsonl.zst shards that were counted")
    parser.add_argument("--facts", type=Path, default=PACKAGED, help="fact table (.csv)")
    parser.add_argument("--ids", nargs="+", default=[f"capital-{country}" for country in COUNTRIES])
    arguments = parser.parse_args()
    table, window = read_table(arguments.counts)
    facts = read_facts(arguments.facts, arguments.ids)
    if uncounted := [fact.fact_id for fact in facts if fact.fact_id not in table]:
        sys.exit(f"{arguments.counts} does not count {', '.join(uncounted)}")
    checked = count_corpus(arguments.corpus, facts, window)
    print(f"{checked.n_documents} documents, {window} words from start to start")
    agree = compare(table, facts, checked)
    n_parted = sum(map(len, checked.parted.values()))
    print(
        f"\n{'all numbers agree' if agree else 'NUMBERS DIFFER'}; in {n_parted} documents the readings part"
    )
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
