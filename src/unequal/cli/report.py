"""``unequal report``."""

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from unequal.console import progress_bar, say
from unequal.errors import ConfigError
from unequal.files import locked
from unequal.output_paths import Output, check_outputs, files_in


def report(
    study: Path, *others: Path, out: Path | None = None, paper: Path | None = None, small: bool = False
) -> None:
    """Draw the report of a finished study, or set several side by side: one HTML file, no network.

    Parameters
    ----------
    study
        folder of a study
    others
        folders of more studies, to compare with the first: verdicts, slopes, methods, settings
    out
        file to write; by default report.html in the folder, or of several comparison.html in the first
    paper
        folder to write besides, of one study: every figure as PDF and SVG, every table as CSV and LaTeX
    small
        write a page of less than a megabyte, to send or to commit: compressed, with fewer facts to browse
    """
    if others and small:
        raise ConfigError("--small is of one study; name one folder, or leave --small out to compare several")
    if others and paper:
        raise ConfigError("--paper is of one study; name one folder, or leave --paper out to compare several")
    _check_places((study, *others), out, paper)
    with _held(study), progress_bar("drawing the report"):
        _draw(study, others, out, paper, small)


def _check_places(studies: Sequence[Path], out: Path | None, paper: Path | None) -> None:
    """Refuse pages that cannot be written, or would be written over what they are drawn from."""
    page = out or studies[0] / ("comparison.html" if len(studies) > 1 else "report.html")
    outputs = [Output(page)] if out or studies[0].is_dir() else []
    if outputs and len(studies) == 1 and page.name not in ("", ".."):
        outputs.append(Output(page.with_suffix(".facts.js")))
    if paper:
        outputs.append(Output(paper, "--paper", "whole", "report.tex"))
    check_outputs(outputs, {"STUDY": [path for study in studies for path in files_in(study, "analysis")]})


def _held(study: Path) -> AbstractContextManager[None]:
    """Return the lock of a folder that drawing may write into, the analysis too."""
    if study.is_dir() and os.access(study, os.W_OK):
        return locked(study / ".lock", f"drawing the report of {study}", "run it later")
    return nullcontext()


def _draw(study: Path, others: Sequence[Path], out: Path | None, paper: Path | None, small: bool) -> None:
    if others:
        from unequal.report.compare.page import build_comparison

        say(f"the comparison is {build_comparison([study, *others], out)}")
        return
    from unequal.report.build import build_report

    say(f"the report is {build_report(study, out, small)}")
    if paper:
        from unequal.report.paper.folder import write_paper

        say(f"its figures and tables are in {write_paper(study, paper)}")
