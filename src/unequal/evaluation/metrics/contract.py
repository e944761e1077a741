"""What a metric is: a value for one probe from its record, or the reason why there is none."""

from collections.abc import Callable
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Literal

from unequal.facts.probes import PROBE_KINDS, Probe, ProbeKind

if TYPE_CHECKING:
    from unequal.scoring.log_probs import ProbeScore

Kind = Literal["generation", "probability"]
Direction = Literal["higher means known", "lower means known"]
OPEN_PROBES: tuple[ProbeKind, ...] = tuple(kind for kind in PROBE_KINDS if kind != "true_false")


@dataclass(frozen=True)
class ProbeRecord:
    """One probe's results of the two passes; a pass that was not run is None."""

    probe: Probe
    generation: str | None = None
    scores: "ProbeScore | None" = None


class NoValueError(Exception):
    """Raised by a metric that cannot be computed for a record, with the reason."""


@dataclass(frozen=True)
class Metric:
    """A named function of a record, and what a reader must know of its values."""

    name: str
    kind: Kind
    direction: Direction
    low: float
    high: float
    chance: str
    source: str
    value: Callable[[ProbeRecord], float]
    probes: tuple[ProbeKind, ...] = OPEN_PROBES
    variant: int | None = None  # of the probes it applies to; None means all

    def applies_to(self, record: ProbeRecord) -> bool:
        """Return whether the record is of a probe and pass that the metric judges."""
        ran = record.generation if self.kind == "generation" else record.scores
        return (
            ran is not None
            and record.probe.kind in self.probes
            and self.variant in (None, record.probe.variant)
        )


def generated(record: ProbeRecord) -> str:
    """Return the generated text of a record that has one."""
    if record.generation is None:
        raise NoValueError("the generation pass was not run")
    return record.generation


def scored(record: ProbeRecord) -> "ProbeScore":
    """Return the answer scores of a record that has them."""
    if record.scores is None:
        raise NoValueError("the probability pass was not run")
    return record.scores


def number(value: float) -> float:
    """Return the value; raises `NoValueError` when it is none, as after weights have overflowed."""
    if isnan(value):
        raise NoValueError("a log-probability is not a number")
    return value
