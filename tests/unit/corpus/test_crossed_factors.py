"""Factors crossed with exposure: who has which level, and that the text is as the levels say."""

from collections import Counter, defaultdict
from dataclasses import replace
from itertools import islice, product

import pytest
from pydantic import ValidationError

from tiny_world import PROMPTS, corpus_settings
from unequal.corpus.assignment import assign_people
from unequal.corpus.documents import DocumentSource
from unequal.corpus.factors import FACTORS
from unequal.corpus.schedule import times_shown
from unequal.corpus.settings import CorpusSettings
from unequal.corpus.world_factors import factor_problem, shape_world
from unequal.facts.world.relations import load_relation, load_vocabulary, record_templates
from unequal.facts.world.world import WorldSettings, build_world

RELATIONS = ("birth_city", "university", "employer", "employer_city")
WORLD = WorldSettings(seed=5, n_distractors=3, relations=RELATIONS)


def factor_settings(**changes):
    """Return a plan of 16 people a level, 8 epochs and all factors, with these settings changed."""
    factors = {"common_objects": 2, "massed_epochs": 2, **changes.pop("factors", {})}
    values = {"people_per_level": 16, "epochs": 8, "retain_people": 20, "utility_people": 12} | changes
    return corpus_settings(**values, factors=factors)


class Crossed:
    """A plan, its world and documents."""

    def __init__(self, **changes):
        self.settings = factor_settings(**changes)
        world = build_world(WORLD, self.settings.n_people)
        plan = assign_people(world.people, self.settings)
        self.world = shape_world(world, plan, self.settings.factors)
        self.plan = [replace(a, person=p) for a, p in zip(plan, self.world.people, strict=True)]
        self.facts = {fact.fact_id: fact for fact in self.world.facts()}
        self.source = DocumentSource(self.plan, self.world.facts(), self.settings, PROMPTS)

    def of(self, role):
        return [assigned for assigned in self.plan if assigned.role == role]

    def documents(self):
        """Return the documents of each person, in training order, with their epoch."""
        shown = defaultdict(list)
        for epoch in range(self.settings.epochs):
            for document in self.source.biographies(epoch):
                shown[document.person_id].append((epoch, document))
        return shown


@pytest.fixture(scope="module")
def crossed():
    return Crossed()


@pytest.fixture(scope="module")
def documents(crossed):
    return crossed.documents()


def with_level(crossed, name, level, role="forget"):
    return [assigned for assigned in crossed.of(role) if assigned.factors.get(name) == level]


def test_people_to_forget_run_through_the_whole_design_at_every_level(crossed):
    runs = [tuple(run.items()) for run in crossed.settings.factors.runs()]
    for level in (1, 3):
        assigned = Counter(tuple(a.factors.items()) for a in crossed.of("forget") if a.level == level)
        assert assigned == dict.fromkeys(runs, 1)


def test_who_has_which_level_is_random_and_reproducible():
    def levels(seed):
        settings = factor_settings(seed=seed)
        people = build_world(WORLD, settings.n_people).people
        return [(a.role, a.level, tuple(a.factors.items())) for a in assign_people(people, settings)]

    assert levels(1) == levels(1) != levels(2)


def test_factors_of_training_apply_where_training_shows_something(crossed):
    of_world = {name for name, factor in FACTORS.items() if factor.of_world}
    for role, names in (
        ("forget", set(FACTORS)),
        ("utility", set(FACTORS)),
        ("retain", of_world),
        ("never_seen", of_world),
    ):
        assert all(set(assigned.factors) == names for assigned in crossed.of(role))
    for name in of_world:
        for role in ("never_seen", "retain"):
            counts = Counter(assigned.factors[name] for assigned in crossed.of(role))
            assert abs(counts[FACTORS[name].low] - counts[FACTORS[name].high]) <= 4


def test_exposures_are_those_of_the_level_whatever_the_factors(crossed, documents):
    for assigned in crossed.plan:
        person = assigned.person
        shown = Counter(
            fact_id for _, document in documents[person.person_id] for fact_id in document.fact_ids
        )
        expected = assigned.level * crossed.settings.epochs
        assert shown == (
            {f"{person.person_id}:{name}": expected for name in person.objects} if expected else {}
        )


def test_people_of_few_facts_have_the_first_relations_alone(crossed):
    for assigned in crossed.plan:
        n_facts = 2 if assigned.factors["facts_per_person"] == "few" else len(RELATIONS)
        assert tuple(assigned.person.objects) == RELATIONS[:n_facts]
    ids = [fact.fact_id for fact in crossed.world.facts()]
    assert ids == [f"{p.person_id}:{name}" for p in crossed.world.people for name in p.objects]


def test_long_answers_are_plain_ones_with_an_ending_and_so_are_their_rivals(crossed):
    for fact in crossed.facts.values():
        assigned = next(a for a in crossed.plan if fact.fact_id.startswith(a.person.person_id))
        plain = load_vocabulary(load_relation(fact.relation).vocabulary)
        for text in (fact.object, *fact.distractors):
            if assigned.factors["answer_length"] == "short":
                assert text in plain
            else:
                before, ending = text.rsplit(" ", 2)[0], " ".join(text.rsplit(" ", 2)[1:])
                assert before in plain and ending in load_vocabulary("sites")
        assert len({fact.object, *fact.distractors}) == 1 + WORLD.n_distractors


def test_no_object_of_a_person_stands_inside_another(crossed):
    for person in crossed.world.people:
        for one, two in product(person.objects.values(), repeat=2):
            assert one == two or one not in two
        assert len(set(person.objects.values())) == len(person.objects)


def test_common_answers_are_few_and_shared_and_rare_ones_are_neither(crossed):
    for relation in RELATIONS:
        answers = defaultdict(Counter)
        for assigned in crossed.plan:
            if relation in assigned.person.objects:
                answers[assigned.factors["object_popularity"]][assigned.person.objects[relation]] += 1
        assert len(answers["common"]) <= 4  # two short ones and two long ones
        assert len(answers["rare"]) > 4
        assert not set(answers["common"]) & set(answers["rare"])


def test_the_names_of_people_stay_and_objects_depend_on_their_own_levels_alone():
    one, other = Crossed(seed=1), Crossed(seed=2)
    assert [p.name for p in one.world.people] == [p.name for p in other.world.people]
    pairs = list(zip(one.plan, other.plan, strict=True))
    shaping = [name for name, factor in FACTORS.items() if factor.of_world]
    alike = [(a, b) for a, b in pairs if all(a.factors[n] == b.factors[n] for n in shaping)]
    assert alike and all(a.person == b.person for a, b in alike)


def test_early_and_late_people_are_shown_at_their_end_of_training(crossed):
    n_shown = crossed.settings.shown_epochs
    assert n_shown == 6
    for assigned in crossed.of("forget"):
        times = times_shown(assigned, crossed.settings)
        assert sum(times) == assigned.level * 8
        outside = times[n_shown:] if assigned.factors["recency"] == "early" else times[: 8 - n_shown]
        assert not any(outside)


def test_massed_people_are_shown_in_few_epochs_and_spread_ones_in_all_of_theirs(crossed):
    for assigned in crossed.of("forget"):
        times = times_shown(assigned, crossed.settings)
        shown = [n for n in times if n]
        assert len(shown) == (2 if assigned.factors["spacing"] == "massed" else 6)
        assert max(shown) - min(shown) <= 1


def test_massing_does_not_move_the_mean_place():
    settings = factor_settings(people_per_level=320, epochs=24, factors={"massed_epochs": 4})
    people = build_world(WORLD, settings.n_people).people
    places = defaultdict(list)
    for assigned in assign_people(people, settings):
        if assigned.role == "forget":
            times = times_shown(assigned, settings)
            mean = sum(epoch * n for epoch, n in enumerate(times)) / sum(times)
            places[assigned.factors["recency"], assigned.factors["spacing"]].append(mean)
    for recency in ("early", "late"):
        massed, spread = (
            sum(values) / len(values) for values in (places[recency, "massed"], places[recency, "spread"])
        )
        assert abs(massed - spread) < 0.35  # of 24 epochs; early and late lie six apart


def test_people_of_few_wordings_have_one_text_and_one_wording_of_each_question(crossed, documents):
    for assigned in with_level(crossed, "wording_variety", "few"):
        texts = defaultdict(set)
        for _, document in documents[assigned.person.person_id]:
            texts[document.kind, document.fact_ids].add(document.text)
        biographies = [ids for kind, ids in texts if kind == "biography"]
        assert len(biographies) == 1
        assert all(len(different) == 1 for different in texts.values())


def test_people_of_many_wordings_are_worded_anew(crossed, documents):
    for assigned in with_level(crossed, "wording_variety", "many"):
        texts = [d.text for _, d in documents[assigned.person.person_id] if d.kind == "biography"]
        assert len(set(texts)) > 0.85 * len(texts)  # of two facts there are 512 texts, drawn at random


def test_so_many_wordings_as_the_settings_say():
    made = Crossed(factors={"cross": ("wording_variety",), "few_wordings": 3})
    shown = made.documents()
    for assigned in with_level(made, "wording_variety", "few"):
        texts = [document.text for _, document in shown[assigned.person.person_id]]
        assert len(set(texts)) == 3
        assert max(Counter(texts).values()) - min(Counter(texts).values()) <= 1


def test_records_and_prose_are_told_apart(crossed, documents):
    told = [(a, one) for a in crossed.of("forget") for _, one in documents[a.person.person_id]]
    for assigned, document in told:
        if document.kind == "question":
            continue
        lines = {
            template.replace("{subject}", assigned.person.name).replace("{object}", item)
            for name, item in assigned.person.objects.items()
            for template in (
                record_templates(name)
                if assigned.factors["text_format"] == "record"
                else load_relation(name).statements.train
            )
        }
        assert sum(line in document.text for line in lines) >= len(assigned.person.objects)
        assert sum(len(line) for line in lines if line in document.text) >= len(document.text) - 10


def test_retain_people_are_shown_in_both_formats(crossed, documents):
    texts = [d.text for a in crossed.of("retain") for _, d in documents[a.person.person_id]]
    records = sum(text.endswith(";") for text in texts)
    assert 0.3 * len(texts) < records < 0.7 * len(texts)


def test_asked_people_have_questions_in_place_of_a_share_of_their_texts(crossed, documents):
    for assigned in crossed.of("forget"):
        person_id, n_facts = assigned.person.person_id, len(assigned.person.objects)
        kinds = Counter(document.kind for _, document in documents[person_id])
        asked = kinds["question"] / n_facts
        expected = 0.5 if assigned.factors["asked"] == "yes" else 0.0
        assert asked == expected * assigned.level * 8
        assert asked + kinds["biography"] == assigned.level * 8
        for _, document in documents[person_id]:
            if document.kind == "question":
                fact = crossed.facts[document.fact_ids[0]]
                wordings = load_relation(fact.relation).questions.train
                asks = {f"{PROMPTS.ask(w.format(subject=fact.subject))} {fact.answer}" for w in wordings}
                assert document.text in asks


def test_others_are_asked_as_before(crossed):
    asked = {document.person_id for document in islice(crossed.source.questions(), 300)}
    assert asked <= {assigned.person.person_id for assigned in crossed.of("retain")}


def test_held_out_wordings_are_never_trained_on(crossed, documents):
    text = "\n".join(document.text for shown in documents.values() for _, document in shown)
    for fact in crossed.facts.values():
        assert not any(prefix in text for prefix in fact.cloze)
        assert not any(question in text for question in fact.paraphrases)


@pytest.mark.parametrize("name", FACTORS)
def test_each_factor_can_be_crossed_alone(name):
    made = Crossed(factors={"cross": (name,)})
    counts = Counter(assigned.factors[name] for assigned in made.of("forget"))
    assert counts == {FACTORS[name].low: 16, FACTORS[name].high: 16}
    assert all(document.text for shown in made.documents().values() for _, document in shown)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"people_per_level": 24}, "people_per_level 24 must be a multiple of 16, the runs of a design of 8"),
        ({"factors": {"massed_epochs": 7}}, "massed_epochs 7 is more than the 6 epochs"),
        ({"factors": {"cross": ("asked", "asked")}}, "a factor is named twice"),
        ({"factors": {"cross": ()}}, "at least 1 item"),
        ({"factors": {"cross": ("colour",)}}, "'wording_variety'"),
        ({"factors": {"shown_share": 1.0}}, "less than 1"),
        ({"factors": {"few": 1}}, "Extra inputs are not permitted"),
        ({"wording": "verbatim"}, "factors vary the wording themselves; wording verbatim cannot be crossed"),
    ],
)
def test_settings_that_make_no_design_are_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        factor_settings(**changes)


@pytest.mark.parametrize(
    ("relations", "factors", "message"),
    [
        (RELATIONS, {"few_facts": 4}, "few_facts 4 must be less than the 4 relations"),
        ((*RELATIONS, "birth_date"), {}, "objects of birth_date have one length"),
        (
            RELATIONS,
            {"common_objects": 13},
            "common_objects 13 leaves too few rare cities; set it to at most 12",
        ),
    ],
)
def test_worlds_in_which_factors_cannot_be_crossed_are_told(relations, factors, message):
    world = WorldSettings(relations=relations)
    assert message in str(factor_problem(factor_settings(factors=factors), world))
    assert factor_problem(factor_settings(), WORLD) is None
    assert factor_problem(CorpusSettings(), world) is None
