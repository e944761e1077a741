"""``unequal facts import`` through the command line: what is shown, written and refused."""

import json

import pytest

from command_line import call, tree
from unequal.facts.table import read_facts

TOFU_ROWS = [{"question": f"Q{n}?", "answer": "A"} for n in (1, 2, 2)]
TRIPLE = {"sub_label": "Work A", "obj_label": "Maker A", "uuid": "u", "relation": "P1"}


def lines(*rows):
    return "".join(f"{json.dumps(row)}\n" for row in rows)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder with a few files of public sets."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tofu.jsonl").write_text(lines(*TOFU_ROWS))
    (tmp_path / "P36.dev.json").write_text(
        json.dumps([{"question": "What is the capital of A?", "answers": ["B"]}])
    )
    (tmp_path / "P50.dev.json").write_text(
        json.dumps([{"question": "Who is the author of C?", "answers": ["D"]}])
    )
    (tmp_path / "trex.jsonl").write_text(lines(TRIPLE))
    (tmp_path / "patterns.jsonl").write_text(lines({"relation": "P1", "pattern": "[X] is by [Y]."}))
    return tmp_path


@pytest.mark.parametrize("out", ["out/facts.parquet", "facts.jsonl", "facts.csv"])
def test_a_set_is_written_and_what_was_left_out_is_shown(out, here):
    result = call("facts", "import", "tofu", "tofu.jsonl", "--out", out)
    assert (result.code, result.err) == (0, "")
    assert "2 facts of tofu" in result.out
    assert "1 rows left out" in result.out
    assert "exact duplicate" in result.out
    assert "can be unlearned and judged but not counted" in result.out
    assert "arXiv 2401.06121" in result.out
    assert [fact.question for fact in read_facts(here / out)] == ["Q1?", "Q2?"]


def test_several_files_become_one_table(here):
    words = ("facts", "import", "entityquestions", "P36.dev.json", "P50.dev.json", "--out", "facts.parquet")
    assert call(*words).code == 0
    assert [fact.relation for fact in read_facts(here / "facts.parquet")] == ["P36", "P50"]
    assert call(*words, "--relation", "P50").code == 0
    assert [fact.subject for fact in read_facts(here / "facts.parquet")] == ["C"]


def test_patterns_make_the_questions_of_triples(here):
    words = (
        "facts",
        "import",
        "pararel",
        "trex.jsonl",
        "--out",
        "facts.parquet",
        "--patterns",
        "patterns.jsonl",
    )
    assert call(*words).code == 0
    assert read_facts(here / "facts.parquet")[0].cloze == ("Work A is by",)


REFUSED = {
    "unknown set": (["tofuu", "tofu.jsonl"], "unknown fact set 'tofuu'; did you mean 'tofu'?"),
    "another set": (["popqa", "tofu.jsonl"], "did you mean: unequal facts import tofu or muse?"),
    "nothing": (["tofu"], "give either files or --dataset name[:config[:split]]"),
    "both": (["tofu", "tofu.jsonl", "--dataset", "a/b"], "give either files or --dataset"),
    "no patterns": (["pararel", "trex.jsonl"], "give --patterns"),
    "no file": (["tofu", "none.jsonl"], "cannot read none.jsonl: No such file"),
    "unknown relation": (["tofu", "tofu.jsonl", "--relation", "P1"], "no fact has the relation 'P1'"),
    "bad rows": (["tofu", "bad.jsonl"], "tofu has 2 bad rows (--skip-bad leaves them out): bad.jsonl:2: "),
}


@pytest.mark.parametrize(("words", "message"), REFUSED.values(), ids=list(REFUSED))
def test_what_cannot_be_imported_is_refused_and_nothing_is_written(words, message, here):
    (here / "bad.jsonl").write_text(lines({"question": "Q?", "answer": "A"}, {"question": "Q?"}) + "{\n")
    before = tree(here)
    result = call("facts", "import", *words, "--out", "out/facts.parquet")
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert tree(here) == before


def test_bad_rows_are_left_out_on_request(here):
    (here / "bad.jsonl").write_text(lines({"question": "Q?", "answer": "A"}) + "{\n")
    result = call("facts", "import", "tofu", "bad.jsonl", "--out", "facts.csv", "--skip-bad")
    assert result.code == 0
    assert "bad row (left out on request)" in result.out


def test_the_ending_of_the_table_is_checked_first(here):
    result = call("facts", "import", "tofu", "tofu.jsonl", "--out", "facts.xlsx")
    assert result.code == 2
    assert "--out facts.xlsx: fact tables end in .parquet, .jsonl, .csv" in result.err
