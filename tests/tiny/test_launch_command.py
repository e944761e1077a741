"""The command line in several processes: one voice, one set of files, one exit code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from command_line import ONE_THREAD, UNEQUAL, Result, call, tree
from tiny_world import vocabulary_of
from unequal.cli.app import COMMANDS, SHARED
from unequal.facts.write import write_facts
from unequal.models.load import load_tokenizer, scratch_model
from unequal.models.shapes import ModelSettings, Shape
from waiting import HANGS

ACCELERATE = str(Path(sys.executable).parent / "accelerate")


@pytest.fixture(scope="module")
def judged(corpus, facts, tmp_path_factory):
    """The words of a command that evaluates a tiny model."""
    folder = tmp_path_factory.mktemp("judged")
    shape = ModelSettings(family="gpt2", size="tiny", shape=Shape(width=32, layers=2, heads=4))
    scratch_model(shape, vocabulary_of(corpus), 0).save_pretrained(folder / "model")
    load_tokenizer(corpus / "tokenizer").save_pretrained(folder / "model")
    write_facts(facts[::9], folder / "facts.parquet")
    return ["evaluate", "--model", folder / "model", "--facts", folder / "facts.parquet"]


def run(*words):
    done = subprocess.run(
        list(map(str, words)), capture_output=True, text=True, env=os.environ | ONE_THREAD, timeout=HANGS,
        check=False,
    )  # fmt: skip
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.mark.full
def test_accelerate_launches_a_command_that_says_and_writes_everything_once(judged, tmp_path):
    alone = call(*judged, "--out", tmp_path / "alone")
    launch = ["launch", "--multi_gpu", "--num_processes", 2, "-m", "unequal"]
    shared = run(ACCELERATE, *launch, *judged, "--out", tmp_path / "shared")
    assert shared.code == 0, shared.err
    assert shared.out == alone.out.replace(str(tmp_path / "alone"), str(tmp_path / "shared"))
    assert set(tree(tmp_path / "shared")) == set(tree(tmp_path / "alone"))
    for name in ("scores", "generations", "aggregates"):
        one, two = ((tmp_path / how / f"{name}.parquet").read_bytes() for how in ("alone", "shared"))
        assert one == two


@pytest.mark.slow
def test_an_error_of_one_process_ends_all_with_one_message(judged, tmp_path):
    """Only the first process makes the folder; the second waits for it in the middle of its work."""
    (tmp_path / "file").write_text("no folder")
    found = run(UNEQUAL, "launch", "--processes", 2, "--sharded", *judged, "--out", tmp_path / "file" / "out")
    assert found.code == 2
    messages = [line for line in found.err.splitlines() if line.startswith("unequal:")]
    assert len(messages) == 1
    assert "cannot write" in messages[0]
    assert "Traceback" not in found.err


@pytest.mark.full
def test_an_error_of_all_processes_is_said_once(tmp_path):
    found = run(UNEQUAL, "launch", "--processes", 2, "evaluate", "--model", tmp_path, "--facts", "none.csv")
    assert found.code == 2
    assert found.err.count("unequal: ") == 1
    assert "'out' is required" in found.err


@pytest.mark.parametrize("words", [["corpus"], ["study", "run"], ["--help"]], ids=str)
def test_work_of_one_process_is_refused(words, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    found = call(*words)
    assert found.code == 2
    assert "is work of one process; run it without accelerate launch" in found.err
    assert set(SHARED) <= set(COMMANDS)


def test_precision_is_said_to_the_command_and_not_to_the_launcher(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    found = call("evaluate")
    assert found.code == 2
    assert "leave out --mixed_precision and say --precision" in found.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--processes", 0, "evaluate"], "--processes must be at least 1, not 0"),
        (["--processes", 2], "name a command to run"),
    ],
    ids=str,
)
def test_a_launch_that_cannot_be_is_explained(words, said):
    found = call("launch", *words)
    assert found.code == 2
    assert said in found.err
