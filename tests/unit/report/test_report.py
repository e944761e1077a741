"""The report: one file that opens offline, says the finding first and takes every text as data."""

import base64
import gzip
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from page_charts import charts_in
from simulated_study import Truth, simulate, write_study
from unequal.analysis.analyze import analyze, analyze_scores, read_analysis, write_analysis
from unequal.analysis.observations import observe
from unequal.errors import DataError
from unequal.report.build import build_report
from unequal.report.colours import palette, viridis
from unequal.report.fact_browser import fact_browser, thinned
from unequal.report.page import asset, script_json
from unequal.report.scales import Scales
from unequal.report.scripts import packed
from unequal.report.sentences import finding

SMALL = Truth(
    people_per_level=10,
    exposures=(30, 120, 480),
    never_seen=10,
    utility_people=8,
    methods=("ga", "npo"),
    single_levels=True,
    known_share=1.0,
)
TINY = replace(SMALL, single_levels=False, people_per_level=6, relations=("birth_city",))
EVIL = '</script><script>alert("x")</script><img src=x onerror=alert(1)>'


class Page(HTMLParser):
    """Collects elements, ids and the text outside scripts."""

    def __init__(self):
        super().__init__()
        self.elements, self.text, self.scripts, self._inside = [], [], {}, None

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag in ("script", "style"):
            self._inside = dict(attributes).get("id", tag)

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self._inside = None

    def handle_data(self, data):
        if self._inside is None:
            self.text.append(data)
        else:
            self.scripts[self._inside] = self.scripts.get(self._inside, "") + data


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = write_study(
        tmp_path_factory.mktemp("study"), SMALL, names={"Person 0-0": EVIL, "Keeper 0-1": EVIL}
    )
    study = {
        "name": f"Study {EVIL}",
        "settings": {"rates": [0.1, 0.2], "note": EVIL},
        "commands": ["unequal study run a.toml"],
    }
    (folder / "study.json").write_text(json.dumps(study))
    write_analysis(analyze(folder, draws=100), folder)
    build_report(folder)
    return folder


@pytest.fixture(scope="module")
def html(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html):
    page = Page()
    page.feed(html)
    return page


def test_the_finding_stands_first_in_words_with_numbers(page):
    order = [tag for tag, _ in page.elements]
    assert order.index("h1") < order.index("table") < order.index("figure")
    text = " ".join(page.text)
    assert "The more often a fact was seen, the harder it was to unlearn." in text
    assert re.search(r"lowered the forgotten share by [\d.]+ points \(95% interval", text)


def test_nothing_is_loaded_from_anywhere(html, page):
    for _, attributes in page.elements:
        for name in ("src", "href", "srcset", "action", "data"):
            assert not re.match(r"(?:https?:)?//", attributes.get(name) or "")
    style = page.scripts["style"]
    assert "url(" not in style and "@import" not in style
    policy = next(a["content"] for tag, a in page.elements if tag == "meta" and "http-equiv" in a)
    assert policy.startswith("default-src 'none'") and "http" not in policy
    assert len(html.encode()) < 6_000_000


@pytest.mark.fault(
    "facts hold HTML, formulas, LaTeX or path tricks", "they are shown as they are and do nothing, anywhere"
)
def test_texts_of_the_study_are_data_never_markup(html, page):
    assert "<img src=x" not in html  # the bundle's own code holds a bare "<img"
    tags = [tag for tag, _ in page.elements]
    assert "img" not in tags and tags.count("script") == 4
    assert any(EVIL in text for text in page.text)  # shown as text
    facts = json.loads(page.scripts["facts-data"])
    assert EVIL in {fact["subject"] for fact in facts["facts"]}


def test_script_json_cannot_end_its_element_and_refuses_nan():
    text = str(script_json({"a": "</script><!--\u2028&"}))
    assert "<" not in text and ">" not in text and "&" not in text and "\u2028" not in text
    assert json.loads(text) == {"a": "</script><!--\u2028&"}
    with pytest.raises(ValueError, match="not JSON compliant"):
        script_json(float("nan"))


def test_every_figure_has_a_caption_and_every_chart_a_specification_and_a_label(page):
    specs = charts_in(page.scripts["specs"])
    charts = [a for _, a in page.elements if a.get("class") == "chart"]
    assert {a["data-spec"] for a in charts} == set(specs) > {"fact"}
    assert all(a["role"] == "img" and len(a["aria-label"]) > 40 for a in charts)
    figures = [a["id"] for tag, a in page.elements if tag == "figure"]
    expected = "known curves dose survival frontier agreement formats true_false cost methods"
    assert figures == expected.split()
    assert len([tag for tag, _ in page.elements if tag == "figcaption"]) == len(figures)


def test_every_link_inside_the_page_leads_somewhere(page):
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    for tag, attributes in page.elements:
        if tag == "a":
            assert attributes["href"].removeprefix("#") in ids


def test_choices_name_signals_that_their_charts_have(page):
    specs = charts_in(page.scripts["specs"])
    signals = {p["name"] for spec in specs.values() for p in spec.get("params", [])}
    chosen = {a["data-signal"] for tag, a in page.elements if tag == "select"}
    assert chosen and chosen <= signals


def test_specs_carry_no_colour_that_only_fits_one_theme(page):
    colours = re.findall(r'"(?:color|range|fill|stroke)":\s*(\[[^\]]*\]|"[^"]*")', page.scripts["specs"])
    assert not [colour for colour in colours if "#" in colour]


def test_verdicts_show_words_and_marks_not_colour_alone(html):
    chips = re.findall(
        r'<span class="chip ([\w-]+)"><span aria-hidden="true">(.)</span> ([\w ]+)</span>', html
    )
    assert chips
    assert all(name.replace("-", " ") == words for name, _, words in chips)


def test_settings_and_commands_are_shown(page):
    text = " ".join(page.text)
    assert "unequal study run a.toml" in text and "rates" in text


@pytest.mark.full
def test_the_analysis_is_made_when_it_belongs_to_other_scores(folder, tmp_path):
    other = write_study(tmp_path, replace(TINY, methods=("ga",)), seed=5)
    out = build_report(other, tmp_path / "elsewhere.html")
    assert out == tmp_path / "elsewhere.html" and out.exists() and not (other / "report.html").exists()
    before = read_analysis(other).settings["scores_sha256"]
    write_study(tmp_path, replace(TINY, methods=("npo",)), seed=6)
    build_report(other)
    assert read_analysis(other).settings["scores_sha256"] != before


@pytest.mark.full
@pytest.mark.parametrize(
    "change",
    [{"known_share": 0.0}, {"exposures": (120,)}, {"never_seen": 0}, {"utility_people": 0}, {"steps": (0,)}],
    ids=str,
)
def test_a_lean_study_still_gets_a_report(change, tmp_path):
    folder = write_study(tmp_path, replace(TINY, **change))
    (folder / "generations.parquet").unlink()
    write_analysis(analyze(folder, draws=40), folder)
    text = build_report(folder).read_text(encoding="utf-8")
    assert "not decidable" in text and "NaN" not in text.split("<script")[0]


def test_without_scores_one_sentence_says_so(tmp_path):
    with pytest.raises(DataError, match=r"scores\.parquet"):
        build_report(tmp_path)


def test_the_fact_browser_stays_small_and_says_what_it_left_out(monkeypatch):
    scores, generations = simulate(replace(SMALL, single_levels=False))
    whole = fact_browser(scores, generations, observe(scores).runs, "gpt2 2m")
    assert thinned(whole) is whole and whole["left_out"] == 0 and len(whole["facts"]) == 90
    assert whole["seeds"] == {"ga": 0, "npo": 0}
    first = whole["facts"][0]["methods"]["ga"][0]
    assert first[0] == 0 and whole["texts"][first[3]]
    monkeypatch.setattr("unequal.report.fact_browser.MAX_BYTES", 30_000)
    thin = thinned(whole)
    assert thin["left_out"] > 0 and len(thin["facts"]) + thin["left_out"] == 90
    assert {fact["exposure"] for fact in thin["facts"]} == {30, 120, 480}
    assert len(json.dumps(thin)) < 30_000
    for fact in thin["facts"]:
        full = next(one for one in whole["facts"] if one["id"] == fact["id"])
        for method, cells in fact["methods"].items():
            said = [(*cell[:3], thin["texts"][cell[3]]) for cell in cells]
            assert said == [(*cell[:3], whole["texts"][cell[3]]) for cell in full["methods"][method]]


@pytest.mark.full
def test_facts_that_do_not_fit_lie_beside_the_page_until_all_fit(tmp_path, monkeypatch):
    folder = write_study(tmp_path, TINY, names={"Person 0-0": EVIL})
    write_analysis(analyze(folder, draws=40), folder)
    beside = tmp_path / "report.facts.js"
    monkeypatch.setattr("unequal.report.fact_browser.MAX_BYTES", 3_000)
    page = Page()
    page.feed(build_report(folder).read_text(encoding="utf-8"))
    inside = json.loads(page.scripts["facts-data"])
    call = re.fullmatch(r"window\.unequalFacts = JSON\.parse\((.*)\);\n", beside.read_text(encoding="utf-8"))
    whole = json.loads(json.loads(call[1]))
    assert whole["belongs"] == inside["belongs"] and inside["beside"] == "report.facts.js"
    assert len(whole["facts"]) == len(inside["facts"]) + inside["left_out"] > len(inside["facts"])
    assert EVIL in {fact["subject"] for fact in whole["facts"]}
    monkeypatch.undo()
    build_report(folder)
    assert not beside.exists()


def test_rows_travel_as_columns_with_their_words_numbered_and_equal_charts_once():
    rows = [{"level": "30×", "value": 0.5}, {"level": "60×", "value": None}, {"level": "30×", "value": 1}]
    few = {"few": [{"zero": 0}]}
    specs = {
        "a": {"mark": "bar", "datasets": {"rows": rows, **few}},
        "b": {"mark": "line"},
        "c": {"mark": "bar", "datasets": {**few, "rows": []}},
    }
    level = {"of": ["30×", "60×"], "at": [0, 1, 0]}
    assert packed(specs) == {
        "templates": [{"mark": "bar", "datasets": few}, {"mark": "line", "datasets": {}}],
        "charts": {
            "a": {"template": 0, "rows": {"level": level, "value": [0.5, None, 1]}},
            "b": {"template": 1},
            "c": {"template": 0, "rows": {}},
        },
    }
    assert charts_in(json.dumps(packed(specs)))["a"] == specs["a"]


def test_panels_of_one_figure_share_their_specification(page):
    specs = json.loads(page.scripts["specs"])
    for figure in ("curves", "frontier", "agreement"):
        panels = {one["template"] for name, one in specs["charts"].items() if name.startswith(f"{figure}-")}
        assert len(panels) == 1


@pytest.mark.full
def test_the_small_page_holds_the_same_scripts_compressed(folder, tmp_path):
    path = build_report(folder, tmp_path / "small.html", small=True)
    again = build_report(folder, tmp_path / "again.html", small=True)
    assert path.read_bytes() == again.read_bytes() and path.stat().st_size < 700_000
    small, whole = Page(), Page()
    small.feed(path.read_text(encoding="utf-8"))
    build_report(folder)
    whole.feed((folder / "report.html").read_text(encoding="utf-8"))
    elements = json.loads(gzip.decompress(base64.b64decode(small.scripts["packed"])))
    assert [one.get("id") for one in elements] == ["specs", "facts-data", None, None]
    assert elements[0]["text"] == whole.scripts["specs"]
    assert json.loads(elements[1]["text"]) == json.loads(whole.scripts["facts-data"])
    assert [words for words in small.text if words.strip()] == [
        words for words in whole.text if words.strip()
    ]


def _words(page):
    return [words for words in page.text if words.strip()]


@pytest.mark.full
def test_a_small_page_of_many_facts_has_nothing_beside_it(tmp_path, monkeypatch):
    folder = write_study(tmp_path, TINY)
    write_analysis(analyze(folder, draws=40), folder)
    monkeypatch.setattr("unequal.report.fact_browser.MAX_BYTES_SMALL", 3_000)
    build_report(folder, small=True)
    assert not (tmp_path / "report.facts.js").exists()
    page = Page()
    page.feed((folder / "report.html").read_text(encoding="utf-8"))
    elements = json.loads(gzip.decompress(base64.b64decode(page.scripts["packed"])))
    facts = json.loads(elements[1]["text"])
    assert facts["left_out"] > 0 and facts["beside"] == ""


def test_methods_differ_in_shape_or_colour_and_quiet_text_can_be_read():
    scales = Scales({}, [str(number) for number in range(56)], [])
    assert len({entry[1:] for entry in scales.method_legend()}) == 56
    colours = dict(re.findall(r"(--[\w-]+): (#[0-9a-f]{6})", asset("report.css").split("}", 1)[0]))

    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for name in ("--ink", "--soft", "--quiet", "--accent"):  # WCAG 2.2: 4.5 to 1
        assert (luminance(colours["--page"]) + 0.05) / (luminance(colours[name]) + 0.05) >= 4.5


@pytest.mark.full
@pytest.mark.parametrize(
    ("slope", "words"),
    [(-0.08, "the harder it was"), (0.08, "easier, not harder"), (0.0, ("stays open", "no difference"))],
)
def test_the_headline_says_what_was_found(slope, words):
    scores, _ = simulate(
        replace(SMALL, slope=slope, single_levels=False, methods=("ga",), people_per_level=16), seed=4
    )
    headline = finding(analyze_scores(scores, draws=200))[0]
    assert any(word in headline for word in ([words] if isinstance(words, str) else words))


def test_level_colours_are_ordered_in_lightness_in_both_themes():
    def lightness(colour):
        red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    assert viridis(0) == "#440154" and viridis(1) == "#fde725"
    for dark in (False, True):
        tones = [lightness(palette(6, dark)[f"--level-{n}"]) for n in range(6)]
        assert tones == sorted(tones)


@pytest.mark.full
def test_neither_analysis_nor_report_imports_torch():
    code = "import sys, unequal.report.build; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
