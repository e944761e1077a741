"""The simulated study of the analysis tests serves the command line's too."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "analysis"))
