"""The synthetic world: reproducible people, and wordings that tests can be trusted with."""

import re
import string

import pytest
from pydantic import ValidationError

from unequal.errors import ConfigError
from unequal.facts.world.people import MONTHS, draw_people
from unequal.facts.world.relations import RELATION_NAMES, load_relation, load_vocabulary
from unequal.facts.world.world import WorldSettings, build_world, cloze_prefix

VOCABULARIES = ("cities", "employers", "majors", "universities", "first_names", "middle_names", "last_names")
NAME_LISTS = ("first_names", "middle_names", "last_names")
GPT2_WORDS = re.compile(r" ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+")


def all_templates():
    for name in RELATION_NAMES:
        relation = load_relation(name)
        yield relation.reverse_question
        for wordings in (relation.statements, relation.questions):
            yield from (*wordings.train, *wordings.held_out)


def pieces(template, before=""):
    """Return the words of a template as GPT-2 cuts them, without its placeholders."""
    parts = re.split(r"\{subject\}|\{object\}", before + template)
    return {word for part in parts for word in GPT2_WORDS.findall(part)}


def test_the_same_seed_gives_the_same_world_and_another_does_not():
    settings = WorldSettings(seed=3)
    assert build_world(settings, 30).facts() == build_world(settings, 30).facts()
    assert build_world(settings, 30).facts() != build_world(WorldSettings(seed=4), 30).facts()


@pytest.mark.parametrize("n_people", [1, 10, 500, 30_000, 60_000])
def test_names_are_unique_and_none_stands_inside_another(n_people):
    people = draw_people(n_people, ("birth_city",), seed=1)
    names = [person.name for person in people]
    assert len(set(names)) == len({person.person_id for person in people}) == n_people
    assert len({len(name.split()) for name in names}) == 1  # equally long, so that none holds another


def test_too_many_people_are_refused():
    with pytest.raises(ConfigError, match="have unique names, not 1,000,000,000,000"):
        draw_people(10**12, ("birth_city",), seed=1)


def test_names_are_put_to_much_use(world):
    for position in (0, -1):
        parts = [person.name.split()[position] for person in world.people]
        assert len(set(parts)) < len(parts)


def test_objects_are_of_their_type_and_differ_within_a_person():
    for person in build_world(WorldSettings(seed=1), 1000).people:
        assert tuple(person.objects) == RELATION_NAMES
        assert len(set(person.objects.values())) == len(RELATION_NAMES)
        assert person.objects["employer"] in load_vocabulary("employers")
        assert person.objects["employer_city"] in load_vocabulary("cities")
        month, day, year = re.fullmatch(r"(\w+) (\d+), (\d{4})", person.objects["birth_date"]).groups()
        assert month in MONTHS
        assert 1 <= int(day) <= 28
        assert 1940 <= int(year) <= 1999


def test_a_fact_asks_in_the_first_wording_and_keeps_the_held_out_ones(world):
    fact = world.facts()[0]
    relation = load_relation(fact.relation)
    assert fact.fact_id == f"{world.people[0].person_id}:{fact.relation}"
    assert fact.question == relation.questions.train[0].format(subject=fact.subject)
    assert len(fact.paraphrases) == len(relation.questions.held_out)
    assert not set(fact.paraphrases) & {
        text.format(subject=fact.subject) for text in relation.questions.train
    }
    for prefix, template in zip(fact.cloze, relation.statements.held_out, strict=True):
        assert f"{prefix} {fact.object}." == template.format(subject=fact.subject, object=fact.object)


def test_a_cloze_prefix_ends_before_the_object():
    assert cloze_prefix("The city of {subject} is {object}.", "Ada Lovelace") == "The city of Ada Lovelace is"


def test_distractors_are_of_the_same_type_and_never_true_of_the_person():
    world = build_world(WorldSettings(n_distractors=20), 40)
    for person in world.people:
        for name in RELATION_NAMES:
            fact = world.fact(person, name)
            assert len(set(fact.distractors)) == 20
            assert not set(fact.distractors) & set(person.objects.values())
            vocabulary = load_relation(name).vocabulary
            if vocabulary == "dates":
                assert all(re.fullmatch(r"\w+ \d+, \d{4}", wrong) for wrong in fact.distractors)
            else:
                assert set(fact.distractors) <= set(load_vocabulary(vocabulary))


@pytest.mark.parametrize(
    ("relations", "message"),
    [(("birth_town",), "unknown relation 'birth_town'; did you mean 'birth_"), (("major", "major"), "twice")],
)
def test_wrong_relations_are_refused(relations, message):
    with pytest.raises(ValidationError, match=message):
        WorldSettings(relations=relations)


@pytest.mark.parametrize("name", RELATION_NAMES)
class TestWordings:
    def test_there_are_enough_and_training_shares_none_with_testing(self, name):
        relation = load_relation(name)
        assert relation.relation == name
        for wordings, fewest in ((relation.statements, 20), (relation.questions, 3)):
            together = [*wordings.train, *wordings.held_out]
            assert len(together) >= fewest
            assert len({text.casefold().strip(" .?") for text in together}) == len(together)
            assert wordings.train
            assert wordings.held_out

    def test_statements_hold_both_placeholders_once_and_held_out_ones_end_with_the_object(self, name):
        relation = load_relation(name)
        for text in (*relation.statements.train, *relation.statements.held_out):
            fields = [field for _, field, *_ in string.Formatter().parse(text) if field is not None]
            assert sorted(fields) == ["object", "subject"], text
            assert text.endswith("."), text
        assert all(text.endswith(" {object}.") for text in relation.statements.held_out)

    def test_questions_name_the_one_thing_that_is_known(self, name):
        relation = load_relation(name)
        for text in (*relation.questions.train, *relation.questions.held_out):
            fields = [field for _, field, *_ in string.Formatter().parse(text) if field is not None]
            assert (fields, text[-1]) == (["subject"], "?")
        assert "{object}" in relation.reverse_question
        assert "{subject}" not in relation.reverse_question

    def test_held_out_statements_use_only_words_of_training_statements(self, name):
        for before in ("", " "):  # at the start of a document, and within one
            known = {
                word
                for relation in map(load_relation, RELATION_NAMES)
                for text in relation.statements.train
                for word in pieces(text, before)
            }
            for text in load_relation(name).statements.held_out:
                assert pieces(text, before) <= known, text

    def test_held_out_and_reverse_questions_use_only_words_of_training(self, name):
        known = {
            word
            for relation in map(load_relation, RELATION_NAMES)
            for text in (*relation.questions.train, *relation.statements.train)
            for word in pieces(text, " ")
        }
        relation = load_relation(name)
        for text in (*relation.questions.held_out, relation.reverse_question):
            assert pieces(text, " ") <= known, text


@pytest.mark.parametrize("name", VOCABULARIES)
class TestVocabularies:
    def test_items_are_unique_and_plain(self, name):
        items = load_vocabulary(name)
        assert len({item.casefold() for item in items}) == len(items) >= 50
        assert all(re.fullmatch(r"[A-Z][A-Za-z]*( [A-Z][A-Za-z]*)*", item) for item in items)
        assert name not in NAME_LISTS or all(" " not in item for item in items)

    def test_no_item_stands_inside_an_item_of_any_list_or_in_a_template(self, name):
        others = [item for other in VOCABULARIES for item in load_vocabulary(other)] + list(MONTHS)
        texts = [*others, *all_templates()]
        for item in load_vocabulary(name):
            pattern = re.compile(rf"\b{re.escape(item)}\b", re.IGNORECASE)
            assert [text for text in texts if pattern.search(text)] == [item]
