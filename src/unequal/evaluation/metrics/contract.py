"""What a metric is: a value for one probe from its record, or the reason why there is none."""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, isnan
from typing import TYPE_CHECKING, Literal

from unequal.facts.probes import PROBE_KINDS, Probe, ProbeKind

if TYPE_CHECKING:
    from unequal.scoring.log_probs import AnswerScore, ProbeScore

Kind = Literal["generation", "probability", "privacy"]
Direction = Literal["higher means known", "lower means known", "says nothing of knowledge"]
Need = Literal["generation", "samples", "scores", "moments", "reference", "gradient_norm"]
LARGEST_EXPONENT = 700.0  # exp of more has no finite float
OPEN_PROBES: tuple[ProbeKind, ...] = tuple(kind for kind in PROBE_KINDS if kind != "true_false")


@dataclass(frozen=True)
class ProbeRecord:
    """What a metric is computed from: a probe, the generated text, and the scores of its answers.

    Results of a pass that was not run are None.
    """

    probe: Probe
    """The prompt with its ``answer``, the ``accepted`` answers and the ``distractors``."""
    generation: str | None = None
    """The greedy text."""
    scores: "ProbeScore | None" = None
    """``right`` and ``wrong`` answers, each with ``log_probs``, ``(answer_tokens,)``, natural logarithm."""
    samples: tuple[str, ...] | None = None
    """Texts drawn at a temperature."""
    reference: "ProbeScore | None" = None
    """The scores under another model, which never saw the fact."""
    gradient_norm: float | None = None
    """Norm of the gradient of the answer's mean −log p, with respect to all parameters."""


class NoValueError(Exception):
    """Raised by a metric that has no value for a record, with the reason."""


@dataclass(frozen=True)
class Ignorance:
    """A model that knows none of the facts: its vocabulary, and how often its texts are right by luck."""

    vocabulary: int
    luck: float = 0.0


@dataclass(frozen=True)
class Chance:
    """What a model without knowledge scores: in words, and for a record where that can be computed.

    The level of a metric of texts holds for texts that do not depend on the fact, the level of one of
    probabilities for uniform logits.
    """

    words: str
    level: Callable[[ProbeRecord, Ignorance], float] | None = None


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric of one fact and probe: a function of a `ProbeRecord`, with its range and chance level.

    The decorator `metric` makes one from a function.
    """

    name: str
    """Its name in score tables."""
    kind: Kind
    """``generation``, ``probability`` or ``privacy``."""
    direction: Direction
    """Whether a higher or a lower value means that the fact is known."""
    low: float
    """The lowest possible value."""
    high: float
    """The highest possible value."""
    formula: str
    """The value, as text."""
    chance: Chance
    """What a model without knowledge scores."""
    source: str
    """Authors, year and paper."""
    value: Callable[[ProbeRecord], float]
    """The function; it raises `NoValueError` for a record without a value."""
    needs: tuple[Need, ...]
    """The passes it looks at, such as ``generation`` and ``scores``."""
    probes: tuple[ProbeKind, ...] = OPEN_PROBES
    """The kinds of probes it applies to."""
    variant: int | None = None
    """The variant of the probes it applies to; None means all."""

    def judges(self, probe: Probe) -> bool:
        """Return whether the metric is meant for such a probe."""
        return probe.kind in self.probes and self.variant in (None, probe.variant)


def generated(record: ProbeRecord) -> str:
    """Return the generated text of a record that has one."""
    if record.generation is None:
        raise NoValueError("the generation pass was not run")
    return record.generation


def sampled(record: ProbeRecord) -> tuple[str, ...]:
    """Return the sampled texts, at least one, of a record that has them."""
    if not record.samples:
        raise NoValueError("the sampling pass was not run")
    return record.samples


def scored(record: ProbeRecord) -> "ProbeScore":
    """Return the answer scores of a record that has them."""
    if record.scores is None:
        raise NoValueError("the probability pass was not run")
    return record.scores


def choices(record: ProbeRecord) -> "tuple[AnswerScore, tuple[AnswerScore, ...]]":
    """Return the scores of the right answer and of the wrong ones; there is at least one of these."""
    scores = scored(record)
    if not scores.wrong:
        raise NoValueError("the fact has no distractors")
    return scores.right, scores.wrong


def total_log_prob(score: "AnswerScore") -> float:
    """Return −S, the natural log-probability of a whole answer."""
    return number(float(score.log_probs.sum()))


def mean_log_prob(score: "AnswerScore") -> float:
    """Return −S/n, the mean natural log-probability of an answer's tokens."""
    return number(float(score.log_probs.mean()))


def finite_exp(exponent: float) -> float:
    """Return e to the power of the exponent, cut off where it would be infinite."""
    return exp(min(exponent, LARGEST_EXPONENT))


def number(value: float) -> float:
    """Return the value; raises `NoValueError` when it is none, as after weights have overflowed."""
    if isnan(value):
        raise NoValueError("a log-probability is not a number")
    return value
