"""Commands shared by two processes, each with the whole model or with half its weights, end as one does."""

import json

import polars as pl
import pytest
import torch
from safetensors.torch import load_file

from command_line import tree
from shared_work import FILES, run_commands
from side_by_side import run_by_two
from tiny_world import vocabulary_of
from unequal.facts.write import write_facts
from unequal.models.load import load_tokenizer, scratch_model
from unequal.models.shapes import ModelSettings, Shape

pytestmark = pytest.mark.full

EXACT = ("evaluated/scores", "evaluated/generations", "evaluated/aggregates", "attacked/generations")
"""Of models that nothing is trained in; their batches are the same."""


@pytest.fixture(scope="module")
def material(corpus, facts, tmp_path_factory):
    """Two models of one tokenizer, and facts by role."""
    folder = tmp_path_factory.mktemp("material")
    (folder / "corpus").symlink_to(corpus)
    for role in ("forget", "retain", "utility"):
        write_facts([fact for fact in facts if fact.role == role][:6], folder / f"{role}.parquet")
    judged = [fact for fact in facts if fact.role in ("forget", "never_seen", "retain")]
    write_facts(judged[::6], folder / "judged.parquet")
    shape = ModelSettings(family="llama", size="tiny", shape=Shape(width=32, layers=2, heads=4))
    for seed, name in enumerate(("model", "other")):
        scratch_model(shape, vocabulary_of(corpus), seed).save_pretrained(folder / name)
        load_tokenizer(corpus / "tokenizer").save_pretrained(folder / name)
    return folder


@pytest.fixture(scope="module")
def alone(material, tmp_path_factory):
    out = tmp_path_factory.mktemp("alone")
    run_commands(material, out)
    return out


@pytest.mark.parametrize("how", ["whole", pytest.param("sharded", marks=pytest.mark.slow)])
def test_two_processes_write_what_one_does(how, material, alone, tmp_path):
    run_by_two("shared_work.py", tmp_path / "meeting", how, material, tmp_path / "out")
    assert set(tree(tmp_path / "out")) == set(tree(alone))
    for name in FILES:
        one, two = alone / name, tmp_path / "out" / name
        if name.endswith(".parquet"):
            assert_same_table(pl.read_parquet(one), pl.read_parquet(two), name.removesuffix(".parquet"))
        elif name.endswith(".safetensors"):
            expected = load_file(one)
            assert load_file(two).keys() == expected.keys()
            for key, weight in load_file(two).items():
                torch.testing.assert_close(weight, expected[key], rtol=1e-3, atol=1e-5, msg=f"{name} {key}")
        else:
            looks = [
                [look for trial in json.loads(path.read_text())["trials"] for look in trial["looks"]]
                for path in (one, two)
            ]
            assert len(looks[0]) > 4
            for expected, found in zip(*looks, strict=True):
                assert found == pytest.approx(expected, rel=1e-4)


def assert_same_table(one, two, name):
    if name in EXACT:
        assert one.equals(two), name
        return
    assert one.columns == two.columns
    numbers = [column for column, kind in one.schema.items() if kind == pl.Float64]
    assert one.drop(numbers).equals(two.drop(numbers)), name
    for column in numbers:
        expected, found = one[column], two[column]
        assert found.is_null().equals(expected.is_null()), (name, column)
        there = expected.drop_nulls().to_list()
        assert found.drop_nulls().to_list() == pytest.approx(there, rel=1e-3, abs=1e-6, nan_ok=True), column
