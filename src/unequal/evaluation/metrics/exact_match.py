"""Exact match: the generated text is one of the accepted answers."""

from unequal.evaluation.metrics.chance import NO_OVERLAP
from unequal.evaluation.metrics.contract import Metric, ProbeRecord, generated
from unequal.evaluation.metrics.text import normalised_words, own_words


def exact_match(record: ProbeRecord) -> float:
    """Return 1 if the generated text is an accepted answer, else 0.

    Texts are compared as normalised words. A cloze prompt is a sentence begun, so its continuation
    need only start with the answer, once what it copies from the prompt is taken away.
    """
    is_cloze = record.probe.kind == "cloze"
    said = own_words(record) if is_cloze else normalised_words(generated(record))
    for answer in record.probe.accepted:
        words = normalised_words(answer)
        if words and words == (said[: len(words)] if is_cloze else said):
            return 1.0
    return 0.0


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
