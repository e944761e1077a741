"""A study on a real Ray of two nodes: as on one machine, also when a node is killed or joins on the way."""

import json
import os
import signal
import threading
import time
from collections import Counter
from contextlib import suppress

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import unequal as uq
from command_line import call, toml
from launched_steps import FailingStep, Listener, marks
from ray_nodes import add_node, ray, two_nodes
from study_settings import changed
from unequal.study.launch.launcher import ExecutorSettings
from unequal.study.launch.run import run_steps
from unequal.study.launch.scheduler import StepError
from unequal.unlearning.methods import METHODS

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def cluster():
    with two_nodes() as cluster:
        yield cluster


def run(cluster, folder, *steps, listener=None):
    return run_steps(folder, steps, ExecutorSettings(None, "ray", cluster.address), listener or Listener())


FAULT = pytest.mark.fault(
    "a machine of the cluster is lost while steps run",
    "its steps run again on others, and no step twice that had ended; scores are those of one machine",
)


@FAULT
def test_a_node_that_is_killed_and_one_that_joins(cluster, tmp_path):
    first = [FailingStep(end="nap", price=float(price)) for price in range(4)]
    last = [
        FailingStep(end="meeting", price=10.0 + n, after=tuple(step.folder for step in first))
        for n in range(2)
    ]
    (victim,) = cluster.worker_nodes
    listener = Listener()
    killer = Killer(cluster, victim, tmp_path, "test/nap-*")
    finished = []
    for step in run(cluster, tmp_path, *first, *last, listener=listener):
        finished.append(step.folder)
        if len(finished) == 4:
            killer.join()
            add_node(cluster)
    assert sorted(finished) == sorted(step.folder for step in (*first, *last))
    for step in (*first, *last):
        begun = Counter(marks(tmp_path / step.folder))
        assert begun.pop("begins") in ({1, 2} if step.folder == killer.interrupted else {1})
        assert begun == {"ends": 1}
    lost = f"{killer.interrupted}: the machine that had it is lost; it runs again on another machine"
    assert listener.said == [lost]
    assert not [*tmp_path.glob(".shared-*")]
    assert not ray.is_initialized()


TRIES = {"done": 1, "death": 3, "one death": 2, "diverged": 1}


@pytest.mark.parametrize(
    "more", [{}, pytest.param({"memory": 2, "large batch": 2}, marks=pytest.mark.slow)], ids=["", "memory"]
)
def test_what_befalls_a_step_ends_on_ray_as_on_one_machine(more, cluster, tmp_path):
    expected = TRIES | more
    steps = {end: FailingStep(end=end) for end in expected}
    blocked = FailingStep(end="done", after=(steps["death"].folder,))
    listener = Listener()
    finished = [*run(cluster, tmp_path, *steps.values(), blocked, listener=listener)]
    assert {step.end for step in finished} == {"done", "one death", "large batch"}.intersection(expected)
    kinds = {folder: failure.kind for folder, failure in listener.failures.items()}
    ends = {"death": "died", "diverged": "diverged"} | ({"memory": "memory"} if more else {})
    assert kinds == {blocked.folder: "blocked"} | {steps[end].folder: kind for end, kind in ends.items()}
    assert listener.failures[steps["diverged"].folder].batch == ("a", "b")
    tries = {end: marks(tmp_path / step.folder).count("begins") for end, step in steps.items()}
    assert tries == expected
    if not more:
        return
    made = json.loads((tmp_path / steps["large batch"].folder / "manifest.json").read_text())
    assert made["second_try"] == "with smaller batches, since memory ran out"


@pytest.mark.parametrize(
    ("end", "error", "message"),
    [
        ("user error", StepError, r"^step test/user-error-\w+: the disk is full; make room$"),
        ("bug", ZeroDivisionError, "a bug"),
    ],
)
def test_what_the_user_must_mend_and_bugs_are_raised(end, error, message, cluster, tmp_path):
    nap = FailingStep(end="nap")
    with pytest.raises(error, match=message):
        list(run(cluster, tmp_path, nap, FailingStep(end=end)))
    assert nap.is_done(tmp_path), "it was at work, and goes on to its end"


@FAULT
def test_a_study_on_ray_has_the_scores_of_one_on_this_machine(cluster, tmp_path):
    """One node is killed as it unlearns."""
    run_file = tmp_path / "small.toml"
    run_file.write_text(toml(changed("methods", ["npo"])))
    here, there = tmp_path / "here", tmp_path / "there"
    assert call("study", "run", run_file, "--out", here, "--workers", 1).code == 0
    (victim,) = cluster.worker_nodes
    killer = Killer(cluster, victim, there, "unlearn/*")
    result = call("study", "run", run_file, "--out", there, "--launcher", "ray", "--address", cluster.address)
    killer.join()
    assert (result.code, result.err) == (0, "")
    assert f"{killer.interrupted}: the machine that had it is lost; it runs again" in result.out
    for name in ("scores.parquet", "generations.parquet"):
        assert_frame_equal(pl.read_parquet(there / name), pl.read_parquet(here / name), check_exact=True)
    verdicts = "analysis/verdicts.json"
    assert (there / verdicts).read_bytes() == (here / verdicts).read_bytes()
    result = call("study", "run", run_file, "--out", there, "--workers", 1)
    assert result.out.startswith("5 of 5 steps were done already"), "launchers differ in place alone"


PLUGINS = """
import unequal as uq

class Hinge(uq.Method):
    \'\'\'Push the mean log-probability of an answer below a margin.\'\'\'
    margin: float = 2.0
    def forget_loss(self, scores):
        return (self.margin - scores.policy.mean_nll).clamp(min=0)
"""


def test_workers_find_plugins_by_place_and_by_registered_name(cluster, tmp_path, monkeypatch):
    (tmp_path / "plugins_of_ray.py").write_text(PLUGINS)
    monkeypatch.syspath_prepend(tmp_path)
    from plugins_of_ray import Hinge

    monkeypatch.setattr(METHODS, "_registered", {})
    uq.register(Hinge)
    given = changed("methods", ["hinge", "plugins_of_ray:Hinge"]) | {"seeds": [0]}
    (tmp_path / "small.toml").write_text(toml(given))
    words = ("study", "run", tmp_path / "small.toml", "--out", tmp_path / "out")
    result = call(*words, "--launcher", "ray", "--address", cluster.address)
    assert (result.code, result.err) == (0, "")
    methods = set(pl.read_parquet(tmp_path / "out" / "scores.parquet")["method"])
    assert methods == {"hinge", "plugins_of_ray:Hinge"}


def test_a_class_of_a_notebook_is_refused_before_any_work(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(METHODS, "_registered", {})
    uq.register(type("Typed", (uq.Method,), {"__module__": "__main__", "__doc__": "Typed in."}))
    (tmp_path / "small.toml").write_text(toml(changed("methods", ["typed"])))
    words = ("study", "run", tmp_path / "small.toml", "--out", tmp_path / "out")
    result = call(*words, "--launcher", "ray", "--address", cluster.address)
    assert result.code == 2
    assert "'typed' is defined in this notebook or script, which workers cannot import" in result.err
    assert not list((tmp_path / "out").glob("corpus/*"))


class Killer(threading.Thread):
    """Kills a node once one of its processes is at work on a step of a pattern, and notes on which."""

    def __init__(self, cluster, victim, out, pattern):
        super().__init__(daemon=True)
        self._cluster, self._victim = cluster, victim
        self._locks = (out, f"{pattern}/.lock")
        self._parent = victim.all_processes["raylet"][0].process.pid
        self.interrupted = None
        self.start()

    def run(self):
        while self.interrupted is None:
            time.sleep(0.02)
            for lock in self._locks[0].glob(self._locks[1]):
                with suppress(OSError, IndexError):
                    process = int(lock.read_text().split()[1])
                    if parent_of(process) == self._parent:
                        self._kill(process)
                        self.interrupted = lock.parent.relative_to(self._locks[0]).as_posix()
                        return

    def _kill(self, process):
        os.kill(process, signal.SIGSTOP)  # so that it does not end before its node does
        self._cluster.remove_node(self._victim, allow_graceful=False)
        os.kill(process, signal.SIGKILL)


def parent_of(process):
    try:
        with open(f"/proc/{process}/stat") as file:  # noqa: PTH123
            return int(file.read().rpartition(")")[2].split()[1])
    except OSError:
        return 0
