"""Steps as tasks on a Ray cluster whose machines share the study's folder.

The agenda orders, repeats and gives up steps, as on one machine; Ray finds the machine, by cores, memory and
GPU, and says when a process or a machine is lost. A step's lock keeps it from being done twice at a time.
"""

import pickle
import secrets
import signal
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

from unequal.errors import OutOfMemoryError, UserError, first_line
from unequal.files import write_text
from unequal.ray_cluster import connected, load_ray
from unequal.records import read_record
from unequal.study.launch.launcher import Ending, ExecutorSettings, NodeLostError, ProgressListener
from unequal.study.launch.ray_step import Order, Reports, run_order
from unequal.study.step import Step
from unequal.study.step_status import FAILURE, Failure, read_status
from unequal.workers import ONE_THREAD, WorkerDiedError

ASK_EVERY = 1.0
"""Seconds between questions of how far the steps are."""

LOOK_EVERY = 5.0
"""Seconds between looks at which machines there are."""


class Machine(NamedTuple):
    """What a machine of the cluster has in all; memory in bytes."""

    cores: float
    memory: float
    gpus: float


class Request(NamedTuple):
    """What Ray is asked to keep for a step: a core, so many bytes, and a GPU or none."""

    memory: int
    gpus: int


class RayExecutor:
    """The cluster; machines may join and leave while steps run."""

    shares_memory = False

    def __init__(self, study: Path, crew: ExecutorSettings, watcher: ProgressListener) -> None:
        self._ray = load_ray("running a study on Ray")
        self._study = study.absolute()
        self._crew, self._watcher = crew, watcher
        self._token = f".shared-{secrets.token_hex(8)}.tmp"
        self._stack = ExitStack()
        self._running: dict[Any, tuple[Step, Request]] = {}  # the promise of a result: its step
        self._machines: list[Machine] = []
        self._looked = 0.0
        self._has_said = False
        self._with_gpu = False
        self._reports: Any = None
        self._asked: Any = None  # the promise of reports

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(connected(self._ray, self._crew.address))
            write_text(self._study / self._token, "")
            stack.callback((self._study / self._token).unlink, missing_ok=True)
            self._reports = self._ray.remote(num_cpus=0)(Reports).remote()
            stack.callback(self._ray.kill, self._reports)
            self._look()
            self._with_gpu = any(machine.gpus for machine in self._machines)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        with self._stack:
            if error is not None and not issubclass(error, Exception):
                for promise in self._running:
                    self._ray.cancel(promise, force=True)
            if self._running:
                self._ray.wait([*self._running], num_returns=len(self._running))

    @property
    def room(self) -> int:
        """How many more steps there are cores for, or fewer when the user wants so."""
        cores = int(sum(machine.cores for machine in self._machines))
        return (self._crew.workers or max(1, cores)) - len(self._running)

    def submit(self, step: Step) -> None:
        """Have Ray run the step where there is room; repeating it is not Ray's business."""
        request = request_for(step, self._machines, self._with_gpu)
        order = Order(pickle.dumps(step), step.folder, self._study, self._token, Path.cwd(), step.plugins)
        task = self._ray.remote(max_retries=0)(run_order).options(
            name=step.folder,
            num_cpus=1,
            num_gpus=request.gpus,
            memory=request.memory,
            runtime_env={"env_vars": ONE_THREAD},
        )
        self._running[task.remote(order, self._reports)] = (step, request)

    def finished(self) -> list[Ending]:
        """Return the steps that came back, failed ones last, when one has, or none when a machine joined."""
        endings: list[Ending] = []
        room = self.room
        while self._running and not endings and self.room <= room:
            done, _ = self._ray.wait([*self._running], num_returns=1, timeout=ASK_EVERY)
            self._pass_on_reports()
            endings = [self._take(promise) for promise in done]
            if time.monotonic() - self._looked > LOOK_EVERY:
                self._look()
                self._move_stranded()
        return sorted(endings, key=lambda ending: ending[1] is not None)

    def _take(self, promise: Any) -> Ending:
        step, _ = self._running.pop(promise)
        try:
            self._ray.get(promise)
        except Exception as error:
            return step, self._meaning(step, error)
        return step, None

    def _meaning(self, step: Step, error: Exception) -> Exception:
        """Return what the agenda is told of what Ray says."""
        known = self._ray.exceptions
        lost = (known.NodeDiedError, known.LocalRayletDiedError, known.ObjectLostError)
        match error:
            case known.RayTaskError():
                return error.cause if isinstance(error.cause, Exception) else error
            case known.OutOfMemoryError():
                return WorkerDiedError(-signal.SIGKILL)
            case known.WorkerCrashedError():
                return self._shortage(step) or WorkerDiedError(None)
            case _ if isinstance(error, lost):
                return NodeLostError("the machine that had it is lost")
        return UserError(f"Ray cannot run it: {first_line(error)}")

    def _shortage(self, step: Step) -> OutOfMemoryError | None:
        """Return the error that ended a step's process, when its folder says that memory ran out."""
        folder = self._study / step.folder
        if read_status(folder) != "failed":
            return None
        kept = read_record(Failure, folder / FAILURE, "delete the folder, and the step is done anew")
        return OutOfMemoryError(kept.reason) if kept.kind == "memory" else None

    def _pass_on_reports(self) -> None:
        """Tell the watcher what has come, and ask again; reports are worth no wait and no failure."""
        with suppress(self._ray.exceptions.RayError):
            if self._asked is not None:
                answered, _ = self._ray.wait([self._asked], timeout=0)
                if not answered:
                    return
                running = {step.folder for step, _ in self._running.values()}
                for report in self._ray.get(self._asked):
                    if report[0] in running:
                        self._watcher.report(report)
            self._asked = self._reports.take.remote()

    def _look(self) -> None:
        """Take in which machines there are."""
        self._looked = time.monotonic()
        there = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        self._machines = [
            Machine(one.get("CPU", 0.0), one.get("memory", 0.0), one.get("GPU", 0.0)) for one in there
        ]

    def _move_stranded(self) -> None:
        """Ask anew for steps that wait for a machine of a size that is gone; say so where none would do."""
        for promise, (step, request) in [*self._running.items()]:
            if any(has_room(machine, request) for machine in self._machines):
                continue
            smaller = request_for(step, self._machines, self._with_gpu)
            if any(has_room(machine, smaller) for machine in self._machines):
                del self._running[promise]
                self._ray.cancel(promise, force=True)
                self.submit(step)
            elif not self._has_said:
                self._has_said = True
                what = "GPU" if request.gpus else "core"
                self._watcher.say(f"no machine of the cluster has a {what} now; waiting for one to join")


def request_for(step: Step, machines: list[Machine], with_gpu: bool) -> Request:
    """Return what a step asks for; never more memory than the largest fit machine has, all of it then."""
    gpus = int(with_gpu and step.runs_model)
    fit = [machine.memory for machine in machines if machine.cores >= 1 and machine.gpus >= gpus]
    wanted = step.memory * 1e9
    return Request(int(min(wanted, max(fit, default=wanted))), gpus)


def has_room(machine: Machine, request: Request) -> bool:
    """Return whether a machine with nothing else to do could run a step of this request."""
    return machine.cores >= 1 and machine.memory >= request.memory and machine.gpus >= request.gpus
