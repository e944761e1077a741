"""Known by: which reading of the generated text says that a model knows a fact."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import Field

from unequal.errors import DataError
from unequal.records import read_object

KnownBy = Literal["answer_said", "exact_match", "contains_answer"]
KNOWN_BY: KnownBy = "answer_said"
KnownBySetting = Annotated[
    KnownBy, Field(description="the reading of generated texts that says what is known")
]
"""The reading, as settings name it."""
READINGS: dict[KnownBy, str] = {
    "answer_said": "the text is the answer, or says it in the sentence that answers, or copies ten words"
    " of a passage",
    "exact_match": "the text is the answer and nothing else",
    "contains_answer": "the answer stands anywhere in the text",
}
SAID = "said"
"""What an analysis calls the reading that gates, in place of its name."""


def reading_of(scores: pl.DataFrame, known_by: KnownBy | None = None) -> KnownBy:
    """Return the reading that gates a score table: the given one, else the default, else exact match.

    Tables of before there was a choice have exact matches alone. Raises `DataError` where the table lacks
    the reading.
    """
    present = set(scores["metric"].unique())
    if SAID in present:
        return known_by or KNOWN_BY
    if known_by is None:
        return KNOWN_BY if KNOWN_BY in present else "exact_match"
    if known_by not in present:
        found = [name for name in READINGS if name in present]
        raise DataError(
            f"known_by: the score table has no {known_by}; choose from {', '.join(found) or 'none it has'}"
        )
    return known_by


def gated(scores: pl.DataFrame, known_by: KnownBy | None = None) -> pl.DataFrame:
    """Return score rows in which the reading that gates is called ``said``, of attacks too.

    Rows of the other readings stay as they are; a table that has ``said`` already comes back unchanged.
    """
    if (scores["metric"] == SAID).any():
        return scores
    reading = reading_of(scores, known_by)
    return scores.with_columns(pl.col("metric").str.replace(rf"(^|_){reading}$", f"${{1}}{SAID}"))


def known_by_of(study_folder: Path) -> KnownBy | None:
    """Return the reading of texts that a study's run file names; None for the default."""
    path = study_folder / "study.json"
    found: Any = read_object(path, "delete it, or run the study again") if path.is_file() else {}
    for key in ("settings", "evaluate", "known_by"):
        found = found.get(key) if isinstance(found, dict) else None
    return found if found in READINGS else None


@dataclass(frozen=True)
class Known:
    """What a model knows of some facts when it is asked the question; shares in [0, 1], None if not measured.

    ``said`` is by the reading that gates, ``chosen`` right among choices, ``probability`` the mean answer's.
    """

    known_by: KnownBy
    n_facts: int
    said: float | None
    chosen: float | None
    probability: float | None

    @property
    def n_said(self) -> int:
        """The number of facts that are said."""
        return round((self.said or 0.0) * self.n_facts)

    def sentence(self) -> str:
        """Return what is known and by which reading, in words."""
        if self.said is None:
            return f"what is known was not measured: {self.known_by} is not among the metrics"
        share = f"{self.n_said} of {self.n_facts} facts ({self.said:.0%})"
        return f"known: {share}, by {self.known_by}: {READINGS[self.known_by]}"

    def doubts(self) -> str | None:
        """Return why the question may be asked in the wrong way, None where texts and probabilities agree."""
        hidden = self.chosen is not None and self.chosen > 0.4 and self.chosen > 2 * (self.said or 0.0)
        likely = (self.probability or 0.0) > 0.25 and (self.probability or 0.0) > 2 * (self.said or 0.0)
        if self.said is None or not (hidden or likely):
            return None
        found = [f"{self.said:.0%} said"]
        found += [] if self.chosen is None else [f"{self.chosen:.0%} right among choices"]
        found += [] if self.probability is None else [f"mean answer probability {self.probability:.2f}"]
        return (
            f"{', '.join(found)}: probability knows what generation does not. Is the prompt right, and"
            f" does the answer end? See the texts in generations.parquet; {HOW_TO_ASK}"
        )


HOW_TO_ASK = (
    "ask as the model was trained: --chat for a chat model, prompts.question with a line break or with solved"
    " examples for a base model"
)


def known_of(scores: pl.DataFrame, known_by: KnownBy, roles: Sequence[str | None] = ()) -> Known:
    """Return what the question's rows say is known, of facts of these roles or of all."""
    rows = scores.filter(pl.col("probe") == "question")
    if roles:
        rows = rows.filter(pl.col("role").is_in(list(roles)))

    def mean(metric: str) -> float | None:
        found = rows.filter(pl.col("metric") == metric)["value"].mean()
        return None if found is None else float(found)  # type: ignore[arg-type]

    return Known(
        known_by,
        rows["fact_id"].n_unique(),
        mean(known_by),
        mean("choice_accuracy"),
        mean("answer_prob"),
    )


def require_known(known: Known, who: str) -> None:
    """Raise `DataError` when none of the facts to forget is said, for then nothing can be unlearned.

    ``who`` begins the message, such as ``the model says none``.
    """
    if known.said is None or known.said > 0 or not known.n_facts:
        return
    others = "" if known.chosen is None else f", {known.chosen:.0%} right among choices"
    raise DataError(
        f"{who} of the {known.n_facts} facts to forget (by {known.known_by}{others}), so nothing"
        f" could be seen to be unlearned; {HOW_TO_ASK}, or go on with allow_unknown = true"
    )
