"""Records of models that know facts, that do not, and of chance; words stand for tokens."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from unequal.evaluation.metrics.contract import Need, ProbeRecord
from unequal.facts.probes import PROBE_KINDS, Probe, ProbeMaker, PromptFormat
from unequal.facts.world.world import WorldSettings, build_world
from unequal.scoring.log_probs import AnswerScore, ProbeScore

LogProb = Callable[[str], float]
N_PEOPLE = 12


@cache
def probes() -> tuple[Probe, ...]:
    """Return probes of every kind of the facts of some fictitious people."""
    facts = build_world(WorldSettings(seed=5, n_distractors=3), N_PEOPLE).facts()
    maker = ProbeMaker(facts, PromptFormat(), n_variants=2)
    return tuple(probe for fact in facts for probe in maker.probes(fact, PROBE_KINDS))


def scores_of(probe: Probe, log_prob_of_token: LogProb) -> ProbeScore:
    """Return scores with as many tokens as words, each with a log-probability of its own."""

    def answer(text: str) -> AnswerScore:
        logs = np.array([float(log_prob_of_token(word)) for word in text.split()])
        ranks = np.where(np.isnan(logs), 0, -logs * 20).astype(np.int64)
        return AnswerScore(logs, ranks, 0 * ranks, np.full(len(logs), -2.0), np.full(len(logs), 1.5))

    return ProbeScore(probe, answer(probe.answer), tuple(answer(text) for text in probe.distractors))


def record_of(probe: Probe, text: str, log_prob_of_token: LogProb, norm: float = 1.0) -> ProbeRecord:
    """Return a record of every pass; the reference model gives every word the same."""
    return ProbeRecord(
        probe,
        generation=text,
        scores=scores_of(probe, log_prob_of_token),
        samples=(text,) * 12,
        reference=scores_of(probe, lambda _: -2.0),
        gradient_norm=norm,
    )


def record_that(probe: Probe, knows: bool) -> ProbeRecord:
    """Return the record of a model that knows the fact, or of one that takes a wrong answer for right."""
    words = set((probe.answer if knows else " ".join(probe.distractors)).split())
    text = probe.answer if knows else "nothing of the kind"
    return record_of(probe, text, lambda word: -0.04 if word in words else -6.0, 0.1 if knows else 2.0)


def random_records() -> Iterator[ProbeRecord]:
    """Yield records of random texts and log-probabilities; the first text is a refusal."""
    stream = random.Random(1)
    for place, probe in enumerate(probes()):
        words = stream.choices([*probe.answer.split(), "no", "of", "of", "."], k=stream.randint(0, 9))
        text = " ".join(words) if place else "I do not know the answer."
        yield record_of(probe, text, lambda _: -abs(stream.gauss(0, 5)), norm=stream.random())


def without(record: ProbeRecord, need: Need) -> ProbeRecord:
    """Return the record without what a pass gives."""
    if need != "moments":
        missing: dict[str, Any] = {need: None}
        return replace(record, **missing)
    assert record.scores is not None  # noqa: S101  every record here has them
    right = replace(record.scores.right, means=None, deviations=None)
    return replace(record, scores=replace(record.scores, right=right))
