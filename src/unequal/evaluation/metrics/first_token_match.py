"""First-token match: the generated text begins as an accepted answer does."""

from unequal.evaluation.metrics.chance import overlap
from unequal.evaluation.metrics.contract import Metric, ProbeRecord
from unequal.evaluation.metrics.text import compared


def first_token_match(record: ProbeRecord) -> float:
    """Return 1 if the first word of the generated text is the first word of an accepted answer, else 0.

    Tokens are normalised words, not the model's; what both copy from the prompt is taken away first.
    """
    pairs = (compared(record, answer) for answer in record.probe.accepted)
    return float(any(meant and said[:1] == meant[:1] for said, meant in pairs))


METRIC = Metric(
    name="first_token_match",
    kind="generation",
    direction="higher means known",
    low=0.0,
    high=1.0,
    formula="1 if the first word of the text is the first word of an accepted answer, else 0",
    chance=overlap(first_token_match),
    source="ours: the greedy side of first_token_prob, judged on text",
    value=first_token_match,
    needs=("generation",),
)
