"""``unequal report``."""

from pathlib import Path

from unequal.console import say


def report(study: Path, *, out: Path | None = None) -> None:
    """Draw the report of a finished study: one HTML file that needs no network.

    Parameters
    ----------
    study
        Folder of a study.
    out
        File to write. [default: report.html in the folder]
    """
    from unequal.report.build import build_report  # noqa: PLC0415

    say(f"the report is {build_report(study, out)}")
