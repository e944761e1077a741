"""Figures and tables for a paper: the numbers of the page, and the same bytes each time."""

import json
import re
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulated_study import Truth, write_study
from unequal.analysis.analyze import analyze, read_analysis, write_analysis
from unequal.errors import ConfigError
from unequal.report.contents import contents_of
from unequal.report.paper.folder import write_paper
from unequal.report.paper.latex import latex_table
from unequal.report.paper.latex_text import escaped
from unequal.report.tables.table import EFFECT, NUMBER, PERCENT, STEPS, WORDS, Column, Table

STUDY = Truth(
    people_per_level=10,
    exposures=(30, 120, 480),
    never_seen=8,
    utility_people=8,
    methods=("ga", "npo"),
    relations=("birth_city",),
    known_share=1.0,
)
EVIL = r"50% of $5 & #1_a {x} \input{/etc/passwd} ~^<>"
TABLE = Table(
    "shares",
    "Shares",
    [
        Column("method", "Method", WORDS),
        Column("value", "Kept", PERCENT),
        Column("gap", "Gap", STEPS, "none"),
    ],
    [
        {"method": EVIL, "value": 0.256, "value_low": 0.1, "value_high": -0.4, "value_step": 7},
        {"method": "all methods", "value": None, "value_low": 0.1, "value_high": 0.2, "gap": -3.2},
    ],
    "How much is left.",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = write_study(tmp_path_factory.mktemp("study"), STUDY)
    write_analysis(analyze(folder, draws=40), folder)
    return folder


@pytest.fixture(scope="module")
def paper(folder, tmp_path_factory):
    return write_paper(folder, tmp_path_factory.mktemp("out") / "paper")


def test_a_cell_says_its_value_its_interval_and_where_it_was_read():
    kept, gap = TABLE.columns[1:]
    assert [kept.value(row) for row in TABLE.rows] == ["26%", "—"]
    assert [kept.beside(row) for row in TABLE.rows] == ["[10%, −40%] step 7", ""]
    assert [gap.value(row) for row in TABLE.rows] == ["none", "−3"]
    assert Column("e", "", EFFECT).value({"e": -0.0786}) == "−7.9"
    assert Column("n", "", NUMBER).value({"n": float("nan")}) == "—"
    assert [TABLE.is_total(row) for row in TABLE.rows] == [False, True]


def test_csv_keeps_unrounded_values_and_the_ends_of_intervals():
    frame = TABLE.frame()
    assert frame.columns == ["method", "value", "value_low", "value_high", "value_step", "gap"]
    assert frame["value"].to_list() == [0.256, None] and frame["gap"].to_list() == [None, -3.2]
    assert replace(TABLE, rows=[]).frame().columns == ["method", "value", "gap"]


def test_latex_sets_every_text_as_it_reads():
    assert escaped("a_b & 50% {x}") == r"a\_b \& 50\% \{x\}"
    text = latex_table(TABLE)
    assert r"\input" not in text and r"\textbackslash{}input\{/etc/passwd\}" in text
    body = text.split(r"\midrule", 1)[1].split(r"\bottomrule")[0]
    rows = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 2 and all(len(re.findall(r"(?<!\\)&", row)) == 2 for row in rows)
    assert r"26\% [10\%, $-$40\%] step 7" in rows[0] and r"\midrule" in body
    assert r"\begin{tabular}{p{0.3\linewidth}rr}" in text and r"\label{tab:shares}" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Côte d’Ivoire", r"C\^{o}te d'Ivoire"),
        ("Łódź", r"\L{}\'{o}d\'{z}"),
        ("Æsir straße ı", r"\AE{}sir stra\ss{}e \i{}"),
        ("naïve", r"na\"{\i{}}ve"),
        ("κ ≥ 0.6, β = −2", r"$\kappa$ $\geq$ 0.6, $\beta$ = $-$2"),
        ("Σ Α ς ο", r"$\Sigma$ $\mathrm{A}$ $\varsigma$ $o$"),
        ("東京 Ж", r"\texttt{U+6771}\allowbreak{}\texttt{U+4EAC}\allowbreak{} \texttt{U+0416}\allowbreak{}"),
        (
            "a--b \"c\" 'd' `e`",
            r"a-{}-b \textquotedbl{}c\textquotedbl{} \textquotesingle{}d\textquotesingle{} "
            r"\textasciigrave{}e\textasciigrave{}",
        ),
        ("two\n\tlines\x07", "two lines"),
        ("e\u0301", r"\'{e}"),
    ],
)
def test_latex_of_accents_symbols_and_other_scripts(text, expected):
    assert escaped(text) == expected


@pytest.mark.fault(
    "facts hold HTML, formulas, LaTeX or path tricks", "they are shown as they are and do nothing, anywhere"
)
@settings(max_examples=200, deadline=None)
@given(st.text())
def test_latex_of_any_text_is_ascii_without_bare_specials(text):
    found = escaped(text)
    assert found.isascii() and "\n" not in found
    assert not re.search(r"(?<!\\)[%&#_]", found)
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", found):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0


def test_a_table_longer_than_a_page_goes_on_in_the_next():
    rows = [{"method": f"m{n}", "value": 0.5} for n in range(90)]
    text = latex_table(replace(TABLE, rows=rows))
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 3
    assert r"\label{tab:shares}" in text and r"\label{tab:shares-3}" in text and "(2 of 3)" in text
    assert all(f"m{n} &" in text for n in range(90)) and text.count("How much is left") == 1


@pytest.mark.full
def test_every_figure_and_table_of_the_page_is_there(folder, paper):
    contents = contents_of(read_analysis(folder))
    drawn = {one.figure for one in contents.figures if one.panels}
    filled = {one.table for one in contents.tables.values() if one.rows}
    assert {"curves", "dose", "methods"} <= drawn and {"verdicts", "attacks", "methods"} <= filled
    for kind, names in (("figures", drawn), ("tables", filled)):
        assert {path.stem for path in (paper / kind).iterdir()} == names
    document = (paper / "report.tex").read_text(encoding="utf-8")
    assert all(f"figures/{name}.pdf" in document for name in drawn)
    assert all(rf"\input{{tables/{name}.tex}}" in document for name in filled)
    for path in paper.rglob("*.tex"):
        assert path.read_text(encoding="utf-8").isascii()


def test_figures_hold_their_titles_legend_and_colours_of_paper(paper):
    svg = (paper / "figures" / "curves.svg").read_text(encoding="utf-8")
    assert "var(" not in svg and 'fill="#ffffff"' in svg.replace("white", "#ffffff")
    assert all(f">{words}<" in svg for words in ("ga", "npo", "30×", "480×", "never seen", "times shown"))
    assert (paper / "figures" / "curves.pdf").read_bytes().startswith(b"%PDF")


def test_the_csv_holds_the_numbers_of_the_analysis(folder, paper):
    analysis = read_analysis(folder)
    table = pl.read_csv(paper / "tables" / "verdicts.csv")
    harder = next(one for one in analysis.verdicts if one.claim == "C1")
    row = table.row(by_predicate=pl.col("claim") == "C1", named=True)
    assert row["effect"] == pytest.approx(harder.effect) and row["effect_low"] == pytest.approx(harder.low)
    known = json.loads((folder / "analysis" / "verdicts.json").read_text())["verdicts"]
    assert set(table["claim"]) <= {one["claim"] for one in known}


@pytest.mark.full
def test_the_same_scores_give_the_same_bytes_and_an_older_folder_is_replaced(folder, paper, tmp_path):
    again = write_paper(folder, tmp_path / "again")
    (again / "old.txt").write_text("left over")
    write_paper(folder, again)
    files = sorted(path.relative_to(paper) for path in paper.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    for name in files:
        assert (paper / name).read_bytes() == (again / name).read_bytes(), name


def test_a_folder_with_other_files_is_left_alone(folder, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match="holds other files"):
        write_paper(folder, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
