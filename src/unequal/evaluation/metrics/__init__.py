"""The metrics: each a pure function of one probe's record, with direction, range, chance level and source."""

from typing import TYPE_CHECKING

from unequal.registry import Registry

if TYPE_CHECKING:
    from unequal.evaluation.metrics.contract import Metric

METRICS: Registry["Metric"] = Registry(
    "metric",
    {
        "exact_match": "unequal.evaluation.metrics.exact_match:METRIC",
        "rouge_l_recall": "unequal.evaluation.metrics.rouge_l_recall:METRIC",
        "answer_prob": "unequal.evaluation.metrics.answer_prob:METRIC",
        "answer_log_prob": "unequal.evaluation.metrics.answer_log_prob:METRIC",
        "choice_prob": "unequal.evaluation.metrics.choice_prob:METRIC",
        "choice_accuracy": "unequal.evaluation.metrics.choice_accuracy:METRIC",
        "true_false_hit": "unequal.evaluation.metrics.true_false:HIT",
        "true_false_false_alarm": "unequal.evaluation.metrics.true_false:FALSE_ALARM",
    },
)
