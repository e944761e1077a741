"""Unknown columns of any shape: they are kept, never understood, and stop nothing."""

import datetime
import decimal
import json

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unequal.errors import DataError
from unequal.evaluation.score_table import with_buckets
from unequal.facts.fictitious import is_fictitious
from unequal.facts.frame import facts_frame
from unequal.facts.schema import Fact, whole_number
from unequal.facts.table import read_facts
from unequal.facts.write import write_facts
from unequal.unlearning.targets import bucket_of, level_of

ROW = dict.fromkeys(("subject", "relation", "object", "question", "answer"), "x")
UTC = datetime.UTC
SHAPES = {
    "text and list": ["a", ["a", "b"]],
    "empty object": [{}, {}],
    "objects": [{"a": 1}, {"b": {"c": [1, "x"]}}],
    "nested empty": [[[{}]], {"a": {}}],
    "huge": [10**40, 1],
    "beyond 64 bits": [2**63, -1],
    "true and 1": [True, 1],
    "whole and broken": [2**60 + 1, 1.5],
    "not a number": [float("nan"), 1.0],
    "half a character": ["\ud800", "b"],
    "bytes": [b"\xff\xfe", b"a"],
    "bytes and text": [b"\xff\xfe", "a"],
    "dates": [datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1, tzinfo=UTC)],
    "decimals": [decimal.Decimal("1.50"), decimal.Decimal("1E+30")],
    "sets of pairs": [[("k", 1)], None],
    "deep": [json.loads("[" * 90 + "]" * 90), 1],
    "as methods": ["copy", 1],
}
NATIVE = {
    "numbers": [1, 2.5],
    "lists": [["a"], ["b", "c"]],
    "objects alike": [{"a": 1, "b": ["x"]}, {"a": 2, "b": []}],
    "bytes": [b"\xff", b""],
    "times": [datetime.datetime(2020, 1, 1, tzinfo=UTC), None],
    "decimals": [decimal.Decimal("1.50"), decimal.Decimal("2.25")],
    "seconds": [datetime.timedelta(seconds=1), datetime.timedelta(days=-1)],
    "nothing in lists": [[], []],
}


def facts_with(values, name="extra"):
    rows = [
        ROW | {"fact_id": f"f{n}"} | ({} if value is None else {name: value})
        for n, value in enumerate(values)
    ]
    return [Fact.model_validate(row) for row in rows]


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv"])
@pytest.mark.parametrize("values", SHAPES.values(), ids=list(SHAPES))
def test_any_shape_is_written_and_the_facts_come_back(values, suffix, tmp_path):
    facts = facts_with(values)
    write_facts(facts, tmp_path / f"facts{suffix}")
    found = read_facts(tmp_path / f"facts{suffix}")
    assert [fact.fact_id for fact in found] == [fact.fact_id for fact in facts]
    assert [fact.model_extra.keys() for fact in found] == [fact.model_extra.keys() for fact in facts]
    write_facts(found, tmp_path / f"again{suffix}")
    assert read_facts(tmp_path / f"again{suffix}") == found or values is SHAPES["not a number"]


def test_a_column_of_several_kinds_is_json_text(tmp_path):
    frame = facts_frame(facts_with(["a", ["a", "b"], {"c": datetime.date(2020, 1, 1)}, None]))
    assert frame["extra"].to_list() == ['"a"', '["a", "b"]', '{"c": "2020-01-01"}', None]


def test_values_keep_their_kind_in_jsonl(tmp_path):
    facts = facts_with(["a", ["a", "b"], {}, [], {"a": {"b": [None]}}, 10**40, True])
    write_facts(facts, tmp_path / "facts.jsonl")
    assert read_facts(tmp_path / "facts.jsonl") == facts


@pytest.mark.parametrize("values", NATIVE.values(), ids=list(NATIVE))
def test_columns_of_one_kind_keep_it_in_parquet(values, tmp_path):
    facts = facts_with(values)
    write_facts(facts, tmp_path / "facts.parquet")
    assert read_facts(tmp_path / "facts.parquet") == facts


def test_kinds_that_change_in_the_middle_are_found(monkeypatch):
    monkeypatch.setattr("unequal.facts.frame.CHUNK", 2)
    assert facts_frame(facts_with([1, 2, None, None, "a", {}]))["extra"].to_list() == [
        "1",
        "2",
        None,
        None,
        '"a"',
        "{}",
    ]
    assert facts_frame(facts_with([1, 2, 2.5]))["extra"].to_list() == [1.0, 2.0, 2.5]
    assert facts_frame(facts_with([None, None, ["a"]]))["extra"].to_list() == [None, None, ["a"]]
    assert facts_frame(facts_with(["1", "2", 3]))["extra"].to_list() == ['"1"', '"2"', "3"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=80, deadline=None)
@given(values=st.lists(json_values, min_size=1, max_size=4), suffix=st.sampled_from([".parquet", ".csv"]))
def test_no_value_of_json_stops_a_table(values, suffix, tmp_path_factory):
    path = tmp_path_factory.mktemp("facts") / f"facts{suffix}"
    write_facts(facts_with(values), path)
    assert len(read_facts(path)) == len(values)


@settings(max_examples=80, deadline=None)
@given(values=st.lists(json_values, min_size=1, max_size=4))
def test_every_value_of_json_comes_back_from_jsonl(values, tmp_path_factory):
    path = tmp_path_factory.mktemp("facts") / "facts.jsonl"
    write_facts(facts_with(values), path)
    assert read_facts(path) == facts_with(values)


@pytest.mark.parametrize(
    "name", ["", "model_dump", "copy", "__class__", "_x", "self", "model_extra", "=1+1", "'x"]
)
@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv"])
def test_a_column_may_have_any_name(name, suffix, tmp_path):
    facts = facts_with(["a", "=b"], name)
    write_facts(facts, tmp_path / f"facts{suffix}")
    assert read_facts(tmp_path / f"facts{suffix}") == facts


def test_parquet_types_that_python_lacks_are_kept_somehow(tmp_path):
    columns = {name: pa.array(["x", "y"]) for name in ROW} | {"fact_id": pa.array(["a", "b"])}
    columns["map"] = pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int64()))
    columns["nanoseconds"] = pa.array([1, 2], pa.timestamp("ns"))
    columns["far"] = pa.array([2**53, 0], pa.timestamp("ms"))
    columns["null"] = pa.nulls(2)
    columns["coded"] = pa.array(["p", "q"]).dictionary_encode()
    columns["fixed"] = pa.array([b"ab", b"cd"], pa.binary(2))
    columns["half"] = pa.array([1.5, 2.5], pa.float16())
    pq.write_table(pa.table(columns), tmp_path / "facts.parquet")
    facts = read_facts(tmp_path / "facts.parquet")
    assert [fact.coded for fact in facts] == ["p", "q"]
    assert "000000001" in str(facts[0].nanoseconds)
    write_facts(facts, tmp_path / "again.parquet")
    assert len(read_facts(tmp_path / "again.parquet")) == 2


def test_json_that_is_nested_too_deeply_is_one_sentence_before_any_work(tmp_path):
    for depth in (150, 5000):
        row = json.dumps(ROW | {"fact_id": "f"})[:-1] + ', "x": ' + "[" * depth + "]" * depth + "}"
        (tmp_path / "facts.jsonl").write_text(row)
        with pytest.raises(DataError, match=r"facts\.jsonl:1: not valid JSON .nested deeper than 100 levels"):
            read_facts(tmp_path / "facts.jsonl")


def test_numbers_of_thousands_of_digits_are_kept(tmp_path):
    (tmp_path / "facts.jsonl").write_text(
        json.dumps(ROW | {"fact_id": "f"})[:-1] + ', "x": ' + "7" * 5000 + "}"
    )
    facts = read_facts(tmp_path / "facts.jsonl")
    write_facts(facts, tmp_path / "again.parquet")
    assert read_facts(tmp_path / "again.parquet")[0].x == "7" * 5000


@pytest.mark.parametrize("value", ["tail", ["a"], {}, b"\xff", 1.5, True, 10**30, "²"])
def test_columns_that_unequal_itself_writes_may_be_anything_else(value):
    (fact,) = facts_with([value], "bucket")
    counted = fact.model_copy(update={"count": 3})
    scores = pl.DataFrame({"fact_id": ["f0"]})
    assert bucket_of(fact) is None
    assert level_of(facts_with([value], "level")[0]) == -1
    assert with_buckets(scores, [counted]).columns == ["fact_id"]
    assert is_fictitious(facts_with([value], "made_up")[0]) is (value is True)


@pytest.mark.parametrize("value", [3, 3.0, "3"])
def test_whole_numbers_are_known_as_files_hold_them(value):
    assert whole_number(facts_with([value], "bucket")[0], "bucket") == 3
