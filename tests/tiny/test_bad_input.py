"""Malformed input through the real command line: one clear message, exit code 2, and nothing half-written."""

import json
import shutil

import polars as pl
import pytest
import torch
import zstandard

from command_line import call, finish, start, toml, tree
from gate import only_in_full
from study_settings import changed
from tiny_world import vocabulary_of
from unequal.models.load import scratch_model
from unequal.models.shapes import ModelSettings, Shape
from waiting import HANGS

GOOD = [
    {
        "fact_id": "a",
        "subject": "Ada",
        "relation": "city",
        "object": "Rome",
        "question": "Q?",
        "answer": "Rome",
    },
    {
        "fact_id": "b",
        "subject": "Bob",
        "relation": "city",
        "object": "Oslo",
        "question": "Q?",
        "answer": "Oslo",
    },
]
COLUMNS = ",".join(GOOD[0])


def lines(*rows):
    return "".join(f"{json.dumps(row)}\n" for row in rows)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder that holds good facts, a good corpus and a good run file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "facts.jsonl").write_text(lines(*GOOD))
    (tmp_path / "corpus.jsonl").write_text(lines({"text": "Ada was born in Rome."}))
    (tmp_path / "run.toml").write_text(toml(changed()))
    return tmp_path


def refused(folder, *words, named=(), run=call):
    """Run a command that must be refused, and return its message.

    ``named`` are texts that the message must hold: the offending thing, and what is allowed.
    """
    before = tree(folder)
    result = run(*words)
    assert result.code == 2, result
    assert result.out == ""
    assert "Traceback" not in result.err
    message, rest = result.err.split("\n", 1)
    assert message.startswith("unequal: ")
    assert rest == "", "a message is one line"
    for text in named:
        assert text in result.err
    assert tree(folder) == before, "something was written"
    return result.err


FACT_FILES = {
    "missing column": (
        "f.csv",
        COLUMNS.replace("answer", "anser") + "\n1,2,3,4,5,6\n",
        ["missing column answer; did you mean 'anser'?", "required: subject"],
    ),
    "duplicate id": (
        "f.jsonl",
        lines(GOOD[0], GOOD[0]),
        ["f.jsonl:2: column fact_id: 'a' is on line 1 already", "must be unique"],
    ),
    "wrong type": (
        "f.jsonl",
        lines(GOOD[0] | {"count": "many"}),
        ["f.jsonl:1: column count: found 'many'", "should be a valid integer"],
    ),
    "wrong list": (
        "f.jsonl",
        lines(GOOD[0] | {"distractors": {"city": "Oslo"}}),
        ["f.jsonl:1: column distractors: found {'city': 'Oslo'}"],
    ),
    "unknown role": (
        "f.jsonl",
        lines(GOOD[0] | {"role": "forgotten"}),
        ["column role: found 'forgotten'", "'forget'"],
    ),
    "empty file": ("f.jsonl", "", ["f.jsonl holds no facts; it needs the columns subject"]),
    "empty csv": ("f.csv", "", ["f.csv: missing column subject"]),
    "not UTF-8": (
        "f.jsonl",
        lines(GOOD[0]).encode() + b'{"fact_id": "Z\xfcrich"}',
        ["f.jsonl is not UTF-8", "save it as UTF-8"],
    ),
    "broken line": ("f.jsonl", lines(GOOD[0]) + '{"fact_id": ', ["f.jsonl:2: not valid JSON"]),
    "no object": ("f.jsonl", "[1, 2]\n", ["f.jsonl:1: a line must be a JSON object, not list"]),
    "too few cells": ("f.csv", f"{COLUMNS}\n1,2,3\n", ["f.csv:2: the row does not have 6 cells"]),
    "unknown suffix": ("f.xlsx", "", ["f.xlsx: fact tables end in .jsonl, .csv, .parquet, not '.xlsx'"]),
    "no parquet": ("f.parquet", "PAR1", ["f.parquet is not a readable parquet file"]),
    "blank text": ("f.jsonl", lines(GOOD[0] | {"subject": "  "}), ["f.jsonl:1: column subject: found '  '"]),
    "missing file": ("none.jsonl", None, ["cannot read none.jsonl: No such file or directory"]),
}


@pytest.mark.parametrize(("name", "content", "named"), FACT_FILES.values(), ids=list(FACT_FILES))
def test_fact_tables(name, content, named, here):
    if content is not None:
        (here / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(here, "facts", "check", name, "--out", "out/facts.parquet", named=named)
    words = ("count", "--facts", name, "--corpus", "corpus.jsonl", "--out", "out/counts.parquet")
    refused(here, *words, named=named)


def test_every_bad_row_is_listed_in_one_message(here):
    (here / "f.jsonl").write_text(lines({"fact_id": "x"}, GOOD[0], GOOD[0]) + "{\n")
    message = refused(here, "facts", "check", "f.jsonl", named=["f.jsonl has 7 bad entries"])
    assert message.count("; f.jsonl:") == 6


def truncated_zst(text):
    return zstandard.ZstdCompressor(level=1).compress(text.encode() * 2000)[:-10]


CORPORA = {
    "truncated zst": (
        "c.jsonl.zst",
        truncated_zst(lines({"text": "x"})),
        "c.jsonl.zst",
        ["c.jsonl.zst is truncated", "fetch it again"],
    ),
    "no zst": ("c.jsonl.zst", b"plain text", "c.jsonl.zst", ["c.jsonl.zst is not a sound zstd file"]),
    "no gzip": ("c.jsonl.gz", b"plain text", "c.jsonl.gz", ["c.jsonl.gz is not a sound gzip file"]),
    "nothing matches": ("c.jsonl", b"", "d-*.jsonl", ["--corpus 'd-*.jsonl' matches no file", ".jsonl.zst"]),
    "a folder": ("c.jsonl", b"", ".", ["--corpus '.' is a folder; add /*.jsonl.zst"]),
    "no text": (
        "c.jsonl",
        b'{"text": "x"}\n{"body": "x"}\n',
        "c.jsonl",
        ["c.jsonl:2: no key 'text'", "found: body", "set --text-key"],
    ),
    "no string": ("c.jsonl", b'{"text": 3}\n', "c.jsonl", ["c.jsonl:1: key 'text' holds int, not a text"]),
    "broken line": ("c.jsonl", b'{"text": "x"}\n{"text": \n', "c.jsonl", ["c.jsonl:2: not valid JSON"]),
    "not UTF-8": ("c.jsonl", b'{"text": "Z\xfcrich"}\n', "c.jsonl", ["c.jsonl:1: not UTF-8"]),
    "unknown suffix": ("c.warc", b"", "c.warc", ["c.warc: shards end in .jsonl", "not '.warc'"]),
}


@pytest.mark.parametrize(("name", "content", "glob", "named"), CORPORA.values(), ids=list(CORPORA))
def test_corpora(name, content, glob, named, here):
    (here / name).write_bytes(content)
    words = ("count", "--facts", "facts.jsonl", "--corpus", glob, "--out", "out/deep/counts.parquet")
    refused(here, *words, named=named)


FLAGS = {
    "unknown command": (["cuont"], ['Unknown command "cuont"', "Available commands: count"]),
    "unknown subcommand": (["study", "rnu"], ['Unknown command "rnu"', 'Did you mean "run"?']),
    "unknown flag": (["count", "--fcats", "x"], ["--fcats"]),
    "negative window": (
        [
            "count",
            "--facts",
            "facts.jsonl",
            "--corpus",
            "corpus.jsonl",
            "--out",
            "o/c.parquet",
            "--window",
            "-3",
        ],
        ["window: found -3; it should be greater than or equal to 0"],
    ),
    "no number": (["count", "--window", "wide"], ["--window", "'wide'", "whole number"]),
    "unknown engine": (
        [
            "count",
            "--facts",
            "facts.jsonl",
            "--corpus",
            "corpus.jsonl",
            "--out",
            "o/c.parquet",
            "--engine",
            "scna",
        ],
        ["unknown counting engine 'scna'; did you mean 'scan'?"],
    ),
    "nothing given": (
        ["count"],
        ["3 wrong settings", "'facts' is required", "'corpus' is required", "'out' is required"],
    ),
    "no people": (
        ["facts", "world", "--people", "0", "--out", "o/w.parquet"],
        ["--people must be at least 1, not 0"],
    ),
    "no workers": (
        ["study", "run", "run.toml", "--out", "o", "--workers", "0"],
        ["--workers must be at least 1, not 0"],
    ),
    "unknown method to show": (["methods", "npoo"], ["unknown method 'npoo'; did you mean 'npo'?"]),
    "unknown metric to show": (["metrics", "exact"], ["unknown metric 'exact'", "exact_match"]),
    "unknown family": (
        ["pretrain", "--corpus", "c", "--out", "o", "--family", "gtp2", "--size", "0.1M"],
        ["unknown family 'gtp2'; did you mean 'gpt2'?"],
    ),
    "unknown size": (
        ["pretrain", "--corpus", "c", "--out", "o", "--family", "gpt2", "--size", "1M"],
        ["unknown size '1M'", "known: 0.1M"],
    ),
    "unknown method": (
        ["unlearn", "--model", "m", "--forget", "facts.jsonl", "--out", "o", "--method", "nop"],
        ["unknown method 'nop'; did you mean 'npo'?"],
    ),
    "rate of 0": (
        [
            "unlearn",
            "--model",
            "m",
            "--forget",
            "facts.jsonl",
            "--out",
            "o",
            "--method",
            "ga",
            "--learning-rate",
            "0",
        ],
        ["learning_rate: found 0.0; it should be greater than 0"],
    ),
    "no steps": (
        [
            "unlearn",
            "--model",
            "m",
            "--forget",
            "facts.jsonl",
            "--out",
            "o",
            "--method",
            "ga",
            "--steps",
            "0",
        ],
        ["unlearn.steps: found 0; it should be greater than or equal to 1"],
    ),
    "no corpus": (
        ["pretrain", "--corpus", ".", "--out", "o", "--family", "gpt2", "--size", "0.1M"],
        [". is not a corpus folder (no corpus.json); make one with: unequal corpus"],
    ),
    "report of no study": (
        ["report", "."],
        ["cannot read scores.parquet: No such file", "give the folder of a finished study"],
    ),
    "analysis of no study": (["analyze", "nowhere"], ["cannot read nowhere/scores.parquet: No such file"]),
    "status of no study": (
        ["study", "status", "."],
        [". holds no study (no study.toml); make one with: unequal study run"],
    ),
    "no run file": (
        ["study", "run", "none.toml", "--out", "o"],
        ["cannot read none.toml: No such file or directory"],
    ),
    "a folder as run file": (["study", "run", ".", "--out", "o"], ["cannot read .: Is a directory"]),
    "no settings file": (
        ["corpus", "--out", "o", "--config", "none.toml"],
        ["cannot read none.toml: No such file or directory"],
    ),
}


@pytest.mark.parametrize(("words", "named"), FLAGS.values(), ids=list(FLAGS))
def test_flags(words, named, here):
    refused(here, *words, named=named)


RUN_FILES = {
    "unknown key": ("sedes = [1]\n", ["unknown key 'sedes'; did you mean 'seeds'?"]),
    "invalid": ("seeds = [1\nx = 2\n", ["run.toml is not valid TOML", "line"]),
    "not UTF-8": ('name = "Z\xfcrich"'.encode("latin-1"), ["run.toml is not UTF-8", "save it as UTF-8"]),
    "impossible level": (
        toml(changed("targets.0.level", 7)),
        ["targets.0.level 7 is not among corpus.levels"],
    ),
    "negative level": (toml(changed("corpus.levels", [-1, 2])), ["corpus.levels.0: found -1"]),
    "unknown relation": (toml(changed("world.relations", ["birth_town"])), ["unknown relation 'birth_town'"]),
    "unknown method": (
        toml(changed("methods", ["gaa"])),
        ["methods.0: unknown method 'gaa'; did you mean 'ga'?"],
    ),
    "unknown family": (toml(changed("models.0.family", "bert")), ["models.0: unknown family 'bert'", "gpt2"]),
    "empty": ("", ["run.toml has 4 wrong settings", "'name' is required", "'models' is required"]),
}


@pytest.mark.parametrize(("content", "named"), RUN_FILES.values(), ids=list(RUN_FILES))
@pytest.mark.parametrize("flags", [[], ["--dry-run"]], ids=["run", "dry run"])
def test_run_files(content, named, flags, here):
    data = content if isinstance(content, bytes) else content.encode()
    if not isinstance(content, bytes) and content.startswith("sedes"):
        data += toml(changed()).encode()
    (here / "run.toml").write_bytes(data)
    refused(here, "study", "run", "run.toml", "--out", "o", *flags, named=named)


# --- output places

PLACES = ["facts.jsonl/below", "/proc/unequal", "/sys/unequal", "/dev/null/unequal"]
COMMANDS = {
    "count": ("count", "--facts", "facts.jsonl", "--corpus", "corpus.jsonl", "--out", "{}/counts.parquet"),
    "facts check": ("facts", "check", "facts.jsonl", "--out", "{}/facts.parquet"),
    "facts world": ("facts", "world", "--people", "3", "--out", "{}/facts.parquet"),
    "corpus": ("corpus", "--out", "{}/corpus"),
    "study": ("study", "run", "run.toml", "--out", "{}"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("words", COMMANDS.values(), ids=list(COMMANDS))
def test_places_that_cannot_be_written(words, place, here):
    named = ["cannot write", place, "choose another --out"]
    refused(here, *(word.format(place) for word in words), named=named)


def test_a_folder_where_a_file_should_go(here):
    (here / "taken" / "inside").mkdir(parents=True)
    words = ("count", "--facts", "facts.jsonl", "--corpus", "corpus.jsonl", "--out", "taken")
    refused(here, *words, named=["cannot write taken: it is a folder; choose another --out"])


def test_a_folder_of_other_things_is_never_replaced(here, model_folder):
    """`corpus` and `unlearn` replace their output as a whole, so it must be one that they made."""
    (here / "documents").mkdir()
    (here / "documents" / "letter.txt").write_text("dear")
    named = ["documents holds other files and would be replaced as a whole; choose another --out"]
    refused(here, "corpus", "--out", "documents", named=named)
    words = (
        "unlearn",
        "--model",
        model_folder,
        "--forget",
        "facts.jsonl",
        "--method",
        "ga",
        "--out",
        "documents",
    )
    refused(here, *words, named=named)


# --- models


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory, corpus, tokenizer):
    """A saved random model with its tokenizer."""
    settings = ModelSettings(family="gpt2", size="tiny", shape=Shape(width=16, layers=1, heads=2))
    folder = tmp_path_factory.mktemp("model") / "model"
    scratch_model(settings, vocabulary_of(corpus), seed=1).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def without_config(folder):
    (folder / "config.json").unlink()


def with_pickles_only(folder):
    (folder / "model.safetensors").unlink()
    torch.save({"weight": torch.zeros(2)}, folder / "pytorch_model.bin")


def truncated(folder):
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])


def broken_config(folder):
    (folder / "config.json").write_text("{")


def without_tokenizer(folder):
    (folder / "tokenizer_config.json").unlink()


MODELS = {
    "missing": (shutil.rmtree, ["there is no folder", "give a folder that holds a model"]),
    "no config": (without_config, ["does not hold a model (no config.json)"]),
    "only pickled weights": (with_pickles_only, ["cannot load a model from", "safetensors"]),
    "truncated weights": (truncated, ["cannot load a model from"]),
    "broken config": (broken_config, ["cannot load a model from"]),
    "no tokenizer": (without_tokenizer, ["does not hold a tokenizer (no tokenizer_config.json)"]),
}


@pytest.mark.parametrize(("damage", "named"), MODELS.values(), ids=list(MODELS))
def test_models(damage, named, here, model_folder):
    folder = here / "models" / "mine"
    shutil.copytree(model_folder, folder)
    damage(folder)
    words = ("--model", folder, "--out", "out/deep")
    refused(here, "evaluate", "--facts", "facts.jsonl", *words, named=[*named, str(folder)])
    refused(here, "unlearn", "--forget", "facts.jsonl", "--method", "ga", *words, named=[*named, str(folder)])


def test_a_retain_term_without_facts_to_retain(here, model_folder):
    words = ("unlearn", "--model", model_folder, "--forget", "facts.jsonl", "--out", "out/deep")
    named = ["method npo has retain_weight 1.0 but there are no facts to retain", "give --retain, or set"]
    refused(here, *words, "--method", "npo", named=named)


def test_a_fact_in_two_roles(here, model_folder):
    (here / "retain.jsonl").write_text(lines(GOOD[1]))
    words = ("unlearn", "--model", model_folder, "--forget", "facts.jsonl", "--retain", "retain.jsonl")
    named = ["fact 'b' is given twice, as forget and retain", "one role only"]
    refused(here, *words, "--method", "npo", "--out", "out/deep", named=named)


def test_a_run_that_diverges_writes_nothing(here, model_folder):
    (here / "mine.toml").write_text('[method]\nkind = "ga"\nforget_weight = 1e39\n')
    words = (
        "unlearn",
        "--model",
        model_folder,
        "--forget",
        "facts.jsonl",
        "--config",
        "mine.toml",
        "--allow-unknown",
    )
    named = ["the loss is", "at step 1; lower the learning rate"]
    refused(here, *words, "--out", "out/deep", named=named)


def test_places_that_a_model_cannot_be_judged_into(here, model_folder):
    for place in PLACES:
        words = ("--model", model_folder, "--out", f"{place}/out")
        named = ["cannot write", "choose another --out"]
        refused(here, "evaluate", "--facts", "facts.jsonl", *words, named=named)
        refused(here, "unlearn", "--forget", "facts.jsonl", "--method", "ga", *words, named=named)


# --- damaged results


def test_a_damaged_corpus(here, corpus):
    shutil.copytree(corpus, here / "mine")
    words = ("pretrain", "--corpus", "mine", "--out", "o", "--family", "gpt2", "--size", "0.1M")
    card = here / "mine" / "corpus.json"
    card.write_text(card.read_text().replace("window_tokens", "windows"))
    refused(
        here,
        *words,
        named=["mine/corpus.json is damaged (window_tokens: Field required); build the corpus anew"],
    )
    card.write_text("{")
    refused(here, *words, named=["mine/corpus.json is not valid JSON"])


def test_a_score_table_that_is_none(here):
    (here / "scores.parquet").write_text("PAR1")
    refused(here, "report", ".", named=["scores.parquet is not a readable Parquet file"])
    pl.DataFrame({"value": [1.0]}).write_parquet(here / "scores.parquet")
    refused(here, "report", ".", named=["scores.parquet lacks the column study"])
    refused(here, "analyze", ".", named=["scores.parquet lacks the column study"])


# --- in a process of its own


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("facts", "check", "none.jsonl"), ["cannot read none.jsonl"]),
        *only_in_full(
            (("study", "run", "run.toml", "--out", "facts.jsonl/x"), ["cannot write into facts.jsonl/x"]),
            (("count", "--widnow", "3"), ["--widnow"]),
        ),
    ],
    ids=str,
)
def test_the_installed_command_answers_the_same(words, named, here):
    refused(here, *words, named=named, run=lambda *given: finish(start(*given)))


def test_a_closed_pipe_is_no_traceback(here):
    """As in ``unequal methods | head -1``."""
    process = start("methods")
    process.stdout.close()
    assert b"Traceback" not in process.stderr.buffer.read()
    assert process.wait(timeout=HANGS) != 2
