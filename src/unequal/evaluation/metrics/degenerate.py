"""Degenerate text: nothing is said, or the same thing over and over."""

from unequal.counting.words import is_spaceless
from unequal.evaluation.metrics.contract import Chance, Metric, ProbeRecord, generated
from unequal.evaluation.metrics.tokens import tokens_of

TIMES = 3
LONGEST = 4  # words
LETTER = 0.5  # words that a letter of a script without spaces stands for
LONGEST_STRETCH = round(LONGEST / LETTER)


def degenerate(record: ProbeRecord) -> float:
    """Return 1 if the generated text has no words or says some words three times running, else 0.

    Up to four words that are repeated are looked for, two letters of a script without spaces being one; a
    symbol is a word where there are no others. Its mean is the degenerate rate: a model that was
    destroyed forgets everything, and this tells it from one that unlearned.
    """
    tokens = tokens_of(generated(record))
    words = [token.text for token in tokens if token.kind == "word"] or [
        token.text for token in tokens if token.kind == "sign"
    ]
    return float(not words or any(_repeats(words, length) for length in range(1, LONGEST_STRETCH + 1)))


def _repeats(words: list[str], length: int) -> bool:
    """Return whether some stretch of this length, 1 to `LONGEST` words, is said `TIMES` times running."""
    run = 0
    for place, (here, before) in enumerate(zip(words[length:], words, strict=False), start=length + 1):
        run = run + 1 if here == before else 0
        if run >= length * (TIMES - 1) and 1 <= sum(map(_size, words[place - length : place])) <= LONGEST:
            return True
    return False


def _size(word: str) -> float:
    return LETTER if not word.isascii() and is_spaceless(word[0]) else 1.0


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
