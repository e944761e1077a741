"""Token F1: the words that the generated text and the answer share, in whatever order."""

from collections import Counter
from collections.abc import Sequence

from unequal.evaluation.metrics.chance import overlap
from unequal.evaluation.metrics.contract import Metric, ProbeRecord
from unequal.evaluation.metrics.text import compared

_ARTICLES = frozenset({"a", "an", "the"})


def token_f1(record: ProbeRecord) -> float:
    """Return the harmonic mean of precision and recall over words, in [0, 1], for the best accepted answer.

    Tokens are normalised words, not the model's tokens, without the English articles unless the answer has
    nothing else. What both copy from the prompt is taken away first.
    """
    return max(_f1(*compared(record, answer)) for answer in record.probe.accepted)


def _f1(said: Sequence[str], meant: Sequence[str]) -> float:
    left_out = frozenset() if _ARTICLES.issuperset(meant) else _ARTICLES
    text, answer = (Counter(word for word in words if word not in left_out) for words in (said, meant))
    if not answer or not text:
        return 0.0
    return 2 * (answer & text).total() / (answer.total() + text.total())


METRIC = Metric(
    name="token_f1",
    kind="generation",
    direction="higher means known",
    low=0.0,
    high=1.0,
    formula="max over accepted a of 2 |a ∩ text| / (|a| + |text|), as bags of words without articles",
    chance=overlap(token_f1),
    source="F1 of SQuAD (Rajpurkar et al., 2016, section 6.1); an answer without words scores 0",
    value=token_f1,
    needs=("generation",),
)
