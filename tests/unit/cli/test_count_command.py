"""``unequal count``: what it writes, and what it says of estimates and of what was left out."""

import random
import signal
import subprocess
import sys

import polars as pl
import pytest

from command_line import call
from flipped_bytes import flipped
from unequal.counting.run import read_counts
from unequal.errors import DataError

FACTS = "fact_id,subject,relation,object,question,answer\n1,Peru,capital,Lima,Capital?,Lima\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "facts.csv").write_text(FACTS)
    (tmp_path / "a.jsonl").write_text('{"text": "Lima, Peru"}\n{"text": "Lima, Peru"}\n')
    (tmp_path / "b.jsonl").write_text('{"text": "Lima')
    return tmp_path


def test_a_table_a_page_and_what_was_left_out(folder):
    words = ("count", "--facts", "facts.csv", "--corpus", "*.jsonl", "--out", "counts.parquet")
    choices = ("--on-bad-shard", "skip", "--repeated", "once", "--window-unit", "characters", "--window", "6")
    result = call(*words, *choices, "--report", "page.html")
    assert result.code == 0, result.err
    assert (
        "1 of 1 facts have subject and object within 6 characters of each other at least once" in result.out
    )
    assert "skipped: b.jsonl:1: not valid JSON" in result.out
    assert "1 repeated documents were counted once" in result.out
    table = pl.read_parquet(folder / "counts.parquet")
    assert table.select("docs_window", "anchored", "window_unit").row(0) == (1, 1, "characters")
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert "b.jsonl" in page and "Peru" in page


def test_a_bad_shard_stops_and_leaves_nothing_but_finished_shards(folder):
    result = call("count", "--facts", "facts.csv", "--corpus", "*.jsonl", "--out", "counts.parquet")
    assert result.code == 2
    assert "b.jsonl:1: not valid JSON" in result.err
    assert not (folder / "counts.parquet").exists()
    (folder / "b.jsonl").write_text('{"text": "Peru"}\n')
    assert call("count", "--facts", "facts.csv", "--corpus", "*.jsonl", "--out", "counts.parquet").code == 0


def test_settings_of_another_engine_are_refused():
    result = call(
        "count", "--facts", "facts.csv", "--corpus", "a.jsonl", "--out", "c.parquet", "--index", "x"
    )
    assert result.code == 2
    assert "unknown key 'index'" in result.err


KILLED = """
import os, signal, sys
from unittest import mock
from unequal.cli.app import main
with mock.patch(sys.argv.pop(1), lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)):
    main()
"""


@pytest.mark.fault(
    "SIGKILL in the middle of a count",
    "the same command ends with the same table and leaves no temporary file",
)
@pytest.mark.parametrize(
    "place", ["unequal.counting.scan.counter.ScanCounter._count_shards", "pathlib.Path.write_bytes"]
)
def test_a_killed_count_leaves_nothing_once_it_is_done(place, folder):
    (folder / "b.jsonl").write_text('{"text": "Peru"}\n')
    words = ["count", "--facts", "facts.csv", "--corpus", "*.jsonl", "--workers", "1", "--out"]
    assert call(*words, "whole.parquet").code == 0
    killed = subprocess.run([sys.executable, "-c", KILLED, place, *words, "cut.parquet"], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert list(folder.rglob(".*.tmp"))
    assert call(*words, "cut.parquet").code == 0
    assert not list(folder.rglob(".*.tmp"))
    whole, cut = (pl.read_parquet(folder / name) for name in ("whole.parquet", "cut.parquet"))
    assert cut.drop("counted_at").equals(whole.drop("counted_at"))


@pytest.mark.fault(
    "a byte of a count table flips", "who reads it refuses it in one sentence, or reads the same counts"
)
def test_a_flipped_byte_of_the_table_is_never_believed(folder):
    assert call("count", "--facts", "facts.csv", "--corpus", "a.jsonl", "--out", "c.parquet").code == 0
    table, metadata = read_counts(folder / "c.parquet")
    whole, chance = (folder / "c.parquet").read_bytes(), random.Random(17)
    for place in chance.sample(range(len(whole)), 150):
        (folder / "c.parquet").write_bytes(flipped(whole, place, chance.randrange(1, 256)))
        try:
            again = read_counts(folder / "c.parquet")
        except DataError as error:
            assert "\n" not in str(error)
        else:
            assert again[0].equals(table), place
            assert again[1] == metadata, place
