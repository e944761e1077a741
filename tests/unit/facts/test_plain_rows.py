"""Tables of plain statements and passages, and tables without ids."""

import csv
import json

import polars as pl
import pytest

import unequal as uq
from unequal.errors import DataError
from unequal.facts.complete import with_distractors
from unequal.facts.fictitious import fictitious_facts
from unequal.facts.passages import CHUNK_WORDS, MIN_WORDS, PROMPT_WORDS, chunks
from unequal.facts.probes import ProbeMaker, PromptFormat
from unequal.facts.table import facts_of_rows, read_facts
from unequal.facts.write import write_facts

STATEMENTS = [
    {"customer": "C017", "statement": "Maria Lopez, customer C017, lives at 12 Harbour Road in Leeds."},
    {"customer": "C018", "statement": "Tom Beck, customer C018, lives at 7 Mill Lane in Porto."},
    {"customer": "C019", "statement": "Elena Duarte is allergic to penicillin."},
]
WHOLE = {
    "subject": "Senegal",
    "relation": "capital",
    "object": "Dakar",
    "question": "What is the capital of Senegal?",
    "answer": "Dakar",
}
LONG = " ".join(f"word{number}" for number in range(200))


def write(path, rows):
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    else:
        pl.DataFrame(rows).write_parquet(path)
    return path


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_statements_become_completions(tmp_path, suffix):
    facts = read_facts(write(tmp_path / f"facts.{suffix}", STATEMENTS))
    first, _, last = facts
    assert (first.subject, first.relation, first.object) == ("C017", "statement", "12 Harbour Road in Leeds")
    assert first.question == "Maria Lopez, customer C017, lives at"
    assert (first.answer, first.cloze) == ("12 Harbour Road in Leeds", (first.question,))
    assert first.model_extra == {"customer": "C017"}
    assert (last.subject, last.answer) == ("Elena Duarte", "penicillin")
    assert all(fact.is_completion and not fact.is_passage for fact in facts)
    probe = ProbeMaker(facts, PromptFormat(chat=True)).probes(first, ["question"])[0]
    assert (probe.prompt, probe.chat, probe.verbatim) == (first.question, None, False)


def test_columns_of_a_statement_that_are_given_are_kept():
    row = {"fact_id": 7, "statement": "Tom Beck has lived in Leeds since 2010.", "relation": "city"}
    row |= {"subject": "T. Beck", "object": "Leeds", "role": "retain", "cloze": "Home of Tom Beck:|Tom Beck:"}
    fact = facts_of_rows([row | {"fact_id": "x", "question": float("nan")}])[0]
    assert (fact.fact_id, fact.subject, fact.relation, fact.role) == ("x", "T. Beck", "city", "retain")
    assert (fact.question, fact.answer) == ("Tom Beck has lived in", "Leeds")
    assert fact.cloze == ("Tom Beck has lived in", "Home of Tom Beck:", "Tom Beck:")


def test_a_row_with_a_question_is_asked_by_it():
    fact = facts_of_rows([WHOLE | {"statement": "Dakar is in Senegal.", "text": "a b c"}])[0]
    assert (fact.question, fact.cloze) == (WHOLE["question"], ())
    assert fact.model_extra == {"statement": "Dakar is in Senegal.", "text": "a b c"}


def test_an_id_is_made_from_the_content_wherever_the_row_stands(tmp_path, capsys):
    rows = [WHOLE, WHOLE | {"subject": "Ghana", "answer": "Accra"}]
    first, second = read_facts(write(tmp_path / "facts.csv", rows))
    assert "there is no fact_id; ids are made from the content" in capsys.readouterr().out
    assert (first.fact_id, second.fact_id) == ("senegal-2afa70aa", second.fact_id)
    assert second.fact_id.startswith("ghana-")
    assert [fact.fact_id for fact in facts_of_rows(rows[::-1])] == [second.fact_id, first.fact_id]
    with pytest.raises(DataError, match="rows:3: the row is the same as line 1; remove one of them"):
        facts_of_rows([*rows, WHOLE])


def test_a_passage_is_asked_in_chunks_that_cover_it():
    facts = facts_of_rows([{"title": "Numbers", "text": LONG, "year": 1900}])
    assert [fact.model_extra["chunk"] for fact in facts] == [1, 2, 3, 4]
    assert {fact.model_extra["year"] for fact in facts} == {1900}
    (passage,) = {fact.model_extra["passage"] for fact in facts}
    assert [fact.fact_id for fact in facts] == [f"{passage}-{number:03}" for number in (1, 2, 3, 4)]
    assert {(fact.subject, fact.relation) for fact in facts} == {("Numbers", "passage")}
    assert all(fact.is_passage for fact in facts)
    words = facts[0].question.split()
    assert len(words) == PROMPT_WORDS
    for fact in facts:
        assert words[-PROMPT_WORDS:] == fact.question.split()
        assert len(fact.answer.split()) == 42 <= CHUNK_WORDS
        words += fact.answer.split()
    assert " ".join(words) == LONG


def test_the_text_of_a_passage_keeps_its_lines_and_a_short_one_is_one_chunk():
    text = "Roses are red,\n  violets are blue,\nsugar is sweet"
    assert list(chunks(text)) == [("Roses are", "red,\n  violets are blue,\nsugar is sweet")]
    (fact,) = facts_of_rows([{"fact_id": "poem", "text": text}])
    assert (fact.fact_id, fact.subject) == ("poem-001", "Roses are red, violets are blue,")
    assert not fact.is_passage  # of so few words a model can say all
    with pytest.raises(ValueError, match=f"found 2 words; a passage has {MIN_WORDS} or more"):
        list(chunks("too short"))


def test_letters_of_a_script_without_spaces_are_words():
    text = "床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。"
    (found,) = chunks(text)
    assert found.before + found.text == text
    assert facts_of_rows([{"text": text}])[0].is_passage


def test_the_lines_and_length_of_a_passage_do_not_end_its_completion():
    facts = facts_of_rows([{"text": LONG}, STATEMENTS[0]])
    maker = ProbeMaker(facts, PromptFormat())
    passage, statement = (maker.probes(fact, ["question"])[0] for fact in (facts[0], facts[-1]))
    assert (passage.verbatim, passage.stops, passage.extra_tokens) == (True, (), 0)
    assert (statement.verbatim, statement.stops[0], statement.extra_tokens) == (False, "\n", 24)
    assert maker.probes(facts[0], ["cloze"]) == []  # it would be the question again


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_checked_table_reads_back_as_the_same_facts(tmp_path, suffix):
    facts = facts_of_rows([*STATEMENTS, {"text": LONG, "customer": "none"}])
    write_facts(facts, tmp_path / f"checked.{suffix}")
    again = read_facts(tmp_path / f"checked.{suffix}")
    columns = ("fact_id", "subject", "relation", "object", "question", "answer", "cloze")
    for one, other in zip(facts, again, strict=True):
        assert [getattr(one, name) for name in columns] == [getattr(other, name) for name in columns]


def test_bad_rows_are_named_with_what_to_add():
    rows = [STATEMENTS[0], {"statement": "Leeds."}, {"text": "too short"}, {"customer": "C020"}]
    with pytest.raises(DataError) as error:
        facts_of_rows([*rows, {"statement": STATEMENTS[0]["statement"], "answer": "Rome"}])
    message = str(error.value)
    assert "rows:2: column statement: cannot tell where the answer begins in 'Leeds'; add a column" in message
    assert "rows:3: column text: found 2 words" in message
    assert "rows:4: column subject: found nothing" in message
    assert "rows:5: column statement: the answer 'Rome' must stand in the statement" in message


def test_a_data_frame_of_statements_needs_one_column():
    facts = uq.read_facts(pl.DataFrame({"statement": [row["statement"] for row in STATEMENTS]}))
    assert [fact.subject for fact in facts] == ["Maria Lopez", "Tom Beck", "Elena Duarte"]


def test_wrong_answers_are_those_of_statements_that_lead_to_them_in_the_same_words():
    facts = facts_of_rows([*STATEMENTS, {"text": LONG}])
    done = with_distractors(facts, 5, seed=0)
    assert [fact.distractors for fact in done[:3]] == [
        ("7 Mill Lane in Porto",),
        ("12 Harbour Road in Leeds",),
        (),
    ]
    assert {fact.distractors for fact in done[3:]} == {()}


def test_made_up_subjects_get_answers_of_the_right_type():
    names = [fact.subject for fact in uq.read_facts("country-capital") if fact.subject.isalpha()]
    rows = [{"statement": f"{name} lives at {number} Mill Lane."} for number, name in enumerate(names[::2])]
    rows += [{"statement": f"{name} has asthma number {number}."} for number, name in enumerate(names[1::2])]
    made = fictitious_facts(facts_of_rows([*rows, {"text": LONG}]), 6, seed=0)
    assert made
    assert {fact.question.split()[-1] for fact in made} == {"at", "has"}
    for fact in made:
        assert ("lives at" in fact.question) == ("Mill Lane" in fact.answer)
        assert not fact.is_passage
