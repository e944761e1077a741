"""The aggregates: numbers that exist for a set of facts only, each a pure function of a metric's values."""

from typing import TYPE_CHECKING

from unequal.registry import Registry

if TYPE_CHECKING:
    from unequal.evaluation.aggregates.contract import Aggregate

_HERE = "unequal.evaluation.aggregates"

AGGREGATES: Registry["Aggregate"] = Registry(
    "aggregate",
    {
        "refusal_rate": f"{_HERE}.rates:REFUSAL_RATE",
        "degenerate_rate": f"{_HERE}.rates:DEGENERATE_RATE",
        "leaking_facts_upper_bound": f"{_HERE}.rates:LEAKING_FACTS",
        "true_false_dprime": f"{_HERE}.true_false:DPRIME",
        "truth_ratio_closer_to_1": f"{_HERE}.truth_ratio:CLOSER_TO_1",
        "truth_ratio_true_better": f"{_HERE}.truth_ratio:TRUE_BETTER",
        "forget_quality": f"{_HERE}.truth_ratio:FORGET_QUALITY",
        "loss_auc": f"{_HERE}.auc:LOSS",
        "zlib_auc": f"{_HERE}.auc:ZLIB",
        "reference_loss_auc": f"{_HERE}.auc:REFERENCE_LOSS",
        "min_k_40_auc": f"{_HERE}.auc:MIN_K",
        "min_k_plus_plus_40_auc": f"{_HERE}.auc:MIN_K_PLUS_PLUS",
        "gradient_norm_auc": f"{_HERE}.auc:GRADIENT_NORM",
    },
)
