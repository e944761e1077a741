"""A partial unlearning run: checkpoints and scores beside its result, from which the same command goes on."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from unequal.checksums import (
    read_checked_json,
    verify_folder,
    warn_remade,
    write_checked_json,
    write_checksums,
)
from unequal.errors import ConfigError, DamagedError
from unequal.evaluation.evaluate import Tables
from unequal.facts.probes import PromptFormat
from unequal.files import atomic_folder, read_json, write_json, write_table
from unequal.models.distributed import broadcast_from_main, is_main_process, on_main_process
from unequal.models.save import save_model
from unequal.temporary import remove_leftovers_below
from unequal.unlearning.stopping import Stopped

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class PartialRun:
    """The folder ``<out>.unfinished``: checkpoints, the tables of evaluated steps, and the model at the end.

    What is there and is not as it was written is noted and removed, and made anew. Raises `ConfigError` when
    a run of other settings was begun there that could still go on.
    """

    def __init__(self, out: Path, settings: dict[str, Any]) -> None:
        self._folder = out.with_name(f"{out.name}.unfinished")
        self._settings = settings
        broadcast_from_main(self._claim)

    def _claim(self) -> None:
        """Remove what is damaged, and what a run of other settings left, unless it could still go on."""
        remove_leftovers_below(self._folder)
        begun = self._folder / CONFIG
        if not begun.is_file():
            return
        try:
            settings = read_checked_json(begun, "")
            self._check_evaluated()
        except DamagedError as error:
            warn_remade(error.folder, error.what)
            self.remove()
            return
        self._check_end()
        if settings != self._settings:
            if self.can_go_on:
                raise ConfigError(
                    f"{self._folder} holds an unfinished run of other settings or facts; finish that one"
                    " first, delete the folder, or choose another --out"
                )
            self.remove()

    def _check_evaluated(self) -> None:
        """Raise `DamagedError` for tables of a step that may not be made again on the way from here."""
        for folder in (self._folder / "evaluated").glob("[0-9]*"):
            verify_folder(folder, required=True)

    def _check_end(self) -> None:
        """Remove a damaged model at the end; the run goes on from a checkpoint, or begins anew."""
        end = self._folder / "end"
        if not end.exists():
            return
        try:
            verify_folder(end, required=True)
            verify_folder(self.model, required=True)
        except DamagedError as error:
            warn_remade(error.folder, error.what)
            shutil.rmtree(end)

    @property
    def can_go_on(self) -> bool:
        """Whether there is a model to go on from."""
        return self.last_step() is not None or any(self.checkpoints.glob("step-*"))

    @property
    def checkpoints(self) -> Path:
        """The folder of the training's checkpoints."""
        return self._folder / "checkpoints"

    @property
    def model(self) -> Path:
        """The folder of the model at the end of training."""
        return self._folder / "end" / "model"

    def keep(self, step: int, tables: Tables) -> None:
        """Keep the tables of an evaluated step; of several processes the first does."""
        if not is_main_process():
            return
        write_checked_json(self._folder / CONFIG, self._settings)
        with atomic_folder(self._folder / "evaluated" / str(step)) as folder:
            write_table(tables.scores, folder / "scores.parquet")
            write_table(tables.generations, folder / "generations.parquet")
            write_table(tables.general, folder / "general.parquet")
            write_checksums(folder)

    def evaluated(self) -> dict[int, Tables]:
        """Return the tables of each step evaluated so far."""
        return {
            int(folder.name): Tables(*(pl.read_parquet(folder / f"{name}.parquet") for name in _TABLES))
            for folder in (self._folder / "evaluated").glob("[0-9]*")
        }

    def end(
        self,
        model: "PreTrainedModel",
        tokenizer: "PreTrainedTokenizerBase",
        step: int,
        found: Mapping[int, Tables],
        stopped: Stopped | None = None,
        *,
        prompts: PromptFormat,
    ) -> None:
        """Keep the model at the end of training, which is that of ``step``, and the tables found so far.

        ``prompts`` is stored with it; ``stopped`` is the stopping rule that ended the run, if one did. All
        processes must come here, and the first writes.
        """
        for evaluated, tables in found.items():
            self.keep(evaluated, tables)
        with on_main_process(atomic_folder(self._folder / "end")) as folder:
            save_model(model, tokenizer, folder / "model" if folder else None, prompts)
            if folder:
                write_checked_json(self._folder / CONFIG, self._settings)
                write_json(folder / "step.json", step)
                if stopped is not None:
                    write_json(folder / "stopped.json", stopped._asdict())
                write_checksums(folder)

    def last_step(self) -> int | None:
        """Return the step of the model at the end, None as long as there is none."""
        path = self._folder / "end" / "step.json"
        return int(read_json(path)) if path.is_file() else None

    def stopped(self) -> Stopped | None:
        """Return the rule that ended the run, None if it had all its steps or has not ended."""
        path = self._folder / "end" / "stopped.json"
        return Stopped(**read_json(path)) if path.is_file() else None

    def remove(self) -> None:
        """Remove the folder, once the result is whole; of several processes the first does."""
        if is_main_process():
            shutil.rmtree(self._folder, ignore_errors=True)


CONFIG = "config.json"
_TABLES = ("scores", "generations", "general")
