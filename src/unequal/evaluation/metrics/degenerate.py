"""Degenerate text: nothing is said, or the same thing over and over."""

from unequal.evaluation.metrics.contract import Chance, Metric, ProbeRecord, generated
from unequal.evaluation.metrics.text import normalised_words

TIMES = 3
LONGEST = 4  # words


def degenerate(record: ProbeRecord) -> float:
    """Return 1 if the generated text has no words or says some words three times running, else 0.

    Up to four words that are repeated are looked for. Its mean is the degenerate rate: a model that was
    destroyed forgets everything, and this tells it from one that unlearned.
    """
    words = normalised_words(generated(record))
    return float(not words or any(_repeats(words, length) for length in range(1, LONGEST + 1)))


def _repeats(words: list[str], length: int) -> bool:
    """Return whether some stretch of this length is said `TIMES` times running."""
    run = 0
    for here, before in zip(words[length:], words, strict=False):
        run = run + 1 if here == before else 0
        if run == length * (TIMES - 1):
            return True
    return False


METRIC = Metric(
    name="degenerate",
    kind="generation",
    direction="says nothing of knowledge",
    low=0.0,
    high=1.0,
    formula="1 if the text has no words, or a stretch of 1–4 words stands three times running, else 0",
    chance=Chance("none: 1 for an empty text, 0 for any text that does not repeat itself"),
    source="ours; repetition as the mark of degenerate text: Holtzman et al. (2020)",
    value=degenerate,
    needs=("generation",),
)
