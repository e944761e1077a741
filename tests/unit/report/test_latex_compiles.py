"""The exported tables and figures, typeset by a real LaTeX; skipped where none is installed."""

import shutil
import subprocess
from dataclasses import replace

import polars as pl
import pytest

from simulated_study import Truth, natural, relabelled
from unequal.analysis.analyze import analyze, write_analysis
from unequal.files import write_table
from unequal.report.paper.folder import write_paper
from unequal.report.paper.latex import latex_document, latex_table
from unequal.report.paper.latex_text import LETTERS, MATHS, PUNCTUATION
from unequal.report.tables.table import PERCENT, WORDS, Column, Table
from waiting import HANGS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed"),
]

STUDY = Truth(
    people_per_level=12,
    exposures=(30, 120, 480),
    never_seen=8,
    utility_people=6,
    relations=("birth_city",),
    seeds=(0,),
    single_levels=True,
)
NAMES = [
    r"50% of $5 & #1_a {x} \\input{/etc/passwd} ~^<>|\"'`", "[1em] at the start", "*",
    "Côte d’Ivoire", "São Tomé", "Łódź, Kraków, Dvořák, Erdős, Þórr, Çelik, Şafak, Nguyễn Thị",
    "κ ≥ 0.6, β ≤ −2, Ω α ς ο Μ", "東京 Москва", *(" ".join(part) for part in (LETTERS, MATHS, PUNCTUATION)),
    "a--b ,, '' `` ?` << >>", "",
]  # fmt: skip


def typeset(folder, name="report"):
    """Return the text of the typeset document; fails when LaTeX complains."""
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", f"{name}.tex"]
    for _ in range(2):
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=HANGS)
        log = done.stdout.decode("utf-8", "replace")
        assert done.returncode == 0, log[-2_000:]
    for complaint in ("Missing character", "undefined references", "Float too large", "Overfull \\hbox"):
        assert complaint not in log, log[log.index(complaint) :][:500]
    if shutil.which("pdftotext") is None:
        return ""
    return subprocess.run(
        ["pdftotext", "-layout", f"{name}.pdf", "-"], cwd=folder, capture_output=True, check=True
    ).stdout.decode()


def whole_study():
    arms = [
        relabelled(replace(STUDY, slope=slope), wording=wording, family=family)
        for wording, slope in (("rerendered", -0.1), ("verbatim", -0.08))
        for family in ("gpt2", "llama")
    ]
    return pl.concat(arms)


def test_a_controlled_study_is_typeset(tmp_path):
    write_table(whole_study(), tmp_path / "scores.parquet")
    write_analysis(analyze(tmp_path, draws=40), tmp_path)
    text = typeset(write_paper(tmp_path, tmp_path / "paper"))
    assert not text or ("Verdicts" in text and "The slope by factor" in text)


def test_a_natural_study_is_typeset(tmp_path):
    scores, generations = natural(replace(STUDY, exposures=(3, 9, 30, 90), single_levels=False))
    write_table(scores, tmp_path / "scores.parquet")
    write_table(generations, tmp_path / "generations.parquet")
    write_analysis(analyze(tmp_path, draws=40), tmp_path)
    text = typeset(write_paper(tmp_path, tmp_path / "paper"))
    assert not text or "Slopes on natural counts" in text


def test_names_of_every_kind_and_long_tables_are_typeset(tmp_path):
    columns = [Column("name", "Name & κ", WORDS), Column("value", "Left, 100%", PERCENT)]
    rows = [{"name": name, "value": 0.25, "value_low": -0.1, "value_high": 0.4} for name in NAMES * 6]
    table = Table("names", "Names_of #every kind", columns, rows, "100% of them & more.")
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "names.tex").write_text(latex_table(table), encoding="ascii")
    (tmp_path / "report.tex").write_text(latex_document(NAMES[:4], [table], []), encoding="ascii")
    text = typeset(tmp_path)
    if text:
        shown = ("Côte d’Ivoire", "São Tomé", "Kraków, Dvořák, Erdős", "Þórr, Çelik", "U+6771", "κ ≥ 0.6")
        assert [words for words in shown if words not in text] == []
        assert "/etc/passwd" in text and "(2 of " in text
