"""The documentation site builds strictly, has a page for whatever is registered, and loads nothing."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

import unequal as uq
from unequal.attacks import ATTACKS
from unequal.cli.app import COMMANDS
from unequal.evaluation.aggregates import AGGREGATES
from unequal.evaluation.metrics import METRICS
from unequal.unlearning.methods import METHODS

ROOT = Path(__file__).parents[3]
REGISTRIES = {"commands": COMMANDS, "methods": METHODS, "metrics": METRICS}
REGISTRIES |= {"aggregates": AGGREGATES, "attacks": ATTACKS}


def build(out, config=ROOT / "mkdocs.yml"):
    words = ["-m", "mkdocs", "build", "--strict", "--config-file", config, "--site-dir", out]
    return subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    result = build(out)
    assert result.returncode == 0, result.stdout + result.stderr
    return out


@pytest.fixture(scope="module")
def generator():
    spec = importlib.util.spec_from_file_location("docs_site", ROOT / "scripts" / "docs_site.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def text_of(page):
    return page.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", REGISTRIES)
def test_whatever_is_registered_has_a_page_and_a_place_in_the_navigation(site, kind):
    home = text_of(site / "index.html")
    for name in REGISTRIES[kind]:
        assert name in text_of(site / "reference" / kind / name / "index.html")
        assert f'href="reference/{kind}/{name}/"' in home


def test_pages_say_what_the_registries_say(site):
    npo = text_of(site / "reference" / "methods" / "npo" / "index.html")
    assert METHODS.get("npo").title in npo and "arXiv 2404.05868" in npo and "<code>beta</code>" in npo
    verify = text_of(site / "reference" / "commands" / "study" / "index.html")
    assert "--tolerance" in verify and "unequal study verify" in verify and "Table of Contents" not in verify
    rouge = text_of(site / "reference" / "metrics" / "rouge_l_recall" / "index.html")
    assert METRICS.get("rouge_l_recall").chance.words in rouge


def test_every_public_name_of_python_is_documented(site):
    page = text_of(site / "reference" / "python" / "index.html")
    for name in uq.__all__:
        assert f'id="unequal.{name}"' in page, name
    assert "held-out wordings of the question" in page  # a field of Fact
    assert "_has_question" not in page and "Validators" not in page


def test_nothing_is_loaded_from_elsewhere(site):
    for page in site.rglob("*.html"):
        loaded = re.findall(
            r"<(?:script|img|iframe|link|source)\b[^>]*?(?:src|href)=\"([^\"]+)\"", text_of(page)
        )
        assert not [one for one in loaded if re.match(r"(?:https?:)?//", one)], page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import\s)[\"']?(?:https?:)?//", text_of(sheet)), sheet


def test_links_to_run_files_lead_to_their_page(site):
    assert 'href="../reference/run-files/#policy"' in text_of(site / "audit" / "index.html")
    run_files = text_of(site / "reference" / "run-files" / "index.html")
    for path in (ROOT / "examples").glob("*.toml"):
        assert f'id="{path.stem}"' in run_files


@pytest.mark.full
def test_links_that_lead_nowhere_break_the_build(tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    bad = "[page](missing.md) [place](real.md#missing) ![picture](missing.png)"
    (docs / "index.md").write_text(f"# Home\n\n{bad}\n")
    (docs / "real.md").write_text("# Real\n")
    settings = text_of(ROOT / "mkdocs.yml").split("nav:\n  - Home")[0].replace("extra_css: [site.css]\n", "")
    for own in ("scripts/docs_site.py", "scripts/docs_templates"):
        settings = settings.replace(own, str(ROOT / own))
    (tmp_path / "mkdocs.yml").write_text(settings)
    result = build(tmp_path / "site", tmp_path / "mkdocs.yml")
    assert result.returncode != 0
    said = result.stdout + result.stderr
    assert "warnings in strict mode" in said
    for link in ("missing.md", "real.md#missing", "missing.png"):
        assert f"'index.md' contains a link '{link}'" in said


def test_a_report_that_lies_in_the_docs_is_shown_and_none_is_said(generator, tmp_path):
    assert generator._reports(tmp_path) == generator.NO_REPORT
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "standard.html").write_text("<p>")
    shown = generator._reports(tmp_path)
    assert '<iframe src="../reports/standard.html"' in shown and "## standard" in shown


def test_a_cell_of_a_table_does_not_end_early(generator):
    table = generator._table(["a", "b"], [("x | y", "`p | q`"), ("two\nlines", 1)])
    assert table.splitlines()[2:] == ["| x \\| y | `p | q` |", "| two lines | 1 |"]
