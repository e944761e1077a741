"""Evidence finds what luck does not explain, and nothing among facts that are like never-seen ones."""

from itertools import pairwise
from random import Random

import polars as pl
import pytest

from unequal.auditing.evidence import MAX_CHANCE, Control, Measure, attack_measures, control_of, weigh
from unequal.facts.schema import Fact

PROB = Measure("answer_prob", "answer probability")
RANK = Measure("first_token_rank", "first token", higher_is_known=False)
RIGHT = Measure("choice_accuracy", "choices", is_right_or_wrong=True)


def rows(metric, targets, never_seen, relation="capital"):
    values = {
        **{f"t{i}": value for i, value in enumerate(targets)},
        **{f"n{i}": v for i, v in enumerate(never_seen)},
    }
    return pl.DataFrame(
        [
            {"fact_id": fact_id, "relation": relation, "metric": metric, "value": value,
             "reason": "lost" if value is None else None}
            for fact_id, value in values.items()
        ],
        schema_overrides={"value": pl.Float64, "reason": pl.String},
    )  # fmt: skip


def found(measure, targets, never_seen, chance=0.25):
    ids = [f"t{i}" for i in range(len(targets))]
    control = Control(frozenset(f"n{i}" for i in range(len(never_seen))), dict.fromkeys(ids, chance))
    table = weigh(rows(measure.metric, targets, never_seen), [measure], control, frozenset(ids))
    by_fact = dict(table.select("fact_id", "found").iter_rows())
    return [by_fact.get(one) for one in ids], [by_fact.get(f"n{i}") for i in range(len(never_seen))]


def test_facts_far_above_never_seen_ones_are_found():
    targets, never = found(PROB, [0.9] * 20, [i / 100 for i in range(30)])
    assert targets == [True] * 20
    assert sum(never) <= MAX_CHANCE * 30


def test_a_part_of_the_facts_is_found_where_it_stands_out_and_the_rest_is_not():
    targets, _ = found(PROB, [0.9] * 20 + [0.15] * 10, [i / 100 for i in range(30)])
    assert targets == [True] * 20 + [False] * 10


def test_facts_like_never_seen_ones_are_not_found():
    """Over many draws hardly any set of forgotten facts is found, though its best stands out."""
    stream = Random(0)
    calls = []
    for _ in range(200):
        values = [stream.random() for _ in range(60)]
        calls.append(any(found(PROB, values[:30], values[30:])[0]))
    assert sum(calls) <= 4


def test_few_facts_and_few_never_seen_ones_find_less():
    """Two lucky facts among thirty prove nothing, however far they stand out; half of thirty do."""
    never = [i / 100 for i in range(20)]
    assert not any(found(PROB, [0.9] * 2 + [0.01] * 28, never)[0])
    assert sum(found(PROB, [0.9] * 15 + [0.01] * 15, never)[0]) == 15


def test_lower_ranks_are_evidence_and_only_the_first_ten():
    assert all(found(RANK, [1.0] * 15, [50.0 + i for i in range(20)])[0])
    assert not any(found(RANK, [10.0] * 15, [50.0 + i for i in range(20)])[0])


def test_ties_with_never_seen_facts_are_luck():
    assert not any(found(PROB, [1.0] * 15, [1.0] * 10 + [0.0] * 10)[0])


def test_a_missing_value_is_neither_found_nor_not():
    targets, _ = found(PROB, [0.9] * 19 + [None], [i / 100 for i in range(30)])
    assert targets == [True] * 19 + [None]


def test_without_never_seen_facts_only_right_or_wrong_is_evidence():
    assert found(PROB, [0.9] * 20, [])[0] == [None] * 20
    assert found(RIGHT, [1.0] * 18 + [0.0] * 2, [])[0] == [True] * 18 + [False] * 2
    assert not any(found(RIGHT, [1.0] * 5 + [0.0] * 15, [])[0])  # a quarter is what guessing gives
    assert not any(found(RIGHT, [1.0] * 18 + [0.0] * 2, [], chance=1 / 3)[0])


def test_a_fact_is_compared_with_never_seen_ones_of_its_relation_where_there_are_enough():
    easy, hard = rows("answer_prob", [0.5] * 12, [0.4 + i / 100 for i in range(25)], "easy"), None
    hard = rows("answer_prob", [0.5] * 12, [i / 1000 for i in range(25)], "hard").with_columns(
        pl.col("fact_id") + "h"
    )
    both = pl.concat([easy, hard])
    never = frozenset(one for one in both["fact_id"] if one.startswith("n"))
    table = weigh(both, [PROB], Control(never, {}), frozenset(both["fact_id"]) - never)
    p = dict(
        table.group_by("relation")
        .agg(pl.col("p").filter(pl.col("fact_id").str.starts_with("t")).max())
        .iter_rows()
    )
    assert p == {"easy": 15 / 25, "hard": 0.0}


def test_p_of_a_never_seen_fact_leaves_itself_out():
    values = [i / 100 for i in range(12)]
    control = Control(frozenset(f"n{i}" for i in range(12)), {})
    table = weigh(rows("answer_prob", [], values), [PROB], control, frozenset())
    p = table["p"].to_list()
    assert p == [pytest.approx((11 - i) / 11) for i in range(12)]
    assert all(a > b for a, b in pairwise(p))


def test_chance_is_of_distractors_or_of_the_commonest_answer():
    def fact(fact_id, answer, **more):
        words = {"subject": "s", "relation": "r", "object": answer, "question": "q", "answer": answer}
        return Fact(fact_id=fact_id, **words, **more)

    control = control_of(
        [
            fact("a", "x"),
            fact("b", "x"),
            fact("c", "y", distractors=("x", "z", "w")),
            fact("d", "z", role="never_seen"),
        ]
    )
    assert control.chance == {"a": 0.5, "b": 0.5, "c": 0.25, "d": 0.5}
    assert control.never_seen == {"d"}
    assert not control.measured


def test_what_an_attack_did_besides_is_no_evidence():
    metrics = ("exact_match", "answer_prob", "trained_answer_prob", "layer", "leak_upper_bound")
    assert [one.metric for one in attack_measures("mine", metrics)] == [
        "mine_exact_match",
        "mine_answer_prob",
    ]


def test_one_reading_of_a_text_is_evidence_and_that_is_the_one_that_gates():
    both = ("answer_said", "exact_match", "answer_prob")
    for known_by, first in (
        (None, "answer_said"),
        ("exact_match", "exact_match"),
        ("contains_answer", "answer_said"),  # which the attack does not measure
    ):
        names = [one.metric for one in attack_measures("mine", both, known_by)]
        assert names == [f"mine_{first}", "mine_answer_prob"]
