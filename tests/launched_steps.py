"""Steps that fail in the ways steps can fail; a module of their own, since workers must import them."""

import os
from pathlib import Path
from typing import ClassVar, Literal

from unequal.errors import DataError
from unequal.study.step import Progress, Step


class FailingStep(Step):
    """Does what its name says."""

    kind: ClassVar[str] = "test"

    end: Literal["done", "user error", "bug", "death"]
    after: tuple[str, ...] = ()
    price: float = 1.0

    @property
    def name(self) -> str:
        return self.end.replace(" ", "-")

    @property
    def inputs(self) -> tuple[str, ...]:
        return self.after

    @property
    def cost(self) -> float:
        return self.price

    def execute(self, study: Path, folder: Path, progress: Progress) -> None:  # noqa: ARG002
        progress(1, 2)
        assert all((study / path / "status").read_text() == "done\n" for path in self.inputs)
        match self.end:
            case "user error":
                raise DataError("the disk is full; make room")
            case "bug":
                raise ZeroDivisionError("a bug")
            case "death":
                os._exit(9)
        progress(2, 2)
