"""Pictures that only some studies can have: natural counts, wording arms, families and sizes."""

import json
import shutil
from dataclasses import replace

import polars as pl
import pytest

from simulated_study import Truth, natural, relabelled, simulate
from unequal.analysis.analyze import FORMAT, analyze, analyze_scores, write_analysis
from unequal.analysis.effects.dose_response import ALL_METHODS, ANSWER, COUNT
from unequal.analysis.outcomes import EQUAL_STEPS
from unequal.files import read_json, write_table
from unequal.report.build import build_report
from unequal.report.contents import contents_of
from unequal.report.paper.folder import write_paper
from unequal.report.tables.arms import interactions_table
from unequal.report.tables.natural import natural_slopes_table, natural_table

pytestmark = pytest.mark.full

LEAN = Truth(
    people_per_level=12,
    exposures=(30, 120, 480),
    never_seen=8,
    utility_people=6,
    relations=("birth_city",),
    seeds=(0,),
    known_share=1.0,
)
OF_SOME = {"natural", "natural_known", "wording", "interactions", "sizes"}


@pytest.fixture(scope="module")
def arms():
    parts = [
        relabelled(replace(LEAN, slope=slope), wording=wording, family=family)
        for wording, slope in (("rerendered", -0.1), ("verbatim", -0.08), ("epochs", -0.06))
        for family in ("gpt2", "llama")
    ]
    return analyze_scores(pl.concat(parts), draws=60)


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("natural")
    scores, generations = natural(replace(LEAN, exposures=(3, 9, 30, 90, 300)))
    write_table(scores, folder / "scores.parquet")
    write_table(generations, folder / "generations.parquet")
    analysis = analyze(folder, draws=60)
    write_analysis(analysis, folder)
    return folder, analysis


def figures(analysis):
    return {one.figure: one for one in contents_of(analysis).figures}


def rows(panel):
    return panel.spec["datasets"]["rows"]


def test_studies_without_them_have_none_of_these_pictures():
    assert not OF_SOME & set(figures(analyze_scores(simulate(LEAN)[0], draws=20)))


def test_each_wording_arm_has_the_dose_response_of_its_own_models(arms):
    figure = figures(arms)["wording"]
    assert [panel.title.split(":")[0] for panel in figure.panels] == ["rerendered", "verbatim", "epochs"]
    for panel, wording in zip(figure.panels, ("rerendered", "verbatim", "epochs"), strict=True):
        models = arms.runs.filter(pl.col("wording") == wording)["model"].unique().to_list()
        cells = arms.dose.filter(
            pl.col("model").is_in(models)
            & (pl.col("comparison") == EQUAL_STEPS)
            & (pl.col("method") != ALL_METHODS)
        )
        expected = cells.group_by("exposure").agg(pl.col("value").mean()).sort("exposure")["value"]
        means = [row["value"] for row in rows(panel) if row["part"] == "mean"]
        assert len(models) == 2 and means == pytest.approx(expected.to_list(), abs=1e-4)


def test_slopes_by_factor_are_those_of_the_analysis(arms):
    figure = figures(arms)["interactions"]
    assert [panel.title for panel in figure.panels] == ["by family", "by wording arm"]
    for panel, factor in zip(figure.panels, ("family", "wording arm"), strict=True):
        expected = arms.interactions.filter((pl.col("factor") == factor) & pl.col("against").is_null())
        found = {(row["comparison"], row["value_of_factor"]): row["slope"] for row in rows(panel)}
        assert found == {
            (row["comparison"], row["value_of_factor"]): round(100 * row["slope"], 4)
            for row in expected.to_dicts()
        }
    table = interactions_table(arms)
    assert sum(str(row["against"]).endswith(", on facts both knew") for row in table.rows) == 2
    assert len(table.rows) == 5 + 2 and {"slope_low", "difference_high", "detectable"} <= set(
        table.frame().columns
    )


def test_the_line_through_the_groups_has_the_slope_of_c2(counted):
    _, analysis = counted
    figure = figures(analysis)["natural"]
    assert [panel.title for panel in figure.panels] == [ALL_METHODS, "ga", "npo"]
    slopes = analysis.effects.filter((pl.col("dose") == COUNT) & (pl.col("adjusted_for") == ANSWER))
    for panel in figure.panels:
        chosen = [row for row in rows(panel) if row["comparison"] == EQUAL_STEPS]
        line = [row for row in chosen if row["part"] == "fit"]
        groups = [row for row in chosen if row["part"] == "group"]
        expected = slopes.row(
            by_predicate=(pl.col("method") == panel.title) & (pl.col("comparison") == EQUAL_STEPS), named=True
        )
        run = line[-1]["log10_count"] - line[0]["log10_count"]
        assert (line[-1]["value"] - line[0]["value"]) / run == pytest.approx(expected["value"], abs=1e-3)
        assert line[0]["high"] - line[0]["low"] > 0 == line[1]["high"] - line[1]["low"]
        assert len(groups) == 5 and all(row["low"] <= row["value"] <= row["high"] for row in groups)


def test_tables_of_counts_hold_known_forgotten_and_slopes(counted):
    _, analysis = counted
    table = natural_table(analysis).frame()
    assert table["counts"].to_list() == ["3", "9", "30", "90", "300"]
    assert table["greedy answer"].min() == 1.0 and table["forgotten"].is_sorted(descending=True)
    slopes = natural_slopes_table(analysis).frame()
    assert slopes["method"].to_list() == ["ga", "npo", ALL_METHODS]
    assert (slopes["adjusted_high"] < 0).all() and slopes["detectable"].min() > 0


def test_page_and_paper_hold_them(counted, tmp_path):
    folder, _ = counted
    html = build_report(folder).read_text(encoding="utf-8")
    assert 'id="natural"' in html and 'href="#natural"' in html
    paper = write_paper(folder, tmp_path / "paper")
    for name in ("natural", "natural_known"):
        assert (paper / "figures" / f"{name}.pdf").stat().st_size > 3_000
        assert "var(" not in (paper / "figures" / f"{name}.svg").read_text(encoding="utf-8")
    for name in ("natural", "natural_slopes"):
        assert (paper / "tables" / f"{name}.csv").exists() and (paper / "tables" / f"{name}.tex").exists()


def test_what_an_older_version_analysed_is_analysed_anew(counted, tmp_path):
    folder = shutil.copytree(counted[0], tmp_path / "older")
    kept = read_json(folder / "analysis" / "verdicts.json")
    table = folder / "analysis" / "interactions.parquet"
    pl.read_parquet(table).drop("against").write_parquet(table)
    del kept["settings"]["format"]  # as it was before there was one
    (folder / "analysis" / "verdicts.json").write_text(json.dumps(kept))
    build_report(folder)
    assert read_json(folder / "analysis" / "verdicts.json")["settings"]["format"] == FORMAT
    assert "against" in pl.read_parquet(table).columns
