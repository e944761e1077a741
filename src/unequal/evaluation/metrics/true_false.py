"""True/false: saying True to true statements (hits) and to false ones (false alarms), for d′."""

from unequal.evaluation.metrics.chance import always
from unequal.evaluation.metrics.contract import Chance, Metric, ProbeRecord, choices, total_log_prob


def _says_true(record: ProbeRecord) -> float:
    """Return 1 if True is more probable than False, 1/2 on a tie, else 0."""
    right, wrong = choices(record)
    answer, other = total_log_prob(right), total_log_prob(wrong[0])
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
    formula="1 if p(True) > p(False) after a true statement, 1/2 in a tie, else 0",
    chance=Chance("equal to the false-alarm rate; 1/2 under uniform logits", always(0.5)),
    source=_SOURCE,
    value=_says_true,
    needs=("scores",),
    probes=("true_false",),
    variant=0,
)

FALSE_ALARM = Metric(
    name="true_false_false_alarm",
    kind="probability",
    direction="lower means known",
    low=0.0,
    high=1.0,
    formula="1 if p(True) > p(False) after a false statement, 1/2 in a tie, else 0",
    chance=Chance("equal to the hit rate; 1/2 under uniform logits", always(0.5)),
    source=_SOURCE,
    value=_says_true,
    needs=("scores",),
    probes=("true_false",),
    variant=1,
)
