"""A run of unlearning in so little memory that its batch does not fit; workers import it."""

import resource
from pathlib import Path

from unequal.progress import Progress
from unequal.study.steps.unlearn import UnlearnStep

ROOM = 500 << 20
"""Bytes a run may take on top of what is loaded; the test's takes 700 MB, and 300 in eighths."""


class CrampedStep(UnlearnStep):
    """The same run, with the same folder, under a limit of the system."""

    def execute(self, study: Path, folder: Path, progress: Progress) -> None:
        """Load everything, then let the system give no more than ``ROOM``."""
        from unequal.study.loaded_base import loaded_base

        loaded_base(study, self.baseline.base).fresh_model()
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + ROOM
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        super().execute(study, folder, progress)
