"""The metrics: each a pure function of one probe's record, with direction, range, chance level and source."""

from typing import TYPE_CHECKING

from unequal.registry import Registry

if TYPE_CHECKING:
    from unequal.evaluation.metrics.contract import Metric

_HERE = "unequal.evaluation.metrics"

METRICS: Registry["Metric"] = Registry(
    "metric",
    {
        "answer_said": f"{_HERE}.answer_said:METRIC",
        "exact_match": f"{_HERE}.exact_match:METRIC",
        "contains_answer": f"{_HERE}.contains_answer:METRIC",
        "rouge_l_recall": f"{_HERE}.rouge_l:RECALL",
        "rouge_l_f1": f"{_HERE}.rouge_l:F1",
        "token_f1": f"{_HERE}.token_f1:METRIC",
        "longest_copy": f"{_HERE}.longest_copy:METRIC",
        "first_token_match": f"{_HERE}.first_token_match:METRIC",
        "refusal": f"{_HERE}.refusal:METRIC",
        "degenerate": f"{_HERE}.degenerate:METRIC",
        "leak_at_1": f"{_HERE}.leak:LEAK_AT_1",
        "leak_at_10": f"{_HERE}.leak:LEAK_AT_10",
        "leak_upper_bound": f"{_HERE}.leak:UPPER_BOUND",
        "answer_prob": f"{_HERE}.answer_prob:METRIC",
        "answer_log_prob": f"{_HERE}.answer_log_prob:METRIC",
        "perplexity": f"{_HERE}.perplexity:METRIC",
        "first_token_prob": f"{_HERE}.first_token:PROB",
        "first_token_rank": f"{_HERE}.first_token:RANK",
        "hits_at_1": f"{_HERE}.first_token:HITS_AT_1",
        "hits_at_10": f"{_HERE}.first_token:HITS_AT_10",
        "hits_at_100": f"{_HERE}.first_token:HITS_AT_100",
        "margin": f"{_HERE}.margin:METRIC",
        "choice_prob": f"{_HERE}.choice_prob:METRIC",
        "choice_accuracy": f"{_HERE}.choice_accuracy:PER_TOKEN",
        "choice_accuracy_sum": f"{_HERE}.choice_accuracy:SUM",
        "truth_ratio": f"{_HERE}.truth_ratio:METRIC",
        "true_false_hit": f"{_HERE}.true_false:HIT",
        "true_false_false_alarm": f"{_HERE}.true_false:FALSE_ALARM",
        "exact_memorisation": f"{_HERE}.memorisation:EXACT_MEMORISATION",
        "extraction_strength": f"{_HERE}.memorisation:EXTRACTION_STRENGTH",
        "loss": f"{_HERE}.loss:LOSS",
        "zlib": f"{_HERE}.loss:ZLIB",
        "reference_loss": f"{_HERE}.loss:REFERENCE",
        "min_k_40": f"{_HERE}.min_k:MIN_K",
        "min_k_plus_plus_40": f"{_HERE}.min_k:MIN_K_PLUS_PLUS",
        "gradient_norm": f"{_HERE}.gradient_norm:METRIC",
    },
    group="unequal.metrics",
)

STUDY_METRICS = (
    "answer_said",
    "exact_match",
    "rouge_l_recall",
    "answer_prob",
    "answer_log_prob",
    "first_token_rank",
    "choice_prob",
    "choice_accuracy",
    "true_false_hit",
    "true_false_false_alarm",
)
"""What a study keeps of every evaluated step, unless told otherwise."""
