"""The HTML report of a study folder: finding, verdicts, figures, tables, and how to reproduce them."""

from pathlib import Path
from typing import Any

import polars as pl
from markupsafe import Markup

from unequal.analysis.analyze import Analysis, analyze, belongs_to, read_analysis, write_analysis
from unequal.analysis.study_record import read_study_record
from unequal.analysis.verdicts import NOT_DECIDABLE
from unequal.checksums import warn_remade
from unequal.errors import DamagedError, DataError
from unequal.evaluation.known_by import gated, known_by_of
from unequal.evaluation.score_table import GENERATION_SCHEMA, read_generations, read_scores
from unequal.files import check_file_name, write_text
from unequal.report.colours import palette
from unequal.report.contents import contents_of, main_model
from unequal.report.fact_browser import Facts, fact_browser, fact_chart, fact_file, thinned
from unequal.report.page import asset, environment
from unequal.report.scripts import page_scripts, specs_of
from unequal.report.sentences import attack_sentence, effect, finding, order_sentence, sample_sentence


def build_report(study_folder: Path, out: Path | None = None, small: bool = False) -> Path:
    """Write the report of a study and return its path, ``report.html`` in the folder by default.

    Uses the folder's analysis when it belongs to these scores and makes it otherwise. Where the facts are
    too many for the page, all of them are in a script beside it, ``report.facts.js``; a ``small`` page holds
    fewer, compressed, and has nothing beside it. Raises `DataError` when the folder holds no scores.
    """
    if out is not None:
        check_file_name(out, "report.html")
    analysis, study = current_analysis(study_folder), read_study_record(study_folder)
    scores = gated(read_scores(study_folder / "scores.parquet"), known_by_of(study_folder))
    generations_path = study_folder / "generations.parquet"
    no_texts = pl.DataFrame(schema=GENERATION_SCHEMA)
    generations = read_generations(generations_path) if generations_path.exists() else no_texts
    target = out or study_folder / "report.html"
    beside = target.with_suffix(".facts.js")
    whole = fact_browser(
        scores, generations, analysis.runs, main_model(analysis)[0], known_by_of(study_folder)
    )
    facts = thinned(whole, small)
    apart = facts["left_out"] > 0 and not small
    if apart:
        write_text(beside, fact_file(whole))
    else:
        beside.unlink(missing_ok=True)
    facts = {**facts, "beside": beside.name if apart else ""}
    write_text(target, render(analysis, facts, study, str(scores["study"][0]), small))
    return target


def current_analysis(study_folder: Path) -> Analysis:
    """Return the folder's analysis, made anew when it is missing or of another version or other scores."""
    path = study_folder / "scores.parquet"
    if path.exists():
        try:
            analysis = read_analysis(study_folder)
            if belongs_to(analysis, study_folder):
                return analysis
        except DamagedError as error:
            warn_remade(error.folder, error.what)
        except DataError:  # there is none, or one of another version
            pass
    analysis = analyze(study_folder)
    write_analysis(analysis, study_folder)
    return analysis


def render(analysis: Analysis, facts: Facts, study: dict[str, Any], name: str, small: bool = False) -> str:
    """Return the report as one HTML text that needs no network."""
    contents = contents_of(analysis)
    scope, scales = contents.scope, contents.scales
    specs = specs_of(contents.figures)
    if facts["facts"]:
        specs["fact"] = fact_chart(scales)
    colours = {method: colour for method, colour, _ in scales.method_legend()}
    template = environment().get_template("report.html.j2")
    return template.render(
        name=str(study.get("name") or name),
        finding=finding(analysis),
        sample=sample_sentence(analysis),
        verdicts=[one for one in analysis.verdicts if one.verdict != NOT_DECIDABLE],
        open_claims=[one for one in analysis.verdicts if one.verdict == NOT_DECIDABLE],
        effect=effect,
        remarks=analysis.remarks,
        figures=contents.figures,
        tables=contents.tables,
        beside=contents.beside,
        has_facts=bool(facts["facts"]),
        browsed=facts["base"],
        has_more=bool(facts["beside"]),
        pictured=contents.sample,
        order_sentence=order_sentence(analysis, scope),
        attack_sentence=attack_sentence(analysis, scope),
        study=study,
        settings=analysis.settings,
        light=palette(len(scales.levels), dark=False),
        dark=palette(len(scales.levels), dark=True),
        style=Markup(asset("report.css")),  # our own file
        code=page_scripts(specs, {**facts, "colours": colours}, "report.js", small=small),
    )
