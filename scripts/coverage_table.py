"""Write the table of `docs/estimators.md`: every estimator on simulated studies whose truth is known.

    python scripts/coverage_table.py --studies 200 --draws 200

Takes half an hour on one core with these numbers. The cases are those of the tests.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests" / "unit" / "analysis"), str(ROOT / "tests")]

from coverage_cases import CASES, Coverage, run_case  # noqa: E402
from unequal.files import write_text  # noqa: E402

PAGE = ROOT / "docs" / "estimators.md"
START, END = "<!-- coverage -->", "<!-- /coverage -->"
HEAD = (
    "| estimator | decides | studies simulated | truth | bias | spread | 95% interval holds the truth |"
    " finds an effect |\n"
    "|---|---|---|--:|--:|--:|--:|--:|\n"
)


def main() -> None:
    """Simulate, and put the table into its place in the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=200, help="simulated studies a case")
    parser.add_argument("--draws", type=int, default=200, help="bootstrap draws of each interval")
    chosen = parser.parse_args()
    rows = []
    for number, case in enumerate(CASES, 1):
        rows.append(_row(run_case(case, chosen.studies, chosen.draws)))
        sys.stdout.write(f"[{number}/{len(CASES)}] {rows[-1]}")
        sys.stdout.flush()
    error = (0.95 * 0.05 / chosen.studies) ** 0.5
    note = (
        f"\n{chosen.studies} studies a case, {chosen.draws} draws a study, so that a share of 95% is"
        f" known to ±{2 * error:.1%}. `python scripts/coverage_table.py --studies {chosen.studies}"
        f" --draws {chosen.draws}`.\n"
    )
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(START)
    after = rest.split(END)[1]
    write_text(PAGE, f"{before}{START}\n\n{HEAD}{''.join(rows)}{note}\n{END}{after}")


def _row(found: Coverage) -> str:
    case = found.case
    of_no_effect = abs(case.truth - case.null) < 1e-6
    effect = f"{found.off:.1%} (no effect is there)" if of_no_effect else f"{found.off:.0%}"
    numbers = [
        f"{round(case.truth, 3) + 0.0:+.3f}",
        f"{found.bias:+.4f}",
        f"{found.spread:.4f}",
        f"{found.covered:.1%}",
        effect,
    ]
    words = [case.estimator, case.decides, case.study, *numbers]
    return f"| {' | '.join(word.replace('-', '−') if word[:1] == '-' else word for word in words)} |\n"


if __name__ == "__main__":
    main()
