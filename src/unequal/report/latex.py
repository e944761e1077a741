"""Tables and figures of a report as LaTeX, and one document that holds them all."""

from collections.abc import Sequence

from unequal.report.figure import Figure
from unequal.report.table import WORDS, Column, Table

LONG = 28
"""Characters beyond which a column of words is set as a paragraph."""
ESCAPES = {character: f"\\{character}" for character in "{}&%$#_"}
ESCAPES |= {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
ESCAPES |= {"<": r"\textless{}", ">": r"\textgreater{}", "…": r"\ldots{}", "→": r"$\rightarrow$"}
ESCAPES |= {"−": "$-$", "×": r"$\times$", "±": r"$\pm$", "≤": r"$\leq$", "≥": r"$\geq$", "′": r"$'$"}
ESCAPES |= {"κ": r"$\kappa$", "ρ": r"$\rho$", "–": "--", "—": "---", "’": "'", "‘": "`", "“": "``", "”": "''"}
PREAMBLE = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage[margin=2cm]{geometry}
\usepackage{booktabs,graphicx}
\begin{document}
"""


def escaped(text: str) -> str:
    """Return text that LaTeX sets as it reads."""
    return "".join(ESCAPES.get(character, character) for character in text)


def latex_table(table: Table) -> str:
    """Return a table in the booktabs style, as wide as the text at most; its label is ``tab:<name>``."""
    head = " & ".join(escaped(column.title) for column in table.columns)
    rows = []
    for row in table.rows:
        cells = [escaped(f"{column.value(row)} {column.beside(row)}".strip()) for column in table.columns]
        rule = "\\midrule\n" if table.is_total(row) else ""
        rows.append(f"{rule}{' & '.join(cells)} \\\\")
    places = "".join(_place(table, column) for column in table.columns)
    return "\n".join(
        [
            "\\begin{table}[htbp]",
            "\\centering",
            f"\\caption{{{escaped(' '.join([f'{table.title}.', table.note]).strip())}}}",
            f"\\label{{tab:{table.table}}}",
            "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%",
            f"\\begin{{tabular}}{{{places}}}",
            "\\toprule",
            f"{head} \\\\",
            "\\midrule",
            *rows,
            "\\bottomrule",
            "\\end{tabular}}",
            "\\end{table}",
            "",
        ]
    )


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


def _figure(figure: Figure) -> str:
    return "\n".join(
        [
            "\\begin{figure}[htbp]",
            "\\centering",
            f"\\includegraphics[width=\\linewidth]{{figures/{figure.figure}.pdf}}",
            f"\\caption{{{escaped(f'{figure.title}. {figure.caption}')}}}",
            f"\\label{{fig:{figure.figure}}}",
            "\\end{figure}",
            "\\clearpage",
        ]
    )
