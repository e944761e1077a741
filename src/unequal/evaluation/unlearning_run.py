"""An unlearning run with its evaluation: the scores of a model by step while it unlearns facts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple, Self

import polars as pl
from transformers import PreTrainedModel

from unequal.errors import DivergedError
from unequal.evaluation.evaluate import Evaluator, Tables
from unequal.evaluation.general_table import changes
from unequal.facts.probes import PROBE_KINDS, ProbeKind, ProbeMaker
from unequal.facts.roles import FactsByRole
from unequal.unlearning.run import Run
from unequal.unlearning.stopping import Stopped
from unequal.unlearning.unlearn import unlearn

Evaluate = Callable[[PreTrainedModel], Tables]


class Evaluations(NamedTuple):
    """How a run is evaluated: at step 0, at the steps between, and at the last one."""

    start: Evaluate
    between: Evaluate
    last: Evaluate

    @classmethod
    def of(
        cls,
        run: Run,
        facts: FactsByRole,
        probes: Sequence[ProbeKind] = PROBE_KINDS,
        n_wordings: int = 2,
        metrics: Sequence[str] | None = None,
    ) -> Self:
        """Return the same probes of all facts at every step, with the method's prefix after step 0."""
        maker = ProbeMaker(facts.all, run.prompts, n_wordings)

        def after(prefix: str) -> Evaluate:
            return Evaluator(run.tokenizer, facts.all, maker, probes, prefix, metrics=metrics).run

        start, prefix = after(""), run.method.prompt_prefix(facts.forget)
        later = after(prefix) if prefix else start
        return cls(start, later, later)


@dataclass(frozen=True)
class RunScores:
    """The score and generation tables of a run by step, and how it ended.

    ``end`` is the step of the model as it is now, ``stopped`` the stopping rule that ended the run, if one
    did. Of a run that ``diverged`` the tables are those before, and the model is the last good one.
    """

    tables: Mapping[int, Tables]
    end: int
    stopped: Stopped | None = None
    diverged: DivergedError | None = None

    @property
    def scores(self) -> pl.DataFrame:
        """The score tables of all steps, with the column ``step``."""
        return pl.concat([one.scores.with_columns(step=step) for step, one in self.tables.items()])

    @property
    def generations(self) -> pl.DataFrame:
        """The generation tables of all steps, with the column ``step``."""
        return pl.concat([one.generations.with_columns(step=step) for step, one in self.tables.items()])

    @property
    def general(self) -> pl.DataFrame:
        """The tables of general utility of all steps at which it was measured, with the column ``step``."""
        return pl.concat([one.general.with_columns(step=step) for step, one in self.tables.items()])

    @property
    def general_changes(self) -> list[dict[str, Any]]:
        """General utility before and after, one row a measure; see `general_table.changes`."""
        return changes(*(self.tables[step].general for step in (min(self.tables), max(self.tables))))


def _nothing(*_: object) -> None:
    pass


def unlearn_and_evaluate(
    run: Run,
    evaluations: Evaluations,
    *,
    at_end: Callable[[int, Mapping[int, Tables], Stopped | None], None] = _nothing,
    after_evaluation: Callable[[int, Tables], None] = _nothing,
    earlier: Mapping[int, Tables] = MappingProxyType({}),
) -> RunScores:
    """Unlearn as `unlearn` does, and return the model's tables by step, of a run that diverges too.

    ``at_end(step, tables, stopped)`` is called when training has ended, before the last evaluation, and
    ``after_evaluation(step, tables)`` after each. ``earlier`` are the tables of steps before the checkpoint
    that the run goes on from.
    """
    found = dict(earlier)
    stopped: list[Stopped] = []
    diverged = None

    def evaluate(model: PreTrainedModel, step: int, last: bool) -> None:
        if last:
            at_end(step, found, stopped[0] if stopped else None)
        tables_of = evaluations.start if step == 0 else evaluations.last if last else evaluations.between
        found[step] = tables_of(model)
        after_evaluation(step, found[step])

    try:
        unlearn(replace(run, evaluate=evaluate, on_stop=stopped.append))
    except DivergedError as error:
        diverged = error
        found = {step: tables for step, tables in found.items() if step < error.step}
    end = stopped[0].kept_step if stopped else run.settings.steps
    return RunScores(dict(sorted(found.items())), end, stopped[0] if stopped else None, diverged)
