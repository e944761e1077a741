"""Counting on a real Ray of two nodes: the same totals, also when one of them is killed on the way."""

import os
import sys

import pytest

from counted_jobs import NamedTask, Stranger, cannot_prepare, job
from ray_nodes import ray, two_nodes
from unequal.counting.launch import LAUNCHERS
from unequal.counting.scan.counter import ScanCounter, ScanOptions
from unequal.counting.scan.definition import Definition
from unequal.errors import DataError, MissingExtraError, UserError
from unequal.facts.packaged import packaged_facts
from unequal.facts.table import read_facts

pytestmark = pytest.mark.full

TEXT = "Conakry is the capital of Guinea, and Tokyo that of Japan. Others follow at some distance. "


@pytest.fixture(scope="module")
def cluster():
    with two_nodes() as cluster, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ADDRESS", cluster.address)
        yield cluster


def run(*jobs, workers=None, prepare=NamedTask, reports=None):
    reports = [] if reports is None else reports
    return list(LAUNCHERS.get("ray")(prepare, jobs, workers, lambda *report: reports.append(report)))


@pytest.fixture(scope="module")
def facts():
    return read_facts(packaged_facts())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Shards that take a core some tenths of a second each."""
    import json

    import zstandard

    folder = tmp_path_factory.mktemp("corpus")
    line = json.dumps({"text": TEXT * 20}).encode() + b"\n"
    for number in range(12):
        data = zstandard.compress(line * (4000 + 100 * number))
        (folder / f"part-{number:02}.jsonl.zst").write_bytes(data)
    return folder


def test_a_node_that_is_killed_changes_no_count(cluster, folder, facts, caplog):
    expected = ScanCounter(f"{folder}/*", Definition(10)).count(facts)
    counter = ScanCounter(f"file://{folder}/*", Definition(10), ScanOptions(launcher="ray"))
    (victim,) = cluster.worker_nodes
    progress = []

    def kill_in_the_middle(done, total):
        progress.append(done / total)
        if cluster.worker_nodes and done > total / 3:
            cluster.remove_node(victim, allow_graceful=False)

    assert counter.count(facts, kill_in_the_middle) == expected
    assert not cluster.worker_nodes
    assert progress == sorted(progress)
    assert progress[-1] == 1
    assert len([line for line in caplog.messages if line.startswith("a worker on Ray died")]) == 1
    assert len(counter.metadata()["shards"]) == 12
    assert counter.source.corpus_id == identity(folder, facts)
    assert not ray.is_initialized()


def identity(folder, facts):
    counter = ScanCounter(f"{folder}/*", Definition(10))
    counter.count(facts[:1])
    return counter.source.corpus_id


@pytest.fixture
def joined(cluster):
    """A program that uses Ray for other things too, before and after."""
    ray.init()
    yield
    assert ray.is_initialized()
    ray.shutdown()


def test_bad_shards_bugs_and_deaths_on_ray(joined, tmp_path, monkeypatch):
    results = dict(run(job("nap-2", 2), job("bad", 3), job(tmp_path / "once", 9), job("nap-1", 1)))
    assert sorted(results) == [0, 1, 2, 3]
    assert isinstance(results[1], DataError)
    assert str(results[1]) == "bad is truncated"
    assert {results[0]["pid"], results[3]["pid"]} == {results[2]["pid"]}
    assert os.getpid() not in {results[number]["pid"] for number in (0, 2, 3)}
    with pytest.raises(ZeroDivisionError, match=r"^a bug$"):
        run(job("bug"))
    with pytest.raises(MissingExtraError, match=r"^preparing needs .*unequal\[hyperscan\]'$"):
        run(job("nap"), prepare=cannot_prepare)
    monkeypatch.setattr("unequal.counting.launch.ray.RETRIES", 1)
    with pytest.raises(UserError, match=r"^2 workers on Ray died .* counted death, .*goes on"):
        run(job("death"), job("nap", 2))


def test_a_node_without_the_package_is_said_at_once(joined):
    with pytest.raises(UserError, match=r"does not start on Ray \(.*No module named 'stranger'\); install"):
        run(job("nap"), prepare=Stranger())


def test_an_address_where_nobody_listens_is_said_at_once(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(UserError, match=r"no Ray cluster answers at 127\.0\.0\.1:1 .*'ray start --head'"):
        run(job("nap"))


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"counting on Ray needs .*unequal\[ray\]"):
        run(job("nap"))
