"""``unequal facts check`` through the command line, and flags that are whole numbers."""

import json
from itertools import count

import polars as pl
import pytest

from command_line import call, tree
from unequal import console
from unequal.facts.table import read_facts

ROW = {"subject": "S", "relation": "r", "object": "Oslo", "question": "q?", "answer": "Oslo"}
COUNTED = {"engine": "scan", "corpus_id": "c", "definition": "window", "window": 100, "window_unit": "words"}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder with three facts: a right distractor, mixed unknown columns, and their counts."""
    monkeypatch.chdir(tmp_path)
    extra = ({"tags": "a", "meta": {}}, {"tags": ["a", "b"], "meta": {"a": 10**40}}, {"tags": {"b": None}})
    wrong = {"distractors": ["OSLO", "Rome", "Rome "]}
    rows = [ROW | wrong | {"fact_id": f"f{n}"} | more for n, more in enumerate(extra)]
    (tmp_path / "facts.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    counts = [COUNTED | {"fact_id": f"f{n}", "docs_window": n} for n in range(3)]
    pl.DataFrame(counts).write_parquet(tmp_path / "counts.parquet")
    return tmp_path


def test_what_is_left_out_is_named_with_its_place(here):
    result = call("facts", "check", "facts.jsonl")
    assert (result.code, result.err) == (0, "")
    for shown in (
        "3 facts",
        "facts.jsonl:1: column distractors: 'OSLO' is excluded: it is the answer or one of its",
        "facts.jsonl:3: column distractors: 'Rome' is excluded: it is a duplicate",
    ):
        assert shown in result.out


@pytest.mark.parametrize("out", ["out/facts.parquet", "facts.csv", "again.jsonl"])
def test_the_checked_table_is_written_in_any_format(out, here):
    assert call("facts", "check", "facts.jsonl", "--out", out).code == 0
    found = read_facts(here / out)
    assert [fact.distractors for fact in found] == [("Rome",)] * 3
    assert [fact.model_extra.keys() for fact in found] == [{"tags", "meta"}, {"tags", "meta"}, {"tags"}]
    assert "left out" not in call("facts", "check", out).out


def test_a_bad_table_or_ending_leaves_nothing(here):
    (here / "bad.jsonl").write_text((here / "facts.jsonl").read_text() + "{}\n")
    before = tree(here)
    result = call("facts", "check", "bad.jsonl", "--out", "out/facts.parquet")
    assert (result.code, "bad.jsonl:4: column subject: found nothing" in result.err) == (2, True)
    assert "fact tables end in" in call("facts", "check", "facts.jsonl", "--out", "facts.xlsx").err
    assert tree(here) == before


def bucket(*words):
    return call("facts", "bucket", "--facts", "facts.jsonl", "--counts", "counts.parquet", *words)


@pytest.mark.parametrize("out", ["out.parquet", "out.csv", "out.jsonl"])
def test_buckets_take_unknown_columns_of_any_shape(out, here):
    assert bucket("--bins", "log", "--out", out).code == 0
    assert [fact.count for fact in read_facts(here / out)] == [0, 1, 2]


def test_counts_below_zero_are_refused(here):
    table = pl.read_parquet(here / "counts.parquet")
    table.with_columns(docs_window=pl.Series([3, -7, 1])).write_parquet(here / "counts.parquet")
    result = bucket("--out", "out.parquet")
    assert result.code == 2
    assert "counts.parquet: a count is below 0 (row 2)" in result.err


@pytest.mark.parametrize("ids", [[1, 2, 3], [b"f0", b"f1", b"f2"], [{"a": 1}] * 3])
def test_ids_that_are_no_texts_are_refused(here, ids):
    table = pl.read_parquet(here / "counts.parquet")
    table.with_columns(fact_id=pl.Series(ids)).write_parquet(here / "counts.parquet")
    result = bucket("--out", "out.parquet")
    assert result.code == 2
    assert "counts.parquet: column fact_id holds" in result.err


@pytest.mark.parametrize("values", [[b"\xff"] * 3, [{"a": 1}] * 3, [["x"]] * 3, [["x"], None, []]])
def test_unknown_columns_of_counts_may_have_any_type(here, values):
    table = pl.read_parquet(here / "counts.parquet")
    table.with_columns(pl.Series("mine", values)).write_parquet(here / "counts.parquet")
    assert bucket("--out", "out.parquet").code == 0


def test_a_thousand_million_bins_are_refused_at_once(here):
    result = bucket("--out", "out.parquet", "--n-bins", "1000000000")
    assert result.code == 2
    assert "n_bins: found 1000000000; it should be less than or equal to 10000" in result.err


@pytest.mark.parametrize("value", ["1.5", "2.0", "1e3", "inf", "nan", "many", "1.5e0", ""])
@pytest.mark.parametrize(
    "words",
    [
        ("facts", "world", "--out", "w.parquet", "--people"),
        ("facts", "bucket", "--facts", "f.jsonl", "--counts", "c.parquet", "--out", "o.csv", "--n-bins"),
        ("count", "--facts", "f.jsonl", "--corpus", "c.jsonl", "--out", "o.parquet", "--window"),
        ("study", "run", "study.toml", "--out", "s", "--workers"),
    ],
    ids=" ".join,
)
def test_a_flag_that_counts_takes_whole_numbers_only(here, words, value):
    before = tree(here)
    result = call(*words, value)
    assert result.code == 2
    assert f"{words[-1]}: found {value!r}; it should be a whole number" in result.err
    assert tree(here) == before


def test_progress_is_a_line_each_half_minute_outside_a_terminal(capsys, monkeypatch):
    seconds = count(0, 20)
    monkeypatch.setattr(console, "monotonic", lambda: float(next(seconds)))
    with console.progress_bar("checking") as progress:
        for done in range(1, 6):
            progress(done, 5)
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["checking: 40%, about 60 s left", "checking: 80%, about 20 s left"]
