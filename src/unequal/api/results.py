"""Results of the Python interface: tables of scores, and a summary that can be read."""

import html
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from unequal.evaluation.general_table import no_general

if TYPE_CHECKING:
    from unequal.api.models import Model
    from unequal.auditing.conclude import Audit
    from unequal.evaluation.known_by import Known
    from unequal.unlearning.stopping import Stopped


@dataclass(frozen=True)
class Summary:
    """A short table of what was found; ``print`` and notebooks show it."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [self.columns, *self.rows]
        widths = [max(len(line[place]) for line in lines) for place in range(len(self.columns))]
        first, *others = widths
        text = [
            "  ".join([line[0].ljust(first), *(c.rjust(w) for c, w in zip(line[1:], others, strict=True))])
            for line in lines
        ]
        return "\n".join([self.title, *(line.rstrip() for line in text), *self.notes])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(name)}</th>" for name in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in self.rows
        )
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        title = f"<caption>{html.escape(self.title)}</caption>"
        return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{notes}"


@dataclass(frozen=True)
class Result:
    """Scores as one row a fact, probe and metric, the generated texts, and a summary."""

    scores: pl.DataFrame
    """One row a fact, probe and metric: ``fact_id``, ``role``, ``probe``, ``metric``, ``value``; where there
    is no value, ``reason`` says why."""
    generations: pl.DataFrame
    """One row a fact and probe: ``prompt``, ``answer`` and the greedy text, ``generation``."""
    summary: Summary
    """The table to print."""

    def __repr__(self) -> str:
        return str(self.summary)

    def _repr_html_(self) -> str:
        return self.summary._repr_html_()


@dataclass(frozen=True, repr=False)
class Evaluation(Result):
    """The evaluation of a model on facts, as `evaluate` returns it."""

    known: "Known"
    """Shares of the facts in [0, 1]: ``said`` in text, ``chosen`` right among choices; and the mean
    ``probability`` of the answer."""
    general: pl.DataFrame
    """One row a measure that is about no fact, such as perplexity."""


@dataclass(frozen=True, repr=False)
class Unlearned(Result):
    """An unlearned model and its scores by ``step``, as `unlearn` returns it; step 0 is before."""

    model: "Model"
    """The unlearned model; the one that was given is as it was."""
    stopped: "Stopped | None" = None
    """The stopping rule that ended the run, None if all steps were made."""
    learning_rate: float = 0.0
    """The learning rate of the run, given or found."""
    general: pl.DataFrame = field(default_factory=no_general)
    """One row a step and measure that is about no fact, such as perplexity."""


@dataclass(frozen=True, repr=False)
class Attacked(Result):
    """The scores of attacks beside those of the model as it is, as `attack` returns them."""

    recovered: pl.DataFrame
    """One row an attack and metric: ``attack``, and the ``mean`` over the facts to forget."""


@dataclass(frozen=True)
class AuditReport:
    """An audit of an unlearned model, as `audit` returns it: a verdict for each fact, and the evidence."""

    audit: "Audit" = field(repr=False)
    summary: Summary

    @property
    def facts(self) -> pl.DataFrame:
        """One row a fact: ``verdict`` (still there, suppressed, gone, not known before or unjudged), the
        ``evidence`` that decided, numbers before and after, and generated texts."""
        return self.audit.facts

    @property
    def evidence(self) -> pl.DataFrame:
        """One row a fact and measure, of both models and of every attack."""
        return self.audit.evidence

    def save(self, folder: str | Path) -> Path:
        """Write ``audit.html``, ``audit.json``, ``facts.parquet`` and ``evidence.parquet``."""
        from unequal.auditing.run import write_audit
        from unequal.files import atomic_folder

        with atomic_folder(Path(folder)) as made:
            write_audit(made, self.audit)
        return Path(folder)

    def __repr__(self) -> str:
        return str(self.summary)

    def _repr_html_(self) -> str:
        return self.summary._repr_html_()


def percent(share: float | None) -> str:
    """Return a share as per cent, or a dash."""
    return "–" if share is None else f"{share:.0%}"


def mean_of(scores: pl.DataFrame, metric: str, role: str) -> float | None:
    """Return the mean of a metric over the questions of facts in a role, None where there are none."""
    rows = scores.filter(
        (pl.col("probe") == "question") & (pl.col("metric") == metric) & (pl.col("role") == role)
    )
    found = rows["value"].mean()
    return None if found is None else float(found)  # type: ignore[arg-type]
