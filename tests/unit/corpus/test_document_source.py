"""The documents of an epoch: who is in them, how often, and in which words."""

import re
from collections import Counter, defaultdict
from itertools import islice, pairwise

import pytest

from tiny_world import PROMPTS, WORLD, corpus_settings
from unequal.corpus.assignment import assign_people
from unequal.corpus.documents import DocumentSource
from unequal.facts.world.relations import RELATION_NAMES, load_relation
from unequal.facts.world.world import build_world

ARMS = ("rerendered", "verbatim", "epochs")


class Rendered:
    """A source and what it was made from."""

    def __init__(self, **changes):
        self.settings = corpus_settings(**changes)
        world = build_world(WORLD, self.settings.n_people)
        self.plan = assign_people(world.people, self.settings)
        self.facts = {fact.fact_id: fact for fact in world.facts()}
        self.source = DocumentSource(self.plan, world.facts(), self.settings, PROMPTS)
        self.roles = {a.person.person_id: a.role for a in self.plan}
        self.levels = {a.person.person_id: a.level for a in self.plan}

    def texts(self, n_epochs=3):
        texts = defaultdict(list)
        for epoch in range(n_epochs):
            for document in self.source.biographies(epoch):
                texts[document.person_id].append(document.text)
        return texts


@pytest.mark.parametrize("wording", ARMS)
def test_every_epoch_shows_everyone_as_often_as_the_level_says(wording):
    made = Rendered(wording=wording)
    for epoch in range(2):
        shown = Counter(document.person_id for document in made.source.biographies(epoch))
        assert shown == {person: level for person, level in made.levels.items() if level}


@pytest.mark.parametrize("wording", ARMS)
def test_a_biography_states_every_fact_of_its_person_once(wording):
    made = Rendered(wording=wording)
    for document in made.source.biographies(0):
        assert document.kind == "biography"
        assert set(document.fact_ids) == {f"{document.person_id}:{name}" for name in RELATION_NAMES}
        for fact_id in document.fact_ids:
            assert document.text.count(made.facts[fact_id].object) == 1
            assert document.text.count(made.facts[fact_id].subject) == len(RELATION_NAMES)


def test_the_rerendered_arm_words_every_biography_anew():
    for texts in Rendered(wording="rerendered", levels=(0, 8)).texts().values():
        assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("wording", ["verbatim", "epochs"])
def test_the_other_arms_have_one_rendering_a_person(wording):
    texts = Rendered(wording=wording, levels=(0, 8)).texts()
    assert all(len(set(of_person)) == 1 for of_person in texts.values())
    assert len({of_person[0] for of_person in texts.values()}) == len(texts)


def test_the_two_arms_with_one_rendering_show_the_same_texts():
    assert Rendered(wording="verbatim").texts() == Rendered(wording="epochs").texts()


def gaps(wording):
    """Return the greatest distance between two showings of a person as a share of an epoch of level 8."""
    made = Rendered(wording=wording, levels=(8,), people_per_level=20, retain_level=8)
    documents = made.source.biographies(0)
    places = defaultdict(list)
    for place, document in enumerate(documents):
        places[document.person_id].append(place / len(documents))
    return [max(b - a for a, b in pairwise(seen)) for seen in places.values() if len(seen) == 8]


def test_the_epochs_arm_spreads_repeats_evenly_and_the_others_do_not():
    assert max(gaps("epochs")) < 2 / 8 + 0.03  # one in every eighth of the epoch, but for the utility people
    assert sorted(gaps("verbatim"))[len(gaps("verbatim")) // 2] > 2 / 8
    assert gaps("verbatim") == gaps("rerendered")


def test_the_order_differs_from_epoch_to_epoch_and_is_reproducible():
    orders = [[d.person_id for d in Rendered().source.biographies(epoch)] for epoch in (0, 1, 0)]
    assert orders[0] == orders[2] != orders[1]


def test_questions_are_asked_of_retain_people_alone_and_of_each_fact_in_turn():
    made = Rendered()
    n_round = 6 * len(RELATION_NAMES)
    documents = list(islice(made.source.questions(), 2 * n_round))
    assert {made.roles[document.person_id] for document in documents} == {"retain"}
    asked = [document.fact_ids for document in documents[:n_round] if document.kind == "question"]
    assert len(set(asked)) == len(asked)


def test_a_question_document_is_a_prompt_and_its_answer_in_a_training_wording():
    made = Rendered(true_false_share=0.0)
    for document in islice(made.source.questions(), 100):
        (fact_id,) = document.fact_ids
        fact = made.facts[fact_id]
        wordings = load_relation(fact.relation).questions.train
        assert document.text in {
            f"{PROMPTS.ask(w.format(subject=fact.subject))} {fact.answer}" for w in wordings
        }


def test_true_false_documents_say_what_is_so():
    made = Rendered(true_false_share=1.0)
    documents = list(islice(made.source.questions(), 400))
    verdicts = Counter()
    for document in documents:
        assert document.kind == "true_false"
        statement, verdict = re.fullmatch(r"True or false: (.*) Answer: (True|False)", document.text).groups()
        objects = {
            fact.object for fact_id, fact in made.facts.items() if fact_id.startswith(document.person_id)
        }
        stated = [item for item in objects if item in statement]
        assert (len(stated), len(document.fact_ids)) == ((1, 1) if verdict == "True" else (0, 0))
        if document.fact_ids:
            assert made.facts[document.fact_ids[0]].object == stated[0]
        verdicts[verdict] += 1
    assert 150 < verdicts["True"] < 250


def test_the_share_of_true_false_documents_is_kept():
    made = Rendered(true_false_share=0.25)
    kinds = Counter(document.kind for document in islice(made.source.questions(), 2000))
    assert 0.2 < kinds["true_false"] / 2000 < 0.3


@pytest.mark.parametrize("wording", ARMS)
def test_held_out_wordings_are_never_trained_on(wording):
    made = Rendered(wording=wording, levels=(0, 8))
    documents = [d for epoch in range(3) for d in made.source.biographies(epoch)]
    documents += islice(made.source.questions(), 1000)
    text = "\n".join(document.text for document in documents)
    for fact in made.facts.values():
        assert not any(prefix in text for prefix in fact.cloze)
        assert not any(question in text for question in fact.paraphrases)
        assert fact.reverse_question not in text
