"""Steps of every kind, killed at random points again and again: the result is that of one never killed."""

import json
import random
import shutil

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from test_natural_study import values

from killed_steps import done_in, killed
from natural_text import facts, write_text
from study_settings import STUDY
from tiny_checkpoints import files_of, model_of, tokenizer_for
from unequal.facts.write import write_facts
from unequal.study.expand import plan_steps
from unequal.study.sources import study_settings
from unequal.study.step_status import check_result
from unequal.study.steps.checkpoint import CheckpointSettings, CheckpointStep

pytestmark = pytest.mark.full

N_KILLS = 5
"""Of each of the ten kinds of steps in the slow test: fifty in all."""

FAULT = pytest.mark.fault(
    "SIGKILL at a random time or file operation of a step, of every kind: 70 kills in all",
    "nothing half-written stays; the step done again has the result of one that was never killed",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("kills")


@pytest.fixture(scope="module")
def steps(folder):
    """One step of each kind with all that it needs, by kind; the controlled corpus is ``world``."""
    write_text(folder / "shards")
    write_facts(facts(), folder / "facts.jsonl")
    small = {
        "corpus": {"epochs": 3, "window_tokens": 64, "vocabulary_size": 500},
        "models": [{"family": "gpt2", "size": "tiny", "shape": {"width": 16, "layers": 1, "heads": 2}}],
    }
    natural = plan_steps(study_settings(values(folder, **small), "run.toml"))
    tokenizer = tokenizer_for(facts()[:20], "{question}")
    (folder / "model").mkdir()
    for name, data in files_of(model_of("gpt_neox", tokenizer), tokenizer).items():
        (folder / "model" / name).write_bytes(data)
    found = {step.kind: step for step in natural}
    found["world"] = plan_steps(study_settings(STUDY, "run.toml"))[0]
    found["checkpoint"] = CheckpointStep.of(CheckpointSettings(model=str(folder / "model")))
    return found, natural


@pytest.fixture(scope="module")
def whole(folder, steps):
    """The study whose steps were never killed, and of each step its operations on files and its seconds."""
    found, natural = steps
    study, sizes = folder / "whole", {}
    for step in dict.fromkeys([*natural, *found.values()]):
        if step in found.values() or any(step.folder in other.inputs for other in found.values()):
            sizes[step.folder] = done_in(study, step)
    return study, sizes


KINDS = (
    "facts",
    "text",
    "count",
    "split",
    "corpus",
    "world",
    "checkpoint",
    "pretrain",
    "baseline",
    "unlearn",
)


def test_the_kinds_are_all_that_there_are(steps):
    from unequal.study.step import Step

    ours = {kind.kind for kind in Step.__subclasses__() if kind.__module__.startswith("unequal.")}
    assert {step.kind for step in steps[0].values()} == ours
    assert set(steps[0]) == set(KINDS)


def kill_and_finish(kind, n_kills, chance, steps, whole, out):
    """Kill a step so many times, each time where the one before left it, and do it to its end."""
    study, sizes = whole
    step = steps[0][kind]
    for name in step.inputs:
        shutil.copytree(study / name, out / name)
    n_killed = sum(
        killed(out, step, sizes[step.folder], chance, by_time=bool(number % 2)) for number in range(n_kills)
    )
    done_in(out, step)
    assert step.is_done(out)
    check_result(out / step.folder)
    assert not [*out.rglob(".*.tmp")]
    assert_same(study / step.folder, out / step.folder)
    return n_killed


def assert_same(whole, folder):
    """The same files, with the same bytes; tables that note when they were made, with the same rows.

    Counts of single shards are named by where the shards are.
    """
    noted = [json.loads((one / "manifest.json").read_text())["files"] for one in (whole, folder)]
    made = [{name: digest for name, digest in one.items() if ".shards/" not in name} for one in noted]
    assert list(made[0]) == list(made[1])
    for name, digest in made[0].items():
        if made[1][name] == digest:
            continue
        assert name == "counts.parquet", name
        tables = [pl.read_parquet(one / name).drop("counted_at") for one in (whole, folder)]
        assert_frame_equal(*tables)


@FAULT
@pytest.mark.parametrize("kind", KINDS)
def test_a_step_killed_twice_ends_as_one_that_was_not(kind, steps, whole, tmp_path):
    assert kill_and_finish(kind, 2, random.Random(f"two {kind}"), steps, whole, tmp_path) > 0


@FAULT
@pytest.mark.slow
def test_fifty_kills(steps, whole, tmp_path):
    chance, n_killed = random.Random(50), 0
    while n_killed < N_KILLS * len(KINDS):
        for kind in KINDS:
            shutil.rmtree(tmp_path / kind, ignore_errors=True)
            n_killed += kill_and_finish(kind, N_KILLS, chance, steps, whole, tmp_path / kind)
