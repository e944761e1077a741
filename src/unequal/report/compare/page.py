"""Several studies side by side in one self-contained HTML file: verdicts, slopes, methods, settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from unequal.analysis.analyze import Analysis
from unequal.analysis.effects.dose_response import ALL_METHODS
from unequal.analysis.study_record import read_study_record
from unequal.analysis.units import in_points
from unequal.analysis.verdicts import NOT_DECIDABLE, Verdict
from unequal.errors import ConfigError
from unequal.files import check_file_name, write_text
from unequal.report.build import current_analysis
from unequal.report.colours import palette
from unequal.report.compare.figure import slope_rows, slopes_figure
from unequal.report.compare.settings import differing, flat
from unequal.report.page import asset, environment
from unequal.report.sample import sample_name
from unequal.report.scripts import page_scripts, specs_of
from unequal.report.sentences import effect, sample_sentence
from unequal.report.tables.methods import method_rows

MOST_NAMED = 4


@dataclass(frozen=True)
class Study:
    """One of several studies: what the page calls it, its analysis, and its ``study.json``."""

    label: str
    analysis: Analysis
    record: dict[str, Any]


def build_comparison(folders: Sequence[Path], out: Path | None = None) -> Path:
    """Write the comparison of studies and return its path, ``comparison.html`` in the first by default.

    Raises `ConfigError` for a folder named twice, and `DataError` for one without scores.
    """
    resolved = [folder.resolve() for folder in folders]
    for folder, one in zip(folders, resolved, strict=True):
        if resolved.count(one) > 1:
            raise ConfigError(f"{folder} is named twice; give different studies to compare")
    if out is not None:
        check_file_name(out, "comparison.html")
    target = out or folders[0] / "comparison.html"
    write_text(target, render_comparison(read_studies(folders)))
    return target


def read_studies(folders: Sequence[Path]) -> list[Study]:
    """Return the studies, each with its name, or where names coincide with its folder's."""
    records, analyses = (
        [read_study_record(folder) for folder in folders],
        [current_analysis(one) for one in folders],
    )
    named = [str(record.get("name") or folder.name) for folder, record in zip(folders, records, strict=True)]
    for choice in (named, [folder.resolve().name for folder in folders], [str(folder) for folder in folders]):
        labels = choice
        if len(set(labels)) == len(labels):
            break
    return [Study(*one) for one in zip(labels, analyses, records, strict=True)]


def render_comparison(studies: Sequence[Study]) -> str:
    """Return the page as one HTML text that needs no network."""
    labels = [study.label for study in studies]
    verdicts = _verdicts(studies)
    figure = slopes_figure([(study.label, study.analysis) for study in studies])
    settings = differing([flat(study.record.get("settings", {})) for study in studies])
    versions = differing([flat(study.record.get("versions", {})) for study in studies])
    template = environment().get_template("compare.html.j2")
    return template.render(
        name=" · ".join(labels),
        labels=labels,
        finding=[*_finding(verdicts, labels), _settings_sentence(settings)],
        samples=[(study.label, sample_sentence(study.analysis)) for study in studies],
        sample="",
        verdicts=[row for row in verdicts if _decided(row)],
        open_claims=[row for row in verdicts if not _decided(row)],
        effect=effect,
        points=in_points,
        figure_of_slopes=figure,
        slopes=slope_rows([(study.label, study.analysis) for study in studies]),
        methods=_methods(studies),
        settings=settings,
        versions=versions,
        commands=[(study.label, study.record.get("commands", [])) for study in studies],
        remarks=[(study.label, study.analysis.remarks) for study in studies if study.analysis.remarks],
        light=palette(1, dark=False),
        dark=palette(1, dark=True),
        style=Markup(asset("report.css")),  # our own file
        code=page_scripts(specs_of([figure]), {}, "compare.js"),
    )


def _verdicts(studies: Sequence[Study]) -> list[dict[str, Any]]:
    """Return per claim its statement and each study's verdict on it, None where it knows no such claim."""
    found = [{one.claim: one for one in study.analysis.verdicts} for study in studies]
    rows = []
    for claim in sorted({claim for one in found for claim in one}):
        by_study: list[Verdict | None] = [one.get(claim) for one in found]
        statement = next(one.statement for one in by_study if one is not None)
        rows.append({"claim": claim, "statement": statement, "by_study": by_study})
    return rows


def _decided(row: dict[str, Any]) -> list[Verdict]:
    """Return the verdicts of the studies that can decide a claim."""
    return [one for one in row["by_study"] if one is not None and one.verdict != NOT_DECIDABLE]


def _finding(verdicts: Sequence[dict[str, Any]], labels: Sequence[str]) -> list[str]:
    """Return a headline on how many claims come out alike, and which do not."""
    several = [row for row in verdicts if len(_decided(row)) > 1]
    if not several:
        return ["No claim is decided by more than one of these studies."]
    unlike = [row for row in several if len({one.verdict for one in _decided(row)}) > 1]
    n_alike = len(several) - len(unlike)
    head = f"{n_alike} of {len(several)} claims get the same verdict in every study that decides them."
    differences = [f"{row['claim']} is {_by_verdict(row, labels)}" for row in unlike]
    return [head, *([f"{'; '.join(differences)}."] if differences else [])]


def _by_verdict(row: dict[str, Any], labels: Sequence[str]) -> str:
    """Return who says what on a claim, such as ``supported in a and b, undecided in c``."""
    said: dict[str, list[str]] = {}
    for label, one in zip(labels, row["by_study"], strict=True):
        if one is not None and one.verdict != NOT_DECIDABLE:
            said.setdefault(one.verdict, []).append(label)
    return ", ".join(f"{verdict} in {' and '.join(names)}" for verdict, names in said.items())


def _settings_sentence(settings: dict[str, list[Any]]) -> str:
    if not settings:
        return "Their settings do not differ, or are not kept."
    names = list(settings)
    rest = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"Their settings differ in {', '.join(names[:MOST_NAMED])}{rest}."


def _methods(studies: Sequence[Study]) -> list[dict[str, Any]]:
    """Return per method and study what is left and kept at the last step over the study's models."""
    rows = []
    for study in studies:
        found = [row for row in method_rows(study.analysis) if row["method"] != ALL_METHODS]
        rows += [{"study": study.label, "model": sample_name(study.analysis), **row} for row in found]
    order = list(dict.fromkeys(row["method"] for row in rows))
    return sorted(rows, key=lambda row: order.index(row["method"]))
