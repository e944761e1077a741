"""A tokenizer and its model: padding is never looked at, and tokens that text can hold have a row."""

import json
import shutil

import polars as pl
import pytest
from tokenizers import AddedToken

from command_line import call
from model_folders import change_config, make_folder
from tiny_world import PROMPTS
from unequal.errors import DataError
from unequal.facts.table import facts_frame
from unequal.models.load import load_tokenizer


@pytest.fixture(scope="module")
def whole(tmp_path_factory, facts):
    return make_folder(tmp_path_factory.mktemp("whole") / "model", facts[:40], PROMPTS.question)


@pytest.fixture(scope="module")
def padded(whole, tmp_path_factory):
    """The same model, whose tokenizer was given a token to pad with for which there is no row."""
    folder = shutil.copytree(whole, tmp_path_factory.mktemp("padded") / "model")
    tokenizer = load_tokenizer(folder)
    tokenizer.add_special_tokens({"pad_token": "<padding>"})
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def tables(tmp_path_factory, facts):
    """Facts whose questions and answers are of many lengths."""
    folder = tmp_path_factory.mktemp("tables")
    varied = [
        fact.model_copy(update={"question": fact.question + " Please say it in full." * (place % 3)})
        for place, fact in enumerate(facts[:18])
    ]
    for place, role in enumerate(("forget", "retain", "utility")):
        facts_frame(varied[6 * place : 6 * place + 6]).write_parquet(folder / f"{role}.parquet")
    return folder


def rows(model):
    return json.loads((model / "config.json").read_text())["vocab_size"]


def run(tables, out, model, *words):
    result = call(*words, "--model", model, "--out", out)
    assert result.code == 0, result.err
    return pl.read_parquet(out / "scores.parquet")["value"].to_list()


@pytest.mark.full
def test_padding_beyond_the_embeddings_changes_no_score(whole, padded, tables, tmp_path):
    assert load_tokenizer(padded).pad_token_id < rows(padded)
    words = ("evaluate", "--facts", tables / "forget.parquet", "--samples", 2, "--gradient-norms")
    found = [run(tables, tmp_path / model.parent.name, model, *words) for model in (whole, padded)]
    assert found[0] == found[1]


@pytest.mark.full
@pytest.mark.parametrize("method", ["npo", "rmu", "task_vector"])
def test_padding_beyond_the_embeddings_is_no_hindrance_to_unlearning(method, padded, tables, tmp_path):
    sets = ("--forget", tables / "forget.parquet", "--retain", tables / "retain.parquet")
    chosen = ("--method", method, "--steps", 2, "--allow-unknown")
    assert run(tables, tmp_path / "out", padded, "unlearn", *sets, *chosen)
    saved = json.loads((tmp_path / "out" / "model" / "tokenizer_config.json").read_text())
    assert saved["pad_token"] == "<padding>"  # as it was


@pytest.mark.full
def test_padding_beyond_the_embeddings_is_no_hindrance_to_attacks(padded, tables, tmp_path):
    words = ("--facts", tables / "forget.parquet", "--retain", tables / "retain.parquet")
    for kind in ("fewshot", "lens", "relearn"):
        assert run(tables, tmp_path / kind, padded, "attack", *words, "--kind", kind)


def test_a_tokenizer_without_padding_is_saved_without(whole, tmp_path):
    from unequal.models.load import load_model
    from unequal.models.save import save_model

    folder = shutil.copytree(whole, tmp_path / "model")
    before = json.loads((folder / "tokenizer_config.json").read_text())
    del before["pad_token"]
    (folder / "tokenizer_config.json").write_text(json.dumps(before))
    save_model(load_model(folder), load_tokenizer(folder), tmp_path / "saved")
    saved = json.loads((tmp_path / "saved" / "tokenizer_config.json").read_text())
    assert saved.get("pad_token") is None


@pytest.mark.fault(
    "a tokenizer has tokens for which the model has no embedding",
    "one sentence says how many and names the first",
)
@pytest.mark.parametrize("command", ["evaluate", "unlearn"])
def test_words_beyond_the_embeddings_are_refused_in_one_sentence(command, whole, tables, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "model")
    tokenizer = load_tokenizer(folder)
    tokenizer.add_tokens(["Ouagadougou", "Antananarivo"])
    tokenizer.save_pretrained(folder)
    sets = ("--facts",) if command == "evaluate" else ("--method", "npo", "--forget")
    out = tmp_path / "out"
    result = call(command, *sets, tables / "forget.parquet", "--model", folder, "--out", out)
    assert result.code == 2
    said = " ".join(result.err.split())
    assert "2 of the tokenizer's" in said
    assert f"lie beyond, such as 'Ouagadougou' ({rows(folder)})" in said
    assert not out.exists()


def test_a_special_token_that_is_put_around_text_must_have_a_row(whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "model")
    tokenizer = load_tokenizer(folder)
    tokenizer.add_special_tokens({"eos_token": "<new end>"})
    tokenizer.save_pretrained(folder)
    with pytest.raises(DataError, match="such as '<new end>'"):
        load_tokenizer(folder)


def test_idle_special_tokens_may_lie_beyond(whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "model")
    tokenizer = load_tokenizer(folder)
    tokenizer.add_tokens([AddedToken("<image>", special=True)], special_tokens=True)
    tokenizer.save_pretrained(folder)
    assert load_tokenizer(folder).get_vocab()["<image>"] == rows(folder)


def test_rows_without_tokens_are_normal(whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "model")
    change_config(folder, vocab_size=rows(folder) + 64)
    assert load_tokenizer(folder).pad_token_id is not None
