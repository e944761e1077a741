"""``unequal analyze``."""

from pathlib import Path

from unequal.console import progress_bar, say, show_table
from unequal.files import locked
from unequal.output_paths import Output, check_outputs


def analyze(study: Path) -> None:
    """Decide the claims that a finished study can decide, and write the tables behind them.

    Parameters
    ----------
    study
        folder of a study, or any folder with a score table scores.parquet
    """
    from unequal.analysis.analyze import analyze as run_analysis
    from unequal.analysis.analyze import write_analysis
    from unequal.analysis.units import POINTS, in_points

    if study.is_dir():
        check_outputs([Output(study / "analysis", "STUDY", "whole", "verdicts.json")], {})
    with progress_bar("analysing"):
        analysis = run_analysis(study)
    with locked(study / ".lock", f"analysing {study}", "run it later"):
        write_analysis(analysis, study)
    rows = [
        (
            verdict.claim,
            verdict.verdict,
            "" if verdict.effect is None else f"{in_points(verdict.effect)} {POINTS}",
            verdict.unit,
        )
        for verdict in analysis.verdicts
    ]
    show_table("Verdicts", ["claim", "verdict", "effect", "unit"], rows)
    for remark in analysis.remarks:
        say(f"note: {remark}")
    say(f"effects, intervals and rules are in {study / 'analysis'}")
