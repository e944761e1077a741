"""The import as a whole: duplicates, filters, wrong columns, and every bad row named."""

import pytest

from unequal.errors import ConfigError, DataError
from unequal.facts.importers.run import BAD, DUPLICATE, OTHER_RELATION, SAME_FACT, import_facts
from unequal.facts.importers.source import Source

TRIPLE = {"sub_label": "Work A", "obj_label": "Maker A", "uuid": "u-1", "relation": "P1"}
PATTERN = {"relation": "P1", "pattern": "[X] is by [Y]."}


def source(*rows, name="rows.jsonl"):
    return Source(name, name, lambda _problems: enumerate(rows, start=1))


def triples(*rows, **options):
    return import_facts("pararel", [source(*rows)], source(PATTERN, name="patterns.jsonl"), **options)


def refusal(error, call, *arguments, **options):
    with pytest.raises(error) as caught:
        call(*arguments, **options)
    return str(caught.value)


def test_duplicates_are_left_out_and_counted():
    other_id = TRIPLE | {"uuid": "u-2"}
    done = triples(TRIPLE, TRIPLE, other_id, TRIPLE | {"uuid": "u-3", "obj_label": "Maker B"})
    assert [fact.fact_id for fact in done.facts] == ["pararel-u-1", "pararel-u-3"]
    assert done.dropped == {DUPLICATE: 1, SAME_FACT: 1}


def test_the_same_question_with_other_wrong_answers_is_the_same_fact():
    row = {"question": "Q?", "answer": "A"}
    done = import_facts("tofu", [source(row | {"perturbed_answer": ["B"]}), source(row, name="other.jsonl")])
    assert [fact.distractors for fact in done.facts] == [("B",)]
    assert done.dropped == {SAME_FACT: 1}


def test_one_id_for_two_facts_is_refused():
    message = refusal(DataError, triples, TRIPLE, TRIPLE | {"obj_label": "Maker B"})
    assert "rows.jsonl:2: id 'pararel-u-1' is that of another fact at rows.jsonl:1" in message


def test_relations_without_a_pattern_are_left_out_and_counted():
    done = triples(TRIPLE, TRIPLE | {"relation": "P2", "uuid": "u-2"})
    assert len(done.facts) == 1
    assert done.dropped == {"no pattern for relation P2": 1}


def test_only_the_relations_asked_for_are_kept():
    rows = [{"relation": f"P{n}", "question": "Q?", "subject": f"S{n}", "answers": ["A"]} for n in range(3)]
    done = import_facts("entityquestions", [source(*rows)], relations=["P0", "P2"])
    assert [fact.relation for fact in done.facts] == ["P0", "P2"]
    assert done.dropped == {OTHER_RELATION: 1}
    message = refusal(ConfigError, import_facts, "entityquestions", [source(*rows)], relations=["P9"])
    assert "no fact has the relation 'P9'" in message
    assert "(found: P0, P1, P2)" in message


def test_every_bad_row_is_named_and_nothing_comes_back():
    rows = [{"question": "Q?", "answer": "A"}] + [{"question": f"Q{n}?", "answer": ""} for n in range(60)]
    message = refusal(DataError, import_facts, "muse", [source(*rows)])
    assert message.startswith(
        "muse has 60 bad rows (--skip-bad leaves them out): rows.jsonl:2: column answer"
    )
    n_shown = message.count("found ''")
    assert 10 < n_shown <= 50 and message.endswith(f"; … and {60 - n_shown} more")
    assert len(message.splitlines()) == 1


def test_bad_rows_can_be_left_out_on_request():
    rows = [{"question": "Q?", "answer": "A"}, {"question": "Q?", "answer": ""}, {"question": "Q?"}]
    done = import_facts("muse", [source(*rows)], skip_bad=True)
    assert len(done.facts) == 1
    assert done.dropped == {BAD: 2}
    assert "no facts are left of rows.jsonl: 1 bad row" in refusal(
        DataError, import_facts, "muse", [source(rows[1])], skip_bad=True
    )


def test_a_file_without_rows_says_so():
    assert refusal(DataError, import_facts, "muse", [source()]) == (
        "no facts are left of rows.jsonl; they hold no rows"
    )


@pytest.mark.parametrize(
    ("set_name", "row", "said"),
    [
        (
            "tofu",
            {"id": 1, "input": "Q?", "output": "[]", "s_pop": 1, "o_pop": 1},
            "unequal facts import popqa?",
        ),
        ("popqa", {"question": "Q?", "answer": "A"}, "unequal facts import tofu or muse?"),
        ("rwku", {"question": "Q?", "answer": "A", "subject": "S"}, "unequal facts import zsre?"),
        ("tofu", {"question": "Q?", "anwser": "A"}, "did you mean 'anwser'?"),
        ("rwku", {"target": "Person A", "intro": "…"}, "found the columns target, intro; rwku needs query"),
    ],
)
def test_wrong_columns_are_named_with_the_set_that_has_them(set_name, row, said):
    message = refusal(DataError, import_facts, set_name, [source(row)])
    assert message.startswith("rows.jsonl: found the columns ")
    assert f"; {set_name} needs " in message
    assert said in message


def test_a_later_row_without_a_column_is_a_bad_row():
    rows = [{"question": "Q?", "answer": "A"}, {"question": "Q?"}]
    assert "rows.jsonl:2: nothing in column answer" in refusal(
        DataError, import_facts, "muse", [source(*rows)]
    )


def test_patterns_are_given_where_they_are_needed_and_only_there():
    assert "give --patterns" in refusal(ConfigError, import_facts, "pararel", [source(TRIPLE)])
    row = source({"question": "Q?", "answer": "A"})
    assert "leave out --patterns" in refusal(ConfigError, import_facts, "muse", [row], source(PATTERN))


def test_a_pattern_has_one_gap_for_each_name():
    patterns = source(
        PATTERN, {"relation": "P1", "pattern": "[X] is."}, {"lemma": "be"}, name="patterns.jsonl"
    )
    message = refusal(DataError, import_facts, "pararel", [source(TRIPLE)], patterns)
    assert "patterns.jsonl:2: column pattern: '[X] is.' must hold [X] and [Y] once each" in message
    assert "patterns.jsonl:3: column template: found nothing" in message


def test_the_relation_of_patterns_may_be_the_name_of_their_file():
    patterns = source({"pattern": "[X] by [Y]"}, name="P1.jsonl")
    (fact,) = import_facts("pararel", [source(TRIPLE)], patterns).facts
    assert fact.cloze == ("Work A by",)


def test_what_would_mislead_is_said():
    rows = [
        {"country": "Land A", "capital": "Town A", "question": "Q?", "answer": "Town A", "count": 1},
        {"country": "Land B", "capital": "Land b", "question": "Q?", "answer": "Land b", "count": 1},
    ]
    notes = "\n".join(import_facts("country_capital", [source(*rows)]).notes)
    assert "2 facts share their question with a fact that has another answer" in notes
    assert "1 facts have one name as subject and object" in notes
    assert "2 facts keep the set's own count as published_count" in notes
    assert import_facts("country_capital", [source({"country": "A", "capital": "B"})]).notes == []


def test_an_unknown_set_lists_the_known_ones():
    assert "unknown fact set 'popqaa'; did you mean 'popqa'?" in refusal(
        ConfigError, import_facts, "popqaa", []
    )
