"""Steps in worker processes of this machine; each keeps what it loaded."""

import sys
from pathlib import Path
from typing import Self

from unequal.errors import ConfigError
from unequal.registry import Plugin, load_plugins
from unequal.study.launch.launcher import Ending, ExecutorSettings, ProgressListener
from unequal.study.step import Step
from unequal.workers import Workers, n_cores, tell


class LocalExecutor:
    """So many processes, of one thread each."""

    shares_memory = True

    def __init__(self, study: Path, crew: ExecutorSettings, watcher: ProgressListener) -> None:
        self._study = study
        self._number = crew.workers or n_cores()
        self._workers = Workers[Step](self._number, watcher.report)

    def __enter__(self) -> Self:
        self._workers.__enter__()
        return self

    def __exit__(self, error: type[BaseException] | None, *others: object) -> None:
        self._workers.__exit__(error, *others)

    @property
    def room(self) -> int:
        """How many more steps can run."""
        return self._number - len(self._workers.running)

    def submit(self, step: Step) -> None:
        """Have a worker run the step."""
        self._workers.submit(step, _run_step, self._study, step, _plugins_of(step))

    def finished(self) -> list[Ending]:
        """Return the steps that came back; raises what is no `Exception`."""
        endings: list[Ending] = []
        for step, future in self._workers.finished():
            error = future.exception()
            if error is not None and not isinstance(error, Exception):
                raise error
            endings.append((step, error))
        return endings


def _plugins_of(step: Step) -> tuple[Plugin, ...]:
    """Return the step's plugins; a script's own class comes with the script, which workers run too."""
    try:
        return step.plugins
    except ConfigError:
        return ()


def _run_step(study: Path, step: Step, plugins: tuple[Plugin, ...]) -> None:
    load_plugins(plugins)
    if "torch" in sys.modules:  # loaded before this worker was told to have one thread
        sys.modules["torch"].set_num_threads(1)
    step.run(study, lambda done, total: tell((step.folder, done, total)))
