"""ROUGE-L: the longest common subsequence of the generated text and the answer, as recall and as F1."""

from functools import cache, lru_cache
from typing import Any

from unequal.evaluation.metrics.chance import overlap
from unequal.evaluation.metrics.contract import Metric, ProbeRecord
from unequal.evaluation.metrics.text import Words, compared


@cache
def _scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], tokenizer=_Split())


class _Split:
    """The library's contract for what cuts a text into words; here the words are there already."""

    def tokenize(self, text: str) -> list[str]:
        """Return the words between spaces."""
        return text.split()


@lru_cache(maxsize=100_000)
def _recall_and_f1(said: Words, meant: Words) -> tuple[float, float]:
    score = _scorer().score(" ".join(meant), " ".join(said))["rougeL"]
    return float(score.recall), float(score.fmeasure)


def rouge_l_recall(record: ProbeRecord) -> float:
    """Return the longest common word subsequence over the answer's words, in [0, 1].

    The best accepted answer counts. Only the generated text is judged, never the prompt nor what is
    copied from it, so an empty text and an echo score 0. Words are normalised words, of any script.
    """
    return max(_recall_and_f1(*compared(record, answer))[0] for answer in record.probe.accepted)


def rouge_l_f1(record: ProbeRecord) -> float:
    """Return the harmonic mean of ROUGE-L recall and precision, in [0, 1].

    As `rouge_l_recall`, but words that are not the answer's cost precision, so that a long text that
    happens to hold the answer scores little.
    """
    return max(_recall_and_f1(*compared(record, answer))[1] for answer in record.probe.accepted)


RECALL = Metric(
    name="rouge_l_recall",
    kind="generation",
    direction="higher means known",
    low=0.0,
    high=1.0,
    formula="max over accepted a of LCS(a, text) / |a|, in words",
    chance=overlap(rouge_l_recall),
    source="ROUGE-L recall (Lin, 2004, equation 2), by the rouge-score library on our words",
    value=rouge_l_recall,
    needs=("generation",),
)

F1 = Metric(
    name="rouge_l_f1",
    kind="generation",
    direction="higher means known",
    low=0.0,
    high=1.0,
    formula="max over accepted a of 2 LCS(a, text) / (|a| + |text|), in words",
    chance=overlap(rouge_l_f1),
    source="ROUGE-L F-measure with β = 1 (Lin, 2004, equation 4), by the rouge-score library on our words",
    value=rouge_l_f1,
    needs=("generation",),
)
