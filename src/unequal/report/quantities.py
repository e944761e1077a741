"""Names of quantities, one each for sentences, axes, tables and legends; differences are in points."""

from unequal.analysis.claims import C1, C2, C4
from unequal.analysis.effects.dose_response import ANSWER, EVERYTHING, NOTHING, START
from unequal.analysis.units import POINTS

FORGOTTEN = "forgotten share"
PER_DOUBLING = C1.unit
PER_TENFOLD = C2.unit.removesuffix(", adjusted")
HIDDEN, NEVER_SEEN_SHARE, ABOVE_NEVER_SEEN = "hidden share", "never-seen share", C4.unit
UTILITY_KEPT, UTILITY_LOST = "utility kept", "utility lost"
BY_GENERATION, MOST_PROBABLE = "right by generation", "right answer the most probable of its type"
ANSWER_PROBABILITY = "probability of the right answer"
ADJUSTED = {
    NOTHING: "not adjusted",
    START: "adjusted for starting log-probability",
    ANSWER: "adjusted for relation, answer tokens and object rarity",
    EVERYTHING: "adjusted for all of these",
}


def with_points(name: str) -> str:
    """Return the name of a difference with its unit, as axes and columns show it."""
    return f"{name} ({POINTS})"


def heading(name: str) -> str:
    """Return a name as the heading of a column."""
    return name[:1].upper() + name[1:]
