"""The core works where torch and its kin are not installed, and says which extra a command needs."""

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from gate import only_in_full
from simulated_difficulty import Difficulty, write_difficulty
from simulated_study import Truth, write_study

HEAVY = ("torch", "transformers", "accelerate", "tokenizers", "safetensors")
RUN_FILE = Path(__file__).parents[3] / "examples" / "quick.toml"
SMALL = Truth(
    people_per_level=8, never_seen=8, methods=("npo",), seeds=(0,), relations=("birth_city",), steps=(0, 1, 2)
)
PROGRAM = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {HEAVY}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
import unequal.cli.app
assert not set({HEAVY}) & set(sys.modules)
sys.argv = ["unequal", *sys.argv[1:]]
try:
    unequal.cli.app.main()
finally:
    assert not set({HEAVY}) & set(sys.modules)
"""


def unequal(*words):
    command = [sys.executable, "-c", PROGRAM, *map(str, words)]
    environment = os.environ | {"COLUMNS": "200", "POLARS_MAX_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["--help"], "Count how often facts occur in a corpus."),
        (["study", "run", RUN_FILE, "--out", "never", "--dry-run"], "0 done"),
        *only_in_full(
            (["study", "run", "--help"], "--dry-run"),
            (["methods"], "negative preference optimisation"),
            (["methods", "npo"], "2404.05868"),
            (["list", "models"], "smollm2-135m\t"),
            (["models", "get", "--help"], "Fetch a model by its name"),
            (["metrics"], "rouge_l_recall"),
            (["metrics", "exact_match"], "Chance"),
            (["doctor"], "missing for train: accelerate, safetensors, tokenizers, torch, transformers"),
        ),
    ],
    ids=str,
)
def test_commands_that_need_no_model(words, shown):
    result = unequal(*words)
    assert (result.returncode, result.stderr) == (0, "")
    assert shown in result.stdout


def test_counting(tmp_path):
    out = tmp_path / "counts.parquet"
    (tmp_path / "corpus.jsonl").write_text('{"text": "The capital of France is Paris."}\n')
    corpus = tmp_path / "corpus.jsonl"
    result = unequal("count", "--facts", "country-capital", "--corpus", corpus, "--out", out)
    assert (result.returncode, result.stderr) == (0, "")
    assert pl.read_parquet(out)["docs_window"].sum() == 1


@pytest.mark.full
def test_analysing_and_reporting(tmp_path):
    write_study(tmp_path, SMALL)
    for command in ("analyze", "report"):
        result = unequal(command, tmp_path)
        assert (result.returncode, result.stderr) == (0, "")
    assert (tmp_path / "report.html").is_file()


@pytest.mark.full
def test_learning_difficulty(tmp_path):
    write_difficulty(tmp_path, Difficulty(people=24, seeds=(0,)))
    result = unequal("plan", "fit", "--study", tmp_path, "--out", tmp_path / "predictor.json")
    assert (result.returncode, result.stderr) == (0, "")
    assert (tmp_path / "predictor.json").is_file()


@pytest.mark.parametrize(
    "words",
    [
        ["study", "run", RUN_FILE, "--out", "out"],
        *only_in_full(
            ["corpus", "--out", "out"],
            ["pretrain", "--corpus", "c", "--out", "out", "--family", "gpt2", "--size", "0.1M"],
            ["unlearn", "--model", "m", "--forget", "f.csv", "--method", "npo", "--out", "out"],
            ["evaluate", "--model", "m", "--facts", "f.csv", "--out", "out"],
            ["plan", "--model", "m", "--forget", "f.csv", "--study", "s", "--out", "out"],
            ["lm-eval", "--model", "m", "--tasks", "arc_easy"],
            ["audit", "--before", "a", "--after", "b", "--facts", "f.csv", "--out", "out"],
        ),
    ],
    ids=lambda words: words[0],
)
def test_commands_that_need_the_extra_say_so(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = unequal(*words)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("unequal: ")
    assert result.stderr.endswith(
        "needs libraries that are not installed; run: pip install 'unequal[train]'\n"
    )
    assert list(tmp_path.iterdir()) == []
