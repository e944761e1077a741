"""Time of `unequal --help` against importing pydantic and cyclopts alone, in turns, as whole processes.

python benchmarks/help.py --out benchmarks/results/help.json
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from unequal.manifest import manifest

MAIN = "import sys; sys.argv = ['unequal', '--help']\nfrom unequal.cli.app import main\nmain()"
HELP = [sys.executable, "-c", MAIN]
IMPORTS = [sys.executable, "-c", "import pydantic, cyclopts"]


def seconds(command: list[str]) -> float:
    """Return the wall time of one run."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--pairs", type=int, default=21)
    arguments = parser.parse_args()
    seconds(HELP), seconds(IMPORTS)  # warm the file cache
    pairs = [(seconds(HELP), seconds(IMPORTS)) for _ in range(arguments.pairs)]
    ratios = [ours / base for ours, base in pairs]
    found = {
        "seconds_help": statistics.median(ours for ours, _ in pairs),
        "seconds_imports": statistics.median(base for _, base in pairs),
        "ratio_median": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        **manifest(),
    }
    print(json.dumps(found, indent=2))
    if arguments.out:
        arguments.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
