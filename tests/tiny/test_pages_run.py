"""The Python of the README, the quickstart and the notebooks runs as it stands, on the real model."""

import os
import re
import subprocess
import sys
import time

import nbformat
import pytest
from nbclient import NotebookClient

from real_model import real_model  # noqa: F401
from shell_lines import ROOT
from time_limit import REASON, UNTIL

pytestmark = pytest.mark.full

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def python_of(page):
    """Return the Python blocks of a page as one program."""
    return "\n".join(re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.M))


FEWER = {"sample(40": "sample(8", "model, facts)": 'model, facts, attacks=["int8"], n_wordings=1)'}
"""With 40 facts and all attacks the lines take a quarter of an hour of one core."""
TAKES = 900


@pytest.fixture(autouse=True)
def time_enough():
    if time.time() + TAKES > float(os.environ.get(UNTIL, "inf")):
        pytest.skip(REASON)


def test_the_python_of_the_quickstart_runs(real_model, tmp_path):  # noqa: F811
    program = python_of(ROOT / "docs/quickstart.md")
    for whole, less in FEWER.items():
        assert whole in program
        program = program.replace(whole, less)
    paths = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "facts to forget" in done.stdout
    assert (tmp_path / "audit" / "audit.html").is_file()
    assert (tmp_path / "unlearned" / "model.safetensors").is_file()


def test_the_readme_has_the_lines_of_the_quickstart_and_a_method_that_can_be_made():
    readme, quickstart = (python_of(ROOT / page) for page in ("README.md", "docs/quickstart.md"))
    lines, method = readme.split("class ", 1)
    shared = [line for line in lines.splitlines() if line and not line.startswith("print(uq")]
    steps = [line.partition("  #")[0] for line in shared]
    assert steps[0] == "import unequal as uq"
    assert set(steps) <= set(quickstart.splitlines())
    space = {}
    exec(f"import unequal as uq\n\nclass {method}\nmade = Hinge(margin=3.0)", space)
    assert space["made"].margin == 3.0


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(real_model, path, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": str(tmp_path)}}).execute()
