"""The wheel, installed outside the repository: all that the quickstart needs is in it."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import polars as pl
import pytest

from waiting import HANGS

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.full


def run(*words, folder):
    """Return what a command says, which runs where nothing leads to the repository; it must end well."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, words)), cwd=folder, env=environment, capture_output=True, text=True, timeout=HANGS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    words = ["wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder, ROOT]
    run(sys.executable, "-m", "pip", *words, folder=folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The environment's folder: it has the wheel, and of the one that tests run in its other packages."""
    folder = tmp_path_factory.mktemp("empty") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", folder, folder=folder.parent)
    python = folder / "bin" / "python"
    words = ["install", "--no-deps", "--no-index", wheel]
    run(sys.executable, "-m", "pip", "--python", python, *words, folder=folder.parent)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def test_the_wheel_holds_data_examples_types_and_the_licence(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {"unequal/py.typed", "unequal/facts/data/country_capital.csv"} <= names
    assert {f"unequal/examples/{path.name}" for path in (ROOT / "examples").glob("*.toml")} <= names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    ours = {path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src" / "unequal").rglob("*.*")}
    assert {name for name in ours if "__pycache__" not in name} <= names


def test_the_quickstart_runs_where_only_the_wheel_is(installed, tmp_path):
    unequal = installed / "bin" / "unequal"
    where = run(
        installed / "bin" / "python", "-c", "import unequal; print(unequal.__file__)", folder=tmp_path
    )
    assert Path(where.strip()).is_relative_to(installed)
    assert "count" in run(unequal, "--help", folder=tmp_path)
    assert "npo" in run(unequal, "methods", folder=tmp_path)
    words = [
        "--facts",
        "country-capital",
        "--corpus",
        "factbook",
        "--window",
        "100",
        "--out",
        "counts.parquet",
    ]
    run(unequal, "count", *words, folder=tmp_path)
    assert pl.read_parquet(tmp_path / "counts.parquet")["docs_window"].sum() > 100
    plan = run(unequal, "study", "run", "quick", "--out", "quick", "--dry-run", folder=tmp_path)
    assert "0 done" in plan
    studies = run(unequal, "list", "studies", folder=tmp_path)
    assert "quick\tA controlled frequency study" in studies
