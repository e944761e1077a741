"""Worker processes that count: the same totals, whoever dies on the way."""

import multiprocessing
import os
import signal
import threading
import time

import polars as pl
import pytest

from command_line import finish, group_members, start, toml
from count_cases import make_fact, numbers, write_shard
from counted_jobs import NamedTask, cannot_prepare, job
from gate import only_in_full
from unequal.counting.launch import local
from unequal.counting.launch.local import run_here
from unequal.counting.scan.counter import ScanCounter, ScanOptions
from unequal.counting.scan.definition import Definition
from unequal.errors import DataError, MissingExtraError, UserError
from unequal.facts.write import write_facts
from waiting import HANGS, wait_until

FACTS = [make_fact("Guinea", "Conakry", "one"), make_fact("Japan", "Tokyo", "two")]
TEXT = "Conakry is the capital of Guinea, and Tokyo that of Japan. Others follow at some distance. "


def run(*jobs, workers=2, reports=None, prepare=NamedTask):
    reports = [] if reports is None else reports
    return list(run_here(prepare, jobs, workers, lambda *report: reports.append(report)))


def corpus(folder, n_shards=6, n_documents=20):
    folder.mkdir(exist_ok=True)
    for number in range(n_shards):
        texts = [TEXT * (1 + number % 3), "Guinea and Japan", TEXT] * (n_documents + number)
        write_shard(folder / f"part-{number}.jsonl.zst", texts)
    return f"{folder}/*.zst"


def counts_of(pattern, **running):
    counter = ScanCounter(pattern, Definition(10), ScanOptions(**running))
    return [numbers(count) for count in counter.count(FACTS)], counter


@pytest.mark.parametrize("repeated", ["count", *only_in_full("once")])
def test_a_pool_counts_what_one_process_counts(tmp_path, repeated):
    pattern = corpus(tmp_path / "corpus")
    counters = [
        ScanCounter(pattern, Definition(10, repeated=repeated), ScanOptions(workers=workers))
        for workers in (1, 3)
    ]
    one, three = ([numbers(count) for count in counter.count(FACTS)] for counter in counters)
    assert one == three
    assert min(one[0]) > 0
    assert counters[0].source == counters[1].source
    assert counters[0].metadata() == counters[1].metadata()
    assert multiprocessing.active_children() == []


def test_every_worker_prepares_once_has_one_thread_and_begins_with_the_biggest():
    jobs = [job(f"nap-{size}", size) for size in (2, 9, 4, 1, 7, 8)]
    results = dict(run(*jobs))
    assert sorted(results) == list(range(6))
    assert all(result["threads"] == {"1"} for result in results.values())
    assert len({result["pid"] for result in results.values()}) <= 2
    assert len({result["made"] for result in results.values()}) == len({r["pid"] for r in results.values()})
    assert os.getpid() not in {result["pid"] for result in results.values()}
    assert min(results, key=lambda number: results[number]["began"]) in (1, 5)
    assert max(results, key=lambda number: results[number]["began"]) in (0, 3)


def test_progress_comes_in_this_thread_and_never_after_the_result():
    jobs = [job(f"nap-{number}", number) for number in range(1, 6)]
    seen = []

    def report(number, bytes_read):
        assert threading.current_thread() is threading.main_thread()
        assert number not in seen
        reported[number] = bytes_read

    reported = {}
    for number, _ in run_here(NamedTask, jobs, 2, report):
        assert reported[number] == jobs[number].shard.size
        seen.append(number)
    assert len(seen) == 5


@pytest.mark.parametrize(("workers", "n_jobs"), [(1, 3), (2, 1), (None, 3)])
def test_one_worker_one_job_or_a_small_corpus_starts_no_process(workers, n_jobs):
    results = run(*[job("nap")] * n_jobs, workers=workers)
    assert {result["pid"] for _, result in results} == {os.getpid()}
    assert run(workers=workers) == []


def test_by_default_a_big_corpus_is_counted_by_as_many_workers_as_cores(monkeypatch):
    monkeypatch.setattr(local, "n_cores", lambda: 2)
    results = run(job("nap", local.SMALL), job("nap", 1), workers=None)
    assert os.getpid() not in {result["pid"] for _, result in results}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bad_shard_is_a_value_and_any_other_error_is_raised_as_itself(workers):
    results = dict(run(job("nap"), job("bad"), job("nap"), workers=workers))
    assert isinstance(results[1], DataError)
    assert str(results[1]) == "bad is truncated"
    with pytest.raises(ZeroDivisionError, match="a bug"):
        run(job("nap"), job("bug"), workers=workers)
    with pytest.raises(MissingExtraError, match=r"^this job needs .*unequal\[hyperscan\]'$"):
        run(job("nap"), job("missing"), workers=workers)
    with pytest.raises(MissingExtraError, match=r"^preparing needs"):
        run(job("nap"), job("nap"), workers=workers, prepare=cannot_prepare)


@pytest.mark.parametrize("bad_shard", ["stop", "skip"])
def test_a_bad_shard_stops_the_count_or_is_left_out(tmp_path, bad_shard):
    pattern = corpus(tmp_path / "corpus")
    expected, _ = counts_of(pattern)
    whole = (tmp_path / "corpus" / "part-3.jsonl.zst").read_bytes()
    (tmp_path / "corpus" / "part-9.jsonl.zst").write_bytes(whole[:-9])
    if bad_shard == "stop":
        with pytest.raises(DataError, match=r"part-9\.jsonl\.zst is truncated"):
            counts_of(pattern, workers=2)
    else:
        counts, counter = counts_of(pattern, workers=2, on_bad_shard="skip")
        assert counts == expected
        assert [skipped["shard"][-16:] for skipped in counter.metadata()["skipped_shards"]] == [
            "part-9.jsonl.zst"
        ]


def test_a_worker_that_is_killed_is_one_sentence_and_what_was_found_stays_found():
    jobs = [*(job("nap", 9) for _ in range(6)), job("death")]
    found = []
    with pytest.raises(UserError, match=r"^one of 2 worker processes died.*the same command goes on where"):
        for number, _ in run_here(NamedTask, jobs, 2, lambda *_: None):
            found.append(number)
    assert 4 <= len(set(found)) == len(found) <= 6  # all but those in hand when the worker died
    assert multiprocessing.active_children() == []


def test_who_stops_listening_waits_for_nobody():
    began = time.monotonic()
    results = run_here(NamedTask, [job("nap", 9), job("sleep", 8), job("sleep", 7)], 2, lambda *_: None)
    assert next(results)[0] == 0
    results.close()
    assert time.monotonic() - began < HANGS, "it waited for a job that sleeps so long"
    assert multiprocessing.active_children() == []


@pytest.fixture
def command(tmp_path):
    """A count that takes some seconds, and the words that start it."""
    texts = [TEXT * 50] * 2000
    (tmp_path / "corpus").mkdir()
    for number in range(8):
        write_shard(tmp_path / "corpus" / f"part-{number}.jsonl.zst", texts[number:])
    write_facts(FACTS, tmp_path / "facts.parquet")
    settings = {"corpus": f"{tmp_path}/corpus/*", "facts": f"{tmp_path}/facts.parquet", "workers": 2}
    (tmp_path / "count.toml").write_text(toml(settings))
    return "count", "--config", tmp_path / "count.toml", "--out", tmp_path / "out.parquet"


def stored(folder):
    return {path: path.stat().st_mtime_ns for path in (folder / "out.parquet.shards").glob("part-*.npz")}


def table(path):
    return pl.read_parquet(path).drop("counted_at")


@pytest.mark.full
def test_a_killed_count_leaves_nobody_behind_and_goes_on_where_it_stopped(command, tmp_path):
    assert finish(start(*command[:-1], tmp_path / "whole.parquet")).code == 0
    killed = start(*command)
    wait_until(lambda: stored(tmp_path))
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    wait_until(lambda: not group_members(killed.pid))
    before = stored(tmp_path)
    assert 0 < len(before) < 8
    assert not (tmp_path / "out.parquet").exists()
    for path in before:
        make_unreadable(tmp_path / "corpus" / path.name[: len("part-0.jsonl.zst")])
    again = finish(start(*command))
    assert (again.code, again.err) == (0, "")
    assert table(tmp_path / "out.parquet").equals(table(tmp_path / "whole.parquet"))
    after = stored(tmp_path)
    assert len(after) == 8
    assert before.items() <= after.items()


def make_unreadable(shard):
    """Spoil the bytes of a shard that looks unchanged."""
    status = shard.stat()
    shard.write_bytes(b"\0" * status.st_size)
    os.utime(shard, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.full
def test_control_c_ends_a_count_at_once(command, tmp_path):
    process = start(*command)
    wait_until(lambda: stored(tmp_path))
    os.killpg(process.pid, signal.SIGINT)
    result = finish(process)
    assert (result.code, result.err) == (130, "unequal: stopped; the same command goes on from here\n")
    wait_until(lambda: not group_members(process.pid))
