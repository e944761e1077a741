"""The exposure plan: groups of the exact sizes, assigned at random."""

from collections import Counter

import pytest
from pydantic import ValidationError

from tiny_world import WORLD, corpus_settings
from unequal.corpus.assignment import assign_people
from unequal.corpus.settings import CorpusSettings
from unequal.facts.world.world import build_world


def assigned(**changes):
    settings = corpus_settings(**changes)
    return assign_people(build_world(WORLD, settings.n_people).people, settings)


def test_groups_have_the_exact_sizes_and_levels():
    plan = assigned(levels=(0, 1, 3), people_per_level=4, retain_people=6, retain_level=2, utility_people=4)
    assert Counter((a.role, a.level) for a in plan) == {
        ("never_seen", 0): 4,
        ("forget", 1): 4,
        ("forget", 3): 4,
        ("retain", 2): 6,
        ("utility", 1): 2,
        ("utility", 3): 2,
    }


def test_everyone_is_assigned_once_in_the_order_of_people():
    settings = corpus_settings()
    people = build_world(WORLD, settings.n_people).people
    assert [a.person for a in assign_people(people, settings)] == list(people)


def test_the_assignment_is_random_but_reproducible():
    levels = [(a.role, a.level) for a in assigned(seed=1)]
    assert levels == [(a.role, a.level) for a in assigned(seed=1)]
    assert levels != [(a.role, a.level) for a in assigned(seed=2)]
    assert levels != sorted(levels)
    assert levels != sorted(levels, reverse=True)


def test_over_many_seeds_a_person_falls_into_groups_in_proportion_to_their_sizes():
    n_seeds = 1000
    roles = Counter(assigned(seed=seed)[0].role for seed in range(n_seeds))
    # 22 people: 4 never seen, 8 to forget, 6 retained, 4 utility; four standard deviations are at most 64
    for role, people in (("never_seen", 4), ("forget", 8), ("retain", 6), ("utility", 4)):
        assert abs(roles[role] - n_seeds * people / 22) < 64


def test_the_plan_may_have_no_never_seen_people():
    assert {a.role for a in assigned(levels=(2,))} == {"forget", "retain", "utility"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"levels": (1, 1)}, "named twice"),
        ({"levels": (0,)}, "above 0"),
        ({"levels": ()}, "above 0"),
        ({"levels": (-1, 2)}, "greater than or equal to 0"),
        ({"level": (1,)}, "Extra inputs are not permitted"),
        ({"retain_people": 1}, "greater than or equal to 2"),
        ({"wording": "reworded"}, "'rerendered', 'verbatim' or 'epochs'"),
    ],
)
def test_settings_that_make_no_plan_are_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        CorpusSettings(**changes)


def test_levels_are_sorted():
    assert CorpusSettings(levels=(4, 0, 1)).levels == (0, 1, 4)
