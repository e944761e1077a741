"""The exposure plan: people are assigned at random to levels and to the retain and utility groups."""

from dataclasses import dataclass

from unequal.corpus.settings import CorpusSettings
from unequal.facts.schema import Role
from unequal.facts.world.people import Person
from unequal.seeds import random_stream


@dataclass(frozen=True)
class Assignment:
    """A person's role, and how many biographies of the person an epoch shows."""

    person: Person
    role: Role
    level: int


def assign_people(people: tuple[Person, ...], settings: CorpusSettings) -> list[Assignment]:
    """Return one assignment a person, in the order of people.

    Utility people are spread evenly over the levels above 0, so that damage to them can be told by level.
    """
    shown = [level for level in settings.levels if level > 0]
    places: list[tuple[Role, int]] = []
    for level in settings.levels:
        places += [("forget" if level else "never_seen", level)] * settings.people_per_level
    places += [("retain", settings.retain_level)] * settings.retain_people
    places += [("utility", shown[index % len(shown)]) for index in range(settings.utility_people)]
    random_stream(settings.seed, "assignment").shuffle(places)
    return [Assignment(person, role, level) for person, (role, level) in zip(people, places, strict=True)]
