"""The Python of the README, the quickstart and the notebooks runs as it stands, on the real model."""

import os
import re
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

from real_model import real_model  # noqa: F401
from shell_lines import ROOT

pytestmark = pytest.mark.full

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def python_of(page):
    """Return the Python blocks of a page as one program."""
    return "\n".join(re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.M))


@pytest.mark.parametrize("page", ["README.md", "docs/quickstart.md"])
def test_the_python_of_a_page_runs(real_model, page, tmp_path):  # noqa: F811
    program = python_of(ROOT / page)
    assert "uq.unlearn(" in program or "uq.forget(" in program
    paths = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env={**os.environ, "PYTHONPATH": paths},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "facts to forget" in done.stdout


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(real_model, path, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": str(tmp_path)}}).execute()
