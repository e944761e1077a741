"""Targets: which facts are forgotten, held on to, and evaluated, and in which role."""

from collections import Counter

import pytest

from unequal.errors import ConfigError
from unequal.facts.schema import Fact
from unequal.unlearning.settings import TargetSettings
from unequal.unlearning.targets import select_target

RELATIONS = ("city", "job", "school")
GROUPS = [("forget", 1, 5), ("forget", 4, 5), ("forget", 16, 5), ("never_seen", 0, 5), ("retain", 2, 8)]
UTILITY = [("utility", 1, 4), ("utility", 4, 4), ("utility", 16, 4)]


@pytest.fixture(scope="module")
def facts():
    people = [place for place in [*GROUPS, *UTILITY] for _ in range(place[2])]
    return [
        Fact(
            fact_id=f"p{number}:{relation}", subject=f"Person {number}", relation=relation, object="x",
            question="?", answer="x", role=role, exposure=10 * level, level=level,
        )
        for number, (role, level, _) in enumerate(people)
        for relation in RELATIONS
    ]  # fmt: skip


def select(facts, relation="city", level="mixed", facts_per_role=6, seed=0):
    return select_target(facts, TargetSettings(relation=relation, level=level), facts_per_role, seed)


def level(fact):
    return fact.model_extra["level"]


def evaluated(target, role):
    return target.facts.of_role(role)


def test_a_level_is_forgotten_in_one_relation_alone(facts):
    target = select(facts, level=4)
    assert len(target.forget) == 5
    assert {(fact.relation, level(fact)) for fact in target.forget} == {("city", 4)}


def test_a_mixed_target_is_all_levels_above_zero(facts):
    target = select(facts)
    assert Counter(level(fact) for fact in target.forget) == {1: 5, 4: 5, 16: 5}
    assert {fact.relation for fact in target.forget} == {"city"}


@pytest.mark.parametrize("chosen", [4, "mixed"])
def test_each_role_holds_what_its_name_says(facts, chosen):
    target = select(facts, level=chosen)
    assert [fact.fact_id for fact in evaluated(target, "forget")] == [fact.fact_id for fact in target.forget]
    never_seen = evaluated(target, "never_seen")
    assert len(never_seen) == 5
    assert {(fact.relation, fact.exposure) for fact in never_seen} == {("city", 0)}
    subjects = {fact.subject for fact in target.forget}
    neighbours = evaluated(target, "neighbour")
    assert len(neighbours) == 6
    assert {fact.subject for fact in neighbours} <= subjects
    assert {fact.relation for fact in neighbours} <= {"job", "school"}
    by_id = {fact.fact_id: fact for fact in facts}
    for role in ("retain", "utility"):
        assert {by_id[fact.fact_id].role for fact in evaluated(target, role)} == {role}


def test_training_holds_on_to_retain_people_only_and_never_to_utility(facts):
    target = select(facts)
    assert {fact.role for fact in target.retain_set} == {"retain"}
    assert len(target.retain_set) == 8 * len(RELATIONS)
    trained = {fact.subject for fact in [*target.forget, *target.retain_set]}
    assert trained.isdisjoint(fact.subject for fact in evaluated(target, "utility"))
    assert trained.isdisjoint(fact.subject for fact in evaluated(target, "never_seen"))


def test_no_fact_is_judged_in_two_roles(facts):
    target = select(facts, facts_per_role=1000)
    assert len({fact.fact_id for fact in target.facts.all}) == len(target.facts.all)


def test_the_sample_depends_on_the_seed_alone(facts):
    first, again, other = select(facts), select(list(facts)), select(facts, seed=1)
    assert first == again
    ids = [{fact.fact_id for fact in evaluated(target, "utility")} for target in (first, other)]
    assert ids[0] != ids[1]
    same_for_both = [evaluated(select(facts, level=one), "utility") for one in (1, 16)]
    assert same_for_both[0] == same_for_both[1] == evaluated(first, "utility")


@pytest.mark.parametrize("facts_per_role", [1, 4, 6, 7, 30])
def test_the_sample_is_spread_over_levels(facts, facts_per_role):
    target = select(facts, facts_per_role=facts_per_role)
    for role in ("neighbour", "utility"):
        chosen = evaluated(target, role)
        assert len(chosen) == facts_per_role
        counts = Counter(level(fact) for fact in chosen).values()
        assert max(counts) - min(counts) <= 1
        assert len(counts) == min(3, facts_per_role)


def test_a_sample_larger_than_the_group_is_the_group(facts):
    target = select(facts, facts_per_role=1000)
    assert len(evaluated(target, "utility")) == 12 * len(RELATIONS)
    assert len(evaluated(target, "neighbour")) == 15 * (len(RELATIONS) - 1)


def test_facts_that_are_not_there_are_refused_with_what_there_is(facts):
    with pytest.raises(ConfigError, match=r"relation 'town' is not among the facts' \(city, job, school\)"):
        select(facts, relation="town")
    with pytest.raises(ConfigError, match=r"level 3 is not among the levels of the corpus \(\[1, 4, 16\]\)"):
        select(facts, level=3)
