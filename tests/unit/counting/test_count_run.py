"""The command's library side: settings, the count table, the registry and the packaged data."""

import re
import sys
from collections import Counter
from subprocess import run
from unicodedata import normalize

import pytest
from pydantic import ValidationError

import oracle
from count_cases import make_fact, numbers, write_shard
from gate import only_in_full
from unequal.counting import COUNTERS
from unequal.counting.protocol import COUNT_SCHEMA, count_table
from unequal.counting.run import count_facts, read_counts
from unequal.counting.scan.counter import ScanCounter
from unequal.counting.scan.definition import Definition
from unequal.counting.scan.documents import ShardReader
from unequal.counting.scan.settings import ScanSettings
from unequal.counting.scan.shards import local_shard
from unequal.errors import ConfigError, DataError
from unequal.facts.packaged import packaged_corpus, packaged_facts
from unequal.facts.table import read_facts
from unequal.facts.write import write_facts


@pytest.fixture
def small(tmp_path):
    write_shard(tmp_path / "a.jsonl", ["A B B A B", "B"])
    write_facts([make_fact("A", "B", "one"), make_fact("B", "A", "two")], tmp_path / "facts.parquet")
    return {
        "facts": tmp_path / "facts.parquet",
        "corpus": str(tmp_path / "a.jsonl"),
        "out": tmp_path / "new" / "counts.parquet",
    }


def counted(small, **others):
    settings = ScanSettings(**(small | others))
    return count_facts(settings, settings.build())[1]


def test_the_table_is_written_and_returned(small):
    table = counted(small, window=1)
    written, metadata = read_counts(small["out"])
    assert table.equals(written)
    assert metadata["settings"]["corpus"] == small["corpus"]
    assert dict(table.schema) == COUNT_SCHEMA
    row = table.row(0, named=True)
    assert row.pop("counted_at").endswith("+00:00")
    assert len(row.pop("corpus_id")) == 16
    assert row == {
        "fact_id": "one",
        "engine": "scan",
        "definition": "nfkc-casefold without invisible characters, signs apart, dashes and apostrophes alike,"
        " whole words, all occurrences, overlapping aliases merged,"
        " start-to-start words <= 1, text key text",
        "window": 1,
        "window_unit": "words",
        "subject_count": 2,
        "object_count": 4,
        "docs_both": 1,
        "docs_window": 1,
        "pairs_window": 3,
        "anchored": 2,
        "approx": False,
        "queries": 0,
    }
    assert table["fact_id"].to_list() == ["one", "two"]


@pytest.mark.parametrize("wrong", [{"window": -1}, {"windw": 3}, {"corpus": ""}])
def test_wrong_settings_are_refused(small, wrong):
    with pytest.raises(ValidationError):
        ScanSettings(**(small | wrong))


def test_an_unknown_engine_and_a_missing_corpus(small):
    with pytest.raises(ConfigError, match="did you mean 'scan'"):
        COUNTERS.get("scann")
    with pytest.raises(DataError, match="matches no file"):
        counted(small, corpus="nowhere/*.jsonl")
    assert not small["out"].exists()


def test_the_scan_keeps_the_contract(small):
    counter = ScanSettings(**small).build()
    facts = [make_fact("A", "B", "one"), make_fact("B", "A", "two"), make_fact("A", "nowhere", "three")]
    table = count_table(counter, facts)
    assert dict(table.schema) == COUNT_SCHEMA
    assert table["fact_id"].to_list() == ["one", "two", "three"]
    assert table["engine"].unique().to_list() == ["scan"]
    counts = table.select("subject_count", "object_count", "docs_both", "docs_window", "pairs_window")
    assert counts.rows() == [(2, 4, 1, 1, 6), (4, 2, 1, 1, 6), (2, 0, 0, 0, 0)]


@pytest.fixture(scope="module")
def packaged_counts(tmp_path_factory):
    out = tmp_path_factory.mktemp("counts") / "counts.parquet"
    table = counted({"facts": "country-capital", "corpus": "factbook", "out": out}, window=30)
    return {row["fact_id"]: row for row in table.iter_rows(named=True)}


def test_the_packaged_facts_are_sound():
    facts = read_facts(packaged_facts())
    assert len(facts) == 229
    capitals = {fact.object for fact in facts}
    for fact in facts:
        assert len(set(fact.distractors)) == 5
        assert set(fact.distractors) <= capitals - {fact.object}
        assert fact.answer == fact.object
    assert len(list(ShardReader(local_shard(packaged_corpus())))) == 261


def places(text, names):
    """The words before each place where the longest of the names stands."""
    longest_first = "|".join(re.escape(oracle.normal(name)) for name in sorted(names, key=len, reverse=True))
    words = [match.start() for match in re.finditer(r"\w+", text)]
    return [words.index(match.start()) for match in re.finditer(rf"\b(?:{longest_first})\b", text)]


@pytest.mark.parametrize(
    "fact_id", ["capital-algeria", *only_in_full("capital-ghana", "capital-japan", "capital-gabon")]
)
def test_packaged_counts_against_a_regular_expression(packaged_counts, fact_id):
    fact = {fact.fact_id: fact for fact in read_facts(packaged_facts())}[fact_id]
    expected = Counter()
    for document in ShardReader(local_shard(packaged_corpus())):
        text = normalize("NFKC", document.text).casefold()
        subjects = places(text, (fact.subject, *fact.subject_aliases))
        objects = places(text, (fact.object, *fact.object_aliases))
        pairs = sum(abs(subject - object_) <= 30 for subject in subjects for object_ in objects)
        expected["subject_count"] += len(subjects)
        expected["object_count"] += len(objects)
        expected["docs_both"] += bool(subjects and objects)
        expected["docs_window"] += pairs > 0
        expected["pairs_window"] += pairs
    assert min(expected.values()) > 0
    assert {column: packaged_counts[fact_id][column] for column in expected} == expected


@pytest.mark.full
def test_real_profiles_against_the_oracle(tmp_path):
    titles = {"Congo (Brazzaville)", "DRC", "Singapore", "Côte d'Ivoire", "Burma", "Guinea-Bissau"}
    texts = [document.text[:20_000] for document in ShardReader(local_shard(packaged_corpus()))]
    some = [text for text in texts if text.split("\n", 1)[0] in titles]
    assert len(some) == len(titles)
    write_shard(tmp_path / "some.jsonl.zst", some)
    facts = [
        fact for fact in read_facts(packaged_facts()) if "Guinea" in fact.subject or fact.subject in titles
    ]
    counter = ScanCounter(str(tmp_path / "*.zst"), Definition(30))
    for fact, found in zip(facts, counter.count(facts), strict=True):
        subject, object_ = (fact.subject, *fact.subject_aliases), (fact.object, *fact.object_aliases)
        assert numbers(found) == oracle.count(some, subject, object_, 30), fact.fact_id


def test_counting_does_not_import_torch():
    code = "import sys, unequal.counting.run, unequal.counting.scan.counter; sys.exit('torch' in sys.modules)"
    assert run([sys.executable, "-c", code], check=False).returncode == 0
