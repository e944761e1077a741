"""Several studies side by side: one file that says which claims come out alike, and what differs."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from command_line import call
from page_charts import charts_in
from simulated_study import Truth, write_study
from unequal.analysis.analyze import analyze, write_analysis
from unequal.errors import ConfigError, DataError
from unequal.report.compare.figure import slope_rows
from unequal.report.compare.page import build_comparison, read_studies
from unequal.report.compare.settings import differing, flat

pytestmark = pytest.mark.full

SMALL = Truth(
    people_per_level=10, exposures=(30, 120, 480), never_seen=10, utility_people=8, methods=("ga", "npo"),
    known_share=1.0,
)  # fmt: skip
EVIL = "</script><img src=x onerror=alert(1)>"


def study_folder(folder, truth, seed, name, **settings):
    folder.mkdir()
    write_study(folder, truth, seed=seed)
    record = {
        "name": name,
        "settings": {"seeds": [0, 1, 2], **settings},
        "commands": [f"unequal study run {name}"],
    }
    (folder / "study.json").write_text(
        json.dumps(record | {"versions": {"libraries": {"torch": f"2.{seed}"}}})
    )
    write_analysis(analyze(folder, draws=60), folder)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two studies of opposite effects, a method apart, and a name that would like to be markup."""
    here = tmp_path_factory.mktemp("studies")
    opposite = replace(SMALL, slope=0.08, methods=("ga", "simnpo"))
    return [
        study_folder(here / "one", SMALL, 1, "first", models=[{"size": "0.4M"}]),
        study_folder(here / "two", opposite, 2, f"second {EVIL}", models=[{"size": "0.6M"}]),
    ]


@pytest.fixture(scope="module")
def html(folders):
    return build_comparison(folders).read_text(encoding="utf-8")


class Page(HTMLParser):
    """Collects rows of tables as texts, tags, and ids."""

    def __init__(self):
        super().__init__()
        self.rows, self.tags, self.ids, self.links = [], [], [], []
        self._open = False

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.links += [attributes["href"]] if tag == "a" else []
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
            self._open = True

    def handle_endtag(self, tag):
        self._open = self._open and tag not in ("td", "th")

    def handle_data(self, text):
        if self._open:
            self.rows[-1][-1] = " ".join(f"{self.rows[-1][-1]} {text}".split())


@pytest.fixture(scope="module")
def page(html):
    page = Page()
    page.feed(html)
    return page


def row(page, start):
    return next(cells for cells in page.rows if cells and cells[0].startswith(start))


def test_the_headline_counts_claims_that_come_out_alike_and_names_the_others(folders, html):
    by_study = [{v.claim: v.verdict for v in one.analysis.verdicts} for one in read_studies(folders)]
    both = [c for c in by_study[0] if "not decidable" not in (by_study[0][c], by_study[1][c])]
    alike = [claim for claim in both if by_study[0][claim] == by_study[1][claim]]
    assert by_study[0]["C1"] == "supported" and by_study[1]["C1"] == "refuted"
    head = f"{len(alike)} of {len(both)} claims get the same verdict in every study that decides them."
    assert f"<h1>{head}</h1>" in html
    assert "C1 is supported in first, refuted in second" in html
    assert "Their settings differ in models.0.size." in html


def test_each_claim_stands_with_verdict_effect_and_interval_of_each_study(folders, page):
    cells = row(page, "C1")
    assert len(cells) == 3
    for text, one in zip(cells[1:], read_studies(folders), strict=True):
        verdict = next(v for v in one.analysis.verdicts if v.claim == "C1")
        assert verdict.verdict in text
        numbers = [
            f"{100 * value:+.1f}".replace("-", "−") for value in (verdict.effect, verdict.low, verdict.high)
        ]
        assert all(number in text for number in numbers)


def test_slopes_stand_by_method_and_a_method_of_one_study_has_a_dash(folders, page):
    rows = slope_rows([(one.label, one.analysis) for one in read_studies(folders)])
    assert [one["method"] for one in rows] == ["ga", "npo", "simnpo", "all methods"]
    assert rows[1]["by_study"][1] is None and rows[2]["by_study"][0] is None
    assert [one["value"] < 0 for one in rows[0]["by_study"]] == [True, False]
    shown = next(c for c in page.rows if c[0] == "npo" and len(c) == 3)
    assert shown[2] == "—" and "−" in shown[1]


def test_the_picture_has_a_point_for_every_slope_and_a_colour_for_every_study(html, folders):
    charts = charts_in(re.search(r'id="specs">(.*?)</script>', html).group(1))
    values = charts["slopes-0"]["datasets"]["rows"]
    at_equal_steps = [(v["study"], v["method"]) for v in values if v["comparison"] == "equal steps"]
    assert len(at_equal_steps) == len(set(at_equal_steps)) == 6
    assert {study for study, _ in at_equal_steps} == {one.label for one in read_studies(folders)}


def test_only_settings_and_versions_that_differ_are_shown(page):
    assert row(page, "models.0.size") == ["models.0.size", "0.4M", "0.6M"]
    assert row(page, "libraries.torch") == ["libraries.torch", "2.1", "2.2"]
    assert not [cells for cells in page.rows if cells and cells[0].startswith("seeds")]


def test_methods_at_the_last_step_stand_once_a_study(page):
    found = [cells[:2] for cells in page.rows if len(cells) == 8 and cells[0] in ("ga", "npo", "simnpo")]
    assert [cells[0] for cells in found] == ["ga", "ga", "npo", "simnpo"]


def test_the_page_needs_no_network_and_texts_are_data(html, page):
    for _, attributes in page.tags:
        for name in ("src", "href", "action", "data"):
            assert not re.match(r"(?:https?:)?//", attributes.get(name) or "")
    assert "<img src=x" not in html and "img" not in [tag for tag, _ in page.tags]
    assert len(page.ids) == len(set(page.ids))
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert len(html.encode()) < 2_000_000


@pytest.mark.full
def test_studies_of_one_name_are_called_by_their_folders(folders, tmp_path):
    again = study_folder(tmp_path / "again", replace(SMALL, methods=("ga",)), 3, "first")
    assert [one.label for one in read_studies([folders[0], again])] == ["one", "again"]


def test_a_study_that_decides_nothing_is_shown_all_the_same(folders, tmp_path):
    lean = study_folder(tmp_path / "lean", replace(SMALL, steps=(0,), methods=("ga",)), 4, "lean")
    text = build_comparison([folders[0], lean], tmp_path / "lean.html").read_text(encoding="utf-8")
    assert "<h1>No claim is decided by more than one of these studies.</h1>" in text
    assert "NaN" not in text.split("<script")[0]


def test_bad_folders_are_refused(folders, tmp_path):
    with pytest.raises(ConfigError, match="named twice"):
        build_comparison([folders[0], folders[0] / ".." / "one"])
    with pytest.raises(DataError, match=r"scores\.parquet"):
        build_comparison([folders[0], tmp_path])
    assert not list(tmp_path.glob("*.html"))


@pytest.mark.full
def test_the_command_draws_one_report_or_a_comparison(folders, tmp_path):
    result = call("report", *folders, "--out", tmp_path / "side.html")
    assert (result.code, result.err) == (0, "")
    assert result.out.replace("\n", "") == f"the comparison is {tmp_path / 'side.html'}"
    result = call("report", folders[0], "--out", tmp_path / "alone.html")
    assert result.code == 0 and "the report is" in result.out
    result = call("report", folders[0], folders[0])
    assert result.code == 2 and "named twice" in result.err


def test_settings_are_compared_leaf_by_leaf():
    assert flat({"a": {"b": [1, 2], "c": [{"d": 1}, {"d": 2}]}, "e": {}}) == {
        "a.b": [1, 2], "a.c.0.d": 1, "a.c.1.d": 2, "e": {},
    }  # fmt: skip
    assert differing([{"a": 1, "b": 2}, {"a": 1, "b": 3}, {"a": 1}]) == {"b": [2, 3, "not set"]}
    assert differing([{"a": 1}]) == {}
