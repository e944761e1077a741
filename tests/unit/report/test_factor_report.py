"""The report of crossed factors: a sentence, a ranked picture and two tables, for page and paper alike."""

import csv
import json
import re

import polars as pl
import pytest

from simulated_factor_study import write_factor_study
from simulated_study import Truth, simulate
from unequal.analysis.analyze import analyze, analyze_scores, read_analysis, write_analysis
from unequal.corpus.factors import FACTORS
from unequal.report.build import build_report
from unequal.report.contents import contents_of
from unequal.report.paper.folder import write_paper
from unequal.report.tables.factors import factor_rows, factor_sentence

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = write_factor_study(tmp_path_factory.mktemp("factors") / "study")
    write_analysis(analyze(folder, draws=600), folder)
    build_report(folder)
    return folder


@pytest.fixture(scope="module")
def analysis(folder):
    return read_analysis(folder)


@pytest.fixture(scope="module")
def contents(analysis):
    return contents_of(analysis)


def test_the_analysis_is_in_the_folder_and_finds_what_was_put_in(folder, analysis):
    rows = {row["factor"]: row for row in factor_rows(analysis).to_dicts()}
    assert set(rows) == {"exposure", *FACTORS}
    assert rows["asked"]["rank"] == 1 and rows["asked"]["verdict"] == "matters"
    assert rows["asked"]["value"] < -0.2
    with (folder / "analysis" / "factors.csv").open() as file:
        assert {row["factor"] for row in csv.DictReader(file)} >= set(rows)
    levels = analysis.factor_levels.filter(pl.col("factor") == "asked")
    assert levels["level"].to_list() == ["no", "yes"]
    assert levels["forgotten"][1] < levels["forgotten"][0] - 0.2
    assert levels["never_seen_share"].to_list() == [0.0, 0.0]


def test_the_sentence_names_what_matters_with_its_share(analysis):
    sentence = factor_sentence(analysis)
    share = factor_rows(analysis)["share"][0]
    assert sentence.startswith("What mattered, with the share it explains: ")
    assert f"asked about in training ({share:.0%})" in sentence
    assert re.search(r"Together the 9 factors explain \d+% .* \(95% interval \d+% to \d+%\)\.$", sentence)


def test_the_picture_ranks_the_factors_in_both_panels(analysis, contents):
    figure = next(one for one in contents.figures if one.figure == "factors")
    order = factor_rows(analysis)["title"].to_list()
    assert [panel.title for panel in figure.panels] == ["explained variance", "change of the forgotten share"]
    for panel in figure.panels:
        sorts = re.findall(r'"y": \{[^{}]*?(?:\{[^{}]*\}[^{}]*?)*"sort": (\[.*?\])', json.dumps(panel.spec))
        assert sorts and all(json.loads(sort) == order for sort in sorts)
    assert figure.caption.startswith(factor_sentence(analysis))
    text = json.dumps(figure.panels[1].spec)
    assert "adjusted for starting log-probability" in text


def test_the_tables_hold_every_factor_and_level(contents):
    table = contents.tables["factors"]
    assert len(table.rows) == 9
    assert table.rows[0]["title"] == "asked about in training"
    assert table.rows[0]["effect_low"] < table.rows[0]["effect"] < table.rows[0]["effect_high"]
    assert all(row["known"] is not None and row["adjusted"] is not None for row in table.rows)
    assert len(contents.tables["factor_levels"].rows) == 2 * 9 + 2  # and one size, one family


def test_the_page_shows_them_and_its_link(folder):
    html = (folder / "report.html").read_text(encoding="utf-8")
    assert 'href="#factors"' in html and 'data-spec="factors-1"' in html
    assert "What mattered, with the share it explains" in html
    assert "Levels of the factors" in html


@pytest.mark.full
def test_the_paper_has_the_figure_and_the_tables(folder, tmp_path):
    paper = write_paper(folder, tmp_path / "paper")
    assert (paper / "figures" / "factors.pdf").stat().st_size > 3000
    svg = (paper / "figures" / "factors.svg").read_text(encoding="utf-8")
    assert "asked about in training" in svg and "not adjusted" in svg
    assert "matters" in (paper / "tables" / "factors.tex").read_text(encoding="utf-8")
    assert (paper / "tables" / "factor_levels.csv").is_file()


def test_a_study_without_factors_shows_nothing_of_them():
    scores, _ = simulate(
        Truth(people_per_level=6, exposures=(30, 120), relations=("birth_city",), seeds=(0,))
    )
    analysis = analyze_scores(scores, draws=20)
    contents = contents_of(analysis)
    assert analysis.factors.is_empty() and analysis.factor_levels.is_empty()
    assert "factors" not in [one.figure for one in contents.figures]
    assert contents.tables["factors"].rows == [] and factor_sentence(analysis) == ""


@pytest.mark.full
def test_a_study_in_which_nothing_can_be_told_says_so(tmp_path):
    folder = write_factor_study(tmp_path / "study", cross=("recency",), known_share=0.05)
    analysis = analyze(folder, draws=20)
    assert factor_sentence(analysis) in ("", "No factor is shown to matter.")
    build_report(folder)
