"""A script run by two processes that work together."""

import subprocess
import sys
from pathlib import Path

from waiting import HANGS

TESTS = Path(__file__).parent


def run_by_two(script: str, meeting_point: Path, *given: object) -> None:
    """Run a script of this folder twice, with RANK, 2, MEETING_POINT and what is given; fail if one fails."""
    begun = [
        subprocess.Popen(
            [sys.executable, str(TESTS / script), str(rank), "2", str(meeting_point), *map(str, given)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for rank in range(2)
    ]  # fmt: skip
    try:
        for process in begun:
            said, _ = process.communicate(timeout=HANGS)
            assert process.returncode == 0, said
    finally:
        for process in begun:
            process.kill()
