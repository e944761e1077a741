"""World factors: how many facts a person has, and how long and how common the answers are."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from unequal.corpus.assignment import Assignment
from unequal.corpus.factors import FactorSettings
from unequal.corpus.settings import ExposureSettings, Wording
from unequal.facts.world.people import N_DATES, Person, draw_object
from unequal.facts.world.relations import load_relation, load_vocabulary
from unequal.facts.world.world import World, WorldSettings
from unequal.seeds import random_stream

Common = dict[tuple[str, bool], list[str]]
"""The common objects of each relation, short and long ones."""


def shape_world(world: World, plan: Sequence[Assignment], factors: FactorSettings) -> World:
    """Return the world with each person's facts as the plan's levels have it; names stay.

    Objects depend on the world's seed, the person and the person's levels alone. A person's objects are all
    common, from few that many share, or all rare, from the others; all long or all short.
    """
    common = _common_objects(world.settings, factors)
    people = [_shaped(world.settings, one, index, factors, common) for index, one in enumerate(plan)]
    return replace(world, people=tuple(people))


def factor_problem(settings: ExposureSettings, world: WorldSettings) -> str | None:
    """Return why the factors cannot be crossed in that world, or None."""
    factors = settings.factors
    if factors is None:
        return None
    if "facts_per_person" in factors.cross and factors.few_facts >= len(world.relations):
        return (
            f"factors.few_facts {factors.few_facts} must be less than the {len(world.relations)} relations of"
            " the world"
        )
    if "answer_length" in factors.cross:
        plain = [name for name in world.relations if load_relation(name).long_object is None]
        if plain:
            return (
                f"factors.cross: objects of {', '.join(plain)} have one length; leave answer_length out of"
                " cross, or the relation out of world.relations"
            )
    return _too_common(factors, world)


def crossing_problem(
    settings: ExposureSettings, world: WorldSettings, wordings: Sequence[Wording], targets: Sequence[str]
) -> str | None:
    """Return why a study of these wording arms and targets cannot cross the factors, or None."""
    factors = settings.factors
    if factors is None:
        return None
    if tuple(wordings) != ("rerendered",):
        return 'corpus.factors vary the wording themselves; leave wordings at ["rerendered"]'
    if problem := factor_problem(settings, world):
        return f"corpus.{problem}"
    kept = world.relations[: factors.few_facts]
    for index, relation in enumerate(targets):
        if "facts_per_person" in factors.cross and relation in world.relations and relation not in kept:
            return (
                f"targets.{index}.relation '{relation}' is not known of people of few facts"
                f" ({', '.join(kept)}); put it first among world.relations, or raise corpus.factors.few_facts"
            )
    return None


def _too_common(factors: FactorSettings, world: WorldSettings) -> str | None:
    """Return why so many common objects leave no rare ones, or None."""
    if "object_popularity" not in factors.cross:
        return None
    lengths = 2 if "answer_length" in factors.cross else 1
    used = Counter(load_relation(name).vocabulary for name in world.relations)
    for vocabulary, n_relations in used.items():
        n_objects = len(load_vocabulary(vocabulary)) if vocabulary != "dates" else N_DATES
        most = n_objects // (2 * n_relations * lengths)
        if factors.common_objects > most:
            return (
                f"factors.common_objects {factors.common_objects} leaves too few rare {vocabulary}; set it to"
                f" at most {most}"
            )
    return None


def _common_objects(world: WorldSettings, factors: FactorSettings) -> Common:
    """Return the common objects; no two relations or lengths share one, nor what stands before an ending."""
    if "object_popularity" not in factors.cross:
        return {}
    lengths = (False, True) if "answer_length" in factors.cross else (False,)
    common: Common = {}
    for relation in world.relations:
        for long in lengths:
            stream = random_stream(world.seed, "common", relation, str(long))
            drawn: list[str] = []
            for _ in range(factors.common_objects):
                taken = {*drawn, *_all(common)}
                drawn.append(draw_object(relation, stream, taken, long))
            common[relation, long] = drawn
    return common


def _all(common: Common) -> set[str]:
    return {item for items in common.values() for item in items}


def _shaped(
    world: WorldSettings, assigned: Assignment, index: int, factors: FactorSettings, common: Common
) -> Person:
    long = assigned.factors.get("answer_length") == "long"
    popularity = assigned.factors.get("object_popularity", "")
    stream = random_stream(world.seed, "shaped objects", index, popularity, str(long))
    few = assigned.factors.get("facts_per_person") == "few"
    objects: dict[str, str] = {}
    for relation in world.relations[: factors.few_facts] if few else world.relations:
        if popularity == "common":
            objects[relation] = stream.choice(common[relation, long])
        else:
            taken = {*objects.values(), *_all(common)}
            objects[relation] = draw_object(relation, stream, taken, long)
    return replace(assigned.person, objects=objects, long_objects=long)
