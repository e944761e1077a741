"""Models that know nothing, as records of every pass: words stand for tokens, and a favourite for a model."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import log

import numpy as np

from unequal.evaluation.metrics.contract import Ignorance, ProbeRecord
from unequal.facts.probes import PROBE_KINDS, Probe, ProbeMaker, PromptFormat
from unequal.facts.schema import Fact
from unequal.scoring.log_probs import AnswerScore, ProbeScore
from unequal.seeds import random_stream

VOCABULARY = 1000
SURE = 0.9  # probability of the favourite's words; all other words share the rest
N_SAMPLES = 12


@dataclass(frozen=True)
class Null:
    """What it would say to each probe, whichever answer is right, and how often that is right by luck."""

    name: str
    text: Callable[[Probe], str]
    luck: Callable[[Probe], float] = lambda _: 0.0
    uniform: bool = False  # all words are equally probable, whatever is said


def answer_score(text: str, favourite: str | None) -> AnswerScore:
    """Return a score with as many tokens as the text has words; without a favourite logits are uniform."""
    words = text.split()
    n = len(words)
    if favourite is None:
        logs, ranks, ties = [-log(VOCABULARY)] * n, [0] * n, [VOCABULARY - 1] * n
        mean, deviation = -log(VOCABULARY), 0.0
    else:
        said = favourite.split() + [""] * n
        hits = [word == said[place] for place, word in enumerate(words)]
        rest = log((1 - SURE) / (VOCABULARY - 1))
        logs = [log(SURE) if hit else rest for hit in hits]
        ranks, ties = [int(not hit) for hit in hits], [0 if hit else VOCABULARY - 2 for hit in hits]
        mean = SURE * log(SURE) + (1 - SURE) * rest
        deviation = (SURE * (log(SURE) - mean) ** 2 + (1 - SURE) * (rest - mean) ** 2) ** 0.5
    return AnswerScore(
        np.array(logs), np.array(ranks), np.array(ties), np.full(n, mean), np.full(n, deviation)
    )


def probe_score(probe: Probe, favourite: str | None) -> ProbeScore:
    """Return the scores of the probe's answer and distractors."""
    right, *wrong = (answer_score(text, favourite) for text in (probe.answer, *probe.distractors))
    return ProbeScore(probe, right, tuple(wrong))


def record_of(null: Null, probe: Probe) -> ProbeRecord:
    """Return the record of every pass; the reference model has uniform logits."""
    text = null.text(probe)
    return ProbeRecord(
        probe,
        generation=text,
        scores=probe_score(probe, None if null.uniform else text),
        samples=(text,) * N_SAMPLES,
        reference=probe_score(probe, None),
        gradient_norm=1.0,
    )


def with_other_answers(record: ProbeRecord) -> list[ProbeRecord]:
    """Return the record as it were if each of the probe's wrong answers were the right one."""
    assert record.scores is not None
    assert record.reference is not None
    texts = (record.probe.answer, *record.probe.distractors)
    return [
        replace(
            record,
            probe=(probe := _turned(record.probe, texts[turn:] + texts[:turn])),
            scores=_turned_scores(record.scores, probe, turn),
            reference=_turned_scores(record.reference, probe, turn),
        )
        for turn in range(1, len(texts))
    ]


def _turned(probe: Probe, texts: tuple[str, ...]) -> Probe:
    return replace(probe, answer=texts[0], accepted=texts[:1], distractors=texts[1:])


def _turned_scores(scores: ProbeScore, probe: Probe, turn: int) -> ProbeScore:
    answers = (scores.right, *scores.wrong)
    right, *wrong = answers[turn:] + answers[:turn]
    return ProbeScore(probe, right, tuple(wrong))


def probes_of(facts: Sequence[Fact]) -> list[Probe]:
    """Return one probe of each kind for each fact."""
    maker = ProbeMaker(facts, PromptFormat())
    return [probe for fact in facts for probe in maker.probes(fact, PROBE_KINDS)]


def null_models(facts: Sequence[Fact]) -> dict[str, Null]:
    """Return the null models that every metric must give chance."""
    relation = {fact.fact_id: fact.relation for fact in facts}
    probes = probes_of(facts)

    def group(probe: Probe) -> tuple[str, str]:
        return relation[probe.fact_id], probe.kind

    answers: dict[tuple[str, str], Counter[str]] = {}
    for probe in probes:
        answers.setdefault(group(probe), Counter())[probe.answer] += 1
    most_frequent = {key: counted.most_common(1)[0][0] for key, counted in answers.items()}
    accepted = Counter(group(probe) for probe in probes if most_frequent[group(probe)] in probe.accepted)

    def first_choice(probe: Probe) -> str:
        """The right answer stands first as often as each other one does; of true and false it is true."""
        if probe.kind == "true_false":
            return "True"
        choices = (probe.answer, *probe.distractors)
        return random_stream(0, "first", probe.fact_id, probe.kind).choice(choices)

    nulls = [
        Null("empty", lambda _: ""),
        Null("echo", lambda probe: probe.prompt),
        Null("always True", lambda _: "True"),
        Null("first choice", first_choice, lambda probe: 1 / (1 + len(probe.distractors))),
        Null("uniform logits", lambda _: "!", uniform=True),
        Null(
            "most frequent",
            lambda probe: most_frequent[group(probe)],
            lambda probe: accepted[group(probe)] / answers[group(probe)].total(),
        ),
    ]
    return {null.name: null for null in nulls}


def ignorance(null: Null, probe: Probe) -> Ignorance:
    """Return what the chance level of a metric is told of the model."""
    return Ignorance(VOCABULARY, null.luck(probe))
