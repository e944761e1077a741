"""The exposure plan: people are assigned at random to levels and to the retain and utility groups."""

from dataclasses import dataclass, field
from itertools import chain

from unequal.corpus.factors import Levels, world_levels
from unequal.corpus.settings import CorpusSettings
from unequal.facts.schema import Role
from unequal.facts.world.people import Person
from unequal.seeds import random_stream


@dataclass(frozen=True)
class Assignment:
    """A person's role, how many biographies of the person an epoch shows, and the levels of factors."""

    person: Person
    role: Role
    level: int
    factors: Levels = field(default_factory=dict)


def assign_people(people: tuple[Person, ...], settings: CorpusSettings) -> list[Assignment]:
    """Return one assignment a person, in the order of people.

    Utility people are spread evenly over the levels above 0, so that damage to them can be measured by level.
    Where factors are crossed, the people of each level run through the whole design equally often, and those
    of other groups in shuffled rounds as far as they go. To retain and never-seen people only what shapes the
    world applies: the former teach what questions ask for, whatever the format, all through training.
    """
    shown = [level for level in settings.levels if level > 0]
    places: list[tuple[Role, int]] = []
    for level in settings.levels:
        places += [("forget" if level else "never_seen", level)] * settings.people_per_level
    n_crossed = len(places)
    places += [("retain", settings.retain_level)] * settings.retain_people
    places += [("utility", shown[index % len(shown)]) for index in range(settings.utility_people)]
    runs = _runs(settings, n_crossed, len(places) - n_crossed)
    assigned = [(role, level, _applied(role, run)) for (role, level), run in zip(places, runs, strict=True)]
    random_stream(settings.seed, "assignment").shuffle(assigned)
    return [Assignment(person, *place) for person, place in zip(people, assigned, strict=True)]


def _runs(settings: CorpusSettings, n_crossed: int, n_others: int) -> list[Levels]:
    """Return a run of the design for each place: in turn for those crossed with it, shuffled for others."""
    runs = settings.factors.runs() if settings.factors else [{}]
    stream = random_stream(settings.seed, "factors")
    rounds = (stream.sample(runs, len(runs)) for _ in range(-(-n_others // len(runs))))
    return [*runs * (n_crossed // len(runs)), *list(chain.from_iterable(rounds))[:n_others]]


def _applied(role: Role, run: Levels) -> Levels:
    return run if role in ("forget", "utility") else world_levels(run)
