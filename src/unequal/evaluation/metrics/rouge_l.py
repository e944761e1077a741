"""ROUGE-L recall: how much of the answer stands, in order, in the generated text."""

from functools import cache, lru_cache
from typing import Any

from unequal.evaluation.metrics.contract import Metric, ProbeRecord, generated


@cache
def _scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer  # noqa: PLC0415

    return RougeScorer(["rougeL"], use_stemmer=False)


@lru_cache(maxsize=100_000)
def _recall(answer: str, said: str) -> float:
    return float(_scorer().score(answer, said)["rougeL"].recall)


def rouge_l_recall(record: ProbeRecord) -> float:
    """Return the longest common word subsequence over the answer's words, in [0, 1].

    The best accepted answer counts. Only the generated text is judged, never the prompt, so an empty
    text scores 0.
    """
    said = generated(record)
    return max(_recall(answer, said) for answer in record.probe.accepted)


METRIC = Metric(
    name="rouge_l_recall",
    kind="generation",
    direction="higher means known",
    low=0.0,
    high=1.0,
    chance="0 for an empty text; words shared by all answers of a relation score without knowledge",
    source="ROUGE-L recall (Lin, 2004), as computed by the rouge-score library",
    value=rouge_l_recall,
)
