"""Run files that come with the package, found by name: ``quick`` is ``examples/quick.toml``."""

from importlib.resources import files
from pathlib import Path

from unequal.errors import ConfigError, did_you_mean
from unequal.strict import path_problem

POLICY = "policy"
"""The example that is a policy of ``unequal audit``, and no study."""


def packaged_run_files() -> dict[str, Path]:
    """Return the run files that come with the package by name, or those of the repository it runs from."""
    packaged = Path(str(files("unequal"))) / "examples"
    folder = packaged if packaged.is_dir() else Path(__file__).parents[3] / "examples"
    return {path.stem: path for path in sorted(folder.glob("*.toml")) if path.stem != POLICY}


def resolve_run_file(run_file: Path) -> Path:
    """Return the file of a packaged study for its name, such as ``quick``, and any other path unchanged.

    A file of that name in the working folder comes first. Raises `ConfigError` for a name of neither.
    """
    name = str(run_file)
    is_name = len(run_file.parts) == 1 and not run_file.suffix and not path_problem(run_file)
    if not is_name or run_file.is_file():
        return run_file
    known = packaged_run_files()
    if name not in known:
        hint = did_you_mean(name, known)
        raise ConfigError(
            f"there is no run file {name} here and no packaged study '{name}'{hint}"
            f" (known: {', '.join(known)}); see: unequal list studies"
        )
    return known[name]


def resolve_study_folder(folder: Path) -> Path:
    """Return ``runs/NAME`` for the name of a study that is there, and any other folder unchanged."""
    by_name = Path("runs") / folder
    is_name = len(folder.parts) == 1 and not folder.exists()
    return by_name if is_name and by_name.is_dir() else folder
