"""A folder for a paper: every figure of a report as PDF and SVG, every table as CSV and LaTeX."""

from pathlib import Path

from unequal.csv_injection import escape_formulas
from unequal.files import atomic_folder, check_replaceable
from unequal.report.build import current_analysis
from unequal.report.contents import contents_of
from unequal.report.paper.figures import paper_pdf, paper_svg
from unequal.report.paper.latex import latex_document, latex_table
from unequal.report.sentences import finding, sample_sentence

DOCUMENT = "report.tex"


def write_paper(study_folder: Path, folder: Path) -> Path:
    """Write ``figures/``, ``tables/`` and a document that includes them all; return the folder's path.

    An earlier such folder is replaced. The same scores give the same bytes. Raises `ConfigError` for a
    folder that holds anything else, and `DataError` when the study holds no scores.
    """
    check_replaceable(folder, DOCUMENT)
    analysis = current_analysis(study_folder)
    contents = contents_of(analysis)
    drawn = [one for one in contents.figures if one.panels]
    filled = [one for one in contents.tables.values() if one.rows]
    with atomic_folder(folder) as beside:
        figures, tables = beside / "figures", beside / "tables"
        figures.mkdir()
        tables.mkdir()
        for figure in drawn:
            svg = paper_svg(figure, len(contents.scales.levels))
            (figures / f"{figure.figure}.svg").write_text(svg, encoding="utf-8")
            (figures / f"{figure.figure}.pdf").write_bytes(paper_pdf(svg))
        for table in filled:
            escape_formulas(table.frame()).write_csv(tables / f"{table.table}.csv")
            (tables / f"{table.table}.tex").write_text(latex_table(table), encoding="utf-8")
        sentences = [*finding(analysis), sample_sentence(analysis)]
        (beside / DOCUMENT).write_text(latex_document(sentences, filled, drawn), encoding="utf-8")
    return folder
