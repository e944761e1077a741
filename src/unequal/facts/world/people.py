"""Fictitious people with unique names and one object for each relation."""

from dataclasses import dataclass
from math import ceil, prod
from random import Random

from unequal.errors import ConfigError
from unequal.facts.world.relations import load_relation, load_vocabulary
from unequal.seeds import random_stream

NAMES_PER_PERSON = 4  # distinct names available for each person, so that single names are shared widely
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
DAYS, YEARS = (1, 28), (1940, 1999)
N_DATES = len(MONTHS) * DAYS[1] * (YEARS[1] - YEARS[0] + 1)


@dataclass(frozen=True)
class Person:
    """A fictitious person: a unique name and the object of each relation, in plain or long form."""

    person_id: str
    name: str
    objects: dict[str, str]
    long_objects: bool = False


def draw_people(n_people: int, relations: tuple[str, ...], seed: int) -> list[Person]:
    """Return ``n_people`` people with unique names; a person's objects differ from one another."""
    names = _draw_names(n_people, random_stream(seed, "names"))
    width = max(5, len(str(n_people)))
    people = []
    for index, name in enumerate(names):
        stream = random_stream(seed, "objects", index)
        objects: dict[str, str] = {}
        for relation in relations:
            objects[relation] = draw_object(relation, stream, exclude=set(objects.values()))
        people.append(Person(f"p{index:0{width}d}", name, objects))
    return people


def draw_object(relation: str, stream: Random, exclude: set[str], long: bool = False) -> str:
    """Return a random object of the relation's type that is not excluded, in long form if requested.

    Long objects also differ from the excluded ones before their ending.
    """
    while True:
        drawn = _draw_from(load_relation(relation).vocabulary, stream)
        if drawn in exclude:
            continue
        if not long:
            return drawn
        if not any(other.startswith(f"{drawn} ") for other in exclude):
            return _lengthened(drawn, relation, stream)


def _lengthened(drawn: str, relation: str, stream: Random) -> str:
    """Return the object with an ending; raises `ConfigError` when the relation's objects have none."""
    form = load_relation(relation)
    if form.long_object is None or form.long_parts is None:
        raise ConfigError(f"relation {relation}: its objects have no long form")
    parts = [part for part in load_vocabulary(form.long_parts) if part != drawn]
    return form.long_object.replace("{object}", drawn).replace("{part}", stream.choice(parts))


def _draw_from(vocabulary: str, stream: Random) -> str:
    if vocabulary == "dates":
        return f"{stream.choice(MONTHS)} {stream.randint(*DAYS)}, {stream.randint(*YEARS)}"
    return stream.choice(load_vocabulary(vocabulary))


def _draw_names(n_people: int, stream: Random) -> list[str]:
    """Return unique names of first and last name, with middle names if there are too few combinations.

    A small world uses only part of each list, so that the words of every name, also of never-seen people,
    occur in the names of others.
    """
    lists = [load_vocabulary("first_names"), load_vocabulary("last_names")]
    while prod(map(len, lists)) < n_people:
        if len(lists) == 5:
            raise ConfigError(
                f"people: at most {prod(map(len, lists)):,} have unique names, not {n_people:,}"
            )
        lists.insert(1, load_vocabulary("middle_names"))
    share = min(1.0, (NAMES_PER_PERSON * n_people / prod(map(len, lists))) ** (1 / len(lists)))
    used = [stream.sample(names, min(len(names), ceil(len(names) * share))) for names in lists]
    n_names = prod(map(len, used))
    return [_name_at(index, used) for index in stream.sample(range(n_names), n_people)]


def _name_at(index: int, lists: list[list[str]]) -> str:
    parts = []
    for names in lists:
        index, position = divmod(index, len(names))
        parts.append(names[position])
    return " ".join(parts)
