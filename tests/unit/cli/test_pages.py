"""The README stays short; notebooks keep the outputs of a run, and no paths of its machine."""

import re

import nbformat
import pytest

from shell_lines import ROOT
from unequal.attacks import ATTACKS
from unequal.evaluation.metrics import METRICS
from unequal.unlearning.methods import METHODS

README = (ROOT / "README.md").read_text(encoding="utf-8")
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def test_the_readme_is_read_in_three_minutes():
    assert len(README.splitlines()) <= 90
    assert len(README.split()) <= 650


def test_the_links_of_the_readme_lead_somewhere():
    links = re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", README)
    assert len(links) > 10
    for link in links:
        assert (ROOT / link).is_file(), link


def test_the_readme_counts_what_is_registered():
    numbers = {"methods in one loop": METHODS, "metrics, each": METRICS}
    for words, registry in numbers.items():
        assert f"{len(list(registry))} {words}" in README, words
    assert len(list(ATTACKS)) == 12 and "twelve ways" in README


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_keeps_the_outputs_of_one_run(path):
    text = path.read_text(encoding="utf-8")
    cells = [cell for cell in nbformat.reads(text, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert any(cell.outputs for cell in cells)
    assert not any(output.output_type == "error" for cell in cells for output in cell.outputs)
    assert not re.search(r"/(?:home|root|tmp|work|Users)/", text)
