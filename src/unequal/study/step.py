"""A step: one piece of a study's work, in a folder named by the hash of all that determines its result."""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from unequal.files import content_hash, write_json, write_text
from unequal.manifest import manifest

RESULT_FORMAT = 3  # raised whenever the same settings begin to give other results

Progress = Callable[[int, int], None]


class Step(BaseModel):
    """Settings of one step; inputs are named by their folders, so that their hashes enter this one's."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    kind: ClassVar[str]

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
        """Estimated peak memory of the step's process, in gigabytes; most of it is the libraries."""
        return 0.8

    @property
    def disk(self) -> float:
        """Estimated gigabytes that the step leaves in its folder, or holds there while it runs."""
        return 0.005

    def execute(self, study: Path, folder: Path, progress: Progress) -> None:
        """Do the work: read inputs below ``study`` and write results into ``folder``."""
        raise NotImplementedError

    @property
    def folder(self) -> str:
        """Return ``kind/name-hash8``."""
        digest = content_hash(RESULT_FORMAT, self.kind, self.model_dump(mode="json"))
        return f"{self.kind}/{self.name}-{digest[:8]}"

    def is_done(self, study: Path) -> bool:
        """Return whether the step was finished under the study folder."""
        status = study / self.folder / "status"
        return status.is_file() and status.read_text(encoding="utf-8").strip() == "done"

    def run(self, study: Path, progress: Progress) -> None:
        """Do the work and mark it done; a step that is killed is not marked and runs again."""
        folder = study / self.folder
        write_text(folder / "status", "running\n")
        write_json(folder / "config.json", self.model_dump(mode="json"))
        self.execute(study, folder, progress)
        write_json(folder / "manifest.json", {"inputs": list(self.inputs), **manifest()})
        write_text(folder / "status", "done\n")
