"""Exact match: the generated text is one of the accepted answers."""

from unequal.evaluation.metrics.contract import Metric, ProbeRecord, generated
from unequal.evaluation.metrics.text import normalised_words


def exact_match(record: ProbeRecord) -> float:
    """Return 1 if the generated text is an accepted answer, else 0.

    Texts are compared as normalised words. A cloze prompt is a sentence begun, so its continuation
    need only start with the answer.
    """
    said = normalised_words(generated(record))
    for answer in record.probe.accepted:
        words = normalised_words(answer)
        if words and words == (said[: len(words)] if record.probe.kind == "cloze" else said):
            return 1.0
    return 0.0


METRIC = Metric(
    name="exact_match",
    kind="generation",
    direction="higher means known",
    low=0.0,
    high=1.0,
    chance="0 for any constant text; 1 / objects for a random object of the relation",
    source="normalised exact match as in SQuAD (Rajpurkar et al., 2016), on generated text only",
    value=exact_match,
)
