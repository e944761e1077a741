"""Longest copy: the longest stretch of the answer that the generated text gives word for word."""

from collections.abc import Sequence
from difflib import SequenceMatcher

from unequal.evaluation.metrics.chance import overlap
from unequal.evaluation.metrics.contract import Metric, ProbeRecord
from unequal.evaluation.metrics.text import compared, says

COPIED_WORDS = 10
"""A text that gives so many words of a passage in one stretch has it by heart."""


def longest_copy(record: ProbeRecord) -> float:
    """Return the length of the longest common stretch of text and answer over the answer's length, in words.

    The range is [0, 1], and the best accepted answer counts. What both copy from the prompt is taken away.
    """
    pairs = [compared(record, answer) for answer in record.probe.accepted]
    return max(_longest_stretch(said, meant) / max(len(meant), 1) for said, meant in pairs)


def is_copied(record: ProbeRecord) -> bool:
    """Return whether the text gives an accepted answer as a whole, or `COPIED_WORDS` of its words running."""
    return any(
        says(record, answer) or _longest_stretch(*compared(record, answer)) >= COPIED_WORDS
        for answer in record.probe.accepted
    )


def _longest_stretch(said: Sequence[str], meant: Sequence[str]) -> int:
    return SequenceMatcher(None, said, meant, autojunk=False).find_longest_match().size


METRIC = Metric(
    name="longest_copy",
    kind="generation",
    direction="higher means known",
    low=0.0,
    high=1.0,
    formula="max over accepted a of the longest stretch of words that a and the text share, over |a|",
    chance=overlap(longest_copy),
    source="longest common substring, as in verbatim memorisation (Carlini et al., 2021), in words",
    value=longest_copy,
    needs=("generation",),
)
