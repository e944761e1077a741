"""Counts of single shards on disk: used again when they mean the same, and never when they do not."""

import random

import pytest

from count_cases import make_fact, numbers, write_shard
from flipped_bytes import harms
from unequal.counting.scan import counter as counter_module
from unequal.counting.scan.counter import ScanCounter, ScanOptions
from unequal.counting.scan.definition import Definition
from unequal.errors import DataError

FACTS = [make_fact("a", "b", "1"), make_fact("b", "a", "2", case_sensitive=["a"])]


@pytest.fixture
def corpus(tmp_path):
    for number, documents in enumerate([["a b", "x"], ["a b", "b b a"], ["A b"]]):
        (tmp_path / "corpus").mkdir(exist_ok=True)
        write_shard(tmp_path / "corpus" / f"{number}.jsonl", documents)
    return tmp_path


@pytest.fixture
def count(corpus, monkeypatch):
    """Count; returns the numbers and the names of the shards that were read for it."""
    read = []
    whole = counter_module.ShardCounter.__call__

    def watched(self, job, on_bytes):
        read.append(job.shard.name)
        return whole(self, job, on_bytes)

    monkeypatch.setattr(counter_module.ShardCounter, "__call__", watched)

    def run(facts=FACTS, **choices):
        read.clear()
        running = ScanOptions(
            workers=1, store=corpus / "store", on_bad_shard=choices.pop("on_bad_shard", "stop")
        )
        counter = ScanCounter(f"{corpus}/corpus/*", Definition(**choices), running)
        found = [numbers(fact) for fact in counter.count(facts)]
        run.counter = counter
        return found, sorted(read)

    return run


def test_what_was_counted_is_not_counted_again(count, corpus):
    found, read = count()
    assert read == ["0.jsonl", "1.jsonl", "2.jsonl"]
    identity = count.counter.source.corpus_id
    assert count() == (found, [])
    assert count.counter.source.corpus_id == identity
    assert count.counter.metadata()["documents"] == 5
    write_shard(corpus / "corpus" / "3.jsonl", ["a"])
    again, read = count()
    assert read == ["3.jsonl"]
    assert again[0][0] == found[0][0] + 1


@pytest.mark.parametrize(
    "choices",
    [{"window": 5}, {"case": "exact"}, {"nested": "longest"}, {"distance": "gap"}, {"repeated": "once"}],
)
def test_another_definition_counts_again(count, choices):
    count()
    assert len(count(**choices)[1]) == 3


def test_other_names_count_again_but_not_other_questions(count):
    count()
    same = [
        fact.model_copy(update={"question": "another?", "fact_id": f"new {fact.fact_id}"}) for fact in FACTS
    ]
    assert count(same)[1] == []
    assert len(count([FACTS[0]])[1]) == 3
    assert len(count([FACTS[0], FACTS[1].model_copy(update={"case_sensitive": ()})])[1]) == 3


def test_a_shard_that_changed_is_counted_again(count, corpus):
    count()
    write_shard(corpus / "corpus" / "1.jsonl", ["b", "a", "a b", "a b"])
    assert count()[1] == ["1.jsonl"]


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 nothing", None])
def test_a_damaged_file_is_counted_again(count, corpus, damage):
    found, _ = count()
    for path in (corpus / "store").glob("0.jsonl-*.npz"):
        path.write_bytes(path.read_bytes()[:-40] if damage is None else damage)
    assert count() == (found, ["0.jsonl"])


@pytest.mark.fault(
    "a byte of a count's kept results of single shards flips, or one is cut or emptied",
    "it is noted in one line and the shard counted anew; the counts are the same",
)
@pytest.mark.parametrize("choices", [{}, {"repeated": "once"}])
def test_nothing_damaged_is_counted_with(count, corpus, choices, caplog):
    found, _ = count(**choices)
    chance = random.Random(17)
    for path in sorted((corpus / "store").iterdir()):
        for harm in harms(path, chance, 12):
            caplog.clear()
            assert count(**choices)[0] == found, harm
            (note,) = caplog.messages
            assert note.startswith(f"{path} is damaged ("), harm
            assert note.endswith("; it is made again")
            assert count(**choices)[0] == found, "it was not written again"


def test_one_shard_is_not_taken_for_another(count, corpus, caplog):
    """Whole files under each other's names, as after a mistake in copying."""
    found, _ = count(repeated="once")
    first, second, _ = sorted((corpus / "store").glob("*.npz"))
    kept = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(kept)
    assert count(repeated="once")[0] == found
    assert len(caplog.messages) == 2


def test_repeated_documents_are_found_again_without_reading(count, corpus, monkeypatch):
    found, _ = count(repeated="once")
    assert count.counter.metadata()["repeated_documents"] == 1

    def never(self, job, on_bytes):
        raise AssertionError(job)

    monkeypatch.setattr(counter_module.DocumentHasher, "__call__", never)
    assert count(repeated="once") == (found, [])
    assert count.counter.metadata()["repeated_documents"] == 1


def test_a_bad_shard_stops_or_is_left_out(count, corpus):
    found, _ = count()
    (corpus / "corpus" / "9.jsonl").write_text("{broken")
    with pytest.raises(DataError, match=r"9\.jsonl:1: not valid JSON"):
        count()
    assert count(on_bad_shard="skip")[0] == found
    (skipped,) = count.counter.metadata()["skipped_shards"]
    assert skipped["shard"].endswith("9.jsonl")
    assert "not valid JSON" in skipped["reason"]
    assert len(count.counter.metadata()["shards"]) == 3
