"""Packaged run files by name: `unequal study run quick`, and what `study` says of other names."""

from pathlib import Path

import pytest

from command_line import call
from unequal.study.packaged import packaged_run_files, resolve_run_file, resolve_study_folder
from unequal.study.sources import load_study

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_every_study_of_the_examples_is_packaged_and_the_policy_is_none():
    names = {path.stem for path in EXAMPLES.glob("*.toml")}
    assert set(packaged_run_files()) == names - {"policy"}


def test_a_name_is_a_run_file_and_a_file_of_that_name_comes_first():
    assert resolve_run_file(Path("quick")).read_text() == (EXAMPLES / "quick.toml").read_text()
    assert load_study(Path("quick")).name == "quick"
    Path("quick").write_text("mine")
    assert resolve_run_file(Path("quick")) == Path("quick")
    assert resolve_run_file(Path("absent.toml")) == Path("absent.toml")


def test_a_study_by_name_is_planned_and_shown():
    planned = call("study", "run", "quick", "--dry-run")
    assert planned.code == 0
    assert "83 steps, 0 done" in planned.out
    assert call("study", "show", "quick").out == (EXAMPLES / "quick.toml").read_text()


def test_an_unknown_name_is_one_sentence():
    answer = call("study", "run", "quik", "--dry-run")
    assert answer.code == 2
    assert "did you mean 'quick'?" in answer.err
    assert "unequal list studies" in answer.err


def test_a_study_folder_is_found_by_its_name():
    assert resolve_study_folder(Path("quick")) == Path("quick")
    Path("runs/quick").mkdir(parents=True)
    assert resolve_study_folder(Path("quick")) == Path("runs/quick")
    assert resolve_study_folder(Path("elsewhere/quick")) == Path("elsewhere/quick")
    Path("quick").mkdir()
    assert resolve_study_folder(Path("quick")) == Path("quick")
