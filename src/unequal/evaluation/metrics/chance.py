"""Chance levels that several metrics share."""

from collections.abc import Callable
from dataclasses import replace
from math import log

from unequal.evaluation.metrics.contract import Chance, Ignorance, ProbeRecord, scored


def luck(_record: ProbeRecord, model: Ignorance) -> float:
    """Return how often the model's texts are right by luck."""
    return model.luck


def luck_and_overlap(value: Callable[[ProbeRecord], float]) -> Callable[[ProbeRecord, Ignorance], float]:
    """Return the level of a metric with partial credit: a wrong answer of the same type shares words."""

    def level(record: ProbeRecord, model: Ignorance) -> float:
        others = record.probe.distractors
        if model.luck == 0.0 or not others:
            return model.luck
        shared = sum(value(replace(record, generation=text)) for text in others) / len(others)
        return model.luck + (1 - model.luck) * shared

    return level


def one_token(_record: ProbeRecord, model: Ignorance) -> float:
    """Return the probability of one token under uniform logits."""
    return 1.0 / model.vocabulary


def n_tokens(record: ProbeRecord) -> int:
    """Return how many tokens the right answer has."""
    return len(scored(record).right.log_probs)


def nats_per_token(_record: ProbeRecord, model: Ignorance) -> float:
    """Return −log p of a token under uniform logits."""
    return log(model.vocabulary)


def one_choice(record: ProbeRecord, _model: Ignorance) -> float:
    """Return the share of one of the choices."""
    return 1.0 / (1 + len(scored(record).wrong))


def always(value: float) -> Callable[[ProbeRecord, Ignorance], float]:
    """Return a level that is the same for every record and model."""
    return lambda _record, _model: value


NO_OVERLAP = Chance("0 for a text without the answer; the base rate of a constant answer", luck)


def overlap(value: Callable[[ProbeRecord], float]) -> Chance:
    """Return the chance of a metric with partial credit."""
    words = "0 for a text that is no answer; for a constant answer its base rate, and the words it shares"
    return Chance(words, luck_and_overlap(value))
