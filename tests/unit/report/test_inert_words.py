"""Words of facts that would be formulas, markup or paths elsewhere are words in every file of ours."""

import csv
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulated_study import Truth, write_study
from unequal.analysis.analyze import analyze, write_analysis
from unequal.csv_injection import escape_formula, unescape_formula
from unequal.facts.schema import Fact
from unequal.facts.table import read_facts
from unequal.facts.write import write_facts
from unequal.report.build import build_report
from unequal.report.paper.folder import write_paper
from unequal.study.step import Step

FORMULAS = [
    "=cmd|' /C calc'!A0",
    "+1+cmd|'/C calc'!A0",
    '-2+3+HYPERLINK("//x")',
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
]
PATHS = [
    "../../../etc/passwd",
    "/etc/passwd",
    "..",
    "a/../../b",
    "..\\..\\b",
    "a\0b",
    "~root",
    ".hidden",
    "-rf",
]
EVIL = ["<script>alert(1)</script>", "\\input{/etc/passwd}", *FORMULAS, *PATHS[:5]]

FAULT = pytest.mark.fault(
    "facts hold HTML, formulas, LaTeX or path tricks", "they are shown as they are and do nothing, anywhere"
)


@FAULT
@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_a_text_to_a_spreadsheet(text):
    assert escape_formula(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "Paris", "-0.3", "+0.25 [-0.1, 0.4]", "-3", "a=b", "'tis", "—", "−0.5"])
def test_words_and_numbers_stay_as_they_are(text):
    assert escape_formula(text) == unescape_formula(text) == text


@given(st.text() | st.text("'=+-@1a"))
def test_an_inert_text_is_read_as_what_it_was(text):
    assert unescape_formula(escape_formula(text)) == text


def cells(path):
    with path.open(newline="", encoding="utf-8") as file:
        return [cell for row in csv.reader(file) for cell in row]


@FAULT
def test_facts_in_csv_files_are_inert_and_come_back_as_they_were(tmp_path):
    names = ("subject", "relation", "object", "question", "answer", "=own()")
    facts = [
        Fact(fact_id=f"{number}{text}", answer_aliases=(text, "b"), **dict.fromkeys(names, text))
        for number, text in enumerate(EVIL)
    ]
    write_facts(facts, tmp_path / "facts.csv")
    assert read_facts(tmp_path / "facts.csv") == facts
    assert not [cell for cell in cells(tmp_path / "facts.csv") if cell.startswith(tuple("=+-@\t\r"))]


@pytest.mark.full
@FAULT
def test_analysis_report_and_paper_of_evil_facts_are_inert(tmp_path):
    truth = Truth(
        people_per_level=10, never_seen=8, utility_people=8, methods=("ga", "npo"), relations=(EVIL[2],)
    )
    names = {f"Person 0-{number}": text for number, text in enumerate(EVIL)}
    folder = tmp_path / "deep" / "study"
    folder.mkdir(parents=True)
    write_study(folder, truth, names=names)
    write_analysis(analyze(folder, draws=20), folder)
    build_report(folder)
    write_paper(folder, folder / "paper")
    number = re.compile(r"[+-][\d.,%\s\[\]+e-]*")
    for path in folder.rglob("*.csv"):
        found = [
            cell for cell in cells(path) if cell.startswith(tuple("=+-@\t\r")) and not number.fullmatch(cell)
        ]
        assert found == [], path
    for path in folder.rglob("*.tex"):
        assert "/etc/passwd" not in path.read_text()
    assert "<script>alert" not in (folder / "report.html").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["study"]


class NamedStep(Step):
    """A step whose name comes from a fact."""

    kind = "named"
    words: str

    @property
    def name(self):
        return self.words


@FAULT
@pytest.mark.parametrize("text", [*PATHS, *FORMULAS, "<b>", "x" * 5000, "北京/..", ""])
def test_a_step_named_by_a_fact_has_a_folder_of_its_own_in_its_kind(text, tmp_path):
    folder = NamedStep(words=text).folder
    assert re.fullmatch(r"named/[A-Za-z0-9_-][A-Za-z0-9._-]*-[0-9a-f]{8}|named/-[0-9a-f]{8}", folder)
    assert ".." not in folder.split("/")
    path = tmp_path / folder
    path.mkdir(parents=True)
    assert path.resolve().parent == tmp_path / "named"
    assert NamedStep(words=f"{text}.").folder != folder
