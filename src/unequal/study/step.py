"""A step: one piece of a study's work, in a folder named by the hash of all that determines its result."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, PrivateAttr

from unequal.checksums import hashes
from unequal.errors import DivergedError, OutOfMemoryError, first_line
from unequal.files import content_hash, write_json, write_text
from unequal.manifest import manifest
from unequal.oom import is_out_of_memory, smaller_batches
from unequal.progress import Progress
from unequal.registry import Plugin, plugin_sources, plugins_of
from unequal.study.step_status import FAILURE, NO_RESULTS, Failure, check_result, read_status, write_failure
from unequal.temporary import remove_leftovers_below

DISCRIMINATORS = ("kind", "engine")
"""Settings that say what kind of settings they stand among."""

LONGEST_NAME = 150  # of a folder, in characters; file systems end at 255


class Step(BaseModel):
    """Settings of one step; those of its inputs are among them, so that they enter its hash."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ClassVar[str]
    result_format: ClassVar[int] = 3
    """Raised, in a kind and all that follow from it, when the same settings give other results, or a default
    changes."""
    runs_model: ClassVar[bool] = False  # which a GPU makes faster

    _folder: str | None = PrivateAttr(default=None)
    _second_try: bool = PrivateAttr(default=False)

    @property
    def name(self) -> str:
        """A readable name, not necessarily unique."""
        raise NotImplementedError

    @property
    def inputs(self) -> tuple[str, ...]:
        """Folders, relative to the study, of the steps that must be done before."""
        return ()

    @property
    def cost(self) -> float:
        """Estimated work in seconds on one core, for the order of work and the time left."""
        raise NotImplementedError

    @property
    def memory(self) -> float:
        """Estimated peak memory of the step's process, in gigabytes: by default of one without torch."""
        return 0.11

    @property
    def disk(self) -> float:
        """Estimated gigabytes that the step leaves in its folder, or holds there while it runs."""
        return 0.005

    def execute(self, study: Path, folder: Path, progress: Progress) -> None:
        """Do the work: read inputs below ``study`` and write results into ``folder``."""
        raise NotImplementedError

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy, which has a folder of its own."""
        step = super().model_copy(update=update, deep=deep)
        step._folder = None
        return step

    @property
    def folder(self) -> str:
        """Return ``kind/name-hash8``; what a file name had better not hold is replaced in the name."""
        if self._folder is None:
            settings = _not_default(self)
            plugins = [sources] if (sources := plugin_sources(settings)) else []
            digest = content_hash(self.result_format, self.kind, settings, *plugins)
            self._folder = f"{self.kind}/{_file_name(self.name)}-{digest[:8]}"
        return self._folder

    @property
    def plugins(self) -> tuple[Plugin, ...]:
        """The plugins that the step uses; raises `ConfigError` for one that only this process has."""
        return plugins_of(self.model_dump(mode="json"))

    @property
    def second_try(self) -> bool:
        """Whether memory is saved, since it ran out the first time."""
        return self._second_try

    def saving_memory(self) -> Self:
        """Return the same step, with the same folder, that runs with smaller batches."""
        step = self.model_copy()
        step._folder = self.folder  # a worker may not know the sources of plugins
        step._second_try = True
        return step

    def is_done(self, study: Path) -> bool:
        """Return whether the step was finished under the study folder."""
        return read_status(study / self.folder) == "done"

    def run(self, study: Path, progress: Progress) -> None:
        """Do the work and mark it done; a step that is killed is not marked and runs again.

        Raises `DamagedError` when a file of an input is not as it was written, `DivergedError` and
        `OutOfMemoryError`; then the folder says why there is no result.
        """
        folder = study / self.folder
        for one in self.inputs:
            check_result(study / one)
        remove_leftovers_below(folder)  # of a process that was killed, before the hashes are taken
        write_text(folder / "status", "running\n")
        write_json(folder / "config.json", self.model_dump(mode="json"))
        try:
            with smaller_batches(self._second_try):
                self.execute(study, folder, progress)
        except DivergedError as error:
            write_failure(folder, Failure(self.folder, "diverged", str(error), error.step, error.batch))
            self._write_manifest(folder)
            raise
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            reason = f"memory ran out ({first_line(error)})"
            write_failure(folder, Failure(self.folder, "memory", reason))
            raise OutOfMemoryError(reason) from error
        self._write_manifest(folder)
        (folder / FAILURE).unlink(missing_ok=True)
        write_text(folder / "status", "done\n")

    def _write_manifest(self, folder: Path) -> None:
        """Write what made the result, and the hash of each of its files."""
        made = {"inputs": list(self.inputs), "files": hashes(folder, NO_RESULTS), **manifest()}
        if self._second_try:
            made["second_try"] = "with smaller batches, since memory ran out"
        write_json(folder / "manifest.json", made)


def _not_default(step: Step) -> Any:
    """Return the settings that differ from their defaults, so that a new setting changes no name.

    What tells two kinds of settings apart stays, or two methods would share a name.
    """
    whole, changed = (step.model_dump(mode="json", exclude_defaults=flag) for flag in (False, True))
    return _with_kinds(whole, changed)


def _with_kinds(whole: Any, changed: Any) -> Any:
    if isinstance(changed, dict):
        kept = {name: _with_kinds(whole[name], value) for name, value in changed.items()}
        return kept | {name: whole[name] for name in DISCRIMINATORS if name in whole}
    if isinstance(changed, list):
        return [_with_kinds(*pair) for pair in zip(whole, changed, strict=True)]
    return changed


def _file_name(name: str) -> str:
    """Return the name with nothing that leads to another folder or that a shell or a file system minds."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".")[:LONGEST_NAME]
