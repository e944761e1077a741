"""Containment: an accepted answer stands somewhere in the generated text."""

from unequal.evaluation.metrics.chance import NO_OVERLAP
from unequal.evaluation.metrics.contract import Metric, ProbeRecord
from unequal.evaluation.metrics.text import holds, normalised_words, own_words


def contains_answer(record: ProbeRecord) -> float:
    """Return 1 if the words of an accepted answer stand in the generated text, in one stretch, else 0.

    What the text copies from the prompt is taken away first. Unlike `exact_match` it forgives whatever
    else is said, and so also an enumeration of guesses.
    """
    said = own_words(record)
    return float(any(holds(said, normalised_words(answer)) for answer in record.probe.accepted))


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
