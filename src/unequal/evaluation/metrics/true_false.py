"""True/false: saying True to true statements (hits) and to false ones (false alarms), for d′."""

from unequal.evaluation.metrics.contract import Metric, ProbeRecord, number, scored


def _says_true(record: ProbeRecord) -> float:
    """Return 1 if True is more probable than False, 1/2 on a tie, else 0."""
    scores = scored(record)
    answer, other = (number(float(s.log_probs.sum())) for s in (scores.right, scores.wrong[0]))
    if answer == other:
        return 0.5
    prefers_answer = answer > other
    return float(prefers_answer == (record.probe.answer == "True"))


_SOURCE = "signal detection: d′ = z(hits) − z(false alarms) over facts (Green and Swets, 1966)"

HIT = Metric(
    name="true_false_hit",
    kind="probability",
    direction="higher means known",
    low=0.0,
    high=1.0,
    chance="equal to the false-alarm rate",
    source=_SOURCE,
    value=_says_true,
    probes=("true_false",),
    variant=0,
)

FALSE_ALARM = Metric(
    name="true_false_false_alarm",
    kind="probability",
    direction="lower means known",
    low=0.0,
    high=1.0,
    chance="equal to the hit rate",
    source=_SOURCE,
    value=_says_true,
    probes=("true_false",),
    variant=1,
)
