"""What a machine of a cluster does with a step: it must be fit, and never do it beside another process."""

import pickle
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest

from launched_steps import FailingStep, marks
from unequal.errors import ConfigError, DataError, MissingExtraError, UserError
from unequal.study.launch import LAUNCHERS, ray_step
from unequal.study.launch.launcher import ExecutorSettings, Silence
from unequal.study.launch.ray import Machine, Request, has_room, request_for
from unequal.study.launch.ray_step import Order, Reports, run_order
from unequal.study.step import Step
from unequal.study.step_status import read_status

HOLD = """
import sys
from pathlib import Path
from unequal.files import locked
with locked(Path(sys.argv[1]), "x"):
    print(flush=True)
    sys.stdin.read()
"""
STEP = FailingStep(end="done")


def order(study: Path, of: Step = STEP, **changes: object) -> Order:
    (study / "token").touch()
    given = {"step": pickle.dumps(of), "folder": of.folder, "study": study, "token": "token"}
    return Order(**given | {"working_folder": study} | changes)


class Actor:
    """The actor of reports, called without Ray."""

    def __init__(self):
        self.kept = Reports()
        self.tell = self

    def remote(self, report):
        self.kept.tell(report)


@pytest.fixture(autouse=True)
def _hasty(monkeypatch):
    for name in ("VISIBLE_WITHIN", "GONE_WITHIN", "REPORT_EVERY", "LOOK_EVERY"):
        monkeypatch.setattr(ray_step, name, 0.0)


def test_a_step_is_done_where_it_was_ordered_from(tmp_path):
    actor, before = Actor(), Path.cwd()
    run_order(order(tmp_path), actor)
    assert STEP.is_done(tmp_path)
    assert actor.kept.take() == [(STEP.folder, 2, 2)]
    assert actor.kept.take() == []
    assert Path.cwd() == before


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"version": "0.0.1"}, ConfigError, r"has unequal .*; install 0\.0\.1 there"),
        ({"token": "elsewhere"}, DataError, r"does not see .*same path"),
        ({"working_folder": Path("/nowhere")}, DataError, r"does not see /nowhere; put it on storage"),
        ({"step": b"cstranger\nguest\n."}, UserError, r"No module named 'stranger'.*every machine"),
    ],
)
def test_a_machine_that_is_not_fit_is_named(changes, error, message, tmp_path):
    with pytest.raises(error, match=message):
        run_order(order(tmp_path, **changes), Actor())
    assert not (tmp_path / STEP.folder).exists()


def test_a_step_that_another_process_has_is_waited_for_and_not_done_twice(tmp_path, monkeypatch):
    lock = tmp_path / STEP.folder / ".lock"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    process.stdout.read(1)
    with pytest.raises(ConfigError, match=rf"process {process.pid} on .* is x; wait for it or end it"):
        run_order(order(tmp_path), Actor())
    assert not (tmp_path / STEP.folder / "marks").exists()
    STEP.run(tmp_path, lambda *_: None)  # as the process that is lost might
    monkeypatch.setattr(ray_step, "GONE_WITHIN", 60.0)
    process.stdin.close()
    run_order(order(tmp_path), Actor())
    process.wait(10)
    assert marks(tmp_path / STEP.folder) == ["begins", "ends"]


def test_a_process_whose_memory_ran_out_ends_and_leaves_the_reason(tmp_path, monkeypatch):
    def end(code):
        raise SystemExit(code)

    monkeypatch.setattr(ray_step.os, "_exit", end)
    step = FailingStep(end="no memory")
    with pytest.raises(SystemExit) as ended:
        run_order(order(tmp_path, step), Actor())
    assert ended.value.code == ray_step.OUT_OF_MEMORY
    assert read_status(tmp_path / step.folder) == "failed"


class Sized(FailingStep):
    """A step that needs six gigabytes."""

    runs_model: ClassVar[bool] = True

    @property
    def memory(self) -> float:
        return 6.0


def test_a_step_asks_for_a_core_its_memory_and_a_gpu_where_there_is_one():
    small, large, gpu = Machine(4, 2e9, 0), Machine(4, 9e9, 0), Machine(4, 5e9, 1)
    step = Sized(end="done")
    assert request_for(step, [small, large], with_gpu=False) == Request(int(6e9), 0)
    assert request_for(step, [small], with_gpu=False) == Request(int(2e9), 0), "all that there is"
    assert request_for(step, [large, gpu], with_gpu=True) == Request(int(5e9), 1)
    assert request_for(step, [], with_gpu=True) == Request(int(6e9), 1)
    assert request_for(STEP, [small, gpu], with_gpu=True).gpus == 0, "it runs no model"
    assert has_room(gpu, Request(int(5e9), 1))
    assert not has_room(large, Request(int(5e9), 1))
    assert not has_room(small, Request(int(5e9), 0))
    assert not has_room(Machine(0, 9e9, 0), Request(0, 0))


def test_without_ray_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"a study on Ray needs .*unequal\[ray\]"):
        LAUNCHERS.get("ray")(tmp_path, ExecutorSettings(None, "ray"), Silence())
