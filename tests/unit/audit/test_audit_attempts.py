"""Attacks of an audit: what cannot be done is left out by name, and what trains is repeated."""

from contextlib import nullcontext
from typing import Any

import polars as pl

from unequal.attacks.attack import Attack, AttackContext
from unequal.attacks.choice import ChoicePrompt
from unequal.attacks.evaluate import TAUGHT, rows
from unequal.attacks.formats import LACKING as FORMATS
from unequal.attacks.relearn import Relearning
from unequal.auditing.attempts import attack_all
from unequal.auditing.lacking import is_lacking
from unequal.errors import DataError
from unequal.facts.schema import Fact


def fact(number, role="forget"):
    words = {"subject": f"s{number}", "object": f"o{number}", "question": "q", "answer": f"a{number}"}
    return Fact(fact_id=f"f{number}", relation="r", role=role, **words)


class Mine(Attack):
    """An attack whose values are a function of the fact's place."""

    metrics = ("exact_match", "answer_prob")
    kind: str = "mine"
    found: Any = None

    def run(self, context):
        values = {one.fact_id: self.found(place) for place, one in enumerate(context.attacked)}
        return rows(
            self, context, {name: dict.fromkeys(self.metrics, value) for name, value in values.items()}
        )


class Unfit(Mine):
    """An attack that does not suit the model."""

    def run(self, context):  # noqa: ARG002
        raise DataError("this kind of model has no final norm")


class Trains(Relearning):
    """Relearning that trains nothing, but judges only what it would not have trained on."""

    def run(self, context):
        taught = self.trained_on(context)
        values = {
            one.fact_id: (None, TAUGHT) if one.fact_id in taught else (0.0, None) for one in context.attacked
        }
        return rows(self, context, {name: {"exact_match": value} for name, value in values.items()})


def attacked(attack, facts):
    context = AttackContext(model=None, tokenizer=None, facts=facts, maker=None, prompts=None)
    return attack_all([attack], context, nullcontext, lambda _done: None)


FACTS = [*(fact(i) for i in range(10)), *(fact(i + 10, "never_seen") for i in range(5))]


def test_an_attack_that_lacks_columns_of_all_facts_is_left_out_by_name():
    table, notes = attacked(Mine(found=lambda _: (None, "the fact has no paraphrases")), FACTS)
    assert table.is_empty()
    assert notes == ["attack mine was left out: the fact has no paraphrases, 10 facts"]


def test_an_attack_that_lacks_columns_of_some_facts_is_left_out_for_these():
    lacks = Mine(found=lambda place: (None, "the fact has no cloze prompts") if place < 4 else (0.0, None))
    table, notes = attacked(lacks, FACTS)
    assert table.height == 30
    assert notes == [
        "attack mine was left out for 4 of 10 facts to forget (the fact has no cloze prompts, 4 facts)"
    ]


def test_an_attack_that_does_not_suit_the_model_is_left_out_by_name():
    table, notes = attacked(Unfit(), FACTS)
    assert table.is_empty()
    assert notes == ["attack mine was left out: this kind of model has no final norm"]


def test_what_went_wrong_for_all_facts_is_not_left_out():
    table, notes = attacked(Mine(found=lambda _: (None, "a logit is not a number")), FACTS)
    assert table.height == 30
    assert notes == []


def test_an_attack_that_trains_is_run_until_each_fact_was_held_out():
    for n_subjects in (2, 3, 10, 50):
        facts = [fact(i) for i in range(n_subjects)]
        table, notes = attacked(Trains(), facts)
        assert table["value"].null_count() == 0
        assert notes == []
    table, notes = attacked(Trains(), FACTS[:1])
    assert table.is_empty()
    assert notes == ["attack relearn was left out: the attack trained on this fact, 1 fact"]


def test_the_reasons_of_the_attacks_are_known_as_what_a_table_lacks():
    context = AttackContext(model=None, tokenizer=None, facts=FACTS, maker=None, prompts=None)
    reasons = [
        *FORMATS.values(),
        *Relearning(on="retain").run(context)["reason"],
        "the fact has no paraphrases",
    ]
    assert pl.DataFrame({"reason": reasons}).select(is_lacking(pl.col("reason")).all()).item()
    assert ChoicePrompt().metrics
