"""The definition of counts of the scan: matches, pairs and distances."""

from dataclasses import dataclass
from typing import Literal

from unequal.counting.characters import Spelling
from unequal.counting.normalise import NORMAL_FORM

WindowUnit = Literal["words", "characters"]
Distance = Literal["start", "gap"]
Nested = Literal["all", "longest"]
Case = Literal["fold", "exact", "acronyms"]


@dataclass(frozen=True, slots=True)
class Definition:
    """The definition of counts; counts can be compared only if all fields are equal.

    `window` is the largest distance of a pair in `window_unit`, from start to start or, with `gap`, between
    the end of one and the start of the other. With `nested` = `all`, a name inside a longer name of any
    entity counts; with `longest`, only the leftmost-longest of overlapping names counts. `case` selects the
    names that are case-sensitive: those a fact lists (`fold`), these and names in capitals (`acronyms`), or
    all (`exact`). `spelling` is `loose` if all dashes are equal and all apostrophes are, else `exact`.
    """

    window: int = 100
    window_unit: WindowUnit = "words"
    distance: Distance = "start"
    nested: Nested = "all"
    case: Case = "fold"
    repeated: Literal["count", "once"] = "count"
    spelling: Spelling = "loose"
    text_key: str = "text"

    def __str__(self) -> str:
        case = {
            "fold": NORMAL_FORM,
            "exact": f"{NORMAL_FORM}, case as written",
            "acronyms": f"{NORMAL_FORM}, names in capitals as written",
        }[self.case]
        spelling = {"loose": "dashes and apostrophes alike", "exact": "spelling as written"}[self.spelling]
        nested = {"all": "all occurrences", "longest": "leftmost-longest of all names"}[self.nested]
        distance = {"start": "start-to-start", "gap": "gap in"}[self.distance]
        documents = {"count": "", "once": ", repeated documents once"}[self.repeated]
        return (
            f"{case}, {spelling}, whole words, {nested}, overlapping aliases merged,"
            f" {distance} {self.window_unit} <= {self.window}{documents}, text key {self.text_key}"
        )
