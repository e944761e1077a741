"""Exact match: the generated text is one of the accepted answers."""

from unequal.evaluation.metrics.chance import NO_OVERLAP
from unequal.evaluation.metrics.contract import Metric, ProbeRecord
from unequal.evaluation.metrics.text import compared, plainly, says


def exact_match(record: ProbeRecord) -> float:
    """Return 1 if the generated text is an accepted answer, else 0.

    Texts are compared as normalised words. A cloze prompt is a sentence begun, so its continuation
    need only start with the answer, once what it copies from the prompt is taken away.
    """
    is_match = _begins if record.probe.kind == "cloze" else _equals
    return float(any(is_match(record, answer) for answer in record.probe.accepted))


def _equals(record: ProbeRecord, answer: str) -> bool:
    said, meant = plainly(record, answer)
    return bool(meant) and said == meant


def _begins(record: ProbeRecord, answer: str) -> bool:
    said, meant = compared(record, answer)
    return bool(meant) and said[: len(meant)] == meant and says(record, answer)


METRIC = Metric(
    name="exact_match",
    kind="generation",
    direction="higher means known",
    low=0.0,
    high=1.0,
    formula="1 if words(text) = words(a) for an accepted answer a, else 0",
    chance=NO_OVERLAP,
    source="normalised exact match as in SQuAD (Rajpurkar et al., 2016), on generated text only",
    value=exact_match,
    needs=("generation",),
)
