"""Token F1: the words that the generated text and the answer share, in whatever order."""

from collections import Counter

from unequal.evaluation.metrics.chance import overlap
from unequal.evaluation.metrics.contract import Metric, ProbeRecord
from unequal.evaluation.metrics.text import normalised_words, own_words

_ARTICLES = frozenset({"a", "an", "the"})


def token_f1(record: ProbeRecord) -> float:
    """Return the harmonic mean of precision and recall over words, in [0, 1], for the best accepted answer.

    Tokens are normalised words without the English articles, not the model's tokens. What the text copies
    from the prompt is taken away first.
    """
    said = _counted(own_words(record))
    return max(_f1(_counted(normalised_words(answer)), said) for answer in record.probe.accepted)


def _counted(words: list[str]) -> Counter[str]:
    return Counter(word for word in words if word not in _ARTICLES)


def _f1(answer: Counter[str], said: Counter[str]) -> float:
    if not answer or not said:
        return 0.0
    return 2 * (answer & said).total() / (answer.total() + said.total())


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
