"""Shards in a store, which fsspec's own store in memory stands in for."""

import sys

import fsspec
import pytest
from fsspec.registry import known_implementations

from count_cases import lines, make_fact
from unequal.counting.scan.counter import ScanCounter, ScanOptions
from unequal.counting.scan.definition import Definition
from unequal.counting.scan.shards import find_shards
from unequal.errors import DataError, MissingExtraError

FACT = make_fact("Guinea", "Conakry")


@pytest.fixture
def bucket():
    """An empty bucket, and how to put documents into it."""
    store = fsspec.filesystem("memory")

    def put(name, documents):
        store.pipe(f"/bucket/{name}", lines(documents))

    store.makedirs("/bucket", exist_ok=True)
    yield put
    store.rm("/bucket", recursive=True)


def test_shards_in_a_store_are_listed_and_counted_like_files(bucket, tmp_path):
    for name, text in {"b.jsonl": "Conakry, Guinea", "sub/a.jsonl": "Guinea", "notes.md": "Guinea"}.items():
        bucket(name, [text])
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(lines([text]))
    found = find_shards("memory://bucket/**/*.jsonl")
    assert [shard.name for shard in found] == ["b.jsonl", "a.jsonl"]
    assert [shard.size for shard in found] == [len(lines(["Conakry, Guinea"])), len(lines(["Guinea"]))]
    there, here = (
        ScanCounter(f"{where}/**/*.jsonl", Definition(10)) for where in ("memory://bucket", tmp_path)
    )
    assert there.count([FACT]) == here.count([FACT])
    assert there.source == here.source
    assert there.count([FACT])[0].subject_count == 2


def test_a_shard_whose_bytes_change_is_counted_again(bucket, tmp_path):
    bucket("a.jsonl", ["Guinea 1"])
    running = ScanOptions(store=tmp_path / "shards")
    (before,) = find_shards("memory://bucket/*")
    assert find_shards("memory://bucket/*") == [before]
    ScanCounter("memory://bucket/*", Definition(10), running).count([FACT])
    bucket("a.jsonl", ["Conakry!"])
    (after,) = find_shards("memory://bucket/*")
    assert (after.path, after.size) == (before.path, before.size)
    assert after.stamp != before.stamp
    (count,) = ScanCounter("memory://bucket/*", Definition(10), running).count([FACT])
    assert (count.subject_count, count.object_count) == (0, 1)


def test_a_store_without_its_library_names_the_extra(monkeypatch):
    known = {"class": "no_such_library.Store", "err": "install no_such_library"}
    monkeypatch.setitem(known_implementations, "bucketless", known)
    with pytest.raises(MissingExtraError, match=r"reading bucketless://a/\* needs .*unequal\[remote\]"):
        find_shards("bucketless://a/*")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingExtraError, match=r"unequal\[remote\]"):
        find_shards("memory://bucket/*")


def test_an_unknown_store_and_an_empty_one_are_one_clear_sentence(bucket):
    with pytest.raises(DataError, match=r"'nowhere://a/\*': .*stores are s3://"):
        find_shards("nowhere://a/*")
    with pytest.raises(DataError, match="matches no file"):
        find_shards("memory://bucket/*.jsonl")
