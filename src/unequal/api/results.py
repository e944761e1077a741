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
    generations: pl.DataFrame
    summary: Summary

    def __repr__(self) -> str:
        return str(self.summary)

    def _repr_html_(self) -> str:
        return self.summary._repr_html_()


@dataclass(frozen=True, repr=False)
class Evaluation(Result):
    """The evaluation of a model on facts; ``known`` is the share that it says.

    ``general`` is one row a measure that is about no fact, such as perplexity.
    """

    known: "Known"
    general: pl.DataFrame


@dataclass(frozen=True, repr=False)
class Unlearned(Result):
    """An unlearned model, its scores by ``step``, and the stopping rule that ended the run, if one did.

    ``general`` is one row a step and measure that is about no fact, such as perplexity.
    """

    model: "Model"
    stopped: "Stopped | None" = None
    learning_rate: float = 0.0
    general: pl.DataFrame = field(default_factory=no_general)


@dataclass(frozen=True, repr=False)
class Attacked(Result):
    """The scores of attacks beside those of the model as it is; ``recovered`` is one row an attack."""

    recovered: pl.DataFrame


@dataclass(frozen=True)
class AuditReport:
    """An audit: one row a fact with its verdict, one row a fact and measure, and a summary."""

    audit: "Audit" = field(repr=False)
    summary: Summary

    @property
    def facts(self) -> pl.DataFrame:
        """One row a fact: its verdict, the evidence, numbers before and after, and generated texts."""
        return self.audit.facts

    @property
    def evidence(self) -> pl.DataFrame:
        """One row a fact and measure."""
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
