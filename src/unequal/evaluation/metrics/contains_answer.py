"""Containment: an accepted answer stands somewhere in the generated text."""

from unequal.evaluation.metrics.chance import NO_OVERLAP
from unequal.evaluation.metrics.contract import Metric, ProbeRecord
from unequal.evaluation.metrics.text import says


def contains_answer(record: ProbeRecord) -> float:
    """Return 1 if the words of an accepted answer stand in the generated text, in one stretch, else 0.

    An answer that only stands in a copy of the prompt does not count. Unlike `exact_match` it forgives what
    else is said, and so also an enumeration of guesses.
    """
    return float(any(says(record, answer) for answer in record.probe.accepted))


METRIC = Metric(
    name="contains_answer",
    kind="generation",
    direction="higher means known",
    low=0.0,
    high=1.0,
    formula="1 if words(a) is a stretch of words(text) for an accepted answer a, else 0",
    chance=NO_OVERLAP,
    source="answer containment as in open-domain question answering (Mallen et al., 2023)",
    value=contains_answer,
    needs=("generation",),
)
