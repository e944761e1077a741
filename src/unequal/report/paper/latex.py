"""Tables and figures of a report as LaTeX, and one document that holds them all."""

from collections.abc import Sequence

from unequal.report.figures.figure import Figure
from unequal.report.paper.latex_text import escaped
from unequal.report.tables.table import WORDS, Column, Row, Table

LONG = 28
"""Characters beyond which a column of words is set as a paragraph."""
LINES_A_PAGE = 40
PREAMBLE = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage{textcomp}
\IfFileExists{lmodern.sty}{\usepackage{lmodern}}{}
\usepackage[margin=2cm]{geometry}
\usepackage{booktabs,graphicx}
\begin{document}
"""


def latex_table(table: Table) -> str:
    """Return a table in the booktabs style, as wide as the text at most; its label is ``tab:<name>``.

    A table longer than a page goes on in the next one. Needs the packages booktabs, graphicx, textcomp and T1
    fonts.
    """
    parts: list[list[Row]] = [[]]
    room = LINES_A_PAGE
    for row in table.rows:
        lines = max(
            -(-len(escaped(column.value(row))) // LONG) if column.kind == WORDS else 1
            for column in table.columns
        )
        if lines > room and parts[-1]:
            parts.append([])
            room = LINES_A_PAGE
        parts[-1].append(row)
        room -= lines
    return "\n".join(_part(table, rows, number, len(parts)) for number, rows in enumerate(parts, 1))


def _part(table: Table, rows: Sequence[Row], number: int, n_parts: int) -> str:
    title = f"{table.title} ({number} of {n_parts})." if n_parts > 1 else f"{table.title}."
    caption = escaped(f"{title} {table.note if number == 1 else ''}".strip())
    label = table.table if number == 1 else f"{table.table}-{number}"
    places = "".join(_place(table, column) for column in table.columns)
    return "\n".join(
        [
            "\\begin{table}[htbp]",
            "\\centering",
            f"\\caption{{{caption}}}",
            f"\\label{{tab:{label}}}",
            "\\smallskip",
            "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%",
            f"\\begin{{tabular}}{{{places}}}",
            "\\toprule",
            f"{' & '.join(escaped(column.title) for column in table.columns)} \\\\",
            "\\midrule",
            *(_row(table, row) for row in rows),
            "\\bottomrule",
            "\\end{tabular}}",
            "\\end{table}",
            "",
        ]
    )


def _row(table: Table, row: Row) -> str:
    cells = [escaped(f"{column.value(row)} {column.beside(row)}") for column in table.columns]
    rule = "\\midrule\n" if table.is_total(row) else ""
    # A bracket at the start of a row would be read as the length that may follow the end of the one above.
    return f"{rule}{{}}{' & '.join(cells)} \\\\"


def latex_document(sentences: Sequence[str], tables: Sequence[Table], figures: Sequence[Figure]) -> str:
    """Return a document with the finding, all tables and all figures with their captions."""
    parts = [PREAMBLE, *(f"{escaped(sentence)}\n" for sentence in sentences)]
    parts += [f"\\input{{tables/{table.table}.tex}}" for table in tables]
    parts.append("\\clearpage")
    parts += [_figure(figure) for figure in figures]
    return "\n".join([*parts, "\\end{document}", ""])


def _place(table: Table, column: Column) -> str:
    if column.kind != WORDS:
        return "r"
    longest = max((len(column.value(row)) for row in table.rows), default=0)
    return "l" if longest <= LONG else "p{0.3\\linewidth}"


def _ended(title: str) -> str:
    return title if title.endswith("?") else f"{title}."


def _figure(figure: Figure) -> str:
    return "\n".join(
        [
            "\\begin{figure}[htbp]",
            "\\centering",
            f"\\includegraphics[width=\\linewidth]{{figures/{figure.figure}.pdf}}",
            f"\\caption{{{escaped(f'{_ended(figure.title)} {figure.caption}')}}}",
            f"\\label{{fig:{figure.figure}}}",
            "\\end{figure}",
            "\\clearpage",
        ]
    )
