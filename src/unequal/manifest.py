"""The manifest of a result: package versions, git revision and machine."""

import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from unequal import __version__

LIBRARIES = ("torch", "transformers", "accelerate", "tokenizers", "numpy", "polars", "statsmodels")


def manifest() -> dict[str, Any]:
    """Return package versions, the git revision of the source tree if there is one, and the machine."""
    return {
        "unequal": __version__,
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "git_revision": _git_revision(),
        "machine": f"{platform.system()} {platform.machine()}",
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


@cache
def _git_revision() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None
