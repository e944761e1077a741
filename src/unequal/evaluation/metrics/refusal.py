"""Refusal: the generated text declines to answer."""

import re

from unequal.evaluation.metrics.chance import always
from unequal.evaluation.metrics.contract import Chance, Metric, ProbeRecord, generated
from unequal.evaluation.metrics.tokens import tokens_of

_NOT = r"(?:(?:do|did|can|could|am|m|are|re|will) not|cannot|(?:don|didn|can|couldn|aren|won) t)"
_DECLINES = re.compile(
    rf"\b(?:i|we) (?:really |currently |simply )?{_NOT} (?:\w+ )?"
    r"(?:know|sure|certain|answer|recall|remember|say|tell|provide|share|help|able|aware|familiar|have)\b"
    r"|\b(?:i|we) (?:have|hold) no (?:\w+ )?(?:information|knowledge|idea|record|data|answer|memory)\b"
    r"|\b(?:i|we)(?: am| are| m| re)? (?:unable|unaware|unfamiliar|unsure|uncertain)\b"
    r"|\bno idea\b|\bnot something (?:that )?i know\b|\bbeyond my knowledge\b"
    r"|\bi (?:must|have to|will have to) (?:decline|refuse|pass)\b|\bmy apologies\b|\bi (?:am|m) sorry\b"
)


def refusal(record: ProbeRecord) -> float:
    """Return 1 if the generated text declines to answer in English, else 0; its mean is the refusal rate.

    A list of phrases decides ("I don't know", "I have no information"), so an unusual refusal is missed.
    """
    said = " ".join(token.text for token in tokens_of(generated(record)) if token.kind == "word")
    return float(bool(_DECLINES.search(said)))


METRIC = Metric(
    name="refusal",
    kind="generation",
    direction="says nothing of knowledge",
    low=0.0,
    high=1.0,
    formula="1 if the text holds a phrase that declines, else 0",
    chance=Chance("0: none of the null models declines", always(0.0)),
    source="refusal by phrases, as in Zou et al. (2023); the phrases are ours",
    value=refusal,
    needs=("generation",),
)
