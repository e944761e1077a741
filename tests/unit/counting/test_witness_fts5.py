"""SQLite's full-text search FTS5 as a witness: another program, by other people, on the same documents.

FTS5 cuts a text into tokens of letters and digits (here underscores too), folds their case, finds names as
phrases of tokens, and answers NEAR with the tokens *between* two phrases: the scan's distance ``gap``. Where
both definitions agree the numbers must be equal; where they do not, a test below says how and shows it.
"""

import random
import re
import sqlite3

import pytest

from count_cases import make_fact, write_shard
from unequal.counting.scan.counter import ScanCounter, ScanOptions
from unequal.counting.scan.definition import Definition
from unequal.counting.scan.documents import ShardReader
from unequal.counting.scan.shards import local_shard
from unequal.facts.packaged import packaged_corpus, packaged_facts
from unequal.facts.table import read_facts

TOKENS = "unicode61 remove_diacritics 0 tokenchars '_'"

ONE_NAME_FOR_BOTH = {
    f"capital-{country}"
    for country in ("djibouti", "gibraltar", "luxembourg", "monaco", "san-marino", "singapore")
}
"""Country and capital share a name, so that FTS5 takes one mention for a pair (see the test of that name)."""

PUNCTUATION_MATTERS = {
    f"capital-{country}" for country in ("saint-pierre-and-miquelon", "tonga", "united-states", "vanuatu")
}
"""FTS5 finds Saint-Pierre, Nuku'alofa, Port-Vila and Washington, D.C. where the Factbook prints Saint Pierre,
Nuku Alofa, Port Vila and Washington DC (see the test of punctuation)."""


def phrase(name):
    return '"' + name.replace('"', '""') + '"'


class Witness:
    """Documents in an FTS5 table."""

    def __init__(self, documents):
        self.table = sqlite3.connect(":memory:")
        try:
            self.table.execute(f'CREATE VIRTUAL TABLE documents USING fts5(text, tokenize="{TOKENS}")')
        except sqlite3.OperationalError:
            pytest.skip("this Python's sqlite3 has no FTS5")
        self.table.executemany("INSERT INTO documents VALUES (?)", [(text,) for text in documents])

    def ask(self, query):
        question = "SELECT count(*) FROM documents WHERE documents MATCH ?"
        return self.table.execute(question, (query,)).fetchone()[0]

    def count(self, fact, gap):
        """The documents with both, and those with both at most so many tokens apart."""
        subjects = [phrase(name) for name in (fact.subject, *fact.subject_aliases)]
        objects = [phrase(name) for name in (fact.object, *fact.object_aliases)]
        near = [f"NEAR({one} {other}, {gap})" for one in subjects for other in objects]
        return (
            self.ask(f"({' OR '.join(subjects)}) AND ({' OR '.join(objects)})"),
            self.ask(" OR ".join(near)),
        )


def documents_of(counts):
    return [(count.docs_both, count.docs_window) for count in counts]


def scanned(corpus, facts, window, **choices):
    counter = ScanCounter(str(corpus), Definition(window, **choices), ScanOptions(workers=1))
    return documents_of(counter.count(facts))


@pytest.fixture(scope="module")
def factbook():
    return Witness([document.text for document in ShardReader(local_shard(packaged_corpus()))])


@pytest.fixture(scope="module")
def capitals():
    return read_facts(packaged_facts())


@pytest.fixture
def compare(tmp_path):
    """Documents with both, and near, of one fact: by FTS5, and by the scan."""

    def run(documents, fact, gap=10, **choices):
        shard = write_shard(tmp_path / "shard.jsonl", documents)
        return Witness(documents).count(fact, gap), scanned(shard, [fact], gap, distance="gap", **choices)[0]

    return run


def named_alike(fact):
    return {fact.subject, *fact.subject_aliases} & {fact.object, *fact.object_aliases}


def plain_words(fact):
    names = (fact.subject, *fact.subject_aliases, fact.object, *fact.object_aliases)
    return all(re.fullmatch(r"\w+( \w+)*", name) for name in names)


@pytest.mark.full
@pytest.mark.parametrize("gap", [0, 1, 3, 10, 30, 100])
@pytest.mark.parametrize("aliases", ["names alone", "with aliases"])
def test_capitals_in_the_factbook(factbook, capitals, aliases, gap):
    if aliases == "names alone":
        none = {"subject_aliases": (), "object_aliases": ()}
        capitals = [fact.model_copy(update=none) for fact in capitals]
    facts = [fact for fact in capitals if not named_alike(fact)]
    assert {fact.fact_id for fact in capitals} - {fact.fact_id for fact in facts} == ONE_NAME_FOR_BOTH
    ours = scanned(packaged_corpus(), facts, gap, distance="gap")
    theirs = [factbook.count(fact, gap) for fact in facts]
    parted = [fact for fact, own, other in zip(facts, ours, theirs, strict=True) if own != other]
    assert not any(plain_words(fact) for fact in parted)
    assert {fact.fact_id for fact in parted} <= PUNCTUATION_MATTERS
    assert all(own <= other for own, other in zip(ours, theirs, strict=True))
    assert sum(map(plain_words, facts)) > 190
    assert sum(both for both, _ in theirs) > 400
    assert gap < 10 or sum(near for _, near in theirs) > 150


def test_where_one_name_serves_for_both_documents_with_both_agree(factbook, capitals):
    facts = [fact for fact in capitals if fact.fact_id in ONE_NAME_FOR_BOTH]
    for ours, theirs in zip(
        scanned(packaged_corpus(), facts, 100, distance="gap"),
        [factbook.count(fact, 100) for fact in facts],
        strict=True,
    ):
        assert ours[0] == theirs[0] == theirs[1] > ours[1] > 0


NAMES = ("a", "b", "c", "a b", "b c", "c a", "a b c")
"""Names that overlap one another, and none of which overlaps itself."""


@pytest.mark.parametrize("gap", [0, 1, 2, 5])
def test_random_documents_with_overlapping_names_and_aliases(tmp_path, gap):
    generator = random.Random(gap)
    documents = [" ".join(generator.choices("abcdefgh", k=generator.randint(1, 30))) for _ in range(400)]
    facts = [
        make_fact(subject, object_, f"{subject}-{object_}", subject_aliases=[alias])
        for subject in NAMES
        for object_ in NAMES
        for alias in ("d", f"d {subject}")
        if subject != object_
    ]
    shard = write_shard(tmp_path / "shard.jsonl.zst", documents)
    ours, witness = scanned(shard, facts, gap, distance="gap"), Witness(documents)
    assert ours == [witness.count(fact, gap) for fact in facts]


@pytest.mark.full
@pytest.mark.parametrize("window", [1, 3, 10, 100])
def test_infinigram_the_scan_and_fts5_agree(tmp_path_factory, factbook, capitals, window):
    """Names of one word: from start to start is one more than the words between."""
    pytest.importorskip("infini_gram")
    from unequal.counting.infinigram.local import LocalCounter

    facts = [
        fact.model_copy(update={"subject_aliases": (), "object_aliases": ()})
        for fact in capitals
        if fact.subject.isalpha() and fact.object.isalpha() and fact.subject != fact.object
    ]
    assert len(facts) > 100
    folder = tmp_path_factory.getbasetemp() / "infini-gram index of the factbook"
    local = LocalCounter(corpus=str(packaged_corpus()), window=window, index_dir=folder).count(facts)
    witness = [factbook.count(fact, window - 1) for fact in facts]
    assert documents_of(local) == scanned(packaged_corpus(), facts, window) == witness


# Where the definitions differ, and how: (FTS5), (the scan) are documents with both, and with both near.


def test_one_stretch_of_text_is_no_pair_with_itself(compare):
    """FTS5 takes a single mention for subject and object at once; the scan wants two mentions."""
    fact = make_fact("Singapore", "Singapore")
    assert compare(["Singapore is small."], fact) == ((1, 1), (1, 0))
    assert compare(["Singapore, capital: Singapore"], fact) == ((1, 1), (1, 1))


def test_a_name_inside_the_other_is_a_pair_unless_only_the_longest_counts(compare):
    """Nested mentions overlap but are not the same stretch: both say gap 0. FTS5 knows no longest match."""
    fact = make_fact("Mexico", "Mexico City")
    assert compare(["in Mexico City"], fact, gap=0) == ((1, 1), (1, 1))
    assert compare(["in Mexico City"], fact, gap=0, nested="longest") == ((1, 1), (0, 0))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Saint-Pierre", "Saint Pierre"),
        ("Saint Pierre", "Saint-Pierre"),
        ("Guinea Bissau", "Guinea. Bissau"),
        ("U.S.", "U S"),
        ("U.S.", "U.S"),
        ("D.C.", "d/c"),
    ],
)
def test_punctuation_inside_a_name_is_nothing_to_fts5(compare, name, text):
    """A phrase of FTS5 is a row of tokens, whatever is between; the scan wants the very characters."""
    assert compare([f"{text} and x"], make_fact(name, "x")) == ((1, 1), (0, 0))


def test_the_full_stop_of_an_abbreviation_is_no_border_to_fts5(compare):
    """U.S. ends before the A of U.S.A., where a word goes on for the scan and a token ends for FTS5."""
    assert compare(["the U.S.A. and x"], make_fact("U.S.", "x")) == ((1, 1), (0, 0))
    assert compare(["the US and x"], make_fact("U.S.", "x")) == ((0, 0), (0, 0))


@pytest.mark.parametrize("text", ["Bogota\u0301", "Ｂｏｇｏｔá"])
def test_fts5_does_not_normalise(compare, text):
    """A combining accent and wide letters are the same name in NFKC, and other tokens to FTS5."""
    assert compare([f"{text}, x"], make_fact("Bogotá", "x")) == ((0, 0), (1, 1))


def test_a_letter_without_its_accent_is_another_to_both(compare):
    assert compare(["Bogota, x"], make_fact("Bogotá", "x")) == ((0, 0), (0, 0))


def test_fts5_folds_case_letter_by_letter(compare):
    """Case folding makes ß equal to ss; FTS5 folds letter to letter. The Greek sigmas fold in both."""
    assert compare(["GROSSE STRASSE, x"], make_fact("Große Straße", "x")) == ((0, 0), (1, 1))
    assert compare(["ΑΘΗΝΑΣ, x"], make_fact("Αθηνας", "x")) == ((1, 1), (1, 1))


def test_fts5_cannot_ask_for_a_name_as_written(compare):
    fact = make_fact("US", "x", case_sensitive=["US"])
    assert compare(["tell us x"], fact) == ((1, 1), (0, 0))


def test_scripts_without_spaces_are_one_token_to_fts5(compare):
    """Each of their letters is a word to the scan, which finds Tokyo in "Tokyo prefecture"."""
    assert compare(["日本の首都は東京都"], make_fact("日本", "東京")) == ((0, 0), (1, 1))


def test_tokens_between_are_those_before_normalisation(compare):
    """½ is one token to FTS5; in NFKC it is 1⁄2, two words."""
    assert compare(["a ½ b"], make_fact("a", "b"), gap=1) == ((1, 1), (1, 0))
    assert compare(["a ½ b"], make_fact("a", "b"), gap=2) == ((1, 1), (1, 1))


def test_both_measure_the_words_between(compare):
    """The length of a name takes no part in a gap, as it does from start to start."""
    fact = make_fact("New York City", "x")
    assert compare(["New York City a b x"], fact, gap=2) == ((1, 1), (1, 1))
    assert compare(["x a b New York City"], fact, gap=1) == ((1, 0), (1, 0))
    assert compare(["New York, x", "City x"], fact) == ((0, 0), (0, 0))
