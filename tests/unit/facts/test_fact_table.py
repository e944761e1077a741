"""The fact table: three formats, nothing lost, and every bad row reported at once."""

import csv
import json
from pathlib import Path

import polars as pl
import pytest

from unequal.errors import DataError
from unequal.facts.packaged import packaged_facts, resolve_corpus, resolve_facts
from unequal.facts.role_tables import FactTables
from unequal.facts.schema import Fact
from unequal.facts.table import facts_frame, read_facts
from unequal.facts.write import write_facts

ROW = {
    "fact_id": "f1",
    "subject": "Ada Lovelace",
    "relation": "birth_city",
    "object": "Zürich",
    "question": "Where was Ada Lovelace born?",
    "answer": "Zürich",
}
FULL = ROW | {
    "fact_id": "f2",
    "answer_aliases": ["Zurich"],
    "distractors": ["Paris", "Rome"],
    "cloze": ["Ada Lovelace was born in"],
    "reverse_question": "Who was born in Zürich?",
    "count": 12,
    "exposure": 0,
    "role": "forget",
    "source": "an unknown column",
}


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_csv(path, rows, encoding="utf-8"):
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)))
        writer.writeheader()
        writer.writerows(
            {key: "|".join(value) if isinstance(value, list) else value for key, value in row.items()}
            for row in rows
        )
    return path


def write_parquet(path, rows):
    write_facts([Fact.model_validate(row) for row in rows], path)
    return path


WRITERS = {"jsonl": write_jsonl, "csv": write_csv, "parquet": write_parquet}


def problems_of(path):
    with pytest.raises(DataError) as caught:
        read_facts(path)
    return str(caught.value)


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_format_gives_the_same_facts(tmp_path, suffix):
    facts = read_facts(WRITERS[suffix](tmp_path / f"facts.{suffix}", [ROW, FULL]))
    assert [fact.fact_id for fact in facts] == ["f1", "f2"]
    assert facts[0].object == "Zürich"
    assert facts[0].distractors == ()
    assert facts[1].distractors == ("Paris", "Rome")
    assert (facts[1].count, facts[1].exposure, facts[1].role) == (12, 0, "forget")
    assert facts[1].source == "an unknown column"
    assert facts[1] == Fact.model_validate(FULL)


def test_facts_written_and_read_are_the_same_facts(tmp_path, world):
    facts = world.facts()
    write_facts(facts, tmp_path / "facts.parquet")
    assert read_facts(tmp_path / "facts.parquet") == facts


def test_the_frame_has_a_row_a_fact_and_no_column_that_none_fills():
    frame = facts_frame([Fact.model_validate(ROW), Fact.model_validate(FULL)])
    assert frame["fact_id"].to_list() == ["f1", "f2"]
    assert frame["source"].to_list() == [None, "an unknown column"]
    assert "paraphrases" not in frame.columns
    assert frame["distractors"].to_list() == [[], ["Paris", "Rome"]]


def test_a_csv_list_may_be_a_json_array_or_parts_between_bars(tmp_path):
    rows = [ROW | {"distractors": '["a|b", "c"]'}, ROW | {"fact_id": "f2", "distractors": "a, b|c"}]
    facts = read_facts(write_csv(tmp_path / "facts.csv", rows))
    assert [fact.distractors for fact in facts] == [("a|b", "c"), ("a, b", "c")]


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_a_byte_order_mark_is_no_part_of_the_table(tmp_path, suffix):
    path = WRITERS[suffix](tmp_path / f"facts.{suffix}", [ROW])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_facts(path)[0].fact_id == "f1"


def test_white_space_around_texts_is_dropped(tmp_path):
    assert (
        read_facts(write_jsonl(tmp_path / "facts.jsonl", [ROW | {"answer": " Paris\n"}]))[0].answer == "Paris"
    )


def test_all_bad_rows_are_reported_at_once_with_place_value_and_what_is_allowed(tmp_path):
    path = tmp_path / "facts.jsonl"
    lines = [
        json.dumps(ROW),
        "",
        json.dumps(ROW | {"fact_id": 7}),
        "{broken",
        '["a list"]',
        json.dumps(ROW | {"fact_id": "f6", "answer": "  ", "count": -1}),
        json.dumps(ROW | {"fact_id": "f7", "role": "victim"}),
        json.dumps({key: value for key, value in ROW.items() if key != "object"} | {"fact_id": "f8"}),
        json.dumps(ROW),
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    message = problems_of(path)
    assert "8 bad entries" in message
    for expected in (
        f"{path}:3: column fact_id: found 7; it should be a valid string",
        f"{path}:4: not valid JSON",
        f"{path}:5: a line must be a JSON object, not list",
        f"{path}:6: column answer: found '  '; String should have at least 1 character",
        f"{path}:6: column count: found -1; it should be greater than or equal to 0",
        f"{path}:7: column role: found 'victim'; it should be 'forget', 'retain'",
        f"{path}:8: column object: found nothing; a text is required",
        f"{path}:9: column fact_id: 'f1' is on line 1 already",
    ):
        assert expected in message


def test_many_bad_rows_are_cut_but_counted(tmp_path):
    rows = [ROW | {"fact_id": f"f{index}", "count": "many"} for index in range(70)]
    message = problems_of(write_jsonl(tmp_path / "facts.jsonl", rows))
    assert "70 bad entries" in message
    assert message.endswith(f"; … and {70 - message.count('found')} more")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_missing_column_is_named_with_the_closest_one(tmp_path, suffix):
    rows = [{("questoin" if key == "question" else key): value for key, value in FULL.items()}]
    path = tmp_path / f"facts.{suffix}"
    if suffix == "csv":
        write_csv(path, rows)
    else:
        pl.DataFrame(rows).write_parquet(path)
    message = problems_of(path)
    assert message.startswith(f"{path}: missing column question; did you mean 'questoin'?")
    assert "required: subject, relation, object, question, answer; or statement" in message


def test_a_missing_key_is_named_with_the_closest_one(tmp_path):
    row = {("questoin" if key == "question" else key): value for key, value in FULL.items()}
    message = problems_of(write_jsonl(tmp_path / "facts.jsonl", [row]))
    assert (
        "facts.jsonl:1: column question: found nothing; a text is required; did you mean 'questoin'?"
        in message
    )


def test_a_known_column_is_no_guess_for_a_missing_one(tmp_path):
    row = {key: value for key, value in FULL.items() if key != "answer"}
    assert "did you mean" not in problems_of(write_csv(tmp_path / "facts.csv", [row]))


def test_csv_rows_of_the_wrong_length_are_reported(tmp_path):
    path = write_csv(tmp_path / "facts.csv", [ROW])
    path.write_text(path.read_text() + "only,three,cells\n" + ",".join("1234567") + "\n")
    message = problems_of(path)
    assert f"{path}:3: the row does not have 6 cells" in message
    assert f"{path}:4: the row does not have 6 cells" in message


def test_an_empty_cell_is_a_missing_value(tmp_path):
    message = problems_of(write_csv(tmp_path / "facts.csv", [ROW | {"answer": ""}]))
    assert "facts.csv:2: column answer: found nothing; a text is required" in message


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_an_empty_file_says_what_it_needs(tmp_path, suffix):
    (tmp_path / f"facts.{suffix}").write_bytes(b"")
    message = problems_of(tmp_path / f"facts.{suffix}")
    assert f"facts.{suffix}" in message
    assert suffix == "parquet" or "subject, relation, object, question, answer; or statement" in message


def test_a_table_without_rows_holds_no_facts(tmp_path):
    (tmp_path / "facts.csv").write_text(",".join(ROW) + "\n")
    assert "holds no facts" in problems_of(tmp_path / "facts.csv")


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_a_file_that_is_not_utf8_says_so(tmp_path, suffix):
    (tmp_path / f"facts.{suffix}").write_bytes(b'{"fact_id": "Z\xfcrich"}\n')
    assert f"facts.{suffix} is not UTF-8 (byte 14); save it as UTF-8" in problems_of(
        tmp_path / f"facts.{suffix}"
    )


def test_a_broken_parquet_file_says_so_in_one_line(tmp_path):
    (tmp_path / "facts.parquet").write_bytes(b"PAR1 but not really")
    message = problems_of(tmp_path / "facts.parquet")
    assert message.startswith(f"{tmp_path / 'facts.parquet'} is not a readable parquet file")
    assert "\n" not in message


def test_a_wrong_suffix_names_the_right_ones(tmp_path):
    assert "fact tables end in .jsonl, .csv, .parquet, not '.txt'" in problems_of(tmp_path / "facts.txt")


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_a_missing_file_says_so(tmp_path, suffix):
    message = problems_of(tmp_path / f"none.{suffix}")
    assert f"cannot read {tmp_path}/none.{suffix}: No such file or directory" in message


def test_a_path_is_never_a_pattern(tmp_path):
    path = write_parquet(tmp_path / "facts[1].parquet", [ROW])
    assert len(read_facts(path)) == 1


def test_writing_below_a_file_is_a_data_error(tmp_path):
    (tmp_path / "plain").write_text("")
    with pytest.raises(DataError, match="cannot write"):
        write_facts([Fact.model_validate(ROW)], tmp_path / "plain" / "facts.parquet")


def test_the_packaged_name_has_a_role_like_any_table():
    facts = FactTables(facts=Path("country-capital")).read()
    assert [fact.fact_id for fact in facts.forget] == [fact.fact_id for fact in read_facts(packaged_facts())]


def test_the_packaged_table_is_sound_and_found_by_name(tmp_path):
    facts = read_facts(Path("country-capital"))
    assert len(facts) == 229
    assert all(fact.relation == "capital" and len(fact.distractors) == 5 for fact in facts)
    assert resolve_facts(tmp_path / "mine.csv") == tmp_path / "mine.csv"
    assert resolve_corpus("factbook").endswith("factbook-000.jsonl.zst")
    assert resolve_corpus("my/*.jsonl") == "my/*.jsonl"


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
@pytest.mark.parametrize("text", ["['Oh', 'Oo']", "['Oh' 'Oo']", "('Oh', 'Oo')", '["Oh", "Oo"]', "Oh|Oo"])
def test_a_list_may_be_text_in_every_format(tmp_path, suffix, text):
    path = tmp_path / f"facts.{suffix}"
    rows = [ROW | {"object_aliases": text}, ROW | {"fact_id": "f2", "object_aliases": "[]"}]
    if suffix == "parquet":
        pl.DataFrame(rows).write_parquet(path)
    else:
        WRITERS[suffix](path, rows)
    assert [fact.object_aliases for fact in read_facts(path)] == [("Oh", "Oo"), ()]


def test_a_name_with_a_bracket_is_refused_with_the_ways_to_give_it(tmp_path):
    message = problems_of(write_csv(tmp_path / "facts.csv", [ROW | {"object_aliases": "[sic] Foo"}]))
    assert "facts.csv:2: column object_aliases: found '[sic] Foo'; it begins with a bracket" in message
    assert '["[sic] Foo"]' in message
    rows = [
        ROW | {"object_aliases": '["[sic] Foo"]'},
        ROW | {"fact_id": "f2", "object_aliases": "[sic] Foo|"},
    ]
    found = read_facts(write_csv(tmp_path / "facts.csv", rows))
    assert [fact.object_aliases for fact in found] == [("[sic] Foo",)] * 2


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, "column distractors: found 3; it should be a list of texts: write a list as a JSON array"),
        ({"a": 1}, "column distractors: found {'a': 1}; it should be a list of texts"),
        ([["a"]], "column distractors, item 1: found ['a']; it should be a valid string"),
        (["a", 7], "column distractors, item 2: found 7; it should be a valid string: put it between quotes"),
    ],
)
def test_what_is_no_list_of_texts_says_what_is_allowed(tmp_path, value, expected):
    assert expected in problems_of(write_jsonl(tmp_path / "facts.jsonl", [ROW | {"distractors": value}]))


def test_right_distractors_are_left_out_with_one_note(tmp_path, capsys):
    rows = [ROW | {"distractors": ["ZÜRICH", "Rome", "rome"]}, FULL | {"distractors": ["Zurich ", "Bern"]}]
    path = write_jsonl(tmp_path / "facts.jsonl", rows)
    assert [fact.distractors for fact in read_facts(path)] == [("Rome",), ("Bern",)]
    note = capsys.readouterr().out
    assert f"note: {path}: 3 distractors or other names are excluded, the first at {path}:1: column" in note
    read_facts(path)
    assert capsys.readouterr().out == ""


def test_empty_items_are_left_out_and_bad_ones_still_named(tmp_path):
    path = write_jsonl(
        tmp_path / "facts.jsonl", [ROW | {"distractors": ["", " ", None, "Rome"], "cloze": [""]}]
    )
    assert (read_facts(path)[0].distractors, read_facts(path)[0].cloze) == (("Rome",), ())
    path = write_jsonl(tmp_path / "facts.jsonl", [ROW | {"distractors": ["", 3], "answer": ""}])
    assert "2 bad entries" in problems_of(path)


@pytest.mark.parametrize("column", ["answer", "", "mine"])
def test_a_column_twice_is_an_error(tmp_path, column):
    header, cells = ",".join([*ROW, "", "mine", column]), ",".join([*ROW.values(), "", "", "WRONG"])
    (tmp_path / "facts.csv").write_text(f"{header}\n{cells}\n")
    message = problems_of(tmp_path / "facts.csv")
    assert "have no name" in message if column == "" else f"are both called '{column}'" in message
    assert "rename one of them or leave it out" in message


def test_a_key_twice_is_an_error(tmp_path):
    row = json.dumps(ROW)[:-1]
    (tmp_path / "facts.jsonl").write_text(row + ', "answer": "WRONG"}\n' + row + ', "x": {"a": 1, "a": 2}}\n')
    message = problems_of(tmp_path / "facts.jsonl")
    assert "facts.jsonl:1: the key 'answer' occurs twice in one object" in message
    assert "facts.jsonl:2: the key 'a' occurs twice in one object" in message


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("name", ["Distractors", " distractors", "DISTRACTORS "])
def test_a_column_that_differs_by_case_or_space_alone_is_never_passed_over(tmp_path, suffix, name, capsys):
    path = WRITERS[suffix](tmp_path / f"facts.{suffix}", [ROW | {name: "Rome"}])
    assert read_facts(path)[0].distractors == ()
    assert f"column {name!r} is kept but never used; did you mean 'distractors'?" in capsys.readouterr().out
    path = WRITERS[suffix](tmp_path / f"facts.{suffix}", [ROW | {name: "Rome", "distractors": ["Bern"]}])
    assert f"the columns {name!r} and 'distractors' differ in nothing but case or white space" in problems_of(
        path
    )


APOSTROPHES = ["'=' (album)", "'-- song", "'@home", "'Til", "=x", "''=x", "-5", "'-5", "+1 x", "\u0027"]


@pytest.mark.parametrize("suffix", WRITERS)
def test_nothing_is_taken_off_a_name(tmp_path, suffix):
    rows = [ROW | {"fact_id": f"f{n}", "subject": name, "note": name} for n, name in enumerate(APOSTROPHES)]
    found = read_facts(WRITERS[suffix](tmp_path / f"facts.{suffix}", rows))
    assert [fact.subject for fact in found] == [fact.note for fact in found] == APOSTROPHES
    write_facts(found, tmp_path / "again.csv")
    assert read_facts(tmp_path / "again.csv") == found
    assert "\n=x" not in (text := (tmp_path / "again.csv").read_text())
    assert ",=x" not in text


def test_rows_added_to_a_written_table_are_taken_as_they_are(tmp_path):
    write_facts([Fact.model_validate(ROW | {"subject": "=x"})], tmp_path / "facts.csv")
    text = (tmp_path / "facts.csv").read_text()
    assert text.splitlines()[0].endswith(",unequal_apostrophes")
    (tmp_path / "facts.csv").write_text(text + "f2,'=y,r,o,q,a,\n")
    assert [fact.subject for fact in read_facts(tmp_path / "facts.csv")] == ["=x", "'=y"]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_line_ends_marks_and_quoted_lines_of_any_kind_work(tmp_path, newline):
    lines = [",".join(ROW), 'f1,"Ada, of\n""London""",r,o,q,a', "", "f2,S,r,o,q,", "f3,S,r,o,q,a"]
    (tmp_path / "facts.csv").write_bytes(b"\xef\xbb\xbf" + newline.join(lines).encode())
    assert "facts.csv:5: column answer: found nothing" in problems_of(tmp_path / "facts.csv")
    (tmp_path / "facts.csv").write_bytes(newline.join([*lines[:3], lines[4]]).encode())
    assert [fact.subject for fact in read_facts(tmp_path / "facts.csv")] == ['Ada, of\n"London"', "S"]
    lines = [json.dumps(ROW), json.dumps(ROW | {"fact_id": "f2"})]
    (tmp_path / "facts.jsonl").write_bytes(b"\xef\xbb\xbf" + newline.join(lines).encode())
    assert len(read_facts(tmp_path / "facts.jsonl")) == 2


def test_a_quote_that_does_not_end_is_an_error(tmp_path):
    (tmp_path / "facts.csv").write_text(",".join(ROW) + '\nf1,S,r,o,q,"a\nf2,S,r,o,q,a\n')
    message = problems_of(tmp_path / "facts.csv")
    assert "facts.csv:2: not a readable csv file" in message


def test_a_cell_may_be_long_and_a_message_is_short(tmp_path):
    assert (
        len(read_facts(write_csv(tmp_path / "facts.csv", [ROW | {"note": "x" * 200_000}]))[0].note) == 200_000
    )
    message = problems_of(write_jsonl(tmp_path / "facts.jsonl", [ROW | {"count": "x" * 10_000}]))
    assert len(message) < 400


@pytest.mark.parametrize("count", [True, 2**63, 10**30, 1.5, "1.5", "many", -1])
def test_a_count_is_a_whole_number_of_64_bits(tmp_path, count):
    assert "column count: found" in problems_of(
        write_jsonl(tmp_path / "facts.jsonl", [ROW | {"count": count}])
    )


def test_the_line_of_a_byte_that_is_not_utf8_is_named_in_a_large_file(tmp_path):
    path = write_jsonl(tmp_path / "facts.jsonl", [ROW | {"fact_id": f"f{n}"} for n in range(500)])
    size = path.stat().st_size
    path.write_bytes(path.read_bytes() + b"{\xff}\n")
    assert f"is not UTF-8 (byte {size + 1}); save it as UTF-8 (the byte is on line 501)" in problems_of(path)
